//! How the integration behaves, in as few and plain words as possible: derived from the promise, and from nothing of the code
//! under test. One operation happens after the other, and each at once.

use std::collections::{BTreeMap, BTreeSet};

use regentra_sync::{
    model::{SignatureRecord, SignatureState, Source},
    regentra_evidence::Status,
};
use time::{Duration, OffsetDateTime};

use crate::history::{
    truth::{Device, Listing, Org, Tenant, TimedOut, Truth, mark},
    view::{
        Asset, Company, Connection, Customer, Key, Message, Organization, Presence, Says, Signal,
        State, Thing, Ticket, Trail, View, connect_summary, disconnect_summary, folded,
        sweep_summary, sync_summary,
    },
};

/// Tickets opened for one MSP in one tick, at most.
pub const TICKETS_PER_TICK: usize = 2;

/// How long a lease holds that nobody renews.
pub const LEASE: Duration = Duration::minutes(5);

const TICK: Duration = Duration::hours(6);
const SIGNAL_LIFETIME: Duration = Duration::days(7);
/// How long before it is due a digest takes nothing more, and how long a late one collects.
const DIGEST_CLOSES: Duration = Duration::minutes(1);
const LATE_DIGEST: Duration = Duration::minutes(10);
const PASSES_TO_CLOSE: u32 = 2;

/// How far ahead of a clock a time may lie and still be of the present.
const TOLERANCE: Duration = Duration::minutes(5);

/// What lies further ahead was written by a clock that ran ahead, and counts as not there.
fn is_ahead(time: OffsetDateTime, now: OffsetDateTime) -> bool {
    time > now + TOLERANCE
}

/// What such a clock stamped is written with the time of now.
fn set_right(time: &mut OffsetDateTime, now: OffsetDateTime) {
    if is_ahead(*time, now) {
        *time = now;
    }
}

/// The signal committed last of those that do not lie in the future.
fn last_present(signals: &[Signal], now: OffsetDateTime) -> Option<Signal> {
    let mut newest_first = signals.iter().rev();
    newest_first
        .find(|signal| signal.at <= now + TOLERANCE)
        .copied()
}

/// Whether a lease that ends then is held. One that ends too late was taken by a clock that ran ahead; what is held up in its own
/// process is held for ever.
fn is_held(until: OffsetDateTime, now: OffsetDateTime) -> bool {
    let left = until - now;
    left.is_positive() && (left <= LEASE * 2 || left > Duration::days(9_000))
}

/// What only one run at a time works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    Discovery(Tenant),
    Assets(Org),
    Customer(Customer),
    /// The sweeps of many customers in one pass.
    Group(Tenant),
}

/// A sweep that was planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sweep {
    pub customer: Customer,
    pub org: Org,
    pub tick: OffsetDateTime,
}

/// What the bridge is to do, and where the model finds it again.
#[derive(Clone, Debug)]
struct Row {
    msp: u8,
    message: Message,
    ticket: Option<(Key, usize)>,
    /// The tick and part of a digest.
    digest: Option<(OffsetDateTime, u32)>,
}

#[derive(Clone, Debug, Default)]
struct Tick {
    opened: usize,
    digests: u32,
}

#[derive(Clone, Debug, Default)]
pub struct Model {
    pub view: View,
    swept: BTreeMap<(Customer, Org), Vec<(OffsetDateTime, OffsetDateTime)>>,
    outbox: Vec<Row>,
    ticks: BTreeMap<(u8, OffsetDateTime), Tick>,
    /// What each ticket said last.
    said: BTreeMap<(Key, usize), (Status, bool, u64, u64)>,
    signatures: BTreeMap<Org, BTreeMap<i64, SignatureRecord>>,
    hosts: BTreeMap<Thing, Option<String>>,
    /// With which client each region was connected last, if it is connected still or not.
    clients: BTreeMap<Tenant, Tenant>,
    /// When each asset was created, last written, and found missing.
    stamps: BTreeMap<Thing, [Option<OffsetDateTime>; 3]>,
    /// Leases that an interrupted run may have left.
    left: BTreeMap<Subject, OffsetDateTime>,
}

type Truths = BTreeMap<Tenant, Truth>;

/// What pairs two things: a serial number, or the name of a host.
type KeyOf = fn(&Model, Thing) -> Option<String>;

impl Model {
    /// What is seen now: the parts that follow from the others are worked out.
    pub fn seen(&self, now: OffsetDateTime, store_time: OffsetDateTime) -> View {
        let mut view = self.view.clone();
        // Their list goes by the time they were opened at, which a clock that was set back does not keep.
        view.tickets
            .values_mut()
            .for_each(|tickets| tickets.sort_by_key(|ticket| ticket.opened_at));
        for row in &self.outbox {
            view.outbox
                .entry(row.msp)
                .or_default()
                .push(row.message.clone());
        }
        view.outbox.values_mut().for_each(|rows| rows.sort());
        for (key, signals) in &view.signals {
            if let Some(last) = last_present(signals, store_time)
                && last.at + SIGNAL_LIFETIME > now
            {
                view.current.insert(*key, last);
            }
        }
        for (org, devices) in &self.signatures {
            let mut since: Vec<_> = devices.values().copied().collect();
            since.sort();
            if !since.is_empty() {
                view.signatures.insert(*org, since);
            }
        }
        view
    }

    fn audit(&mut self, trail: Trail, summary: impl Into<String>) {
        *self.view.audit.entry((trail, summary.into())).or_default() += 1;
    }

    pub fn is_active(&self, tenant: Tenant) -> bool {
        let connection = self.view.connections.get(&tenant);
        connection.is_some_and(|connection| connection.active)
    }

    /// The NinjaOne that a tenant's stored client id sees.
    fn client(&self, tenant: Tenant) -> Option<Tenant> {
        let connection = self.view.connections.get(&tenant)?;
        connection.secrets.as_ref().map(|(client, ..)| *client)
    }

    fn truth<'a>(&self, tenant: Tenant, truths: &'a Truths) -> (Tenant, &'a Truth) {
        let client = self.client(tenant).unwrap();
        (client, truths.get(&client).unwrap())
    }

    fn organizations(&self, tenant: Tenant) -> impl Iterator<Item = (Org, &Organization)> {
        let all = self.view.organizations.iter().map(|(org, row)| (*org, row));
        all.filter(move |(org, _)| org.0 == tenant)
    }

    fn company_of(&self, org: Org) -> Option<String> {
        match &self.view.organizations.get(&org)?.state {
            State::Mapped(company) => Some(company.clone()),
            State::Pending | State::Ignored => None,
        }
    }

    /// The customer whose compliance tenant an organization's evidence goes to.
    fn customer_of(&self, org: Org) -> Option<Customer> {
        let company = (org.0.msp(), self.company_of(org)?);
        *self.view.companies.get(&company)?
    }

    // Leases ---------------------------------------------------------------------------------------------------------

    /// Whether a run may find another one at work, though there is none.
    pub fn may_be_busy(&self, subject: Subject, now: OffsetDateTime) -> bool {
        self.left
            .get(&subject)
            .is_some_and(|until| is_held(*until, now))
    }

    pub fn leaves_leases(
        &mut self,
        subjects: impl IntoIterator<Item = Subject>,
        until: OffsetDateTime,
    ) {
        self.left
            .extend(subjects.into_iter().map(|subject| (subject, until)));
    }

    pub fn frees(&mut self, subjects: &[Subject]) {
        self.left.retain(|subject, _| !subjects.contains(subject));
    }

    /// When every lease that may be left has expired.
    pub fn leases_end(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let held = self.left.values().copied();
        held.filter(|until| is_held(*until, now)).max()
    }

    /// What a run of these organizations' assets works on.
    pub fn subjects_of(&self, tenant: Tenant) -> Vec<Subject> {
        self.organizations(tenant)
            .map(|(org, _)| Subject::Assets(org))
            .collect()
    }

    // Connections ----------------------------------------------------------------------------------------------------

    pub fn connect(
        &mut self,
        tenant: Tenant,
        client: Tenant,
        secret: &str,
        truths: &Truths,
    ) -> String {
        let before = self.clients.get(&tenant);
        if before.is_some_and(|before| *before != client) {
            match self.sees_the_same(tenant, truths.get(&client).unwrap()) {
                Ok(true) => {}
                Ok(false) => return "Conflict".to_owned(),
                Err(TimedOut) => return "Ninjaone(Timeout)".to_owned(),
            }
        }
        let taken = self.view.connections.keys().any(|other| {
            let same = *other != tenant
                && other.region_name() == tenant.region_name()
                && self.client(*other) == Some(client);
            same && self.is_active(*other)
        });
        if taken {
            return "Conflict".to_owned();
        }
        let secrets = Some((client, secret.to_owned(), true));
        let connection = Connection {
            active: true,
            secrets,
            lost: 0,
        };
        self.clients.insert(tenant, client);
        let again = self.view.connections.insert(tenant, connection).is_some();
        self.audit(Trail::Msp(tenant.msp()), connect_summary(again));
        format!("connected, again {again}")
    }

    /// Whether another client sees every mapped organization where it was.
    fn sees_the_same(&self, tenant: Tenant, truth: &Truth) -> Result<bool, TimedOut> {
        let mapped: Vec<Org> = self
            .organizations(tenant)
            .map(|(org, _)| org)
            .filter(|org| self.company_of(*org).is_some())
            .collect();
        if mapped.is_empty() {
            return Ok(true);
        }
        let listing = truth.list_organizations()?;
        let is_listed = |org: &Org| listing.rows.iter().any(|(id, _)| *id == org.1);
        if !listing.is_complete() && !mapped.iter().any(is_listed) {
            return Ok(false);
        }
        Ok(mapped.iter().all(|org| {
            let known = self.view.organizations.get(org).unwrap();
            match listing.rows.iter().find(|(id, _)| *id == org.1) {
                Some((_, name)) => folded(name) == folded(&known.name),
                None => known.missing_since.is_some() || !listing.is_complete(),
            }
        }))
    }

    pub fn disconnect(&mut self, tenant: Tenant, now: OffsetDateTime) -> String {
        let Some(connection) = self.view.connections.get_mut(&tenant) else {
            return "NotFound".to_owned();
        };
        if !connection.active {
            return "disconnected before".to_owned();
        }
        (connection.active, connection.secrets) = (false, None);
        let orgs: BTreeSet<Org> = self.organizations(tenant).map(|(org, _)| org).collect();
        let mapped = orgs
            .iter()
            .filter(|org| self.company_of(**org).is_some())
            .count();
        let mut customers: BTreeMap<Customer, BTreeSet<Org>> = BTreeMap::new();
        for org in &orgs {
            if let Some(customer) = self.customer_of(*org) {
                customers.entry(customer).or_default().insert(*org);
            }
        }
        for (customer, orgs) in customers {
            let unexpired = self.view.signals.iter().filter(|((of, org, _), signals)| {
                let last = last_present(signals, now);
                *of == customer
                    && orgs.contains(org)
                    && last.is_some_and(|last| last.at + SIGNAL_LIFETIME > now)
            });
            let summary = disconnect_summary(orgs.len() as u64, Some(unexpired.count() as u64));
            self.audit(Trail::Customer(customer), summary);
        }
        self.audit(
            Trail::Msp(tenant.msp()),
            disconnect_summary(mapped as u64, None),
        );
        self.retire_and_reactivate(&orgs, now, Says::Disconnected);
        "disconnected".to_owned()
    }

    pub fn rotate_keys(&mut self) -> String {
        let mut resealed = 0;
        for tenant in Tenant::ALL {
            let connection = self.view.connections.get_mut(&tenant);
            if let Some((_, _, current @ false)) =
                connection.and_then(|connection| connection.secrets.as_mut())
            {
                *current = true;
                resealed += 1;
                self.audit(Trail::Msp(tenant.msp()), "NINJAONE_KEY_ROTATED");
            }
        }
        format!("{resealed} sealed again")
    }

    /// The host has another key from now on.
    pub fn keys_age(&mut self) {
        for connection in self.view.connections.values_mut() {
            if let Some((_, _, current)) = &mut connection.secrets {
                *current = false;
            }
        }
    }

    /// Of what this one superseded the highest is active again, and supersedes the others.
    fn reactivates(&mut self, winner: Thing, now: OffsetDateTime) {
        let assets = self.view.assets.iter();
        let superseded: Vec<Thing> = assets
            .filter(|(_, asset)| asset.status == Presence::SupersededBy(winner))
            .map(|(thing, _)| *thing)
            .collect();
        let best = superseded
            .iter()
            .copied()
            .min_by_key(|thing| (source(*thing), *thing));
        for thing in superseded {
            if let (Some(best), Some(asset)) = (best, self.view.assets.get_mut(&thing)) {
                let presence = Presence::SupersededBy(best);
                asset.status = if thing == best {
                    Presence::Active
                } else {
                    presence
                };
                self.is_written(thing, now);
            }
        }
    }

    /// An asset was written: its other times do not lie in the future any more.
    fn is_written(&mut self, thing: Thing, now: OffsetDateTime) {
        let [created, updated, missing] = self.stamps.entry(thing).or_default();
        for time in [&mut *created, &mut *missing].into_iter().flatten() {
            set_right(time, now);
        }
        created.get_or_insert(now);
        *updated = Some(now);
    }

    /// The assets of these organizations do not count any more, what they had superseded does; their open tickets say so.
    fn retire_and_reactivate(
        &mut self,
        orgs: &BTreeSet<Org>,
        now: OffsetDateTime,
        says: fn(Key) -> Says,
    ) {
        let mut gone = BTreeSet::new();
        for (thing, asset) in &mut self.view.assets {
            let is_theirs = asset.organization.is_some_and(|org| orgs.contains(&org));
            if is_theirs && asset.status == Presence::Active {
                asset.status = Presence::Retired;
                gone.insert(*thing);
                self.stamps.entry(*thing).or_default()[1] = Some(now);
            }
        }
        for winner in gone {
            self.reactivates(winner, now);
        }
        self.signatures.retain(|org, _| !orgs.contains(org));
        let mut notes = Vec::new();
        for (key, tickets) in &self.view.tickets {
            if orgs.contains(&key.1) && tickets.last().is_some_and(|ticket| ticket.open) {
                notes.push((*key, tickets.len() - 1));
            }
        }
        for (key, place) in notes {
            self.say((key, place), now, says(key));
        }
    }

    // Organizations and companies ------------------------------------------------------------------------------------

    pub fn discover(&mut self, tenant: Tenant, truths: &Truths, now: OffsetDateTime) -> String {
        if !self.is_active(tenant) {
            return "NotConnected".to_owned();
        }
        match self.truth(tenant, truths).1.list_organizations() {
            Ok(listing) => {
                let listed = listing.rows.len();
                self.apply_listing(tenant, &listing, now);
                format!("{listed} listed, truncated {}", listing.truncated)
            }
            Err(_) => "Ninjaone(Timeout)".to_owned(),
        }
    }

    fn apply_listing(
        &mut self,
        tenant: Tenant,
        listing: &Listing<(i64, &'static str)>,
        now: OffsetDateTime,
    ) {
        let before = self.view.organizations.clone();
        let msp = tenant.msp();
        let companies = self.view.companies.clone();
        let suggestion = |name: &str| {
            let company = (msp, folded(name));
            companies.contains_key(&company).then_some(company.1)
        };
        for (id, name) in &listing.rows {
            let organization = self.view.organizations.entry((tenant, *id));
            let organization = organization.or_insert_with(|| Organization {
                name: String::new(),
                state: State::Pending,
                suggestion: None,
                missing_since: None,
                first_evidence_synced_at: None,
            });
            (*name).clone_into(&mut organization.name);
            organization.missing_since = None;
        }
        let orgs = self.view.organizations.iter_mut();
        for ((_, id), organization) in orgs.filter(|((of, _), _)| *of == tenant) {
            let is_listed = listing.rows.iter().any(|(listed, _)| listed == id);
            if let Some(since) = &mut organization.missing_since {
                set_right(since, now);
            }
            if !is_listed && listing.is_complete() {
                organization.missing_since.get_or_insert(now);
            }
            if organization.state == State::Pending {
                organization.suggestion = suggestion(&organization.name);
            }
        }
        let connection = self.view.connections.get_mut(&tenant).unwrap();
        let lost = std::mem::replace(&mut connection.lost, listing.malformed);
        if before != self.view.organizations || lost != listing.malformed {
            self.audit(Trail::Msp(msp), "NINJAONE_DISCOVERED");
        }
    }

    /// The same, of organizations that were listed and compared with what there was then: nothing is decided by it.
    pub fn takes_in_late(
        &self,
        then: &Self,
        tenant: Tenant,
        truths: &Truths,
        at: OffsetDateTime,
    ) -> Self {
        let (mut taken, mut late) = (then.clone(), self.clone());
        let _ = taken.discover(tenant, truths, at);
        let lost = |model: &Self| model.view.connections.get(&tenant).map(|of| of.lost);
        let found = lost(&taken).filter(|found| lost(then) != Some(*found));
        if taken.view.organizations == then.view.organizations && found.is_none() {
            return late;
        }
        if let (Some(found), Some(connection)) = (found, late.view.connections.get_mut(&tenant)) {
            connection.lost = found;
        }
        for (org, organization) in taken.view.organizations {
            if then.view.organizations.get(&org) == Some(&organization) {
                continue;
            }
            let stored = late.view.organizations.entry(org);
            let stored = stored.or_insert_with(|| organization.clone());
            stored.name = organization.name;
            stored.missing_since = organization.missing_since;
            if stored.state == State::Pending {
                stored.suggestion = organization.suggestion;
            }
        }
        late.audit(Trail::Msp(tenant.msp()), "NINJAONE_DISCOVERED");
        late
    }

    pub fn add_company(&mut self, company: Company) -> String {
        self.view.companies.entry(company).or_insert(None);
        "added".to_owned()
    }

    /// Maps to the company of a name, to one of the organization's own name, or decides otherwise.
    pub fn decide(&mut self, org: Org, decision: &Decision, now: OffsetDateTime) -> String {
        let msp = org.0.msp();
        let Some(organization) = self.view.organizations.get(&org) else {
            return "NotFound".to_owned();
        };
        let state = match decision {
            Decision::UseExisting(name) => {
                if !self.view.companies.contains_key(&(msp, folded(name))) {
                    return "NotFound".to_owned();
                }
                State::Mapped(folded(name))
            }
            Decision::CreateNew => State::Mapped(folded(&organization.name)),
            Decision::DontSync => State::Ignored,
            Decision::Undecide => State::Pending,
        };
        let before = organization.state.clone();
        if before == state {
            return "decided so before".to_owned();
        }
        let action = match &state {
            State::Mapped(company) => {
                if matches!(before, State::Mapped(_)) {
                    return "Conflict".to_owned();
                }
                self.view
                    .companies
                    .entry((msp, company.clone()))
                    .or_insert(None);
                "NINJAONE_MAPPED"
            }
            State::Ignored => "NINJAONE_IGNORED",
            State::Pending => "NINJAONE_UNMAPPED",
        };
        if let Some(organization) = self.view.organizations.get_mut(&org) {
            organization.state = state;
            organization.suggestion = None;
            organization.first_evidence_synced_at = None;
        }
        if matches!(before, State::Mapped(_)) {
            self.retire_and_reactivate(&BTreeSet::from([org]), now, Says::Unmapped);
        }
        self.audit(Trail::Msp(msp), action);
        "decided".to_owned()
    }

    pub fn promote(&mut self, company: &Company, customer: Customer) -> String {
        let taken = self
            .view
            .companies
            .values()
            .any(|taken| *taken == Some(customer));
        match self.view.companies.get_mut(company) {
            None => "NotFound".to_owned(),
            Some(Some(promoted)) if *promoted == customer => "promoted before".to_owned(),
            Some(Some(_)) => "Conflict".to_owned(),
            Some(None) if taken => "Conflict".to_owned(),
            Some(promoted) => {
                *promoted = Some(customer);
                self.audit(Trail::Msp(company.0), "NINJAONE_PROMOTED");
                "promoted".to_owned()
            }
        }
    }

    // Assets ---------------------------------------------------------------------------------------------------------

    /// Another source found a machine.
    pub fn found_elsewhere(
        &mut self,
        thing: Thing,
        asset: Asset,
        host: Option<&str>,
        now: OffsetDateTime,
    ) {
        self.is_written(thing, now);
        self.hosts.insert(thing, host.map(str::to_owned));
        self.view.assets.insert(thing, asset);
    }

    /// Another source does not find it any more.
    pub fn lost_elsewhere(&mut self, thing: Thing, now: OffsetDateTime) {
        self.is_written(thing, now);
        if let Some(asset) = self.view.assets.get_mut(&thing) {
            asset.status = Presence::Retired;
        }
        self.reactivates(thing, now);
    }

    /// The assets of one company, in every region it is in, or of all companies of one region.
    pub fn sync(
        &mut self,
        tenants: &[Tenant],
        only: Option<&str>,
        truths: &Truths,
        now: OffsetDateTime,
        run: &mut Run,
    ) -> String {
        let mut synced = Vec::new();
        for tenant in tenants {
            if !self.is_active(*tenant) {
                if only.is_some() {
                    continue;
                }
                return "NotConnected".to_owned();
            }
            let orgs = self.organizations(*tenant).map(|(org, _)| org);
            let orgs: Vec<Org> = orgs
                .filter(|org| {
                    let company = self.company_of(*org);
                    company.is_some_and(|company| only.is_none_or(|only| only == company))
                })
                .collect();
            // With nothing mapped a region is looked at all the same; a company's other regions are not.
            if orgs.is_empty() && only.is_some() {
                continue;
            }
            let (_, truth) = self.truth(*tenant, truths);
            let Ok(listing) = truth.list_organizations() else {
                return "Ninjaone(Timeout)".to_owned();
            };
            self.apply_listing(*tenant, &listing, now);
            run.between.push(self.clone());
            for org in orgs {
                let is_listed = listing.rows.iter().any(|(id, _)| *id == org.1);
                let outcome = if !is_listed && listing.is_complete() {
                    "missing".to_owned()
                } else if run.busy.contains(&Subject::Assets(org)) {
                    "Busy".to_owned()
                } else {
                    match truth.list_devices(org.1) {
                        Err(_) => "Ninjaone(Timeout)".to_owned(),
                        Ok(listing) => self.sync_org(org, &listing, now, run),
                    }
                };
                synced.push((org, outcome));
                run.between.push(self.clone());
            }
        }
        if synced.is_empty() && only.is_some() {
            return "NotFound".to_owned();
        }
        answer_of_orgs(&synced)
    }

    #[expect(
        clippy::too_many_lines,
        reason = "the model of one sync is read from top to bottom"
    )]
    fn sync_org(
        &mut self,
        org: Org,
        listing: &Listing<(i64, Device)>,
        now: OffsetDateTime,
        run: &mut Run,
    ) -> String {
        let before = self.view.assets.clone();
        let company = self.company_of(org).unwrap();
        let mut companies = BTreeSet::from([company.clone()]);
        for (id, _) in &listing.rows {
            let known = before.get(&Thing::Device(org.0, *id));
            companies.extend(known.map(|asset| asset.company.clone()));
        }
        let mut set_right = BTreeSet::new();
        for (thing, asset) in &mut self.view.assets {
            let is_concerned = msp_of(*thing) == org.0.msp() && companies.contains(&asset.company);
            let [created, updated, missing] = self.stamps.entry(*thing).or_default();
            let ahead = |time: Option<OffsetDateTime>| time.is_some_and(|at| is_ahead(at, now));
            if !is_concerned || ![*created, *updated, *missing].into_iter().any(ahead) {
                continue;
            }
            set_right.insert(*thing);
            if ahead(*missing) {
                (*missing, asset.is_missing) = (None, false);
            }
        }
        let was = self.view.assets.clone();
        let mut listed = BTreeSet::new();
        for (id, device) in &listing.rows {
            let thing = Thing::Device(org.0, *id);
            listed.insert(thing);
            let asset = Asset {
                company: company.clone(),
                organization: Some(org),
                status: Presence::Active,
                name: device.name.clone(),
                serial: device.serial.map(str::to_owned),
                is_missing: false,
            };
            self.hosts.insert(thing, Some(device.name.clone()));
            if let Some(left) = self.view.assets.insert(thing, asset) {
                companies.insert(left.company);
            }
        }
        let unlisted: Vec<Thing> = self
            .view
            .assets
            .iter()
            .filter(|(thing, asset)| {
                matches!(thing, Thing::Device(..))
                    && asset.organization == Some(org)
                    && asset.status == Presence::Active
                    && !listed.contains(*thing)
            })
            .map(|(thing, _)| *thing)
            .collect();
        let is_empty = listing.is_complete() && listing.rows.is_empty() && !unlisted.is_empty();
        let all = before.iter().filter(|(thing, asset)| {
            matches!(thing, Thing::Device(..))
                && asset.organization == Some(org)
                && asset.status == Presence::Active
        });
        let all = all.count();
        let fresh = unlisted.iter().filter(|thing| !was[*thing].is_missing);
        let fresh = fresh.count();
        let is_shrunk =
            listing.is_complete() && !listing.rows.is_empty() && fresh >= 5 && fresh * 5 > all;
        let suspect = is_empty || is_shrunk;
        if listing.is_complete() && !is_empty {
            for thing in unlisted {
                if let Some(asset) = self.view.assets.get_mut(&thing) {
                    if is_shrunk && !asset.is_missing {
                        asset.is_missing = true;
                    } else {
                        asset.status = Presence::Retired;
                        asset.is_missing = false;
                    }
                }
            }
        }
        for company in companies {
            self.count_each_machine_once(org.0.msp(), &company);
        }
        let assets = self.view.assets.iter();
        let changed = assets.filter(|(thing, asset)| before.get(thing) != Some(*asset));
        let mut changed: BTreeSet<Thing> = changed.map(|(thing, _)| *thing).collect();
        changed.extend(set_right);
        for thing in &changed {
            self.is_written(*thing, now);
            let is_missing = self.view.assets[thing].is_missing;
            let missing = &mut self.stamps.entry(*thing).or_default()[2];
            *missing = missing.or(Some(now)).filter(|_| is_missing);
        }
        let counts = [
            listing.rows.len() as u64,
            listing.foreign,
            listing.malformed,
        ];
        if !changed.is_empty()
            || listing.truncated
            || suspect
            || listing.foreign + listing.malformed > 0
        {
            let summary = sync_summary(org, counts, listing.truncated, suspect);
            self.audit(Trail::Msp(org.0.msp()), summary);
        }
        let outcome = format!(
            "synced: changed {}, truncated {}, suspect {suspect}",
            !changed.is_empty(),
            listing.truncated
        );
        run.written.extend(changed);
        outcome
    }

    /// What there may be after the sync of an organization that was held up and ended so.
    pub fn syncs_late(
        &self,
        org: Org,
        truths: &[&Truths],
        answer: &str,
        touched: bool,
        now: OffsetDateTime,
    ) -> Vec<Self> {
        let is_mapped = self.is_active(org.0) && self.company_of(org).is_some();
        let is_refused = !answer.starts_with("synced");
        let found_nothing = answer.starts_with("synced: changed false");
        let mut candidates = Vec::new();
        let may_be_refused = touched || answer != "superseded";
        let held_up = truths.len() > 1 || !is_mapped;
        if is_refused && may_be_refused || found_nothing && held_up {
            candidates.push(self.clone());
        }
        if is_refused || !is_mapped {
            return candidates;
        }
        for truths in truths {
            let mut synced = self.clone();
            let listing = self.truth(org.0, truths).1.list_devices(org.1);
            let outcome =
                listing.map(|listing| synced.sync_org(org, &listing, now, &mut Run::default()));
            if outcome.is_ok_and(|outcome| outcome == answer) {
                candidates.push(synced);
            }
        }
        candidates
    }

    /// Of a machine that several sources of a company know, the highest counts.
    fn count_each_machine_once(&mut self, msp: u8, company: &str) {
        let assets = self.view.assets.iter();
        let present: Vec<Thing> = assets
            .filter(|(thing, asset)| {
                msp_of(**thing) == msp
                    && asset.company == company
                    && asset.status != Presence::Retired
            })
            .map(|(thing, _)| *thing)
            .collect();
        let mut counted: Vec<Thing> = Vec::new();
        for of in Source::ALL {
            let candidates: Vec<Thing> = present
                .iter()
                .copied()
                .filter(|thing| source(*thing) == of)
                .collect();
            let same = self.same_machines(&candidates, &counted, &present);
            for thing in candidates {
                let status = if let Some(winner) = same.get(&thing) {
                    Presence::SupersededBy(*winner)
                } else {
                    counted.push(thing);
                    Presence::Active
                };
                if let Some(asset) = self.view.assets.get_mut(&thing) {
                    asset.status = status;
                }
            }
        }
    }

    /// Same serial number that no two of one source have, else same host name, and only one of those left on each side.
    fn same_machines(
        &self,
        candidates: &[Thing],
        counted: &[Thing],
        present: &[Thing],
    ) -> BTreeMap<Thing, Thing> {
        let mut same = BTreeMap::new();
        let mut settled = BTreeSet::new();
        let is_shared = |thing: &Thing| {
            let serial = self.serial(*thing);
            let with = present
                .iter()
                .filter(|other| source(**other) == source(*thing));
            serial.is_some() && with.filter(|other| self.serial(**other) == serial).count() > 1
        };
        let keys: [(KeyOf, bool); 2] = [(Self::serial, true), (Self::host, false)];
        for (key, is_serial) in keys {
            let all = |things: &[Thing]| -> Vec<(Thing, String)> {
                let open = things.iter().filter(|thing| !settled.contains(*thing));
                open.filter_map(|thing| Some((*thing, key(self, *thing)?)))
                    .collect()
            };
            let (ours, theirs) = (all(candidates), all(counted));
            for (thing, value) in &ours {
                let those = |things: &[(Thing, String)]| -> Vec<Thing> {
                    let same = things.iter().filter(|(_, other)| other == value);
                    same.map(|(thing, _)| *thing).collect()
                };
                let (beside, above) = (those(&ours), those(&theirs));
                if let ([_], [winner]) = (beside.as_slice(), above.as_slice())
                    && !(is_serial && (is_shared(thing) || is_shared(winner)))
                {
                    same.insert(*thing, *winner);
                    settled.extend([*thing, *winner]);
                }
            }
        }
        same
    }

    fn serial(&self, thing: Thing) -> Option<String> {
        let serial = self.view.assets.get(&thing)?.serial.as_ref()?;
        let serial = serial.replace([' ', '-', '.'], "").to_uppercase();
        (serial != "TOBEFILLEDBYOEM").then_some(serial)
    }

    fn host(&self, thing: Thing) -> Option<String> {
        let host = self.hosts.get(&thing)?.as_ref()?;
        Some(host.trim_end_matches('.').to_lowercase())
    }

    // Sweeps and tickets ---------------------------------------------------------------------------------------------

    /// What one tick sweeps.
    pub fn plan(&self, tick: OffsetDateTime) -> BTreeSet<Sweep> {
        let orgs = self.view.organizations.keys().copied();
        orgs.filter(|org| self.is_active(org.0))
            .filter_map(|org| {
                let customer = self.customer_of(org)?;
                Some(Sweep {
                    customer,
                    org,
                    tick,
                })
            })
            .collect()
    }

    /// A sweep that judges by the first of these times, is written at the second, and finds the store's clock at the third.
    pub fn sweep(
        &mut self,
        sweep: Sweep,
        truths: &Truths,
        (now, written_at, store_time): (OffsetDateTime, OffsetDateTime, OffsetDateTime),
        run: &Run,
    ) -> String {
        let Sweep {
            customer,
            org,
            tick,
        } = sweep;
        if run.busy.contains(&Subject::Customer(customer)) {
            return "busy".to_owned();
        }
        let of_org = self.view.signals.iter();
        let of_org = of_org.filter(|((of, swept, _), _)| *of == customer && *swept == org);
        let last = of_org.filter_map(|(_, signals)| Some(last_present(signals, store_time)?.at));
        let last = last.max();
        // What a clock that ran ahead had swept is swept again when its time has come: what was found then is no evidence of now. Evidence
        // of the tick or of a later one is.
        let swept = self.swept.get(&(customer, org));
        let sweeps = swept.into_iter().flatten().rev();
        let current = sweeps.clone().find(|(_, at)| !is_ahead(*at, store_time));
        let is_there =
            current.is_some_and(|(of, at)| *of == tick || *at >= tick + TICK - TOLERANCE);
        if sweeps.clone().any(|(of, _)| *of == tick) && is_there {
            return "committed before".to_owned();
        }
        if !self.is_active(org.0) || self.customer_of(org) != Some(customer) {
            return "skipped".to_owned();
        }
        // In this order: whose clock is ahead says nothing of the tick, and a tick to come is nobody's yet.
        if now > store_time + TOLERANCE {
            return "Store(Clock)".to_owned();
        }
        if tick > store_time + TOLERANCE {
            return "skipped".to_owned();
        }
        if last.is_some_and(|last| now < last) {
            return "Store(Clock)".to_owned();
        }
        if now > tick + TICK && last.is_some_and(|last| last >= tick + TICK) {
            return "skipped".to_owned();
        }
        let (client, truth) = self.truth(org.0, truths);
        let Ok(reports) = truth.reports(org.1) else {
            return "Ninjaone(Timeout)".to_owned();
        };
        let answered = reports.outcomes.values().all(|outcome| outcome.answered());
        let stamp = self.view.organizations.get_mut(&org).unwrap();
        let dry_run = stamp.first_evidence_synced_at.is_none();
        let is_stamped = stamp
            .first_evidence_synced_at
            .is_some_and(|at| !(is_ahead(at, now) && is_ahead(at, store_time)));
        if answered && !is_stamped {
            stamp.first_evidence_synced_at = Some(now);
        }
        let mut overflow = BTreeSet::new();
        for facts in &reports.signals {
            let key = (customer, org, facts.kind);
            let signal = Signal {
                status: facts.status,
                complete: facts.complete,
                mark: mark((client, org.1)),
                number: facts.number,
                at: now,
            };
            self.view.signals.entry(key).or_default().push(signal);
            if self.ticket(key, signal, tick, dry_run) {
                overflow.insert((self.company_of(org).unwrap(), key));
            }
        }
        if !overflow.is_empty() {
            self.digest(org.0.msp(), tick, overflow, (now, written_at));
        }
        let history = self.signatures.entry(org).or_default();
        for (device, out_of_date) in reports.sightings {
            let known = history.get(&device);
            let was_fresh = known
                .filter(|record| !is_ahead(record.since, now))
                .map(|record| record.state == SignatureState::UpToDate);
            if was_fresh == Some(!out_of_date) {
                continue;
            }
            let state = match (out_of_date, was_fresh) {
                (false, _) => SignatureState::UpToDate,
                (true, Some(_)) => SignatureState::OutOfDate,
                (true, None) => SignatureState::OutOfDateAtFirst,
            };
            history.insert(device, SignatureRecord { state, since: now });
        }
        let summary = sweep_summary(org, reports.foreign, answered, dry_run);
        self.audit(Trail::Customer(customer), summary);
        let swept = self.swept.entry((customer, org)).or_default();
        swept.push((tick, now));
        for ((msp, tick), of_tick) in &mut self.ticks {
            if *msp == org.0.msp() && is_ahead(*tick, store_time) {
                of_tick.opened = 0;
            }
        }
        format!("committed, answered {answered}, dry run {dry_run}")
    }

    /// The sweeps of one pass: each as if it were swept alone, one after the other.
    pub fn sweep_together(
        &mut self,
        sweeps: &[Sweep],
        truths: &Truths,
        times: (OffsetDateTime, OffsetDateTime, OffsetDateTime),
        run: &mut Run,
    ) -> String {
        let Some(first) = sweeps.first() else {
            return String::new();
        };
        if run.busy.contains(&Subject::Group(first.org.0)) {
            return "Busy".to_owned();
        }
        let mut answers = Vec::with_capacity(sweeps.len());
        for sweep in sweeps {
            answers.push((sweep.org, self.sweep(*sweep, truths, times, run)));
            run.between.push(self.clone());
        }
        answer_of_orgs(&answers)
    }

    /// Says whether the signal should have a ticket and gets none in this tick.
    fn ticket(&mut self, key: Key, signal: Signal, tick: OffsetDateTime, dry_run: bool) -> bool {
        let said = (signal.status, signal.complete, signal.mark, signal.number);
        let tickets = self.view.tickets.entry(key).or_default();
        let place = tickets.len();
        if let Some(ticket) = tickets.last_mut().filter(|ticket| ticket.open) {
            let id = (key, place - 1);
            let stamped = (ticket.opened_at, ticket.last_failed_at);
            for time in [&mut ticket.opened_at, &mut ticket.last_failed_at] {
                set_right(time, signal.at);
            }
            match signal.status {
                Status::Fail | Status::Warning => {
                    (ticket.passes, ticket.passed_until) = (0, None);
                    if signal.status == Status::Fail {
                        ticket.last_failed_at = signal.at;
                    }
                    if self.said.insert(id, said) != Some(said) {
                        self.say(id, signal.at, Says::Update(key));
                    }
                }
                Status::Pass if signal.complete => {
                    let passed = ticket.passed_until.map(|until| until - SIGNAL_LIFETIME);
                    let counts = |passed: &OffsetDateTime| {
                        *passed <= signal.at && signal.at < *passed + SIGNAL_LIFETIME
                    };
                    match passed.filter(counts) {
                        Some(passed) if signal.at - passed < TICK / 2 => {
                            (ticket.opened_at, ticket.last_failed_at) = stamped;
                            return false;
                        }
                        Some(_) => ticket.passes += 1,
                        None => ticket.passes = 1,
                    }
                    ticket.passed_until = Some(signal.at + SIGNAL_LIFETIME);
                    if ticket.passes == PASSES_TO_CLOSE {
                        (ticket.open, ticket.closed_at) = (false, Some(signal.at));
                        self.say(id, signal.at, Says::Close(key));
                    }
                }
                _ => {}
            }
            return false;
        }
        if place == 0 {
            self.view.tickets.remove(&key);
        }
        if signal.status != Status::Fail || dry_run {
            return false;
        }
        let in_tick = self.ticks.entry((key.1.0.msp(), tick)).or_default();
        if in_tick.opened == TICKETS_PER_TICK {
            return true;
        }
        in_tick.opened += 1;
        self.view.tickets.entry(key).or_default().push(Ticket {
            open: true,
            passes: 0,
            passed_until: None,
            opened_at: signal.at,
            last_failed_at: signal.at,
            closed_at: None,
            has_reference: false,
        });
        self.said.insert((key, place), said);
        self.say((key, place), signal.at, Says::Open(key));
        false
    }

    fn digest(
        &mut self,
        msp: u8,
        tick: OffsetDateTime,
        entries: BTreeSet<(String, Key)>,
        (now, written_at): (OffsetDateTime, OffsetDateTime),
    ) {
        let in_tick = self.ticks.entry((msp, tick)).or_default();
        let part = in_tick.digests;
        let mut rows = self.outbox.iter_mut();
        let begun = rows.find(|row| {
            let is_open = written_at < row.message.due_at - DIGEST_CLOSES;
            row.msp == msp && row.digest == Some((tick, part)) && is_open
        });
        if let Some(Row {
            message:
                Message {
                    says: Says::Digest(said),
                    at,
                    ..
                },
            ..
        }) = begun
        {
            set_right(at, now);
            said.extend(entries);
            return;
        }
        in_tick.digests += 1;
        self.outbox.push(Row {
            msp,
            message: Message {
                at: now,
                due_at: (tick + TICK).max(written_at + LATE_DIGEST),
                says: Says::Digest(entries),
            },
            ticket: None,
            digest: Some((tick, part + 1)),
        });
    }

    fn say(&mut self, ticket: (Key, usize), at: OffsetDateTime, says: Says) {
        self.outbox.push(Row {
            msp: ticket.0.1.0.msp(),
            message: Message {
                at,
                due_at: at,
                says,
            },
            ticket: Some(ticket),
            digest: None,
        });
    }

    /// How many rows the bridge is to deliver now.
    pub fn due(&self, msp: u8, now: OffsetDateTime) -> usize {
        let due = self
            .outbox
            .iter()
            .filter(|row| row.msp == msp)
            .filter(|row| row.message.due_at <= now || row.message.at > now + TOLERANCE);
        due.count()
    }

    /// The bridge delivered a message. Says whether there was one.
    pub fn delivered(&mut self, msp: u8, message: &Message) -> bool {
        let mut rows = self.outbox.iter();
        let place = rows.position(|row| row.msp == msp && row.message == *message);
        let Some(place) = place else {
            return false;
        };
        let row = self.outbox.remove(place);
        if let Some((key, place)) = row.ticket
            && let Some(ticket) = self
                .view
                .tickets
                .get_mut(&key)
                .and_then(|all| all.get_mut(place))
        {
            ticket.has_reference = true;
        }
        true
    }
}

/// What is decided about an organization.
#[derive(Clone, Copy, Debug)]
pub enum Decision {
    UseExisting(&'static str),
    CreateNew,
    DontSync,
    Undecide,
}

/// What the model knows of a run, and expects of it.
#[derive(Debug, Default)]
pub struct Run {
    /// What another run was found at work on.
    pub busy: BTreeSet<Subject>,
    /// What there is between two of its commits.
    pub between: Vec<Model>,
    /// Assets that it wrote.
    pub written: BTreeSet<Thing>,
}

/// How a run ended, organization by organization.
pub fn answer_of_orgs(answers: &[(Org, String)]) -> String {
    let answers = answers
        .iter()
        .map(|(org, answer)| format!("{org:?} {answer}"));
    answers.collect::<Vec<_>>().join(", ")
}

fn source(thing: Thing) -> Source {
    match thing {
        Thing::Device(..) => Source::Ninjaone,
        Thing::Other(_, source, _) => source,
    }
}

fn msp_of(thing: Thing) -> u8 {
    match thing {
        Thing::Device(tenant, _) => tenant.msp(),
        Thing::Other(msp, ..) => msp,
    }
}
