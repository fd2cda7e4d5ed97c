use super::Views;
use crate::{
    error::Result,
    model::{AuditRow, ComplianceOrgId, MspOrgId},
    store::AuditPage,
};

impl Views {
    /// A page of the rows of an MSP's audit trail that match, newest first.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub async fn msp_audit(&self, msp: MspOrgId, page: AuditPage) -> Result<Vec<AuditRow>> {
        Ok(self.store.msp_audit(msp, page).await?)
    }

    /// A page of the rows of a customer's audit trail that match, newest first.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub async fn customer_audit(
        &self,
        customer: ComplianceOrgId,
        page: AuditPage,
    ) -> Result<Vec<AuditRow>> {
        Ok(self.store.customer_audit(customer, page).await?)
    }
}
