//! A host that lives through a history, and the model beside it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use regentra_sync::{
    Integration,
    host::{Clock as _, HostPolicy, ManualClock},
    model::{
        Asset as StoredAsset, AssetContent, AssetStatus, EventId, ExternalId, OutboxRow, Source,
        SweepStrategy, Version, reactivate_superseded,
    },
    schedule::{Cadence, SweepEvent},
    store::{AssetCommit, AssetFilter, AssetWrite, CommitOutcome, Store},
};
use time::{Duration, OffsetDateTime, macros::datetime};

use crate::{
    history::{
        host::{Host, Performed, secret},
        model::{Decision, Model, Run, Subject, Sweep, TICKETS_PER_TICK},
        step::{HistoryStep, LATEST},
        truth::{Tenant, Truths, msp_id},
        view::{
            Asset, Message, Names, Presence, ReadCache, StoreView, Thing, company_id, customer_of,
            difference, folded, other_id,
        },
    },
    keys::rotating_keyring,
};

pub const NOW: OffsetDateTime = datetime!(2026-11-23 06:31 UTC);

pub struct World {
    pub store: Arc<dyn Store>,
    pub truths: Truths,
    pub clock: ManualClock,
    pub store_clock: ManualClock,
    rotated: bool,
    process: Integration,
    names: Arc<Names>,
    cache: ReadCache,
    pub model: Model,
    pub versions: BTreeMap<Thing, Version>,
    planned: Vec<(SweepEvent, Sweep)>,
    requests: u64,
    found: u64,
}

fn process(
    store: &Arc<dyn Store>,
    truths: &Truths,
    clock: &ManualClock,
    rotated: bool,
) -> Integration {
    let cap = u32::try_from(TICKETS_PER_TICK).unwrap();
    let ninjaone = Arc::new(truths.clone());
    Integration::builder(Arc::clone(store), rotating_keyring(rotated), ninjaone)
        .clock(Arc::new(clock.clone()))
        .policy(HostPolicy::default().tickets_per_tick(cap))
        .build()
}

impl World {
    /// Two clocks: the processes', and the store's.
    pub fn new(store: Arc<dyn Store>, store_clock: ManualClock) -> Self {
        let (truths, clock) = (Truths::beginning(), ManualClock::at(NOW));
        Self {
            process: process(&store, &truths, &clock, false),
            store,
            truths,
            clock,
            store_clock,
            rotated: false,
            names: Arc::new(Names::new()),
            cache: ReadCache::default(),
            model: Model::default(),
            versions: BTreeMap::new(),
            planned: Vec::new(),
            requests: 0,
            found: 0,
        }
    }

    pub fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    /// The time by the store's clock.
    pub fn store_time(&self) -> OffsetDateTime {
        self.store_clock.now()
    }

    /// Lets the time pass on both clocks, or sets both back.
    pub fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.store_clock.advance(time);
    }

    /// One of the latest planned events, counted from the end, or any.
    fn event(&self, place: usize) -> Option<&(SweepEvent, Sweep)> {
        if place < LATEST {
            self.planned.iter().rev().nth(place)
        } else {
            self.planned.get(place % self.planned.len().max(1))
        }
    }

    /// Of these events those of the first one's connection and tick, each organization once.
    fn together(&self, places: &[usize]) -> Vec<(SweepEvent, Sweep)> {
        let mut together: Vec<(SweepEvent, Sweep)> = Vec::new();
        for (event, sweep) in places.iter().filter_map(|place| self.event(*place)) {
            let fits = together
                .first()
                .is_none_or(|(_, first)| (first.org.0, first.tick) == (sweep.org.0, sweep.tick));
            if fits && together.iter().all(|(_, other)| other.org != sweep.org) {
                together.push((event.clone(), *sweep));
            }
        }
        together
    }

    pub fn host(&self, operation: &HistoryStep) -> Host {
        let event = match operation {
            HistoryStep::Deliver { event } => self.event(*event).cloned(),
            _ => None,
        };
        let together = match operation {
            HistoryStep::DeliverTogether { events, strategy } => {
                Some((self.together(events), *strategy))
            }
            _ => None,
        };
        let (together, strategy) = together.unwrap_or((Vec::new(), SweepStrategy::PerCustomer));
        Host {
            store: Arc::clone(&self.store),
            clock: self.clock.clone(),
            process: self.process.clone(),
            names: Arc::clone(&self.names),
            number: self.requests,
            event,
            together,
            strategy,
        }
    }

    /// Lets one thing happen, and compares what is stored with what the model says.
    ///
    /// What is not a sweep is done by a process whose clock is right: what a store refuses of another one, the laws about clocks say.
    pub async fn step(&mut self, operation: &HistoryStep) -> Result<(), String> {
        let sweeps = match operation {
            HistoryStep::Meanwhile { run: operation, .. }
            | HistoryStep::Interrupted { operation, .. } => {
                matches!(
                    **operation,
                    HistoryStep::Deliver { .. } | HistoryStep::DeliverTogether { .. }
                )
            }
            operation => matches!(
                operation,
                HistoryStep::Deliver { .. }
                    | HistoryStep::DeliverTogether { .. }
                    | HistoryStep::Plan
                    | HistoryStep::Pass { .. }
                    | HistoryStep::SetBack { .. }
                    | HistoryStep::Skew { .. }
            ),
        };
        if sweeps {
            return self.step_by_its_clock(operation).await;
        }
        let skew = self.now() - self.store_time();
        self.clock.set(self.store_time());
        let stepped = self.step_by_its_clock(operation).await;
        self.clock.set(self.store_time() + skew);
        stepped
    }

    async fn step_by_its_clock(&mut self, operation: &HistoryStep) -> Result<(), String> {
        self.requests += 1;
        match operation {
            HistoryStep::Pass { minutes } => self.pass(Duration::minutes(*minutes)),
            HistoryStep::SetBack { minutes } => self.pass(-Duration::minutes(*minutes)),
            HistoryStep::Skew { minutes } => {
                let now = self.store_time() + Duration::minutes(*minutes);
                self.clock.set(now);
            }
            HistoryStep::Interrupted {
                operation,
                suspension,
                ends,
            } => {
                return self.interrupted(operation, *suspension, *ends).await;
            }
            HistoryStep::Meanwhile {
                run,
                suspension,
                others,
                elsewhere,
            } => {
                return self.meanwhile(run, *suspension, others, *elsewhere).await;
            }
            HistoryStep::DeliverTickets { msp, rows } => self.deliver_tickets(*msp, *rows).await?,
            HistoryStep::FindElsewhere {
                msp,
                name,
                source,
                serial,
                host,
            } => {
                self.find_elsewhere(*msp, name, *source, *serial, *host)
                    .await;
            }
            HistoryStep::LoseElsewhere { msp, asset } => self.lose_elsewhere(*msp, *asset).await,
            operation if self.in_ninjaone(operation) => return Ok(()),
            HistoryStep::RotateKeys => {
                if !self.rotated {
                    self.rotated = true;
                    self.model.keys_age();
                    self.start();
                }
                let performed = self.host(operation).perform(operation).await;
                self.compare(operation, &performed)?;
            }
            operation => {
                let performed = self.host(operation).perform(operation).await;
                let written = self.compare(operation, &performed)?;
                self.planned.extend(performed.planned);
                return self.check(Some(&written)).await;
            }
        }
        self.check(None).await
    }

    pub fn start(&mut self) {
        self.process = process(&self.store, &self.truths, &self.clock, self.rotated);
    }

    /// What the model says to what was done. Returns the assets that may have been written.
    pub fn compare(
        &mut self,
        operation: &HistoryStep,
        performed: &Performed,
    ) -> Result<BTreeSet<Thing>, String> {
        for subject in &performed.busy {
            if !self.model.may_be_busy(*subject, self.store_time()) {
                return Err(format!("{subject:?} is busy, and nobody is at work"));
            }
        }
        let mut run = Run {
            busy: performed.busy.clone(),
            ..Run::default()
        };
        let expected = self.expect(operation, &mut run);
        if performed.answer == expected {
            Ok(run.written)
        } else {
            let answer = &performed.answer;
            Err(format!("  answered: {answer}\n  expected: {expected}"))
        }
    }

    pub async fn observe(&mut self) -> StoreView {
        let (store, keyring, now) = (
            &*self.store,
            rotating_keyring(self.rotated),
            self.clock.now(),
        );
        let cache = &mut self.cache;
        self.names.observe(store, &keyring, now, cache).await
    }

    /// At the end of a history everything is read once more, from the beginning.
    pub async fn end(&mut self) -> Result<(), String> {
        self.cache = ReadCache::default();
        self.check(None).await
    }

    pub async fn check(&mut self, written: Option<&BTreeSet<Thing>>) -> Result<(), String> {
        let seen = self.observe().await;
        let expected = self.model.seen(self.now(), self.store_time());
        if seen.view != expected {
            return Err(difference(&seen.view, &expected));
        }
        if let Some(written) = written
            && self.expects_versions(written, &seen)
        {
            return Err("an asset that had not changed was rewritten".to_owned());
        }
        self.versions = seen.versions;
        Ok(())
    }

    /// Whether an asset has another version although nothing was written of it.
    fn expects_versions(&self, written: &BTreeSet<Thing>, seen: &StoreView) -> bool {
        let mut rows = self.versions.iter();
        // Only runs write some of the rows; a decision ends all of an organization.
        !written.is_empty()
            && rows.any(|(thing, version)| {
                !written.contains(thing) && seen.versions.get(thing) != Some(version)
            })
    }

    pub fn subjects(&self, operation: &HistoryStep) -> Vec<Subject> {
        match operation {
            HistoryStep::Discover { tenant } => vec![Subject::Discovery(*tenant)],
            HistoryStep::Sync { tenant } => self.model.subjects_of(*tenant),
            HistoryStep::SyncCompany { msp, .. } => {
                let tenants = Tenant::ALL
                    .into_iter()
                    .filter(|tenant| tenant.msp() == *msp);
                tenants
                    .flat_map(|tenant| self.model.subjects_of(tenant))
                    .collect()
            }
            HistoryStep::Deliver { event } => {
                let event = self.event(*event);
                event
                    .map(|(_, sweep)| Subject::Customer(sweep.customer))
                    .into_iter()
                    .collect()
            }
            HistoryStep::DeliverTogether { events, .. } => {
                let sweeps = self.together(events).into_iter().map(|(_, sweep)| sweep);
                let subjects = sweeps
                    .flat_map(|of| [Subject::Group(of.org.0), Subject::Customer(of.customer)]);
                subjects.collect()
            }
            _ => Vec::new(),
        }
    }

    /// What the model says to the operation.
    pub fn expect(&mut self, operation: &HistoryStep, run: &mut Run) -> String {
        let (now, secret) = (self.now(), secret(self.requests));
        let store_time = self.store_time();
        let event = match operation {
            HistoryStep::Deliver { event } => self.event(*event).map(|(_, sweep)| *sweep),
            _ => None,
        };
        let together: Vec<_> = match operation {
            HistoryStep::DeliverTogether { events, .. } => {
                let together = self.together(events).into_iter();
                together.map(|(_, sweep)| sweep).collect()
            }
            _ => Vec::new(),
        };
        let truths = self.truths.all();
        let model = &mut self.model;
        match operation {
            HistoryStep::Connect { tenant } => model.connect(*tenant, *tenant, &secret, &truths),
            HistoryStep::ConnectWithClientOf { tenant, client } => {
                model.connect(*tenant, *client, &secret, &truths)
            }
            HistoryStep::Disconnect { tenant } => model.disconnect(*tenant, now),
            HistoryStep::Discover { tenant } if run.busy.contains(&Subject::Discovery(*tenant)) => {
                "Busy".to_owned()
            }
            HistoryStep::Discover { tenant } => model.discover(*tenant, &truths, now),
            HistoryStep::UseExisting {
                tenant,
                organization,
                name,
            } => model.decide((*tenant, *organization), &Decision::UseExisting(name), now),
            HistoryStep::CreateNew {
                tenant,
                organization,
            } => model.decide((*tenant, *organization), &Decision::CreateNew, now),
            HistoryStep::DontSync {
                tenant,
                organization,
            } => model.decide((*tenant, *organization), &Decision::DontSync, now),
            HistoryStep::Undecide {
                tenant,
                organization,
            } => model.decide((*tenant, *organization), &Decision::Undecide, now),
            HistoryStep::AddCompany { msp, name } => model.add_company((*msp, folded(name))),
            HistoryStep::Promote {
                msp,
                name,
                customer,
            } => model.promote(&(*msp, folded(name)), customer_of(*customer)),
            HistoryStep::Sync { tenant } => model.sync(&[*tenant], None, &truths, now, run),
            HistoryStep::SyncCompany { msp, name } => {
                let tenants = Tenant::ALL
                    .into_iter()
                    .filter(|tenant| tenant.msp() == *msp);
                let tenants: Vec<_> = tenants.collect();
                model.sync(&tenants, Some(&folded(name)), &truths, now, run)
            }
            HistoryStep::RotateKeys => model.rotate_keys(),
            HistoryStep::Plan => {
                let tick = Cadence::EVIDENCE_SWEEP.last(now);
                let active: BTreeSet<_> = Tenant::ALL
                    .into_iter()
                    .filter(|tenant| model.is_active(*tenant))
                    .collect();
                format!("{:?}, {active:?}", model.plan(tick))
            }
            HistoryStep::Deliver { .. } => match event {
                Some(sweep) => model.sweep(sweep, &truths, (now, now, store_time), run),
                None => String::new(),
            },
            HistoryStep::DeliverTogether { .. } => {
                model.sweep_together(&together, &truths, (now, now, store_time), run)
            }
            _ => String::new(),
        }
    }

    /// The bridge delivers some of what is due, and says so twice.
    async fn deliver_tickets(&mut self, msp: u8, rows: usize) -> Result<(), String> {
        let limit = u32::try_from(rows).unwrap();
        let due = self
            .process
            .views()
            .outbox(msp_id(msp), limit)
            .await
            .unwrap();
        if due.len() != rows.min(self.model.due(msp, self.now())) {
            return Err(format!("{} rows are due: {due:?}", due.len()));
        }
        in_order(&due, self.now())?;
        for row in due {
            let message: Message = self.names.message(msp, &row);
            let reference = Some(format!("T-{}", row.id).into());
            let delivered = self.process.delivered(msp_id(msp), row.id, reference);
            let first = delivered.await.unwrap();
            let again = self
                .process
                .delivered(msp_id(msp), row.id, None)
                .await
                .unwrap();
            if !first || again || !self.model.delivered(msp, &message) {
                return Err(format!("delivered {first}, again {again}: {message:?}"));
            }
        }
        Ok(())
    }

    async fn find_elsewhere(
        &mut self,
        msp: u8,
        name: &str,
        source: Source,
        serial: Option<&str>,
        host: Option<&str>,
    ) {
        let company = (msp, folded(name));
        if !self.model.view.companies.contains_key(&company) {
            return;
        }
        self.found += 1;
        let text = format!("found-{}", self.found);
        let content = AssetContent {
            name: text.as_str().into(),
            host_name: host.map(Into::into),
            serial_number: serial.map(Into::into),
            ..AssetContent::default()
        };
        let asset = StoredAsset {
            id: other_id(msp, source, self.found),
            company: company_id(&company),
            source,
            credential: None,
            mapping: None,
            external_id: ExternalId::Other(self.found.to_string()),
            status: AssetStatus::Active,
            content,
            missing_since: None,
            possible_duplicate_of: None,
            version: Version::FIRST,
            created_at: self.now(),
            updated_at: self.now(),
        };
        let expected = None;
        self.write(msp, vec![AssetWrite { asset, expected }]).await;
        let asset = Asset {
            company: company.1,
            organization: None,
            status: Presence::Active,
            name: text,
            serial: serial.map(str::to_owned),
            is_missing: false,
        };
        let thing = Thing::Other(msp, source, self.found);
        let now = self.now();
        self.model.found_elsewhere(thing, asset, host, now);
    }

    async fn lose_elsewhere(&mut self, msp: u8, place: usize) {
        let assets = self
            .store
            .assets(msp_id(msp), AssetFilter::All)
            .await
            .unwrap();
        let is_other = |asset: &&StoredAsset| asset.source != Source::Ninjaone;
        let others: Vec<_> = assets.iter().filter(is_other).collect();
        if others.is_empty() {
            return;
        }
        let lost = others[place % others.len()];
        let mut retired = lost.clone();
        retired.status = AssetStatus::Retired;
        retired.version = lost.version.next();
        retired.updated_at = self.now();
        retired.created_at = lost.created_at.min(self.now());
        let superseded = |asset: &&StoredAsset| asset.status.superseded_by() == Some(lost.id);
        let back = reactivate_superseded(
            assets.iter().filter(superseded).cloned().collect(),
            self.now(),
        );
        let versions: BTreeMap<_, _> = assets.iter().map(|a| (a.id, a.version)).collect();
        let writes = back.into_iter().chain([retired]).map(|asset| AssetWrite {
            expected: versions.get(&asset.id).copied(),
            asset,
        });
        self.write(msp, writes.collect()).await;
        let thing = Thing::Other(
            msp,
            lost.source,
            lost.external_id.to_string().parse().unwrap(),
        );
        let now = self.now();
        self.model.lost_elsewhere(thing, now);
    }

    async fn write(&self, msp: u8, writes: Vec<AssetWrite>) {
        let commit = AssetCommit {
            event: EventId::of_request("another source", &self.requests.to_string()),
            credential: None,
            settings: None,
            mapping: None,
            lease: None,
            writes,
            audit: Vec::new(),
        };
        let written = self.store.commit_assets(msp_id(msp), commit).await.unwrap();
        assert_eq!(written, CommitOutcome::Committed);
    }

    /// Changes what there is in NinjaOne. Says whether the operation is one that does.
    #[expect(clippy::too_many_lines, reason = "one arm for each operation")]
    fn in_ninjaone(&self, operation: &HistoryStep) -> bool {
        let mut truths = self.truths.all();
        let mut of = |tenant: &Tenant| truths.remove(tenant).unwrap();
        let (tenant, truth) = match operation {
            HistoryStep::AddOrganization {
                tenant,
                organization,
                name,
            } => {
                let mut truth = of(tenant);
                truth.organizations.insert(*organization, name);
                (tenant, truth)
            }
            HistoryStep::RemoveOrganization {
                tenant,
                organization,
            } => {
                let mut truth = of(tenant);
                truth.organizations.remove(organization);
                (tenant, truth)
            }
            HistoryStep::AddDevice {
                tenant,
                organization,
                serial,
            } => {
                let mut truth = of(tenant);
                truth.add_device(*organization, *serial);
                (tenant, truth)
            }
            HistoryStep::RemoveDevice { tenant, device } => {
                let mut truth = of(tenant);
                if let Some(id) = truth.device(*device) {
                    truth.devices.remove(&id);
                }
                (tenant, truth)
            }
            HistoryStep::MoveDevice {
                tenant,
                device,
                organization,
            } => {
                let mut truth = of(tenant);
                if let Some(id) = truth.device(*device) {
                    truth
                        .devices
                        .entry(id)
                        .and_modify(|device| device.organization = *organization);
                }
                (tenant, truth)
            }
            HistoryStep::CloneDevice { tenant, device } => {
                let mut truth = of(tenant);
                if let Some(id) = truth.device(*device) {
                    truth.clone_device(id);
                }
                (tenant, truth)
            }
            HistoryStep::RenameDevice {
                tenant,
                device,
                name,
            } => {
                let mut truth = of(tenant);
                if let Some(id) = truth.device(*device) {
                    truth
                        .devices
                        .entry(id)
                        .and_modify(|device| (*name).clone_into(&mut device.name));
                }
                (tenant, truth)
            }
            HistoryStep::SeeSignatures {
                tenant,
                device,
                out_of_date,
            } => {
                let mut truth = of(tenant);
                if let Some(id) = truth.device(*device) {
                    truth
                        .devices
                        .entry(id)
                        .and_modify(|device| device.out_of_date = *out_of_date);
                }
                (tenant, truth)
            }
            HistoryStep::Health {
                tenant,
                organization,
                signal,
                status,
                number,
            } => {
                let mut truth = of(tenant);
                let health = crate::history::truth::Health {
                    status: *status,
                    number: *number,
                };
                truth.health.insert((*organization, *signal), health);
                (tenant, truth)
            }
            HistoryStep::GoWrong { tenant, fault } => {
                let mut truth = of(tenant);
                truth.faults.insert(*fault);
                (tenant, truth)
            }
            HistoryStep::GetWell { tenant } => {
                let mut truth = of(tenant);
                truth.faults.clear();
                (tenant, truth)
            }
            _ => return false,
        };
        truths.insert(*tenant, truth);
        true
    }
}

/// The rows of a ticket are delivered in the order in which they were written. Where a clock was set back in between, their times do not
/// say in which.
fn in_order(rows: &[OutboxRow], now: OffsetDateTime) -> Result<(), String> {
    let mut last = BTreeMap::new();
    let of_tickets = rows.iter().filter(|row| row.ticket.is_some());
    for row in of_tickets.filter(|row| row.created_at <= now) {
        let before = last.insert(row.ticket, row.created_at);
        if before.is_some_and(|before| before > row.created_at) {
            return Err(format!("out of order: {rows:?}"));
        }
    }
    Ok(())
}
