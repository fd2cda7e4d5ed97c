use super::Views;
use crate::{
    error::Result,
    model::{MspOrgId, RunRecord},
};

impl Views {
    /// The last run of every subject of an MSP, ordered by subject, without those that lie in the future: a clock that ran ahead
    /// wrote them.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub async fn runs(&self, msp: MspOrgId) -> Result<Vec<RunRecord>> {
        let (mut runs, now) = (self.store.runs(msp).await?, self.store.store_time().await?);
        runs.retain(|run| !run.is_ahead(now));
        Ok(runs)
    }
}
