//! The audit trail: what was done, by whom, with which result. It holds aggregates and ids only. No field could hold a device identifier or
//! free text.

use std::collections::BTreeMap;

use regentra_evidence::{ChainHead, SignalKind, Status};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    adopted_frameworks::AdoptedFrameworks,
    company::CompanyId,
    connection_settings::ChangedSetting,
    credential::{CredentialId, Grant, TenantView},
    id::{EventId, derive, opaque_id},
    mapping::MappingId,
    region::RegionKey,
    report::Report,
    sweep_strategy::{StrategyCosts, StrategyReason, SweepStrategy},
    tenant::ComplianceOrgId,
};

opaque_id! {
    /// One audit row.
    AuditId
}

impl AuditId {
    /// The `index`-th row of this kind that an event writes.
    #[must_use]
    pub fn of(event: EventId, action: AuditAction, index: usize) -> Self {
        Self(derive(
            "audit",
            &[
                event.as_uuid().as_bytes(),
                action.as_str().as_bytes(),
                &(index as u64).to_be_bytes(),
            ],
        ))
    }
}

opaque_id! {
    /// A person or a machine that the host knows.
    ActorId
}

/// Who requested the action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// The schedule.
    Schedule,
    /// A person whom the host knows.
    Operator(ActorId),
}

/// What an audit row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(
    missing_docs,
    reason = "the names say it; what each row holds stands at the variants of AuditDetails"
)]
#[non_exhaustive]
pub enum AuditAction {
    NinjaoneTested,
    NinjaoneConnected,
    NinjaoneConfigured,
    NinjaoneDisconnected,
    NinjaoneDiscovered,
    NinjaoneMapped,
    NinjaoneIgnored,
    NinjaoneUnmapped,
    NinjaonePromoted,
    NinjaoneFrameworksAdopted,
    NinjaoneSynced,
    NinjaoneSwept,
    NinjaoneBudgetLow,
    NinjaoneUnsealingFailed,
    NinjaoneKeyRotated,
    NinjaoneOverrideUsed,
}

impl AuditAction {
    /// The name in stores and lists, such as `NINJAONE_CONNECTED`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NinjaoneTested => "NINJAONE_TESTED",
            Self::NinjaoneConnected => "NINJAONE_CONNECTED",
            Self::NinjaoneConfigured => "NINJAONE_CONFIGURED",
            Self::NinjaoneDisconnected => "NINJAONE_DISCONNECTED",
            Self::NinjaoneDiscovered => "NINJAONE_DISCOVERED",
            Self::NinjaoneMapped => "NINJAONE_MAPPED",
            Self::NinjaoneIgnored => "NINJAONE_IGNORED",
            Self::NinjaoneUnmapped => "NINJAONE_UNMAPPED",
            Self::NinjaonePromoted => "NINJAONE_PROMOTED",
            Self::NinjaoneFrameworksAdopted => "NINJAONE_FRAMEWORKS_ADOPTED",
            Self::NinjaoneSynced => "NINJAONE_SYNCED",
            Self::NinjaoneSwept => "NINJAONE_SWEPT",
            Self::NinjaoneBudgetLow => "NINJAONE_BUDGET_LOW",
            Self::NinjaoneUnsealingFailed => "NINJAONE_UNSEALING_FAILED",
            Self::NinjaoneKeyRotated => "NINJAONE_KEY_ROTATED",
            Self::NinjaoneOverrideUsed => "NINJAONE_OVERRIDE_USED",
        }
    }
}

impl std::fmt::Display for AuditAction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// What one asset sync of one mapping did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncCounts {
    /// Approved devices of the organization in NinjaOne's response.
    pub listed: u64,
    /// Assets written for the first time.
    pub created: u64,
    /// Assets whose content changed, or that are active again.
    pub updated: u64,
    /// Assets whose device moved here from another organization.
    pub moved: u64,
    /// Assets no longer listed.
    pub retired: u64,
    /// Assets of sources of lower priority that were superseded.
    pub superseded: u64,
    /// Assets of sources of lower priority that are active again.
    pub restored: u64,
    /// Assets that look like other assets, all of which were kept: see [`Ambiguity`](crate::rules::Ambiguity).
    pub ambiguous: u64,
    /// Assets that are probably the old record of a machine that was set up again:
    /// [`Asset::possible_duplicate_of`](crate::model::Asset::possible_duplicate_of).
    #[serde(default)]
    pub possible_duplicates: u64,
    /// Assets that the list does not contain and that were not retired.
    #[serde(default)]
    pub held: u64,
    /// Rows of another organization, dropped.
    pub foreign_rows: u64,
    /// Rows that did not decode.
    pub malformed_rows: u64,
}

/// The number of rows in which a field had an unexpected form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairedRows {
    /// Rows in which the value was read without loss.
    pub read: u64,
    /// Rows in which the value could not be read. It counts as absent, so a verdict never becomes better through it.
    pub lost: u64,
}

/// What one evidence sweep counted, besides its verdicts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepCounts {
    /// Rows of devices of another organization, dropped.
    pub foreign_rows: u64,
    /// Rows of devices that no list contains, dropped.
    pub orphan_rows: u64,
    /// Rows that could not be read, and devices whose approval could not be read.
    pub malformed_rows: u64,
    /// Rows that are too old. Audit rows without the field `undated_rows` count undated rows here, too.
    pub stale_rows: u64,
    /// Rows whose time cannot be read.
    #[serde(default)]
    pub undated_rows: u64,
    /// Fields that had an unexpected form, by report and name. The values are not kept.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub repaired: BTreeMap<Report, BTreeMap<String, RepairedRows>>,
    /// Requests made, without retries and token requests.
    pub requests: u64,
}

/// One verdict as the audit row keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweptSignal {
    /// The outcome.
    pub status: Status,
    /// Whether the data behind it was complete.
    pub complete: bool,
    /// The head of its evidence chain after this sweep. The same database holds the chain. So the head reveals that the end of the chain
    /// was lost by accident, but no change by the database's administrator.
    pub chain_head: ChainHead,
}

/// What an audit row says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum AuditDetails {
    /// A connection was tried before it was saved.
    Tested {
        /// Where.
        region: RegionKey,
        /// How many organizations the client sees, including those whose row could not be read; `None` if the request failed.
        organizations_visible: Option<u64>,
        /// Rows of the list that do not say which organization they are.
        #[serde(default)]
        unreadable_rows: u64,
    },
    /// Credentials were saved.
    Connected {
        /// Which credential.
        credential: CredentialId,
        /// Where.
        region: RegionKey,
        /// How access was granted.
        grant: Grant,
        /// How much of the tenant the connection sees, if that is known.
        #[serde(default)]
        view: TenantView,
        /// Whether this region had been connected before.
        reconnected: bool,
    },
    /// Settings of a connection were changed.
    Configured {
        /// Which credential.
        credential: CredentialId,
        /// The settings that changed, with their new values.
        changed: Vec<ChangedSetting>,
    },
    /// Credentials were removed. The row on each affected customer's trail has a count of signals; the row on the MSP's trail has none.
    Disconnected {
        /// Which credential.
        credential: CredentialId,
        /// On a customer's trail, that customer's mappings under the credential; on the MSP's trail, all mappings under it.
        mappings: u64,
        /// How many signals remain until they expire (customers' rows only).
        unexpired_signals: Option<u64>,
    },
    /// The organizations were listed, and something was new.
    Discovered {
        /// Which credential.
        credential: CredentialId,
        /// Organizations in NinjaOne's response.
        listed: u64,
        /// How many of these organizations have no readable name.
        #[serde(default)]
        nameless: u64,
        /// Rows that do not say which organization they are.
        #[serde(default)]
        unreadable_rows: u64,
        /// New ones.
        added: u64,
        /// Renamed ones.
        renamed: u64,
        /// No longer listed.
        missing: u64,
        /// Listed again.
        returned: u64,
        /// The list was cut at the ceiling.
        truncated: bool,
    },
    /// An organization was mapped to a company.
    Mapped {
        /// Which mapping.
        mapping: MappingId,
        /// To which company.
        company: CompanyId,
        /// Whether the company was created for it.
        created: bool,
    },
    /// "Don't sync."
    Ignored {
        /// Which mapping.
        mapping: MappingId,
    },
    /// A decision was withdrawn.
    Unmapped {
        /// Which mapping.
        mapping: MappingId,
    },
    /// A company was promoted: it got a compliance organization.
    Promoted {
        /// Which company.
        company: CompanyId,
        /// Its compliance organization.
        compliance_org: ComplianceOrgId,
    },
    /// A person decided which frameworks a company has adopted.
    FrameworksAdopted {
        /// Which company.
        company: CompanyId,
        /// The frameworks, by their ids; `null` when the decision was withdrawn.
        frameworks: AdoptedFrameworks,
    },
    /// The assets of one mapping were synced, and something changed or was held back.
    Synced {
        /// Which mapping.
        mapping: MappingId,
        /// What was done.
        counts: SyncCounts,
        /// The device list was cut at its ceiling; nothing was retired.
        #[serde(rename = "truncatedAny")]
        truncated_any: bool,
        /// The list was empty while assets exist; they are held.
        suspect_empty: bool,
        /// More than a fifth of the assets, and at least five, were missing at once. They are held until the next complete list lacks them,
        /// too.
        #[serde(default)]
        suspect_shrunk: bool,
        /// The connection sees only a part of the tenant. Assets that it does not list are held.
        #[serde(default)]
        partial_view: bool,
    },
    /// One evidence sweep of one mapping.
    Swept {
        /// Which mapping.
        mapping: MappingId,
        /// The five verdicts.
        signals: BTreeMap<SignalKind, SweptSignal>,
        /// Counts of dropped rows and of requests.
        counts: SweepCounts,
        /// Whether every report got a definite answer.
        answered: bool,
        /// Whether this sweep was a dry run.
        dry_run: bool,
        /// How its reports were read.
        #[serde(default = "alone", skip_serializing_if = "is_alone")]
        strategy: SweepStrategy,
    },
    /// One pass for the sweeps of many customers.
    GroupSwept {
        /// Which credential.
        credential: CredentialId,
        /// The strategy with which the reports were read.
        strategy: SweepStrategy,
        /// Why this strategy was chosen.
        reason: StrategyReason,
        /// What each strategy would have cost for all customers of the credential, in requests.
        costs: StrategyCosts,
        /// Number of customers of the pass.
        customers: u64,
        /// Number of customers whose sweep the pass committed.
        committed: u64,
        /// Requests that the pass made.
        requests: u64,
        /// How many of these requests read something again.
        read_again: u64,
        /// Rows of devices of other organizations, dropped.
        foreign_rows: u64,
        /// Rows of devices that no list showed, dropped.
        orphan_rows: u64,
    },
    /// Little is left of the request budget.
    BudgetLow {
        /// Which credential.
        credential: CredentialId,
        /// Requests spent in the hour.
        spent: u64,
        /// Requests allowed in the hour.
        limit: u64,
    },
    /// Stored credentials could not be opened: the key is another one, or rows were changed.
    UnsealingFailed {
        /// Which credential.
        credential: CredentialId,
    },
    /// Stored credentials were sealed again under the current key.
    KeyRotated {
        /// Which credential.
        credential: CredentialId,
    },
    /// A client id that is connected elsewhere was connected on purpose.
    OverrideUsed {
        /// Which credential.
        credential: CredentialId,
    },
}

impl AuditDetails {
    /// The action these details belong to.
    #[must_use]
    pub const fn action(&self) -> AuditAction {
        match self {
            Self::Tested { .. } => AuditAction::NinjaoneTested,
            Self::Connected { .. } => AuditAction::NinjaoneConnected,
            Self::Configured { .. } => AuditAction::NinjaoneConfigured,
            Self::Disconnected { .. } => AuditAction::NinjaoneDisconnected,
            Self::Discovered { .. } => AuditAction::NinjaoneDiscovered,
            Self::Mapped { .. } => AuditAction::NinjaoneMapped,
            Self::Ignored { .. } => AuditAction::NinjaoneIgnored,
            Self::Unmapped { .. } => AuditAction::NinjaoneUnmapped,
            Self::Promoted { .. } => AuditAction::NinjaonePromoted,
            Self::FrameworksAdopted { .. } => AuditAction::NinjaoneFrameworksAdopted,
            Self::Synced { .. } => AuditAction::NinjaoneSynced,
            Self::Swept { .. } | Self::GroupSwept { .. } => AuditAction::NinjaoneSwept,
            Self::BudgetLow { .. } => AuditAction::NinjaoneBudgetLow,
            Self::UnsealingFailed { .. } => AuditAction::NinjaoneUnsealingFailed,
            Self::KeyRotated { .. } => AuditAction::NinjaoneKeyRotated,
            Self::OverrideUsed { .. } => AuditAction::NinjaoneOverrideUsed,
        }
    }
}

const fn alone() -> SweepStrategy {
    SweepStrategy::PerCustomer
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_alone(strategy: &SweepStrategy) -> bool {
    matches!(strategy, SweepStrategy::PerCustomer)
}

/// One row of an audit trail. The store method that writes the row determines whose trail it is on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    /// Which row. The id is derived from the event, so a repeated commit does not write the row twice.
    pub id: AuditId,
    /// The event that wrote it.
    pub event: EventId,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Who requested the action.
    pub actor: Actor,
    /// What happened.
    pub action: AuditAction,
    /// The details.
    pub details: AuditDetails,
}

impl AuditRow {
    /// The only row of its action that `event` writes on a trail.
    #[must_use]
    pub fn new(event: EventId, at: OffsetDateTime, actor: Actor, details: AuditDetails) -> Self {
        let action = details.action();
        Self {
            id: AuditId::of(event, action, 0),
            event,
            at,
            actor,
            action,
            details,
        }
    }

    /// The row that a disconnect appends to the trail of one affected customer. Stores call it inside
    /// [`Connections::commit_disconnect`](crate::store::Connections::commit_disconnect).
    #[must_use]
    pub fn customer_disconnected(
        disconnect: &Self,
        customer: ComplianceOrgId,
        credential: CredentialId,
        mappings: u64,
        unexpired_signals: u64,
    ) -> Self {
        let details = AuditDetails::Disconnected {
            credential,
            mappings,
            unexpired_signals: Some(unexpired_signals),
        };
        let id = AuditId(derive(
            "audit.customer",
            &[
                disconnect.id.as_uuid().as_bytes(),
                customer.as_uuid().as_bytes(),
            ],
        ));
        Self {
            id,
            details,
            ..disconnect.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn counts_of_earlier_releases_read() {
        let old = json!({"foreign_rows": 1, "orphan_rows": 2, "malformed_rows": 3, "stale_rows": 4, "requests": 5});
        let read: SweepCounts = serde_json::from_value(old).unwrap();
        let expected = SweepCounts {
            foreign_rows: 1,
            orphan_rows: 2,
            malformed_rows: 3,
            stale_rows: 4,
            requests: 5,
            ..SweepCounts::default()
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn repaired_fields_are_counted_by_report_and_name() {
        let fields = BTreeMap::from([("capacity".to_owned(), RepairedRows { read: 2, lost: 1 })]);
        let counts = SweepCounts {
            undated_rows: 7,
            repaired: BTreeMap::from([(Report::Volumes, fields)]),
            ..SweepCounts::default()
        };
        let written = serde_json::to_value(&counts).unwrap();
        assert_eq!(
            written["repaired"],
            json!({"volumes": {"capacity": {"read": 2, "lost": 1}}})
        );
        assert_eq!(written["undated_rows"], 7);
        assert_eq!(
            serde_json::from_value::<SweepCounts>(written).unwrap(),
            counts
        );
    }
}
