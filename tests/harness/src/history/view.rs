//! What can be seen of all tenants at once, in plain maps: what the model expects, and what a store holds.

use std::collections::{BTreeMap, BTreeSet};

use regentra_sync::{
    model::{
        AssetId, AssetStatus, AuditDetails, AuditRow, CompanyId, ComplianceOrgId, CredentialId,
        ExternalId, Field, Generation, MappingId, MappingState, NoteReason, OutboxAction, OutboxId,
        OutboxRow, SignalKey, SignatureRecord, Source, TicketId, TicketState, Version, chain_start,
    },
    regentra_evidence::{ChainHead, SignalKind, Status, verify_chain},
    seal::Keyring,
    store::{AssetFilter, AuditPage, Store, StoredSignal},
};
use secrecy::ExposeSecret as _;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::history::truth::{MSPS, NAMES, ORGANIZATIONS, Org, Tenant, msp_id, scope_of};

/// A company of an MSP, by the name that counts.
pub type Company = (u8, String);

/// A customer's compliance organization, by number.
pub type Customer = u128;

/// What a ticket, a signal and a chain of evidence are about.
pub type Key = (Customer, Org, SignalKind);

/// An asset: a device of a NinjaOne tenant, or what another source of an MSP knows under a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Thing {
    Device(Tenant, i64),
    Other(u8, Source, u64),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    pub connections: BTreeMap<Tenant, Connection>,
    pub organizations: BTreeMap<Org, Organization>,
    pub companies: BTreeMap<Company, Option<Customer>>,
    pub assets: BTreeMap<Thing, Asset>,
    pub signatures: BTreeMap<Org, Vec<SignatureRecord>>,
    pub tickets: BTreeMap<Key, Vec<Ticket>>,
    /// What the bridge has not delivered, in no order.
    pub outbox: BTreeMap<u8, Vec<Message>>,
    pub signals: BTreeMap<Key, Vec<Signal>>,
    pub current: BTreeMap<Key, Signal>,
    /// Rows that say the same are counted.
    pub audit: BTreeMap<(Trail, String), usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    pub active: bool,
    /// Client, secret, and whether they are sealed under the key that seals now; `None` when every sealed column is empty.
    pub secrets: Option<(Tenant, String, bool)>,
    /// Rows of the last list of organizations that had no id.
    pub lost: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    pub name: String,
    pub state: State,
    pub suggestion: Option<String>,
    pub missing_since: Option<OffsetDateTime>,
    pub first_evidence_synced_at: Option<OffsetDateTime>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Pending,
    Mapped(String),
    Ignored,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    pub company: String,
    pub organization: Option<Org>,
    pub status: Presence,
    pub name: String,
    pub serial: Option<String>,
    /// Held, since a list that had shrunk lacked it.
    pub is_missing: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    Active,
    SupersededBy(Thing),
    Retired,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub open: bool,
    pub passes: u32,
    pub passed_until: Option<OffsetDateTime>,
    pub opened_at: OffsetDateTime,
    pub last_failed_at: OffsetDateTime,
    pub closed_at: Option<OffsetDateTime>,
    pub has_reference: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Message {
    pub at: OffsetDateTime,
    pub due_at: OffsetDateTime,
    pub says: Says,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Says {
    Open(Key),
    Update(Key),
    Close(Key),
    Disconnected(Key),
    Unmapped(Key),
    Digest(BTreeSet<(String, Key)>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal {
    pub status: Status,
    pub complete: bool,
    pub mark: u64,
    pub number: u64,
    pub at: OffsetDateTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trail {
    Msp(u8),
    Customer(Customer),
}

pub fn folded(name: &str) -> String {
    name.trim().to_lowercase()
}

pub fn company_id((msp, name): &Company) -> CompanyId {
    CompanyId::of_name(msp_id(*msp), name)
}

pub fn customer_id(customer: Customer) -> ComplianceOrgId {
    ComplianceOrgId::from_uuid(Uuid::from_u128(customer))
}

/// The compliance organizations there may be: one for each company that may be.
pub fn customers() -> impl Iterator<Item = Customer> {
    MSPS.into_iter()
        .flat_map(|msp| (1..=4).map(move |number| u128::from(msp) * 100 + number))
}

/// One of them.
pub fn customer_of(place: usize) -> Customer {
    customers().nth(place).unwrap()
}

pub fn other_id(msp: u8, source: Source, number: u64) -> AssetId {
    let text = format!("{msp} {} {number}", source.as_str());
    AssetId::from_uuid(Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes()))
}

/// Which id is whose.
#[derive(Debug)]
pub struct Names {
    credentials: BTreeMap<CredentialId, Tenant>,
    mappings: BTreeMap<MappingId, Org>,
    companies: BTreeMap<CompanyId, Company>,
}

/// What was read before and need not be read again: appended rows, sealed columns that nobody wrote since.
#[derive(Debug, Default)]
pub struct ReadCache {
    opened: BTreeMap<(Tenant, Generation, Version), (String, String)>,
    customers: BTreeMap<Customer, (usize, BTreeMap<Key, Vec<Signal>>)>,
    heads: BTreeMap<Key, ChainHead>,
}

/// What a store holds, and the versions of the asset rows beside it.
pub struct StoreView {
    pub view: View,
    pub versions: BTreeMap<Thing, Version>,
}

const ALL: u32 = 100_000;

impl Names {
    pub fn new() -> Self {
        let orgs = Tenant::ALL
            .into_iter()
            .flat_map(|tenant| ORGANIZATIONS.map(move |organization| (tenant, organization)));
        let companies = MSPS
            .into_iter()
            .flat_map(|msp| NAMES.map(|name| (msp, folded(name))));
        let credentials = Tenant::ALL.map(|tenant| (tenant.credential(), tenant));
        Self {
            credentials: credentials.into(),
            mappings: orgs.map(|org| (org.0.mapping(org.1), org)).collect(),
            companies: companies
                .map(|company| (company_id(&company), company))
                .collect(),
        }
    }

    pub fn org(&self, mapping: MappingId) -> Org {
        *self.mappings.get(&mapping).unwrap()
    }

    /// The name of a company; it has to be this MSP's.
    fn company(&self, msp: u8, id: CompanyId) -> String {
        let (owner, name) = self.companies.get(&id).unwrap();
        assert_eq!(*owner, msp, "a company is in another MSP's rows");
        name.clone()
    }

    pub fn key(&self, key: SignalKey) -> Key {
        let customer = key.compliance_org.as_uuid().as_u128();
        (customer, self.org(key.mapping), key.signal)
    }

    pub fn message(&self, msp: u8, row: &OutboxRow) -> Message {
        let says = match &row.action {
            OutboxAction::Open { key, signal, .. } => {
                assert_eq!(signal.status, Status::Fail);
                Says::Open(self.key(*key))
            }
            OutboxAction::Update { key, .. } => Says::Update(self.key(*key)),
            OutboxAction::Close { key, signal } => {
                assert_eq!((signal.status, signal.complete), (Status::Pass, true));
                Says::Close(self.key(*key))
            }
            OutboxAction::Note { key, reason } => match reason {
                NoteReason::Disconnected => Says::Disconnected(self.key(*key)),
                NoteReason::Unmapped => Says::Unmapped(self.key(*key)),
                other => panic!("{other:?}"),
            },
            OutboxAction::Digest { entries } => {
                let entries = entries.iter().flat_map(|(company, keys)| {
                    let company = self.company(msp, *company);
                    let distinct: BTreeSet<_> = keys.iter().collect();
                    assert_eq!(distinct.len(), keys.len(), "a digest says it twice");
                    keys.iter()
                        .map(move |key| (company.clone(), self.key(*key)))
                });
                Says::Digest(entries.collect())
            }
            other => panic!("{other:?}"),
        };
        Message {
            at: row.created_at,
            due_at: row.due_at,
            says,
        }
    }

    /// Everything that a store holds. What is not whole in itself, such as a chain, fails here.
    pub async fn observe(
        &self,
        store: &dyn Store,
        keyring: &Keyring,
        now: OffsetDateTime,
        cache: &mut ReadCache,
    ) -> StoreView {
        let mut seen = StoreView {
            view: View::default(),
            versions: BTreeMap::new(),
        };
        for msp in MSPS {
            self.see_connections(store, keyring, msp, cache, &mut seen.view)
                .await;
            self.see_assets(store, msp, &mut seen).await;
            self.see_tickets(store, msp, now, &mut seen.view).await;
            let rows = store.msp_audit(msp_id(msp), AuditPage::newest(ALL));
            for row in rows.await.unwrap() {
                self.see_audit(Trail::Msp(msp), &row, &mut seen.view);
            }
        }
        for customer in customers() {
            self.see_customer(store, customer, now, cache, &mut seen.view)
                .await;
        }
        seen
    }

    async fn see_connections(
        &self,
        store: &dyn Store,
        keyring: &Keyring,
        msp: u8,
        cache: &mut ReadCache,
        view: &mut View,
    ) {
        let id = msp_id(msp);
        for credential in store.credentials(id).await.unwrap() {
            let tenant = *self.credentials.get(&credential.id).unwrap();
            assert_eq!(tenant.msp(), msp, "a credential is in another MSP's rows");
            let state = (tenant, credential.generation, credential.secrets_version);
            let secrets = credential.secrets.map(|secrets| {
                let open = |field, sealed| {
                    let opened = keyring.open(id, &credential.region, field, sealed);
                    opened.unwrap().expose_secret().to_owned()
                };
                let sealed = secrets.client_secret.unwrap();
                let (client, secret) = cache.opened.entry(state).or_insert_with(|| {
                    let client = open(Field::ClientId, &secrets.client_id);
                    (client, open(Field::ClientSecret, &sealed))
                });
                (
                    Tenant::of_client(client),
                    secret.clone(),
                    keyring.is_current(&sealed) && keyring.is_current(&secrets.client_id),
                )
            });
            let active = credential.is_active;
            let lost = credential.lost_organizations;
            let connection = Connection {
                active,
                secrets,
                lost,
            };
            view.connections.insert(tenant, connection);

            for mapping in store.mappings(id, credential.id).await.unwrap() {
                let org = self.org(mapping.id);
                assert_eq!(org, (tenant, mapping.external_org_id.get()));
                let organization = Organization {
                    name: mapping.name.as_str().to_owned(),
                    state: match mapping.state {
                        MappingState::PendingReview => State::Pending,
                        MappingState::Mapped { company } => {
                            State::Mapped(self.company(msp, company))
                        }
                        MappingState::Ignored => State::Ignored,
                    },
                    suggestion: mapping.suggestion.map(|company| self.company(msp, company)),
                    missing_since: mapping.missing_since,
                    first_evidence_synced_at: mapping.first_evidence_synced_at,
                };
                view.organizations.insert(org, organization);
                let nobody = ComplianceOrgId::from_uuid(Uuid::nil());
                let nothing = regentra_sync::model::EventId::from_uuid(Uuid::nil());
                let state =
                    store.sweep_state(id, nobody, mapping.id, nothing, OffsetDateTime::UNIX_EPOCH);
                let mut since: Vec<_> = state
                    .await
                    .unwrap()
                    .signature_history
                    .into_values()
                    .collect();
                since.sort();
                if !since.is_empty() {
                    view.signatures.insert(org, since);
                }
            }
        }
        for company in store.companies(id).await.unwrap() {
            let name = self.company(msp, company.id);
            assert_eq!(folded(company.name.as_str()), name);
            let customer = company.converted_to.map(|to| to.as_uuid().as_u128());
            view.companies.insert((msp, name), customer);
        }
    }

    async fn see_assets(&self, store: &dyn Store, msp: u8, seen: &mut StoreView) {
        let stored = store.assets(msp_id(msp), AssetFilter::All);
        let stored = stored.await.unwrap();
        let things: BTreeMap<AssetId, Thing> = stored
            .iter()
            .map(|asset| {
                let thing = match &asset.external_id {
                    ExternalId::Device(device) => {
                        let tenant = self.credentials.get(&asset.credential.unwrap());
                        Thing::Device(*tenant.unwrap(), device.get())
                    }
                    ExternalId::Other(number) => {
                        Thing::Other(msp, asset.source, number.parse().unwrap())
                    }
                };
                (asset.id, thing)
            })
            .collect();
        for asset in stored {
            let thing = *things.get(&asset.id).unwrap();
            let status = match asset.status {
                AssetStatus::Active => Presence::Active,
                AssetStatus::Superseded { by } => Presence::SupersededBy(*things.get(&by).unwrap()),
                AssetStatus::Retired => Presence::Retired,
            };
            let shown = Asset {
                company: self.company(msp, asset.company),
                organization: asset.mapping.map(|mapping| self.org(mapping)),
                status,
                name: asset.content.name.as_str().to_owned(),
                serial: asset
                    .content
                    .serial_number
                    .map(|serial| serial.as_str().to_owned()),
                is_missing: asset.missing_since.is_some(),
            };
            seen.versions.insert(thing, asset.version);
            seen.view.assets.insert(thing, shown);
        }
    }

    async fn see_tickets(&self, store: &dyn Store, msp: u8, now: OffsetDateTime, view: &mut View) {
        let mut keys: BTreeMap<TicketId, Key> = BTreeMap::new();
        let tickets = store.tickets(msp_id(msp), None).await.unwrap();
        for ticket in tickets.into_iter().rev() {
            let key = self.key(ticket.key);
            assert_eq!(key.1.0.msp(), msp, "a ticket is in another MSP's rows");
            keys.insert(ticket.id, key);
            view.tickets.entry(key).or_default().push(Ticket {
                open: ticket.state == TicketState::Open,
                passes: ticket.passes,
                passed_until: ticket.pass_expires_at,
                opened_at: ticket.opened_at,
                last_failed_at: ticket.last_failed_at,
                closed_at: ticket.closed_at,
                has_reference: ticket.reference.is_some(),
            });
        }
        let far = now + Duration::days(9_999);
        let rows = store.outbox(msp_id(msp), far, ALL).await.unwrap();
        let ids: BTreeSet<OutboxId> = rows.iter().map(|row| row.id).collect();
        assert_eq!(ids.len(), rows.len(), "an idempotency key is there twice");
        let mut messages: Vec<_> = rows.iter().map(|row| self.message(msp, row)).collect();
        messages.sort();
        if !messages.is_empty() {
            view.outbox.insert(msp, messages);
        }
    }

    fn see_audit(&self, trail: Trail, row: &AuditRow, view: &mut View) {
        let summary = match &row.details {
            // What a pass cost, which is a matter of requests; the model knows of none.
            AuditDetails::GroupSwept { .. } => {
                assert!(
                    matches!(trail, Trail::Msp(_)),
                    "a pass is for many customers"
                );
                return;
            }
            AuditDetails::Synced {
                mapping,
                counts,
                truncated_any,
                suspect_empty,
                suspect_shrunk,
                ..
            } => {
                let org = self.org(*mapping);
                sync_summary(
                    org,
                    [counts.listed, counts.foreign_rows, counts.malformed_rows],
                    *truncated_any,
                    *suspect_empty || *suspect_shrunk,
                )
            }
            AuditDetails::Swept {
                mapping,
                counts,
                answered,
                dry_run,
                ..
            } => sweep_summary(self.org(*mapping), counts.foreign_rows, *answered, *dry_run),
            AuditDetails::Disconnected {
                mappings,
                unexpired_signals,
                ..
            } => disconnect_summary(*mappings, *unexpired_signals),
            AuditDetails::Connected { reconnected, .. } => connect_summary(*reconnected),
            _ => row.action.as_str().to_owned(),
        };
        *view.audit.entry((trail, summary)).or_default() += 1;
    }

    async fn see_customer(
        &self,
        store: &dyn Store,
        customer: Customer,
        now: OffsetDateTime,
        cache: &mut ReadCache,
        view: &mut View,
    ) {
        let id = customer_id(customer);
        let mut anchors: BTreeMap<(MappingId, SignalKind), Vec<ChainHead>> = BTreeMap::new();
        let rows = store.customer_audit(id, AuditPage::newest(ALL));
        let rows = rows.await.unwrap();
        for row in &rows {
            self.see_audit(Trail::Customer(customer), row, view);
            if let AuditDetails::Swept {
                mapping, signals, ..
            } = &row.details
            {
                for (kind, swept) in signals {
                    let anchored = anchors.entry((*mapping, *kind)).or_default();
                    anchored.push(swept.chain_head);
                }
            }
        }
        // Nothing is written in a customer's tenant without a row on its trail.
        let (seen_rows, seen_signals) = cache.customers.entry(customer).or_default();
        if *seen_rows != rows.len() {
            *seen_rows = rows.len();
            seen_signals.clear();
            // Before anything was collected nothing is expired, so every mapping and signal is among them.
            let ever = store.current_signals(id, OffsetDateTime::UNIX_EPOCH);
            let (ever, ahead) = (ever.await.unwrap(), store.signals_ahead(id).await.unwrap());
            let ever = ever.iter().chain(&ahead);
            let ever: BTreeSet<_> = ever
                .map(|stored| (stored.mapping, stored.signal.kind()))
                .collect();
            for (mapping, kind) in ever {
                let key = (customer, self.org(mapping), kind);
                let history = store.signal_history(id, mapping, kind, ALL).await.unwrap();
                let signals: Vec<_> = history.iter().rev().map(signal).collect();
                let anchors = anchors.get(&(mapping, kind)).map_or(&[][..], Vec::as_slice);
                let start = chain_start(id, mapping, kind);
                let start = cache.heads.get(&key).copied().unwrap_or(start);
                let chain = store.evidence_chain(id, mapping, kind, start.length, ALL);
                let chain = chain.await.unwrap();
                let head = verify_chain(start, chain.iter().map(|row| &row.link), anchors).unwrap();
                assert_eq!(
                    head.length,
                    signals.len() as u64,
                    "one record for each signal"
                );
                assert_eq!(anchors.len(), signals.len(), "every head is anchored");
                cache.heads.insert(key, head);
                seen_signals.insert(key, signals);
            }
        }
        view.signals.extend(seen_signals.clone());
        for current in store.current_signals(id, now).await.unwrap() {
            let key = (customer, self.org(current.mapping), current.signal.kind());
            let twice = view.current.insert(key, signal(&current));
            assert!(twice.is_none(), "two signals are current");
        }
    }
}

fn signal(stored: &StoredSignal) -> Signal {
    let scope = scope_of(&stored.signal);
    Signal {
        status: stored.signal.status,
        complete: stored.signal.complete,
        mark: scope.approved,
        number: scope.measured,
        at: stored.signal.collected_at,
    }
}

pub fn sync_summary(
    org: Org,
    [listed, foreign, malformed]: [u64; 3],
    truncated: bool,
    suspect_empty: bool,
) -> String {
    format!(
        "synced {org:?}: {listed} listed, {foreign} foreign, {malformed} malformed, truncated {truncated}, \
         suspect {suspect_empty}"
    )
}

pub fn sweep_summary(org: Org, foreign: u64, answered: bool, dry_run: bool) -> String {
    format!("swept {org:?}: {foreign} foreign, answered {answered}, dry run {dry_run}")
}

pub fn disconnect_summary(mappings: u64, unexpired: Option<u64>) -> String {
    format!("disconnected: {mappings} mappings, {unexpired:?} unexpired signals")
}

pub fn connect_summary(reconnected: bool) -> String {
    format!("connected, again {reconnected}")
}

/// The lines in which two views differ.
pub fn difference(got: &View, expected: &View) -> String {
    let lines = |view: &View| -> BTreeSet<String> {
        let mut lines = BTreeSet::new();
        let mut add = |of: &str, row: &dyn std::fmt::Debug| {
            lines.insert(format!("{of} {row:?}"));
        };
        view.connections
            .iter()
            .for_each(|row| add("connection", &row));
        view.organizations
            .iter()
            .for_each(|row| add("organization", &row));
        view.companies.iter().for_each(|row| add("company", &row));
        view.assets.iter().for_each(|row| add("asset", &row));
        view.signatures
            .iter()
            .for_each(|row| add("signatures", &row));
        view.tickets.iter().for_each(|row| add("tickets", &row));
        for (msp, messages) in &view.outbox {
            for row in messages {
                add("outbox", &(msp, row));
            }
        }
        view.signals.iter().for_each(|row| add("signals", &row));
        view.current.iter().for_each(|row| add("current", &row));
        view.audit.iter().for_each(|row| add("audit", &row));
        lines
    };
    let (got, expected) = (lines(got), lines(expected));
    let only_got = got
        .difference(&expected)
        .map(|line| format!("  stored:   {line}\n"));
    let only_expected = expected
        .difference(&got)
        .map(|line| format!("  expected: {line}\n"));
    only_got.chain(only_expected).collect()
}
