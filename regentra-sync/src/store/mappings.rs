//! NinjaOne's organizations, the portal's companies, and the mappings between them.

use std::fmt::Debug;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::{commit::CommitOutcome, error::Result};
use crate::model::{
    AdoptedFrameworks, AuditRow, CompanyId, ComplianceOrgId, CredentialGuard, CredentialId,
    EventId, Mapping, MappingGuard, MappingId, MappingState, MspOrgId, OrganizationId,
    PortalCompany, Sensitive, StoredFrameworks, Version,
};

/// The mappings and companies of an MSP.
#[async_trait]
pub trait Mappings: Debug + Send + Sync + 'static {
    /// All mappings of one credential, whatever their state, ordered by the organization's id.
    async fn mappings(&self, msp: MspOrgId, credential: CredentialId) -> Result<Vec<Mapping>>;

    /// A page of the mappings that match, whatever their credential, ordered by credential and by the organization's id. A short
    /// page is the last one.
    async fn mappings_page(&self, msp: MspOrgId, page: MappingPage) -> Result<Vec<Mapping>>;

    /// The mappings that match, counted by decision, and how many of them NinjaOne no longer lists.
    async fn mapping_counts(&self, msp: MspOrgId, filter: MappingFilter) -> Result<MappingCounts>;

    /// One mapping; `None` also when it is another MSP's.
    async fn mapping(&self, msp: MspOrgId, mapping: MappingId) -> Result<Option<Mapping>>;

    /// All companies of this MSP's portal, ordered by id.
    async fn companies(&self, msp: MspOrgId) -> Result<Vec<PortalCompany>>;

    /// A page of the companies that match, ordered by id. A short page is the last one.
    async fn companies_page(&self, msp: MspOrgId, page: CompanyPage) -> Result<Vec<PortalCompany>>;

    /// One company; `None` also when it is another MSP's.
    async fn company(&self, msp: MspOrgId, company: CompanyId) -> Result<Option<PortalCompany>>;

    /// Adds a company to the portal, as the host's own screens do. Does nothing if the company exists. Refuses a company created ahead of
    /// the store's clock with [`Stamped::check_not_ahead`](super::Stamped::check_not_ahead).
    async fn add_company(&self, msp: MspOrgId, company: PortalCompany) -> Result<()>;

    /// Writes the result of a discovery.
    ///
    /// Preconditions: the credential is active and has the given generation, else [`Precondition::Credential`].
    ///
    /// Writes: the new mappings (one that exists already stays as it is); for each mapping in `seen` its name and `missing_since`, and, if
    /// the stored state is still pending review, its suggestion (a person may have decided meanwhile); the credential's number of lost
    /// organizations, if the commit carries it; the audit rows on the MSP's trail.
    ///
    /// [`Precondition::Credential`]: super::Precondition::Credential
    async fn commit_discovery(
        &self,
        msp: MspOrgId,
        commit: DiscoveryCommit,
    ) -> Result<CommitOutcome>;

    /// Writes a person's decision about one organization.
    ///
    /// Preconditions: the mapping exists and has the given version, else [`Precondition::Mapping`]; a company to create does not exist yet,
    /// and the company of the new state exists or is created here, else [`Precondition::Company`].
    ///
    /// Writes: the company to create, if there is one; the mapping as [`decided`](super::effects::decided) says; the audit rows on the
    /// MSP's trail. If the mapping was mapped before, also writes its [`EndedMappings`](super::effects::EndedMappings) with reason
    /// *unmapped* and deletes its signature history.
    ///
    /// [`Precondition::Mapping`]: super::Precondition::Mapping
    /// [`Precondition::Company`]: super::Precondition::Company
    async fn commit_mapping(&self, msp: MspOrgId, commit: MappingCommit) -> Result<CommitOutcome>;

    /// Promotes a company: gives it a compliance organization.
    ///
    /// Preconditions: the company exists and was not promoted, and no other company of any MSP was promoted to that compliance
    /// organization, else [`Precondition::Company`].
    ///
    /// Writes: `converted_to`; the audit rows on the MSP's trail.
    ///
    /// [`Precondition::Company`]: super::Precondition::Company
    async fn commit_promotion(
        &self,
        msp: MspOrgId,
        commit: PromotionCommit,
    ) -> Result<CommitOutcome>;

    /// The frameworks that a company has adopted; the default if none were written. `None` when this MSP has no such company.
    async fn adopted_frameworks(
        &self,
        msp: MspOrgId,
        company: CompanyId,
    ) -> Result<Option<StoredFrameworks>>;

    /// Writes which frameworks a company has adopted.
    ///
    /// Preconditions: the company exists, and its frameworks have version `expected`, else [`Precondition::Company`].
    ///
    /// Writes: the frameworks as a whole, including those that this release does not know; their version plus one; the audit rows on the
    /// MSP's trail.
    ///
    /// [`Precondition::Company`]: super::Precondition::Company
    async fn commit_frameworks(
        &self,
        msp: MspOrgId,
        commit: FrameworksCommit,
    ) -> Result<CommitOutcome>;
}

/// Selects mappings: those that meet every condition given. A store honours every field and ignores none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MappingFilter {
    /// Of this credential.
    pub credential: Option<CredentialId>,
    /// With this decision.
    pub decision: Option<Decision>,
    /// Mapped to this company.
    pub company: Option<CompanyId>,
    /// Whether NinjaOne no longer lists the organization.
    pub missing: Option<bool>,
    /// With this text in the organization's name; the case of ASCII letters is ignored. No name contains a NUL, so a text with a NUL
    /// matches nothing.
    pub name: Option<String>,
}

/// The decision about an organization, without the company.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// There is no decision yet.
    PendingReview,
    /// It is mapped to a company.
    Mapped,
    /// It is ignored: not synced.
    Ignored,
}

impl Decision {
    /// The name used in stores and lists, as [`MappingState::as_str`] has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PendingReview => "pending_review",
            Self::Mapped => "mapped",
            Self::Ignored => "ignored",
        }
    }
}

impl MappingFilter {
    /// Whether this mapping matches.
    #[must_use]
    pub fn matches(&self, mapping: &Mapping) -> bool {
        let Self {
            credential,
            decision,
            company,
            missing,
            name,
        } = self;
        credential.is_none_or(|credential| mapping.credential == credential)
            && decision.is_none_or(|decision| mapping.state.as_str() == decision.as_str())
            && company.is_none_or(|company| mapping.state.company() == Some(company))
            && missing.is_none_or(|missing| mapping.missing_since.is_some() == missing)
            && name
                .as_ref()
                .is_none_or(|text| holds_text(mapping.name.as_str(), text))
    }
}

/// Whether a name contains a text; the case of ASCII letters is ignored.
fn holds_text(name: &str, text: &str) -> bool {
    name.to_ascii_lowercase()
        .contains(&text.to_ascii_lowercase())
}

/// Selects a page of an MSP's mappings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingPage {
    /// Which mappings.
    pub filter: MappingFilter,
    /// Only mappings that follow this one in the order of the list: the credential and organization of the last one of the previous page.
    pub after: Option<(CredentialId, OrganizationId)>,
    /// At most this many.
    pub limit: u32,
}

impl MappingPage {
    /// The first `limit` that match.
    #[must_use]
    pub const fn first(filter: MappingFilter, limit: u32) -> Self {
        Self {
            filter,
            after: None,
            limit,
        }
    }

    /// The page after one that ended with `last`.
    #[must_use]
    pub fn next(self, last: &Mapping) -> Self {
        Self {
            after: Some((last.credential, last.external_org_id)),
            ..self
        }
    }
}

/// How many mappings have each decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MappingCounts {
    /// There is no decision yet.
    pub pending_review: u64,
    /// Mapped to a company.
    pub mapped: u64,
    /// Not synced.
    pub ignored: u64,
    /// NinjaOne no longer lists them. The other counts include them, because the decisions about them still apply.
    pub missing: u64,
}

/// Selects companies: those that meet every condition given. A store honours every field and ignores none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompanyFilter {
    /// Whether the company was promoted.
    pub promoted: Option<bool>,
    /// With this text in its name, compared as [`MappingFilter::name`] is.
    pub name: Option<String>,
}

impl CompanyFilter {
    /// Whether this company matches.
    #[must_use]
    pub fn matches(&self, company: &PortalCompany) -> bool {
        let Self { promoted, name } = self;
        promoted.is_none_or(|promoted| company.converted_to.is_some() == promoted)
            && name
                .as_ref()
                .is_none_or(|text| holds_text(company.name.as_str(), text))
    }
}

/// Selects a page of an MSP's companies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompanyPage {
    /// Which companies.
    pub filter: CompanyFilter,
    /// Only companies with an id after this one: the last one of the previous page.
    pub after: Option<CompanyId>,
    /// At most this many.
    pub limit: u32,
}

impl CompanyPage {
    /// The first `limit` that match.
    #[must_use]
    pub const fn first(filter: CompanyFilter, limit: u32) -> Self {
        Self {
            filter,
            after: None,
            limit,
        }
    }

    /// The page after one that ended with `last`.
    #[must_use]
    pub fn next(self, last: &PortalCompany) -> Self {
        Self {
            after: Some(last.id),
            ..self
        }
    }
}

/// Everything that discovery writes.
#[derive(Clone, Debug)]
pub struct DiscoveryCommit {
    /// The run.
    pub event: EventId,
    /// The credential, which must still be connected.
    pub guard: CredentialGuard,
    /// Organizations never seen before.
    pub added: Vec<Mapping>,
    /// Organizations with a change.
    pub seen: Vec<SeenOrganization>,
    /// The new [`Credential::lost_organizations`](crate::model::Credential::lost_organizations), if it changes.
    pub lost_organizations: Option<u64>,
    /// Rows for the MSP's trail.
    pub audit: Vec<AuditRow>,
}

/// The fields of a mapping that discovery owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenOrganization {
    /// Which mapping.
    pub mapping: MappingId,
    /// The organization's current name.
    pub name: Sensitive,
    /// The suggested company.
    pub suggestion: Option<CompanyId>,
    /// Since when NinjaOne no longer lists it.
    pub missing_since: Option<OffsetDateTime>,
}

/// Everything that a decision writes.
#[derive(Clone, Debug)]
pub struct MappingCommit {
    /// The request.
    pub event: EventId,
    /// The mapping when it was read.
    pub guard: MappingGuard,
    /// The decision.
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

/// Everything that adopting frameworks writes.
#[derive(Clone, Debug)]
pub struct FrameworksCommit {
    /// The request.
    pub event: EventId,
    /// Which company.
    pub company: CompanyId,
    /// The version of its frameworks when they were read.
    pub expected: Version,
    /// The new frameworks, as a whole.
    pub frameworks: AdoptedFrameworks,
    /// Rows for the MSP's trail.
    pub audit: Vec<AuditRow>,
}
