//! Runs: the leases that allow one run at a time per subject, and the record of the last run.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use time::OffsetDateTime;

use super::{
    ahead::is_ahead,
    credential::CredentialId,
    error_kind::ErrorKind,
    id::{counter, opaque_id},
    mapping::MappingId,
    report::Report,
    sweep_strategy::RunReading,
    tenant::ComplianceOrgId,
};

/// A subject that only one run at a time may work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "run", content = "of", rename_all = "snake_case")]
#[non_exhaustive]
pub enum LeaseKey {
    /// Discovery with one credential.
    Discovery(CredentialId),
    /// The asset sync of one mapping.
    AssetSync(MappingId),
    /// The scheduled asset sync of one region, which syncs its mappings one after the other.
    RegionSync(CredentialId),
    /// The evidence sweep of one customer.
    EvidenceSweep(ComplianceOrgId),
    /// The one pass for many customers of a connection.
    SweepGroup(CredentialId),
}

impl LeaseKey {
    /// The key as one text, for stores: `asset_sync:<id>`.
    #[must_use]
    pub fn to_text(self) -> String {
        match self {
            Self::Discovery(id) => format!("discovery:{id}"),
            Self::AssetSync(id) => format!("asset_sync:{id}"),
            Self::RegionSync(id) => format!("region_sync:{id}"),
            Self::EvidenceSweep(id) => format!("evidence_sweep:{id}"),
            Self::SweepGroup(id) => format!("sweep_group:{id}"),
        }
    }
}

opaque_id! {
    /// A worker, which holds leases. A new process is a new worker.
    WorkerId
}

impl WorkerId {
    /// A new worker with a unique id.
    #[must_use]
    pub fn new(now: OffsetDateTime) -> Self {
        Self::from_uuid(crate::model::EventId::new(now).as_uuid())
    }
}

counter! {
    /// Grows each time a lease is taken. So the commits of a worker that froze are refused when it wakes, if another worker has taken its
    /// lease.
    Fence
}

/// The right to work on one subject until the lease expires. Commits carry it, and are refused once another worker has taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The subject.
    pub key: LeaseKey,
    /// Who holds it.
    pub worker: WorkerId,
    /// The fence of this taking of the lease.
    pub fence: Fence,
    /// From this time on another worker may take over.
    pub expires_at: OffsetDateTime,
}

/// The kind of run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunKind {
    /// Listing organizations; its subject is a credential.
    Discovery,
    /// Assets of one mapping.
    AssetSync,
    /// Evidence of one mapping.
    EvidenceSweep,
}

impl RunKind {
    /// The name used in stores, such as `asset_sync`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::AssetSync => "asset_sync",
            Self::EvidenceSweep => "evidence_sweep",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Discovery, Self::AssetSync, Self::EvidenceSweep]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }
}

/// What a run was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RunSubject {
    /// The kind of run.
    pub kind: RunKind,
    /// The credential it worked with.
    pub credential: CredentialId,
    /// The mapping; `None` for a discovery, for the scheduled asset sync of a whole region, and for one pass for many customers.
    pub mapping: Option<MappingId>,
}

impl RunSubject {
    /// A run of one mapped organization.
    pub(crate) const fn of_mapping(
        kind: RunKind,
        credential: CredentialId,
        mapping: MappingId,
    ) -> Self {
        Self {
            kind,
            credential,
            mapping: Some(mapping),
        }
    }

    /// A run of a connection as a whole.
    pub(crate) const fn of_connection(kind: RunKind, credential: CredentialId) -> Self {
        Self {
            kind,
            credential,
            mapping: None,
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunOutcome {
    /// The run did everything.
    Succeeded,
    /// The run did a part: a list was truncated or assets were held, or a report got no answer.
    Partial {
        /// The reports of a sweep that failed, and why. Empty for an asset sync, a discovery, or a run of an earlier release.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        failed_reports: BTreeMap<Report, ErrorKind>,
    },
    /// The run failed. The next run starts from the beginning.
    Failed {
        /// The kind of error.
        error: ErrorKind,
    },
}

impl RunOutcome {
    /// A run that did a part, and none of whose reports is known to have failed.
    pub const PARTIAL: Self = Self::Partial {
        failed_reports: BTreeMap::new(),
    };

    /// A run that failed with an error of this kind.
    #[must_use]
    pub const fn failed(error: ErrorKind) -> Self {
        Self::Failed {
            error: error.remembered(),
        }
    }
}

/// The last run of a subject, for the operator's card: one row per subject, which the next run overwrites.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    /// What it was about.
    #[serde(flatten)]
    pub subject: RunSubject,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339")]
    pub finished_at: OffsetDateTime,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: RunOutcome,
    /// Requests made to NinjaOne for this subject alone.
    pub requests: u64,
    /// What the run read, if that is known.
    #[serde(
        default,
        deserialize_with = "if_readable",
        skip_serializing_if = "Option::is_none"
    )]
    pub reading: Option<RunReading>,
}

/// If a later release wrote the field in another form, it is read as absent, and the rest of the record is still read.
fn if_readable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<RunReading>, D::Error> {
    let value = Option::<serde_json::Value>::deserialize(deserializer)?;
    Ok(value.and_then(|value| serde_json::from_value(value).ok()))
}

impl RunRecord {
    /// Whether the run began at this time or later, and did not fail.
    #[must_use]
    pub fn was_done_since(&self, since: OffsetDateTime) -> bool {
        self.started_at >= since && !self.has_failed()
    }

    /// Whether this failure is over: the run was of a whole region, and a later run in the region did not fail.
    pub(crate) fn is_overcome(&self, runs: &[&Self]) -> bool {
        let is_later = |run: &Self| run.finished_at > self.finished_at && !run.has_failed();
        self.subject.mapping.is_none() && runs.iter().any(|run| is_later(run))
    }

    /// Whether the record lies ahead of the store's clock, which shows `now`. Such a record is ignored.
    pub(crate) fn is_ahead(&self, now: OffsetDateTime) -> bool {
        is_ahead(self.started_at.max(self.finished_at), now)
    }

    /// Whether it failed.
    #[must_use]
    pub const fn has_failed(&self) -> bool {
        matches!(self.outcome, RunOutcome::Failed { .. })
    }
}
