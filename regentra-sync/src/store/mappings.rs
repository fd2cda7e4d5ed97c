//! Organizations, companies, and which is which.

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

    /// How many of the mappings that match were decided so, and how many NinjaOne no longer lists.
    async fn mapping_counts(&self, msp: MspOrgId, filter: MappingFilter) -> Result<MappingCounts>;

    /// One mapping; `None` also when it is another MSP's.
    async fn mapping(&self, msp: MspOrgId, mapping: MappingId) -> Result<Option<Mapping>>;

    /// All companies of this MSP's portal, ordered by id.
    async fn companies(&self, msp: MspOrgId) -> Result<Vec<PortalCompany>>;

    /// A page of the companies that match, ordered by id. A short page is the last one.
    async fn companies_page(&self, msp: MspOrgId, page: CompanyPage) -> Result<Vec<PortalCompany>>;

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
    /// Writes: the company, if there is one; the mapping as [`decided`](super::effects::decided) says; the audit rows on the MSP's
    /// trail. If the mapping was mapped before, besides: its [`EndedMappings`](super::effects::EndedMappings) with reason
    /// *unmapped*, and its signature history deleted.
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

    /// The frameworks that a company has adopted; the default where nobody has decided. `None` when there is no such company, also
    /// when it is another MSP's.
    async fn adopted_frameworks(
        &self,
        msp: MspOrgId,
        company: CompanyId,
    ) -> Result<Option<StoredFrameworks>>;

    /// Writes which frameworks a company has adopted.
    ///
    /// Guards: the company exists, and its frameworks are of version `expected`, else [`Guard::Company`].
    ///
    /// Writes: the frameworks, whole, with those that this release does not know; their version plus one; the audit rows on the
    /// MSP's trail.
    ///
    /// [`Guard::Company`]: super::Guard::Company
    async fn commit_frameworks(
        &self,
        msp: MspOrgId,
        commit: FrameworksCommit,
    ) -> Result<CommitOutcome>;
}

/// Which mappings: those for which everything that is given holds. A store answers every field; it ignores none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MappingFilter {
    /// Of this credential.
    pub credential: Option<CredentialId>,
    /// Decided so.
    pub decision: Option<Decision>,
    /// Mapped to this company.
    pub company: Option<CompanyId>,
    /// Whether NinjaOne no longer lists the organization.
    pub missing: Option<bool>,
    /// With this text in the organization's name, without regard to the case of ASCII letters. No name holds a NUL, so a text with
    /// one matches none.
    pub name: Option<String>,
}

/// What was decided about an organization, without the company.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Nobody has decided yet.
    PendingReview,
    /// It is mapped to a company.
    Mapped,
    /// It is not synced.
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

/// Whether a name holds a text, without regard to the case of ASCII letters.
fn holds_text(name: &str, text: &str) -> bool {
    name.to_ascii_lowercase()
        .contains(&text.to_ascii_lowercase())
}

/// Which part of an MSP's mappings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingPage {
    /// Which mappings.
    pub filter: MappingFilter,
    /// Only those that come after this one in the order of the answer: credential and organization of the last one of the page
    /// before.
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

/// How many mappings were decided so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MappingCounts {
    /// Nobody has decided yet.
    pub pending_review: u64,
    /// Mapped to a company.
    pub mapped: u64,
    /// Not synced.
    pub ignored: u64,
    /// NinjaOne no longer lists them. They are counted above, too: what was decided about them stands.
    pub missing: u64,
}

/// Which companies: those for which everything that is given holds. A store answers every field; it ignores none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompanyFilter {
    /// Whether the company was promoted.
    pub promoted: Option<bool>,
    /// With this text in its name, as [`MappingFilter::name`].
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

/// Which part of an MSP's companies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompanyPage {
    /// Which companies.
    pub filter: CompanyFilter,
    /// Only those that come after this one: the last one of the page before.
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
    pub name: Sensitive,
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

/// Everything that adopting frameworks writes.
#[derive(Clone, Debug)]
pub struct FrameworksCommit {
    /// The request.
    pub event: EventId,
    /// Which company.
    pub company: CompanyId,
    /// The version of its frameworks that was read.
    pub expected: Version,
    /// The new ones, whole.
    pub frameworks: AdoptedFrameworks,
    /// Rows for the MSP's trail.
    pub audit: Vec<AuditRow>,
}
