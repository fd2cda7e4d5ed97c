use super::integration::Integration;
use crate::{
    error::Result,
    model::{AuditRow, ComplianceOrgId, MspOrgId},
    store::AuditPage,
};

impl Integration {
    /// An MSP's audit trail, newest first.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub async fn msp_audit(&self, msp: MspOrgId, page: AuditPage) -> Result<Vec<AuditRow>> {
        Ok(self.inner.store.msp_audit(msp, page).await?)
    }

    /// A customer's audit trail, newest first.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub async fn customer_audit(
        &self,
        customer: ComplianceOrgId,
        page: AuditPage,
    ) -> Result<Vec<AuditRow>> {
        Ok(self.inner.store.customer_audit(customer, page).await?)
    }
}
