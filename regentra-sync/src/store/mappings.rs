//! Organizations, companies, and which is which.

use std::fmt::Debug;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::{commit::CommitOutcome, error::Result};
use crate::model::{
    AuditRow, CompanyId, ComplianceOrgId, CredentialGuard, CredentialId, EventId, Mapping,
    MappingGuard, MappingId, MappingState, MspOrgId, PortalCompany, Private,
};

/// The mappings and companies of an MSP.
#[async_trait]
pub trait Mappings: Debug + Send + Sync + 'static {
    /// All mappings of one credential, whatever their state, ordered by the organization's id.
    async fn mappings(&self, msp: MspOrgId, credential: CredentialId) -> Result<Vec<Mapping>>;

    /// One mapping; `None` also when it is another MSP's.
    async fn mapping(&self, msp: MspOrgId, mapping: MappingId) -> Result<Option<Mapping>>;

    /// All companies of this MSP's portal, ordered by id.
    async fn companies(&self, msp: MspOrgId) -> Result<Vec<PortalCompany>>;

    /// One company; `None` also when it is another MSP's.
    async fn company(&self, msp: MspOrgId, company: CompanyId) -> Result<Option<PortalCompany>>;

    /// Adds a company to the portal, as the host's own screens do. One that exists is left as it is. One that was created ahead of
    /// the store's clock is refused with [`Stamped::check_not_ahead`](super::Stamped::check_not_ahead).
    async fn add_company(&self, msp: MspOrgId, company: PortalCompany) -> Result<()>;

    /// Writes what discovery saw.
    ///
    /// Guards: the credential is active and of that generation, else [`Guard::Credential`].
    ///
    /// Writes: mappings that do not exist yet (one that exists is left as it is); of those in `seen` the name and
    /// `missing_since`, the suggestion where the stored state is pending review (a person may have decided meanwhile), and
    /// nothing else; of the credential the number of lost organizations, if it is given; the audit rows on the MSP's trail.
    ///
    /// [`Guard::Credential`]: super::Guard::Credential
    async fn commit_discovery(
        &self,
        msp: MspOrgId,
        commit: DiscoveryCommit,
    ) -> Result<CommitOutcome>;

    /// Writes a person's decision about one organization.
    ///
    /// Guards: the mapping exists with that version, else [`Guard::Mapping`]; a company to create does not exist yet, and the
    /// company of the new state exists (or is created here), else [`Guard::Company`].
    ///
    /// Writes: the company, if there is one; of the mapping the state, the version plus one, no suggestion, no
    /// `first_evidence_synced_at`; the audit rows on the MSP's trail. If the mapping was mapped before, besides: every active
    /// NinjaOne asset of the mapping retired (version plus one, `updated_at` = `at`) and assets that such a one had superseded
    /// as [`come_back`](crate::model::come_back) says; its signature history deleted; one note with reason *unmapped* per open ticket of the mapping.
    ///
    /// [`Guard::Mapping`]: super::Guard::Mapping
    /// [`Guard::Company`]: super::Guard::Company
    async fn commit_mapping(&self, msp: MspOrgId, commit: MappingCommit) -> Result<CommitOutcome>;

    /// Gives a company a compliance organization of its own.
    ///
    /// Guards: the company exists and was not promoted, and no other company of any MSP was promoted to that compliance
    /// organization, else [`Guard::Company`].
    ///
    /// Writes: `converted_to`; the audit rows on the MSP's trail.
    ///
    /// [`Guard::Company`]: super::Guard::Company
    async fn commit_promotion(
        &self,
        msp: MspOrgId,
        commit: PromotionCommit,
    ) -> Result<CommitOutcome>;
}

/// Everything that discovery writes.
#[derive(Clone, Debug)]
pub struct DiscoveryCommit {
    /// The run.
    pub event: EventId,
    /// The credential has to be connected still.
    pub guard: CredentialGuard,
    /// Organizations never seen before.
    pub added: Vec<Mapping>,
    /// Organizations of which something changed.
    pub seen: Vec<SeenOrganization>,
    /// [`Credential::lost_organizations`](crate::model::Credential::lost_organizations), where it changes.
    pub lost_organizations: Option<u64>,
    /// Rows for the MSP's trail.
    pub audit: Vec<AuditRow>,
}

/// What discovery owns of a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenOrganization {
    /// Which mapping.
    pub mapping: MappingId,
    /// The organization's present name.
    pub name: Private,
    /// The company suggested.
    pub suggestion: Option<CompanyId>,
    /// Since when it is no longer listed.
    pub missing_since: Option<OffsetDateTime>,
}

/// Everything that a decision writes.
#[derive(Clone, Debug)]
pub struct MappingCommit {
    /// The request.
    pub event: EventId,
    /// The mapping as it was read.
    pub guard: MappingGuard,
    /// What is decided.
    pub state: MappingState,
    /// A company to create first.
    pub company: Option<PortalCompany>,
    /// When.
    pub at: OffsetDateTime,
    /// Rows for the MSP's trail.
    pub audit: Vec<AuditRow>,
}

/// Everything that a promotion writes.
#[derive(Clone, Debug)]
pub struct PromotionCommit {
    /// The request.
    pub event: EventId,
    /// Which company.
    pub company: CompanyId,
    /// Its compliance organization.
    pub compliance_org: ComplianceOrgId,
    /// Rows for the MSP's trail.
    pub audit: Vec<AuditRow>,
}
