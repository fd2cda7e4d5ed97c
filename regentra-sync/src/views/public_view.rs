use regentra_evidence::{Link, PublicView, crosswalk};
use serde::Serialize;

use super::Views;
use crate::{
    error::Result,
    model::{CompanyId, MspOrgId},
};

/// What a trust centre may show about one signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PublicSignal {
    /// The public view.
    #[serde(flatten)]
    pub view: PublicView,
    /// The requirements of the adopted frameworks that the signal relates to, each with the strength and the limits of the relation.
    pub requirements: Vec<&'static Link>,
}

impl Views {
    /// What a trust centre may show about a promoted company: one public view for each kind of signal that is current in at least one of
    /// its organizations, in the order of [`SignalKind::ALL`](regentra_evidence::SignalKind::ALL).
    ///
    /// Status, coverage and freshness are the worst of the company's organizations. If one of them has no current signal, the status is
    /// unknown and no coverage is shown, because measurements in other organizations say nothing about this one. The adopted frameworks
    /// decide which requirements are shown beside a signal, but never whether the signal is shown: adopting other frameworks cannot hide a
    /// signal that fails. Publish nothing else about a signal. Otherwise a count that is suppressed today could be computed from the views
    /// of two days.
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
                // Bands are ordered. `None` means that no device is in scope, so the other organization's band is used.
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
