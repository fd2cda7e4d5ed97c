use regentra_evidence::{Link, SignalKind, Status, crosswalk};
use serde::Serialize;

use super::Views;
use crate::{
    error::Result,
    model::{CompanyId, MspOrgId},
};

/// A requirement of an adopted framework that a signal relates to, with the status of that signal. The link says how strong the relation
/// is: only a direct link evidences the requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Requirement {
    /// The row of the crosswalk.
    #[serde(flatten)]
    pub link: &'static Link,
    /// The signal.
    pub signal: SignalKind,
    /// The status of the signal: the worst of the company's organizations.
    pub status: Status,
}

impl Views {
    /// The requirements of a company's adopted frameworks that its signals relate to, in the order of the crosswalk. The company must be
    /// promoted. A requirement that several controls relate to appears several times.
    ///
    /// # Errors
    /// As [`posture`](Self::posture).
    pub async fn requirements(
        &self,
        msp: MspOrgId,
        company: CompanyId,
    ) -> Result<Vec<Requirement>> {
        let standing = self.posture(msp, company).await?;
        let adopted = self.adopted_frameworks(msp, company).await?;
        let shown = adopted.frameworks.shown();
        let links = crosswalk::all().iter();
        let links = links.filter(|link| shown.contains(&link.framework()));
        let requirements = links.map(|link| {
            let of_signal =
                |posture: &&regentra_evidence::posture::Posture| posture.signal == link.signal();
            let posture = standing.posture.iter().find(of_signal);
            Requirement {
                link,
                signal: link.signal(),
                status: posture.map_or(Status::Unknown, |posture| posture.status),
            }
        });
        Ok(requirements.collect())
    }
}
