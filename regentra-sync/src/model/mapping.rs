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
    /// One NinjaOne organization of one credential, and the decision about it.
    MappingId
}

impl MappingId {
    /// The mapping of this organization. There is only one.
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

/// The decision about an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum MappingState {
    /// There is no decision yet.
    PendingReview,
    /// Its devices belong to this company.
    Mapped {
        /// The company.
        company: CompanyId,
    },
    /// "Don't sync": nothing is read, and the organization is not offered for review again.
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

/// One NinjaOne organization and the decision about it.
///
/// Each field is written by one kind of commit and by no other: discovery owns `name`, `suggestion` and `missing_since`; a decision owns
/// `state` and `version`, and clears `first_evidence_synced_at`; the sweep stamps `first_evidence_synced_at`.
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
    /// The decision.
    #[serde(flatten)]
    pub state: MappingState,
    /// The only company with a matching name, as long as there is no decision.
    pub suggestion: Option<CompanyId>,
    /// How often a person decided about it. Commits of runs compare it.
    pub version: Version,
    /// When discovery first saw the organization.
    #[serde(with = "time::serde::rfc3339")]
    pub discovered_at: OffsetDateTime,
    /// Since when NinjaOne no longer lists the organization. The mapping is marked so and never deleted.
    #[serde(with = "time::serde::rfc3339::option")]
    pub missing_since: Option<OffsetDateTime>,
    /// When the first sweep succeeded under the current decision. Until then, sweeps are dry runs: they write signals, but no tickets. The
    /// time survives a reconnect.
    #[serde(with = "time::serde::rfc3339::option")]
    pub first_evidence_synced_at: Option<OffsetDateTime>,
}

impl Mapping {
    /// The guard for commits that rely on this decision.
    #[must_use]
    pub const fn guard(&self) -> MappingGuard {
        MappingGuard {
            mapping: self.id,
            version: self.version,
        }
    }
}

/// A guard in a commit: the commit is refused if there was another decision about the mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappingGuard {
    /// Which mapping.
    pub mapping: MappingId,
    /// The version that the run read.
    pub version: Version,
}
