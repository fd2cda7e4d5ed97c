//! Mappings: which company a NinjaOne organization belongs to.

use ninjaone_client::OrganizationId;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    company::CompanyId,
    credential::CredentialId,
    id::{Version, derive, opaque_id},
    sensitive::Sensitive,
};

opaque_id! {
    /// One NinjaOne organization of one credential, and what was decided about it.
    MappingId
}

impl MappingId {
    /// The mapping of this organization; there is only one.
    #[must_use]
    pub fn of(credential: CredentialId, organization: OrganizationId) -> Self {
        Self(derive(
            "mapping",
            &[
                credential.as_uuid().as_bytes(),
                &organization.get().to_be_bytes(),
            ],
        ))
    }
}

/// What was decided about an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum MappingState {
    /// Nobody has decided yet.
    PendingReview,
    /// Its devices are this company's.
    Mapped {
        /// The company.
        company: CompanyId,
    },
    /// "Don't sync": nothing is read, and nobody is asked again.
    Ignored,
}

impl MappingState {
    /// The name used in stores and lists: `pending_review`, `mapped` or `ignored`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PendingReview => "pending_review",
            Self::Mapped { .. } => "mapped",
            Self::Ignored => "ignored",
        }
    }

    /// The company it is mapped to.
    #[must_use]
    pub const fn company(self) -> Option<CompanyId> {
        match self {
            Self::Mapped { company } => Some(company),
            Self::PendingReview | Self::Ignored => None,
        }
    }
}

/// One NinjaOne organization and what was decided about it.
///
/// The fields belong to the commits that write them, and no other commit touches them: discovery owns `name`,
/// `suggestion` and `missing_since`; a decision owns `state` and `version`, and clears `first_evidence_synced_at`; the
/// sweep stamps `first_evidence_synced_at`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    /// Which mapping.
    pub id: MappingId,
    /// The credential the organization was seen with.
    pub credential: CredentialId,
    /// The organization's id in NinjaOne. It means something only together with its credential.
    pub external_org_id: OrganizationId,
    /// The organization's name in NinjaOne, as last seen.
    pub name: Sensitive,
    /// What was decided.
    #[serde(flatten)]
    pub state: MappingState,
    /// The one company whose name matches, while nothing is decided.
    pub suggestion: Option<CompanyId>,
    /// How often it was decided upon. Commits of runs compare it.
    pub version: Version,
    /// When discovery first saw the organization.
    #[serde(with = "time::serde::rfc3339")]
    pub discovered_at: OffsetDateTime,
    /// Since when the organization is no longer listed; it is flagged, never deleted.
    #[serde(with = "time::serde::rfc3339::option")]
    pub missing_since: Option<OffsetDateTime>,
    /// When the first sweep succeeded under the present decision. Until then sweeps are dry runs: signals land, tickets do
    /// not. A reconnect keeps it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub first_evidence_synced_at: Option<OffsetDateTime>,
}

impl Mapping {
    /// What a commit has to find unchanged: the decision it worked under.
    #[must_use]
    pub const fn guard(&self) -> MappingGuard {
        MappingGuard {
            mapping: self.id,
            version: self.version,
        }
    }
}

/// A commit carries it: refused once the mapping was decided upon again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappingGuard {
    /// Which mapping.
    pub mapping: MappingId,
    /// The version the run worked from.
    pub version: Version,
}
