use regentra_evidence::{Link, PublicView, crosswalk};
use serde::Serialize;

use super::Views;
use crate::{
    error::Result,
    model::{CompanyId, MspOrgId},
};

/// What a trust centre may show of one signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PublicSignal {
    /// The public view.
    #[serde(flatten)]
    pub view: PublicView,
    /// What it speaks to in the frameworks that the company has adopted, with how strongly and with which limit.
    pub requirements: Vec<&'static Link>,
}

impl Views {
    /// What a trust centre may show of a promoted company: one public view for each signal of which one of its organizations has a
    /// current one, in the order of [`SignalKind::ALL`](regentra_evidence::SignalKind::ALL).
    ///
    /// Status, coverage and freshness are the worst of the company's organizations. Where one of them has no current signal the status
    /// is unknown, and no coverage is shown: what was measured elsewhere says nothing of it. A signal that no organization has is left
    /// out. The frameworks that the company has adopted decide which requirements stand beside a signal, and never whether the signal
    /// is shown: one that fails cannot be hidden by adopting other frameworks. Publish nothing else of a signal: a count that is suppressed today can be computed from the views of two days.
    ///
    /// # Errors
    /// As [`posture`](Self::posture).
    pub async fn public_view(
        &self,
        msp: MspOrgId,
        company: CompanyId,
    ) -> Result<Vec<PublicSignal>> {
        let standing = self.posture(msp, company).await?;
        let adopted = self.adopted_frameworks(msp, company).await?;
        let shown = adopted.frameworks.shown();
        let mut views = Vec::new();
        for posture in &standing.posture {
            let of_kind = standing.mappings.iter().filter_map(|(_, signals)| {
                let mut signals = signals.iter().map(|stored| &stored.signal);
                signals.find(|signal| signal.kind() == posture.signal)
            });
            let worst = of_kind.map(PublicView::of).reduce(|a, b| PublicView {
                // Bands are ordered; none stands for no device in scope, which takes nothing away from the others.
                coverage: match (a.coverage, b.coverage) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (one, other) => one.or(other),
                },
                collected_at: a.collected_at.min(b.collected_at),
                expires_at: a.expires_at.min(b.expires_at),
                ..a
            });
            views.extend(worst.map(|view| PublicSignal {
                view: PublicView {
                    status: posture.status,
                    coverage: view.coverage.filter(|_| posture.without_signal == 0),
                    ..view
                },
                requirements: crosswalk::of_signal(posture.signal, &shown),
            }));
        }
        Ok(views)
    }
}
