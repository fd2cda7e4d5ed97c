use super::Integration;
use crate::{ComplianceOrgId, MspOrgId, audit::AuditRow, error::Result, store::AuditPage};

impl Integration {
    /// An MSP's audit trail, newest first.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::ErrorKind::Store).
    pub async fn msp_audit(&self, msp: MspOrgId, page: AuditPage) -> Result<Vec<AuditRow>> {
        Ok(self.inner.store.msp_audit(msp, page).await?)
    }

    /// A customer's audit trail, newest first.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::ErrorKind::Store).
    pub async fn customer_audit(
        &self,
        customer: ComplianceOrgId,
        page: AuditPage,
    ) -> Result<Vec<AuditRow>> {
        Ok(self.inner.store.customer_audit(customer, page).await?)
    }
}
