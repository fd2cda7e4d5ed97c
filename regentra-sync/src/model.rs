//! The data that stores keep: ids, rows and counts.

mod adopted_frameworks;
mod ahead;
mod asset;
mod audit;
mod authorization;
mod budget;
mod company;
mod connection_settings;
mod credential;
mod custom_field;
pub(crate) mod error_kind;
mod evidence_chain;
mod evidence_head;
mod hex_digest;
mod id;
mod keyed;
mod listing;
mod mapping;
mod name;
mod region;
mod report;
mod run;
mod sensitive;
mod signature_history;
mod sweep_strategy;
mod tenant;
mod ticket;

/// NinjaOne's own ids, which mean something only together with a credential.
pub use ninjaone_client::{DeviceId, OrganizationId};

pub use self::{
    adopted_frameworks::{AdoptedFrameworks, StoredFrameworks},
    ahead::{CLOCK_TOLERANCE, is_ahead},
    asset::{Asset, AssetContent, AssetId, AssetStatus, ExternalId, Source, reactivate_superseded},
    audit::{
        Actor, ActorId, AuditAction, AuditDetails, AuditId, AuditRow, RepairedRows, SweepCounts,
        SweptSignal, SyncCounts,
    },
    authorization::{AUTHORIZATION_LIFETIME, StateDigest, StoredAuthorization},
    budget::{BudgetUsage, NINJAONE_WINDOWS, Spend, Window},
    company::{CompanyId, PortalCompany},
    connection_settings::{
        AppliedSettings, ChangedSetting, ConnectionSettings, EntraDeviceIdField,
        MOST_CUSTOM_FIELDS, Setting, SettingsError, SettingsGuard, StoredSettings,
        UnreadableSetting,
    },
    credential::{
        Credential, CredentialGuard, CredentialId, Fingerprint, Generation, Grant, SealedSecrets,
        TenantView,
    },
    custom_field::{
        CustomFieldName, CustomFieldSource, CustomFields, Question, SourceError, UnknownQuestion,
    },
    evidence_chain::{
        EvidenceRow, TimeFault, chain_start, chain_subject, mapping_of, verify_times,
    },
    evidence_head::{AnchoringFailure, EvidenceHead, EvidenceRoot},
    hex_digest::MalformedDigest,
    id::{EventId, Version},
    keyed::{DeviceDigester, Field},
    listing::{DeviceList, LastContact, ListedDevice, ListedOrganization, OrganizationList},
    mapping::{Mapping, MappingGuard, MappingId, MappingState},
    name::{fold_name, is_same_name},
    region::{RegionKey, UnknownRegion},
    report::{Report, ReportOutcome},
    run::{Fence, Lease, LeaseKey, RunKind, RunOutcome, RunRecord, RunSubject, WorkerId},
    sensitive::{Sensitive, is_invisible, is_readable},
    signature_history::{
        DeviceDigest, SignatureAges, SignatureChanges, SignatureRecord, SignatureRecords,
        SignatureState,
    },
    sweep_strategy::{
        OrganizationListHabit, Pass, RunReading, StrategyChoice, StrategyCosts, StrategyReason,
        SweepStrategy, UnknownStrategy,
    },
    tenant::{ComplianceOrgId, MspOrgId},
    ticket::{
        NoteReason, OutboxAction, OutboxId, OutboxRow, SignalKey, Ticket, TicketId, TicketState,
        TicketTick,
    },
};
pub(crate) use self::{
    ahead::present, budget::BUDGET_LOW_PERCENT, id::derive, name::confusable_name,
};
