//! Serialisable events, which are handed to workers. Two schedulers that plan the same tick derive the same ids.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use time::{Duration, OffsetDateTime};

use super::cadence::spread;
use crate::model::{
    Actor, ComplianceOrgId, CredentialId, EventId, MappingId, MspOrgId, OrganizationId, RegionKey,
    StrategyCosts, StrategyReason, SweepStrategy, derive,
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

    /// The sweep of a group of customers of this credential at this scheduled time. `first` is the group's first mapping.
    #[must_use]
    pub fn of_sweep_group(
        credential: CredentialId,
        first: MappingId,
        scheduled_at: OffsetDateTime,
    ) -> Self {
        Self::scheduled("sweep_group", credential.as_uuid(), scheduled_at).part(first.as_uuid())
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

    /// The event for a second commit of the same work: this event was committed, and there is more to write.
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

/// The kinds of work that are planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
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
    /// The MSP that owns the credential.
    pub msp_credential_org_id: MspOrgId,
    /// The customer who gets the evidence.
    pub customer_compliance_org_id: ComplianceOrgId,
    /// The mapping.
    pub mapping_id: MappingId,
    /// The region of the credential.
    pub region: RegionKey,
    /// The organization in NinjaOne.
    pub external_org_id: OrganizationId,
    /// The tick of the schedule that the event belongs to.
    #[serde(with = "time::serde::rfc3339")]
    pub scheduled_at: OffsetDateTime,
    /// When to start. Starts are spread over the interval.
    #[serde(with = "time::serde::rfc3339")]
    pub starts_at: OffsetDateTime,
}

impl SweepEvent {
    /// The credential for handling the event.
    #[must_use]
    pub fn credential(&self) -> CredentialId {
        CredentialId::of(self.msp_credential_org_id, &self.region)
    }
}

/// One pass for the sweeps of many customers of one credential. Each sweep is committed into its customer's tenant, under the id of its
/// [`SweepEvent`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepGroup {
    /// Derived from (credential, scheduled time, first mapping).
    pub id: EventId,
    /// The MSP that owns the credential.
    pub msp_credential_org_id: MspOrgId,
    /// The region of the credential.
    pub region: RegionKey,
    /// The tick of the schedule that the event belongs to.
    #[serde(with = "time::serde::rfc3339")]
    pub scheduled_at: OffsetDateTime,
    /// When to start: with the first of its sweeps.
    #[serde(with = "time::serde::rfc3339")]
    pub starts_at: OffsetDateTime,
    /// [`SweepStrategy::Group`] or [`SweepStrategy::WholeTenant`].
    pub strategy: SweepStrategy,
    /// Why this strategy was chosen.
    pub reason: StrategyReason,
    /// What each strategy would cost for all customers of the credential, in requests.
    pub costs: StrategyCosts,
    /// The estimated cost of this pass, in requests.
    pub cost: u64,
    /// Its sweeps, in the order of their starts.
    pub sweeps: Vec<GroupedSweep>,
}

/// One sweep of a [`SweepGroup`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupedSweep {
    /// The customer who gets the evidence.
    pub customer_compliance_org_id: ComplianceOrgId,
    /// The mapping.
    pub mapping_id: MappingId,
    /// The organization in NinjaOne.
    pub external_org_id: OrganizationId,
    /// When the sweep would start if it were handled alone.
    #[serde(with = "time::serde::rfc3339")]
    pub starts_at: OffsetDateTime,
}

impl GroupedSweep {
    pub(crate) const fn of(event: &SweepEvent) -> Self {
        Self {
            customer_compliance_org_id: event.customer_compliance_org_id,
            mapping_id: event.mapping_id,
            external_org_id: event.external_org_id,
            starts_at: event.starts_at,
        }
    }
}

impl SweepGroup {
    /// The credential for handling the event.
    #[must_use]
    pub fn credential(&self) -> CredentialId {
        CredentialId::of(self.msp_credential_org_id, &self.region)
    }

    /// The mappings of the group's customers.
    pub(crate) fn mappings(&self) -> impl Iterator<Item = MappingId> + '_ {
        self.sweeps.iter().map(|sweep| sweep.mapping_id)
    }

    /// The sweeps of the group, each as a separate event.
    pub fn events(&self) -> impl Iterator<Item = SweepEvent> + '_ {
        self.sweeps.iter().map(|sweep| SweepEvent {
            id: EventId::of_sweep(sweep.mapping_id, self.scheduled_at),
            msp_credential_org_id: self.msp_credential_org_id,
            customer_compliance_org_id: sweep.customer_compliance_org_id,
            mapping_id: sweep.mapping_id,
            region: self.region.clone(),
            external_org_id: sweep.external_org_id,
            scheduled_at: self.scheduled_at,
            starts_at: sweep.starts_at,
        })
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
    /// The tick of the schedule that the event belongs to.
    #[serde(with = "time::serde::rfc3339")]
    pub scheduled_at: OffsetDateTime,
    /// When to start. Starts are spread over the interval.
    #[serde(with = "time::serde::rfc3339")]
    pub starts_at: OffsetDateTime,
}

impl SyncEvent {
    /// The credential for handling the event.
    #[must_use]
    pub fn credential(&self) -> CredentialId {
        CredentialId::of(self.msp_org_id, &self.region)
    }
}

/// One asset sync of one mapped organization that a person requested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestedSyncEvent {
    /// Derived from (request, mapping).
    pub id: EventId,
    /// The MSP.
    pub msp_org_id: MspOrgId,
    /// The region of the credential.
    pub region: RegionKey,
    /// The mapping.
    pub mapping_id: MappingId,
    /// Who requested it.
    pub actor: Actor,
    /// When it was requested.
    #[serde(with = "time::serde::rfc3339")]
    pub requested_at: OffsetDateTime,
}

impl RequestedSyncEvent {
    /// The credential for handling the event.
    #[must_use]
    pub fn credential(&self) -> CredentialId {
        CredentialId::of(self.msp_org_id, &self.region)
    }
}

/// A subject that only one run at a time works on. `Display` writes a key for an engine's queue, such as `customer/…`, which contains only
/// ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum EventKey {
    /// A connection: asset syncs of a region.
    Connection(CredentialId),
    /// A customer: evidence sweeps.
    Customer(ComplianceOrgId),
    /// A connection: the passes for many customers.
    Group(CredentialId),
    /// One mapped organization: an asset sync that a person requested.
    Mapping(MappingId),
}

impl fmt::Display for EventKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(id) => write!(f, "connection/{id}"),
            Self::Customer(id) => write!(f, "customer/{id}"),
            Self::Group(id) => write!(f, "group/{id}"),
            Self::Mapping(id) => write!(f, "mapping/{id}"),
        }
    }
}

/// What an event is about. For each subject, only the event of the newest tick waits; it takes the place of the older event. `Display`
/// writes a key for an engine's jobs, such as `mapping/…`, which contains only ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum EventSubject {
    /// The assets of a connection.
    Connection(CredentialId),
    /// The evidence of one mapped organization.
    Mapping(MappingId),
    /// An asset sync of one mapped organization that a person requested.
    Requested(MappingId),
    /// The evidence of many organizations of a connection, identified by the first of them.
    Group(CredentialId, Option<MappingId>),
}

impl fmt::Display for EventSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(id) => write!(f, "connection/{id}"),
            Self::Mapping(id) => write!(f, "mapping/{id}"),
            Self::Requested(id) => write!(f, "requested/{id}"),
            Self::Group(id, Some(first)) => write!(f, "group/{id}/{first}"),
            Self::Group(id, None) => write!(f, "group/{id}"),
        }
    }
}

/// Work to do, planned or requested.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A planned asset sync of a region.
    AssetSync(SyncEvent),
    /// A planned evidence sweep of a customer.
    EvidenceSweep(SweepEvent),
    /// An asset sync of one organization that a person requested.
    RequestedSync(RequestedSyncEvent),
    /// Planned evidence sweeps of many customers, in one pass.
    SweepGroup(SweepGroup),
}

impl Event {
    /// The newest version of the serialised form of an event. Events of older releases can be read. Reading an event of a newer release
    /// returns an error that says so. Each kind of event is written in the version that introduced the kind, so the previous release can
    /// still read the other kinds.
    pub const VERSION: u32 = 2;

    /// The event's id.
    #[must_use]
    pub const fn id(&self) -> EventId {
        match self {
            Self::AssetSync(event) => event.id,
            Self::EvidenceSweep(event) => event.id,
            Self::RequestedSync(event) => event.id,
            Self::SweepGroup(event) => event.id,
        }
    }

    /// The MSP whose credential handles it.
    #[must_use]
    pub const fn msp(&self) -> MspOrgId {
        match self {
            Self::AssetSync(event) => event.msp_org_id,
            Self::EvidenceSweep(event) => event.msp_credential_org_id,
            Self::RequestedSync(event) => event.msp_org_id,
            Self::SweepGroup(event) => event.msp_credential_org_id,
        }
    }

    /// The credential that handles it.
    #[must_use]
    pub fn credential(&self) -> CredentialId {
        match self {
            Self::AssetSync(event) => event.credential(),
            Self::EvidenceSweep(event) => event.credential(),
            Self::RequestedSync(event) => event.credential(),
            Self::SweepGroup(event) => event.credential(),
        }
    }

    /// The key under which only one event may run at a time.
    #[must_use]
    pub fn key(&self) -> EventKey {
        match self {
            Self::AssetSync(event) => EventKey::Connection(event.credential()),
            Self::EvidenceSweep(event) => EventKey::Customer(event.customer_compliance_org_id),
            Self::RequestedSync(event) => EventKey::Mapping(event.mapping_id),
            Self::SweepGroup(event) => EventKey::Group(event.credential()),
        }
    }

    /// What the event is about.
    #[must_use]
    pub fn subject(&self) -> EventSubject {
        match self {
            Self::AssetSync(event) => EventSubject::Connection(event.credential()),
            Self::EvidenceSweep(event) => EventSubject::Mapping(event.mapping_id),
            Self::RequestedSync(event) => EventSubject::Requested(event.mapping_id),
            Self::SweepGroup(event) => {
                let first = event.sweeps.first().map(|sweep| sweep.mapping_id);
                EventSubject::Group(event.credential(), first)
            }
        }
    }

    /// The tick of the schedule that the event belongs to, or the time at which a person requested it.
    #[must_use]
    pub const fn scheduled_at(&self) -> OffsetDateTime {
        match self {
            Self::AssetSync(event) => event.scheduled_at,
            Self::EvidenceSweep(event) => event.scheduled_at,
            Self::RequestedSync(event) => event.requested_at,
            Self::SweepGroup(event) => event.scheduled_at,
        }
    }

    /// The kind of work.
    #[must_use]
    pub const fn kind(&self) -> PlanKind {
        match self {
            Self::AssetSync(_) | Self::RequestedSync(_) => PlanKind::AssetSync,
            Self::EvidenceSweep(_) | Self::SweepGroup(_) => PlanKind::EvidenceSweep,
        }
    }

    /// When to start it. A requested event starts at once.
    #[must_use]
    pub const fn starts_at(&self) -> OffsetDateTime {
        match self {
            Self::AssetSync(event) => event.starts_at,
            Self::EvidenceSweep(event) => event.starts_at,
            Self::RequestedSync(event) => event.requested_at,
            Self::SweepGroup(event) => event.starts_at,
        }
    }

    /// Spreads the start over another length than the planned one. With zero, the event starts with its tick.
    pub fn start_within(&mut self, length: Duration) {
        match self {
            Self::AssetSync(event) => {
                let subject = event.credential().as_uuid();
                event.starts_at = spread(event.scheduled_at, length, subject);
            }
            Self::EvidenceSweep(event) => {
                let subject = event.mapping_id.as_uuid();
                event.starts_at = spread(event.scheduled_at, length, subject);
            }
            Self::RequestedSync(_) => {}
            Self::SweepGroup(event) => {
                for sweep in &mut event.sweeps {
                    let subject = sweep.mapping_id.as_uuid();
                    sweep.starts_at = spread(event.scheduled_at, length, subject);
                }
                let first = event.sweeps.iter().map(|sweep| sweep.starts_at).min();
                event.starts_at = first.unwrap_or(event.scheduled_at);
            }
        }
    }
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Written<'a> {
    AssetSync(&'a SyncEvent),
    EvidenceSweep(&'a SweepEvent),
    RequestedSync(&'a RequestedSyncEvent),
    SweepGroup(&'a SweepGroup),
}

#[derive(Serialize)]
struct Versioned<T> {
    version: u32,
    #[serde(flatten)]
    event: T,
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let event = match self {
            Self::AssetSync(event) => Written::AssetSync(event),
            Self::EvidenceSweep(event) => Written::EvidenceSweep(event),
            Self::RequestedSync(event) => Written::RequestedSync(event),
            Self::SweepGroup(event) => Written::SweepGroup(event),
        };
        let version = match self {
            Self::SweepGroup(_) => 2,
            Self::AssetSync(_) | Self::EvidenceSweep(_) | Self::RequestedSync(_) => 1,
        };
        Versioned { version, event }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(tag = "kind", rename_all = "snake_case")]
        enum Read {
            AssetSync(SyncEvent),
            EvidenceSweep(SweepEvent),
            RequestedSync(RequestedSyncEvent),
            SweepGroup(SweepGroup),
        }

        let mut object = serde_json::Map::deserialize(deserializer)?;
        // The first release wrote no version.
        let version = object.remove("version").map_or(Some(1), |of| of.as_u64());
        match version {
            Some(version) if version <= u64::from(Self::VERSION) => {}
            Some(version) => {
                let newest = Self::VERSION;
                return Err(D::Error::custom(format_args!(
                    "an event of version {version}, and this release reads up to {newest}: handle it with the release that wrote it"
                )));
            }
            None => return Err(D::Error::custom("the version of an event is no number")),
        }
        let read = Read::deserialize(serde_json::Value::Object(object));
        Ok(match read.map_err(D::Error::custom)? {
            Read::AssetSync(event) => Self::AssetSync(event),
            Read::EvidenceSweep(event) => Self::EvidenceSweep(event),
            Read::RequestedSync(event) => Self::RequestedSync(event),
            Read::SweepGroup(event) => Self::SweepGroup(event),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// One event of each kind, as this release writes it. The next release must be able to read them.
    fn written() -> [serde_json::Value; 4] {
        let id = "8e3d52f4-7a0c-5b6e-9f21-6d1cc05e27ab";
        let (tick, start) = ("2026-11-30T06:30:00Z", "2026-11-30T07:01:02.345Z");
        [
            json!({
                "version": 1, "kind": "asset_sync", "id": id, "msp_org_id": id, "region": "eu", "scheduled_at": tick,
                "starts_at": start,
            }),
            json!({
                "version": 1, "kind": "evidence_sweep", "id": id, "msp_credential_org_id": id,
                "customer_compliance_org_id": id, "mapping_id": id, "region": "https://rmm.example", "external_org_id": 7,
                "scheduled_at": tick, "starts_at": start,
            }),
            json!({
                "version": 1, "kind": "requested_sync", "id": id, "msp_org_id": id, "region": "us2", "mapping_id": id,
                "actor": {"operator": id}, "requested_at": start,
            }),
            json!({
                "version": 2, "kind": "sweep_group", "id": id, "msp_credential_org_id": id, "region": "ca",
                "scheduled_at": tick, "starts_at": start, "strategy": "whole_tenant", "reason": "cheapest",
                "costs": {"per_customer": 120, "group": 40, "whole_tenant": 30}, "cost": 30,
                "sweeps": [{
                    "customer_compliance_org_id": id, "mapping_id": id, "external_org_id": 7, "starts_at": start,
                }],
            }),
        ]
    }

    #[test]
    fn an_event_of_each_kind_is_read_and_written_as_this_release_wrote_it() {
        for written in written() {
            let event: Event = serde_json::from_value(written.clone()).unwrap();
            assert_eq!(serde_json::to_value(&event).unwrap(), written);
            let text = written.to_string();
            assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
        }
    }

    #[test]
    fn an_event_without_a_version_is_the_first_releases() {
        for mut written in written() {
            let event: Event = serde_json::from_value(written.clone()).unwrap();
            written.as_object_mut().unwrap().remove("version");
            assert_eq!(serde_json::from_value::<Event>(written).unwrap(), event);
        }
    }

    #[test]
    fn an_event_of_a_later_release_is_refused_by_name() {
        for (version, says) in [
            (
                json!(3),
                "an event of version 3, and this release reads up to 2",
            ),
            (json!("x"), "no number"),
            (json!(-1), "no number"),
        ] {
            let mut written = written()[0].clone();
            written["version"] = version;
            let error = serde_json::from_value::<Event>(written).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
        }
    }

    #[test]
    fn a_subject_names_what_an_event_is_about_whatever_its_tick() {
        let mut subjects = Vec::new();
        for mut written in written() {
            let event: Event = serde_json::from_value(written.clone()).unwrap();
            let tick = "2026-12-24T06:30:00Z";
            for (key, value) in written.as_object_mut().unwrap() {
                if ["scheduled_at", "starts_at", "requested_at"].contains(&key.as_str()) {
                    *value = tick.into();
                }
            }
            let later: Event = serde_json::from_value(written).unwrap();
            assert_ne!(event, later);
            assert_eq!(event.subject(), later.subject());
            subjects.push(event.subject().to_string());
        }
        let kinds: Vec<_> = subjects
            .iter()
            .map(|subject| subject.split('/').next().unwrap())
            .collect();
        assert_eq!(kinds, ["connection", "mapping", "requested", "group"]);
    }

    #[test]
    fn a_key_names_what_runs_once_and_holds_ids_alone() {
        let keys = written().map(|written| {
            let event: Event = serde_json::from_value(written).unwrap();
            event.key().to_string()
        });
        let kinds = keys.each_ref().map(|key| key.split_once('/').unwrap().0);
        assert_eq!(kinds, ["connection", "customer", "mapping", "group"]);
        for key in &keys {
            let (_, id) = key.split_once('/').unwrap();
            assert!(id.parse::<uuid::Uuid>().is_ok(), "{key}");
        }
    }
}
