use regentra_evidence::PublicView;

use super::Views;
use crate::{
    error::Result,
    model::{CompanyId, MspOrgId},
};

impl Views {
    /// What a trust centre may show of a promoted company: one public view for each signal of which one of its organizations has a
    /// current one, in the order of [`SignalKind::ALL`](regentra_evidence::SignalKind::ALL).
    ///
    /// Status, coverage and freshness are the worst of the company's organizations. Where one of them has no current signal the status
    /// is unknown, and no coverage is shown: what was measured elsewhere says nothing of it. A signal that no organization has is left
    /// out. Publish nothing else of a signal: a count that is suppressed today can be computed from the views of two days.
    ///
    /// # Errors
    /// As [`posture`](Self::posture).
    pub async fn public_view(&self, msp: MspOrgId, company: CompanyId) -> Result<Vec<PublicView>> {
        let standing = self.posture(msp, company).await?;
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
            views.extend(worst.map(|view| PublicView {
                status: posture.status,
                coverage: view.coverage.filter(|_| posture.without_signal == 0),
                ..view
            }));
        }
        Ok(views)
    }
}
