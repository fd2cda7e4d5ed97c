//! What the planner hands to workers: serialisable events whose ids two schedulers derive alike.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::cadence::spread;
use crate::model::{
    ComplianceOrgId, CredentialId, EventId, MappingId, MspOrgId, OrganizationId, RegionKey, derive,
};

impl EventId {
    fn scheduled(kind: &str, subject: uuid::Uuid, scheduled_at: OffsetDateTime) -> Self {
        Self::from_uuid(derive(
            kind,
            &[
                subject.as_bytes(),
                &scheduled_at.unix_timestamp_nanos().to_be_bytes(),
            ],
        ))
    }

    /// The sweep of this mapping at this scheduled time.
    #[must_use]
    pub fn of_sweep(mapping: MappingId, scheduled_at: OffsetDateTime) -> Self {
        Self::scheduled("sweep", mapping.as_uuid(), scheduled_at)
    }

    /// The asset sync of this credential at this scheduled time.
    #[must_use]
    pub fn of_sync(credential: CredentialId, scheduled_at: OffsetDateTime) -> Self {
        Self::scheduled("sync", credential.as_uuid(), scheduled_at)
    }

    /// The part of this event that is about one mapping.
    #[must_use]
    pub fn for_mapping(self, mapping: MappingId) -> Self {
        self.part(mapping.as_uuid())
    }

    /// The part of this event that is about the organizations of one region.
    #[must_use]
    pub fn for_credential(self, credential: CredentialId) -> Self {
        self.part(credential.as_uuid())
    }

    /// The event that comes after this one, when it was committed and there is more to write.
    pub(crate) fn again(self) -> Self {
        self.part(uuid::Uuid::nil())
    }

    fn part(self, subject: uuid::Uuid) -> Self {
        Self::from_uuid(derive(
            "part",
            &[self.as_uuid().as_bytes(), subject.as_bytes()],
        ))
    }
}

/// What is planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanKind {
    /// Asset syncs: one event per connected region.
    AssetSync,
    /// Evidence sweeps: one event per mapped organization whose company was promoted.
    EvidenceSweep,
}

impl PlanKind {
    /// The name, such as `asset_sync`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AssetSync => "asset_sync",
            Self::EvidenceSweep => "evidence_sweep",
        }
    }
}

/// One evidence sweep of one mapping: stage 1 emits it on the MSP's side, stage 2 commits into the customer's tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepEvent {
    /// Derived from (mapping, scheduled time).
    pub id: EventId,
    /// The MSP whose credential is used.
    pub msp_credential_org_id: MspOrgId,
    /// The customer whose evidence it becomes.
    pub customer_compliance_org_id: ComplianceOrgId,
    /// The mapping.
    pub mapping_id: MappingId,
    /// The region of the credential.
    pub region: RegionKey,
    /// The organization in NinjaOne.
    pub external_org_id: OrganizationId,
    /// The tick of the schedule it belongs to.
    #[serde(with = "time::serde::rfc3339")]
    pub scheduled_at: OffsetDateTime,
    /// When to start: starts are spread over the interval.
    #[serde(with = "time::serde::rfc3339")]
    pub starts_at: OffsetDateTime,
}

impl SweepEvent {
    /// The credential that the event is worked with.
    #[must_use]
    pub fn credential(&self) -> CredentialId {
        CredentialId::of(self.msp_credential_org_id, &self.region)
    }
}

/// One asset sync of every mapped organization of one credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncEvent {
    /// Derived from (credential, scheduled time).
    pub id: EventId,
    /// The MSP.
    pub msp_org_id: MspOrgId,
    /// The region of the credential.
    pub region: RegionKey,
    /// The tick of the schedule it belongs to.
    #[serde(with = "time::serde::rfc3339")]
    pub scheduled_at: OffsetDateTime,
    /// When to start: starts are spread over the interval.
    #[serde(with = "time::serde::rfc3339")]
    pub starts_at: OffsetDateTime,
}

impl SyncEvent {
    /// The credential that the event is worked with.
    #[must_use]
    pub fn credential(&self) -> CredentialId {
        CredentialId::of(self.msp_org_id, &self.region)
    }
}

/// Any scheduled work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// An asset sync.
    AssetSync(SyncEvent),
    /// An evidence sweep.
    EvidenceSweep(SweepEvent),
}

impl Event {
    /// The event's id.
    #[must_use]
    pub const fn id(&self) -> EventId {
        match self {
            Self::AssetSync(event) => event.id,
            Self::EvidenceSweep(event) => event.id,
        }
    }

    /// Whose credential it is worked with.
    #[must_use]
    pub const fn msp(&self) -> MspOrgId {
        match self {
            Self::AssetSync(event) => event.msp_org_id,
            Self::EvidenceSweep(event) => event.msp_credential_org_id,
        }
    }

    /// The credential that it is worked with.
    #[must_use]
    pub fn credential(&self) -> CredentialId {
        match self {
            Self::AssetSync(event) => event.credential(),
            Self::EvidenceSweep(event) => event.credential(),
        }
    }

    /// The tick of the schedule it belongs to.
    #[must_use]
    pub const fn scheduled_at(&self) -> OffsetDateTime {
        match self {
            Self::AssetSync(event) => event.scheduled_at,
            Self::EvidenceSweep(event) => event.scheduled_at,
        }
    }

    /// What kind of work it is.
    #[must_use]
    pub const fn kind(&self) -> PlanKind {
        match self {
            Self::AssetSync(_) => PlanKind::AssetSync,
            Self::EvidenceSweep(_) => PlanKind::EvidenceSweep,
        }
    }

    /// When to start it.
    #[must_use]
    pub const fn starts_at(&self) -> OffsetDateTime {
        match self {
            Self::AssetSync(event) => event.starts_at,
            Self::EvidenceSweep(event) => event.starts_at,
        }
    }

    /// Spreads the starts over another length than the one it was planned for.
    pub(crate) fn start_within(&mut self, length: Duration) {
        match self {
            Self::AssetSync(event) => {
                let subject = event.credential().as_uuid();
                event.starts_at = spread(event.scheduled_at, length, subject);
            }
            Self::EvidenceSweep(event) => {
                let subject = event.mapping_id.as_uuid();
                event.starts_at = spread(event.scheduled_at, length, subject);
            }
        }
    }
}
