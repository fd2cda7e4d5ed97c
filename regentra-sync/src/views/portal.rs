use super::Views;
use crate::{
    error::Result,
    model::{Asset, CompanyId, CredentialId, Mapping, MappingId, MspOrgId, PortalCompany},
    store::AssetFilter,
};

impl Views {
    /// The organizations of one connection, whatever was decided about them, ordered by their id in NinjaOne.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::ErrorKind::Store).
    pub async fn mappings(&self, msp: MspOrgId, credential: CredentialId) -> Result<Vec<Mapping>> {
        Ok(self.store.mappings(msp, credential).await?)
    }

    /// One organization; `None` also when it is another MSP's.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::ErrorKind::Store).
    pub async fn mapping(&self, msp: MspOrgId, mapping: MappingId) -> Result<Option<Mapping>> {
        Ok(self.store.mapping(msp, mapping).await?)
    }

    /// The companies of an MSP's portal, ordered by id.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::ErrorKind::Store).
    pub async fn companies(&self, msp: MspOrgId) -> Result<Vec<PortalCompany>> {
        Ok(self.store.companies(msp).await?)
    }

    /// One company; `None` also when it is another MSP's.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::ErrorKind::Store).
    pub async fn company(
        &self,
        msp: MspOrgId,
        company: CompanyId,
    ) -> Result<Option<PortalCompany>> {
        Ok(self.store.company(msp, company).await?)
    }

    /// The assets that match, whatever their status, ordered by id.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::ErrorKind::Store).
    pub async fn assets(&self, msp: MspOrgId, filter: AssetFilter) -> Result<Vec<Asset>> {
        Ok(self.store.assets(msp, filter).await?)
    }
}
