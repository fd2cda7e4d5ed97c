use super::Views;
use crate::{
    error::Result,
    model::{Asset, CompanyId, CredentialId, Mapping, MappingId, MspOrgId, PortalCompany},
    store::{AssetFilter, AssetPage, CompanyPage, MappingCounts, MappingFilter, MappingPage},
};

impl Views {
    /// The organizations of one connection, whatever the decision about them, ordered by their id in NinjaOne.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::ErrorKind::Store).
    pub async fn mappings(&self, msp: MspOrgId, credential: CredentialId) -> Result<Vec<Mapping>> {
        Ok(self.store.mappings(msp, credential).await?)
    }

    /// A page of the organizations that match, of all connections, ordered by connection and by their id in NinjaOne.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use regentra_sync::{model::MspOrgId, store::MemoryStore, views::Views};
    /// use regentra_sync::store::{Decision, MappingFilter, MappingPage};
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// # let views = Views::new(Arc::new(MemoryStore::new()));
    /// # let msp: MspOrgId = "6f0a8f0e-8a53-4a80-9a0c-4f4f0d6f1a11".parse()?;
    /// let pending = MappingFilter {
    ///     decision: Some(Decision::PendingReview),
    ///     name: Some("gmbh".to_owned()),
    ///     ..MappingFilter::default()
    /// };
    /// let page = MappingPage::first(pending, 50);
    /// let organizations = views.mappings_page(msp, page.clone()).await?;
    /// // The link to the next page holds the last organization of this one.
    /// let next = organizations.last().map(|last| page.next(last));
    /// # assert!(next.is_none());
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::ErrorKind::Store).
    pub async fn mappings_page(&self, msp: MspOrgId, page: MappingPage) -> Result<Vec<Mapping>> {
        Ok(self.store.mappings_page(msp, page).await?)
    }

    /// How many of the organizations that match have each decision: the counts on the tabs of the list.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::ErrorKind::Store).
    pub async fn mapping_counts(
        &self,
        msp: MspOrgId,
        filter: MappingFilter,
    ) -> Result<MappingCounts> {
        Ok(self.store.mapping_counts(msp, filter).await?)
    }

    /// One organization; `None` also if it belongs to another MSP.
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

    /// A page of the companies that match, ordered by id.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::ErrorKind::Store).
    pub async fn companies_page(
        &self,
        msp: MspOrgId,
        page: CompanyPage,
    ) -> Result<Vec<PortalCompany>> {
        Ok(self.store.companies_page(msp, page).await?)
    }

    /// One company; `None` also if it belongs to another MSP.
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

    /// A page of the assets that match, ordered by id.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::ErrorKind::Store).
    pub async fn assets_page(&self, msp: MspOrgId, page: AssetPage) -> Result<Vec<Asset>> {
        Ok(self.store.assets_page(msp, page).await?)
    }

    /// The assets that match, whatever their status, ordered by id.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::ErrorKind::Store).
    pub async fn assets(&self, msp: MspOrgId, filter: AssetFilter) -> Result<Vec<Asset>> {
        Ok(self.store.assets(msp, filter).await?)
    }
}
