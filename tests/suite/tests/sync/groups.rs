//! Section 9: the sweeps of many customers in one pass, and what happens in the middle of one.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use futures_util::FutureExt as _;
use regentra_harness::{
    plan::PlanAll as _,
    proofs::watched::{Call, Watch, Watched},
    scripted::Meanwhile,
};
use regentra_sync::{
    Change, Choice, Configure, Disconnect, ErrorKind, Integration, Result, SweepOutcome,
    host::{Clock as _, HostPolicy},
    model::{
        AuditDetails, CustomFieldName, EntraDeviceIdField, LeaseKey, OutboxRow, RunKind,
        StrategyChoice, WorkerId,
    },
    ninjaone_client::ErrorKind as Vendor,
    regentra_evidence::{SignalKind, Status},
    schedule::{Again, Event, EventOutcome, PlanKind, SweepEvent, SweepGroup},
    store::{self, Store, StoreError, StoreErrorKind},
};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::{
    host::{Host, keyring, operator, us},
    scripted::TIMED_OUT,
};

on_every_store!(
    a_group_is_committed_customer_by_customer_in_the_order_of_the_starts,
    after_a_disconnect_between_two_commits_of_a_group_nothing_more_is_written,
    a_disconnect_while_a_group_reads_ends_it,
    an_organization_that_is_unmapped_in_mid_group_is_left_out,
    an_organization_that_is_mapped_to_another_customer_in_mid_group_is_left_out,
    settings_that_are_changed_between_two_commits_of_a_group_leave_the_rest_to_the_next_attempt,
    settings_that_are_changed_while_a_group_begins_judge_nobody_by_the_old_ones,
    a_customer_whose_lease_is_held_elsewhere_is_left_and_read_again_alone,
    a_sweep_of_the_next_tick_that_a_person_started_meanwhile_is_not_followed_by_an_older_one,
    a_group_that_is_delivered_again_after_everything_asks_for_nothing,
    a_group_whose_lease_was_lost_writes_nothing_twice,
    two_groups_of_one_connection_do_not_run_at_once,
    a_sweep_of_a_group_whose_record_was_lost_is_recorded_by_the_next_attempt,
    a_customer_that_fails_keeps_no_other_one_of_its_group,
    a_group_that_fails_forgets_nothing_of_what_earlier_ones_have_shown,
    tickets_their_cap_and_the_digest_of_a_tick_are_those_of_single_sweeps,
);

const ORGANIZATIONS: [(i64, &str); 4] = [(1, "Alpha"), (2, "Beta"), (3, "Gamma"), (4, "Delta")];

/// How many there are.
const ALL: usize = ORGANIZATIONS.len();

/// What happens at a call of the store.
enum Happens {
    /// Something else, before the store is called or after.
    Meanwhile(Meanwhile),
    /// The store is away.
    Fails,
}

/// Lets something happen at the n-th call of a name.
struct At {
    name: &'static str,
    left: AtomicUsize,
    is_after: bool,
    what: Mutex<Option<Happens>>,
}

impl fmt::Debug for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("At")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl At {
    async fn happens(&self, call: &Call, is_after: bool) -> store::Result<()> {
        if call.name() != self.name || is_after != self.is_after {
            return Ok(());
        }
        if self.left.fetch_sub(1, Ordering::Relaxed) != 1 {
            return Ok(());
        }
        let what = self.what.lock().unwrap().take();
        match what.unwrap() {
            Happens::Meanwhile(meanwhile) => meanwhile().await,
            Happens::Fails => return Err(StoreError::new(StoreErrorKind::Unavailable, "away")),
        }
        Ok(())
    }
}

#[async_trait]
impl Watch for At {
    async fn before(&self, call: &Call) -> store::Result<()> {
        self.happens(call, false).await
    }

    async fn after(&self, call: &Call) -> store::Result<()> {
        self.happens(call, true).await
    }
}

/// A process that reads many organizations in one pass, even where they are few.
fn process_over(host: &Host, store: Arc<dyn Store>) -> Integration {
    let policy = HostPolicy::default()
        .sweep_strategy(StrategyChoice::Group)
        .tickets_per_tick(3);
    Integration::builder(store, keyring(), Arc::new(host.ninjaone.clone()))
        .clock(Arc::new(host.clock.clone()))
        .policy(policy)
        .build()
}

fn process(host: &Host) -> Integration {
    process_over(host, Arc::clone(&host.store))
}

/// A process to which something happens at the n-th call of a name.
fn interrupted(
    host: &Host,
    name: &'static str,
    number: usize,
    is_after: bool,
    what: Happens,
) -> Integration {
    let watch = At {
        name,
        left: AtomicUsize::new(number),
        is_after,
        what: Mutex::new(Some(what)),
    };
    let watched = Watched {
        store: Arc::clone(&host.store),
        watch: Arc::new(watch),
    };
    process_over(host, Arc::new(watched))
}

/// Something else happens after the first commit of a group.
fn after_the_first_commit(
    host: &Host,
    meanwhile: impl Future<Output = ()> + Send + 'static,
) -> Integration {
    let what = Happens::Meanwhile(Box::new(move || meanwhile.boxed()));
    interrupted(host, "commit_sweep", 1, true, what)
}

/// The promoted customers, and their sweeps of the present tick in one group.
async fn promoted(host: &Host) -> SweepGroup {
    host.promoted(&ORGANIZATIONS).await;
    planned(host).await
}

async fn planned(host: &Host) -> SweepGroup {
    let process = process(host);
    let planned = process.plan_all(PlanKind::EvidenceSweep, host.tick());
    match planned.await.unwrap().as_slice() {
        [Event::SweepGroup(group)] => {
            assert_eq!(group.sweeps.len(), ALL);
            group.clone()
        }
        other => panic!("not one group: {other:?}"),
    }
}

fn outcome_text(outcome: &Result<SweepOutcome>) -> String {
    match outcome {
        Ok(SweepOutcome::Committed(_)) => "committed".to_owned(),
        Ok(SweepOutcome::AlreadyCommitted) => "before".to_owned(),
        Ok(other) => format!("{other:?}"),
        Err(error) => format!("{:?}", error.kind()),
    }
}

/// How the sweep of each customer ended, in the order of the group.
async fn swept(process: &Integration, group: &SweepGroup) -> Vec<String> {
    let swept = process.sweep_group(group).await.unwrap();
    assert_eq!(swept.len(), group.sweeps.len(), "one end for each");
    let ends: BTreeMap<_, _> = swept
        .iter()
        .map(|(event, outcome)| (event.mapping_id, outcome_text(outcome)))
        .collect();
    let sweeps = group.sweeps.iter();
    sweeps
        .map(|sweep| ends[&sweep.mapping_id].clone())
        .collect()
}

/// Which sweeps of the group are in their customers' tenants: on the trail, as signals and as records.
async fn written(host: &Host, group: &SweepGroup) -> Vec<bool> {
    let mut written = Vec::new();
    for event in group.events() {
        let customer = event.customer_compliance_org_id;
        let trail = host.customer_audit(customer).await;
        let of_event = trail.iter().filter(|row| row.event == event.id);
        let rows = of_event.count();
        let long_ago = OffsetDateTime::UNIX_EPOCH;
        let signals = host
            .store
            .current_signals(customer, long_ago)
            .await
            .unwrap();
        assert!(signals.iter().all(|of| of.mapping == event.mapping_id));
        let of_event = signals.iter().filter(|of| of.event == event.id);
        let signals = of_event.count();
        let mut records = 0;
        for kind in SignalKind::ALL {
            let chain = host
                .store
                .evidence_chain(customer, event.mapping_id, kind, 0, 100);
            let chain = chain.await.unwrap();
            records += chain.iter().filter(|row| row.event == event.id).count();
        }
        assert!(
            [(0, 0, 0), (1, 5, 5)].contains(&(rows, signals, records)),
            "{rows} rows, {signals} signals, {records} records"
        );
        written.push(rows == 1);
    }
    written
}

/// Which organizations NinjaOne was asked about since it was looked at last, in that order.
fn asked(host: &Host) -> Vec<i64> {
    let asked = std::mem::take(&mut host.ninjaone.script().asked);
    let assessed = asked.into_iter().filter(|(what, ..)| *what == "assess");
    assessed
        .filter_map(|(_, organization, ..)| organization)
        .collect()
}

fn organizations(group: &SweepGroup) -> Vec<i64> {
    let sweeps = group.sweeps.iter();
    sweeps.map(|sweep| sweep.external_org_id.get()).collect()
}

fn event_of(group: &SweepGroup, place: usize) -> SweepEvent {
    group.events().nth(place).unwrap()
}

/// All but one of them ended so.
fn all_but(place: usize, all: &str, one: &str) -> Vec<String> {
    let ends = (0..ALL).map(|at| if at == place { one } else { all });
    ends.map(str::to_owned).collect()
}

/// The first one ended so, and the others otherwise.
fn first_and(first: &str, others: &str) -> Vec<String> {
    all_but(0, others, first)
}

fn disconnecting(host: &Host) -> impl Future<Output = ()> + Send + 'static {
    let (process, msp, event) = (host.another_process(), host.msp, host.event());
    async move {
        let disconnect = Disconnect {
            region: us(),
            actor: operator(),
            event,
        };
        process.disconnect(msp, disconnect).await.unwrap();
    }
}

fn deciding(
    host: &Host,
    event: &SweepEvent,
    choices: Vec<Choice>,
) -> impl Future<Output = ()> + Send + 'static {
    let (process, msp, mapping) = (host.another_process(), host.msp, event.mapping_id);
    let choices: Vec<_> = choices
        .into_iter()
        .map(|choice| (choice, host.event()))
        .collect();
    async move {
        for (choice, event) in choices {
            let decision = regentra_sync::MapOrganization {
                mapping,
                choice,
                actor: operator(),
                event,
            };
            process.map(msp, decision).await.unwrap();
        }
    }
}

fn configuring(host: &Host) -> impl Future<Output = ()> + Send + 'static {
    let (process, msp, event) = (host.another_process(), host.msp, host.event());
    async move {
        let name = CustomFieldName::new("entraId").unwrap();
        let configure = Configure {
            entra_device_id_field: Change::To(EntraDeviceIdField::Named(name)),
            ..Configure::new(event, us(), operator())
        };
        process.configure(msp, configure).await.unwrap();
    }
}

async fn a_group_is_committed_customer_by_customer_in_the_order_of_the_starts(host: Host) {
    let group = promoted(&host).await;
    let starts: Vec<_> = group.sweeps.iter().map(|sweep| sweep.starts_at).collect();
    assert!(starts.is_sorted());
    let (store, seen) = (Arc::clone(&host.store), Arc::<Mutex<Vec<_>>>::default());
    // After the second commit the first two are there, and no other.
    let (looked, events) = (Arc::clone(&seen), group.events().collect::<Vec<_>>());
    let look = async move {
        for event in events {
            let customer = event.customer_compliance_org_id;
            let signals = store.current_signals(customer, OffsetDateTime::UNIX_EPOCH);
            let signals = signals.await.unwrap().len();
            looked.lock().unwrap().push(signals);
        }
    };
    let what = Happens::Meanwhile(Box::new(move || look.boxed()));
    let process = interrupted(&host, "commit_sweep", 2, true, what);
    assert_eq!(swept(&process, &group).await, ["committed"; ALL]);
    assert_eq!(*seen.lock().unwrap(), [5, 5, 0, 0]);
    assert_eq!(written(&host, &group).await, [true; ALL]);
    assert_eq!(asked(&host), organizations(&group));
}

async fn after_a_disconnect_between_two_commits_of_a_group_nothing_more_is_written(host: Host) {
    let group = promoted(&host).await;
    let process = after_the_first_commit(&host, disconnecting(&host));
    let ends = swept(&process, &group).await;
    assert_eq!(ends, first_and("committed", "Superseded(Credential)"));
    assert_eq!(written(&host, &group).await, [true, false, false, false]);
    // The trail of the first customer has its sweep and the disconnect, those of the others the disconnect alone.
    for (place, event) in group.events().enumerate() {
        let trail = host.customer_audit(event.customer_compliance_org_id).await;
        let is_disconnect = |details| matches!(details, &AuditDetails::Disconnected { .. });
        let disconnects = trail.iter().filter(|row| is_disconnect(&row.details));
        assert_eq!(disconnects.count(), 1);
        assert_eq!(trail.len(), if place == 0 { 2 } else { 1 });
    }
    asked(&host);
    let again = swept(&process, &group).await;
    assert_eq!(again, first_and("before", "Skipped(Disconnected)"));
    assert_eq!(written(&host, &group).await, [true, false, false, false]);
    assert_eq!(asked(&host), [0; 0]);
}

async fn a_disconnect_while_a_group_reads_ends_it(host: Host) {
    let group = promoted(&host).await;
    let disconnect = disconnecting(&host);
    host.ninjaone.script().meanwhile = Some(Box::new(move || disconnect.boxed()));
    let ends = swept(&process(&host), &group).await;
    assert_eq!(ends, ["Superseded(Credential)"; ALL]);
    assert_eq!(written(&host, &group).await, [false; ALL]);
    assert_eq!(asked(&host).len(), 1, "nothing more is read");
    let runs = host.store.runs(host.msp).await.unwrap();
    let mut sweeps = runs.iter().map(|run| run.subject.kind);
    assert!(
        sweeps.all(|kind| kind != RunKind::EvidenceSweep),
        "nothing was done, so nothing is remembered: {runs:?}"
    );
}

async fn an_organization_that_is_unmapped_in_mid_group_is_left_out(host: Host) {
    let group = promoted(&host).await;
    let second = event_of(&group, 1);
    let unmap = deciding(&host, &second, vec![Choice::Undecide]);
    let process = after_the_first_commit(&host, unmap);
    let ends = swept(&process, &group).await;
    assert_eq!(ends, all_but(1, "committed", "Superseded(Mapping)"));
    assert_eq!(written(&host, &group).await, [true, false, true, true]);
    asked(&host);
    let again = swept(&process, &group).await;
    assert_eq!(again, all_but(1, "before", "Skipped(NotMapped)"));
    assert_eq!(written(&host, &group).await, [true, false, true, true]);
    assert_eq!(asked(&host), [0; 0]);
}

async fn an_organization_that_is_mapped_to_another_customer_in_mid_group_is_left_out(host: Host) {
    let group = promoted(&host).await;
    let company = host.add_company("Epsilon").await;
    let other = host.promote(company).await;
    let second = event_of(&group, 1);
    let choices = vec![Choice::Undecide, Choice::UseExisting(company)];
    let process = after_the_first_commit(&host, deciding(&host, &second, choices));
    let ends = swept(&process, &group).await;
    assert_eq!(ends, all_but(1, "committed", "Superseded(Mapping)"));
    let again = swept(&process, &group).await;
    assert_eq!(again, all_but(1, "before", "Skipped(NotPromoted)"));
    assert_eq!(written(&host, &group).await, [true, false, true, true]);
    assert!(host.customer_audit(other).await.is_empty());
    // The next tick is the other customer's.
    host.clock.advance(Duration::hours(6));
    let group = planned(&host).await;
    assert_eq!(swept(&process, &group).await, ["committed"; ALL]);
    assert_eq!(host.customer_audit(other).await.len(), 1);
}

async fn settings_that_are_changed_between_two_commits_of_a_group_leave_the_rest_to_the_next_attempt(
    host: Host,
) {
    let group = promoted(&host).await;
    let process = after_the_first_commit(&host, configuring(&host));
    let ends = swept(&process, &group).await;
    assert_eq!(ends, first_and("committed", "Superseded(Settings)"));
    assert_eq!(written(&host, &group).await, [true, false, false, false]);
    asked(&host);
    let again = swept(&process, &group).await;
    assert_eq!(again, first_and("before", "committed"));
    assert_eq!(asked(&host), organizations(&group)[1..]);
    assert_eq!(written(&host, &group).await, [true; ALL]);
}

async fn settings_that_are_changed_while_a_group_begins_judge_nobody_by_the_old_ones(host: Host) {
    let group = promoted(&host).await;
    // The first customer is looked up by the old settings, and the others by the new ones.
    let configure = configuring(&host);
    let what = Happens::Meanwhile(Box::new(move || configure.boxed()));
    let process = interrupted(&host, "connection_settings", 1, true, what);
    let ends = swept(&process, &group).await;
    assert_eq!(ends, ["Superseded(Settings)"; ALL]);
    assert_eq!(written(&host, &group).await, [false; ALL]);
    assert_eq!(swept(&process, &group).await, ["committed"; ALL]);
    assert_eq!(written(&host, &group).await, [true; ALL]);
}

async fn a_customer_whose_lease_is_held_elsewhere_is_left_and_read_again_alone(host: Host) {
    let group = promoted(&host).await;
    let (second, process) = (event_of(&group, 1), process(&host));
    let key = LeaseKey::EvidenceSweep(second.customer_compliance_org_id);
    let worker = WorkerId::from_uuid(Uuid::from_u128(7));
    let held = host
        .store
        .take_lease(host.msp, key, worker, Duration::MINUTE);
    let held = held.await.unwrap().unwrap();
    assert_eq!(
        swept(&process, &group).await,
        all_but(1, "committed", "Busy")
    );
    assert_eq!(written(&host, &group).await, [true, false, true, true]);
    asked(&host);
    let event = Event::SweepGroup(group.clone());
    let end = process.handle(&event, 2).await;
    assert_eq!(end.outcome, EventOutcome::Busy);
    assert_ne!(end.again, Again::Never, "it is delivered again");
    assert_eq!(asked(&host), [second.external_org_id.get()]);
    let released = host.store.release_lease(host.msp, &held, Vec::new());
    released.await.unwrap();
    let end = process.handle(&event, 3).await;
    assert_eq!(end.outcome, EventOutcome::Done);
    assert_eq!(asked(&host), [second.external_org_id.get()]);
    assert_eq!(written(&host, &group).await, [true; ALL]);
}

async fn a_sweep_of_the_next_tick_that_a_person_started_meanwhile_is_not_followed_by_an_older_one(
    host: Host,
) {
    let group = promoted(&host).await;
    let last = event_of(&group, ALL - 1);
    let (other, clock, mapping) = (host.another_process(), host.clock.clone(), last.mapping_id);
    let tick = host.tick() + Duration::hours(6);
    let next = Arc::<Mutex<Option<SweepEvent>>>::default();
    let kept = Arc::clone(&next);
    host.ninjaone.script().meanwhile = Some(Box::new(move || {
        let sweep = async move {
            clock.advance(Duration::hours(6));
            let planned = other.plan_all(PlanKind::EvidenceSweep, tick).await;
            let mut sweeps = planned
                .unwrap()
                .into_iter()
                .filter_map(|event| match event {
                    Event::EvidenceSweep(sweep) => Some(sweep),
                    _ => None,
                });
            let event = sweeps.find(|sweep| sweep.mapping_id == mapping).unwrap();
            let swept = other.sweep(&event).await;
            assert_eq!(outcome_text(&swept), "committed");
            *kept.lock().unwrap() = Some(event);
        };
        sweep.boxed()
    }));
    let process = process(&host);
    let ends = swept(&process, &group).await;
    let overtaken = all_but(ALL - 1, "committed", "Superseded(EvidenceChain)");
    assert_eq!(ends, overtaken);
    let ends = swept(&process, &group).await;
    assert_eq!(ends, all_but(ALL - 1, "before", "Skipped(Overtaken)"));
    // What is current is what the person found.
    let customer = last.customer_compliance_org_id;
    let current = host.store.current_signals(customer, host.clock.now()).await;
    let event = next.lock().unwrap().take().unwrap();
    assert!(current.unwrap().iter().all(|of| of.event == event.id));
    assert_eq!(host.customer_audit(customer).await.len(), 1);
}

async fn a_group_that_is_delivered_again_after_everything_asks_for_nothing(host: Host) {
    let group = promoted(&host).await;
    host.clock.set(group.starts_at);
    let (process, event) = (process(&host), Event::SweepGroup(group.clone()));
    let end = process.handle(&event, 1).await;
    assert_eq!((end.outcome, end.again), (EventOutcome::Done, Again::Never));
    let runs = host.store.runs(host.msp).await.unwrap();
    host.ninjaone.script().asked.clear();
    for process in [&process, &host.another_process()] {
        host.clock.advance(Duration::MINUTE);
        let end = process.handle(&event, 2).await;
        assert_eq!(
            (end.outcome, end.again),
            (EventOutcome::DoneBefore, Again::Never)
        );
    }
    assert!(host.ninjaone.script().asked.is_empty());
    assert_eq!(host.store.runs(host.msp).await.unwrap(), runs);
    assert!(process.outstanding(vec![event]).await.unwrap().is_empty());
}

async fn a_group_whose_lease_was_lost_writes_nothing_twice(host: Host) {
    let group = promoted(&host).await;
    let (other, clock, same) = (process(&host), host.clock.clone(), group.clone());
    host.ninjaone.script().meanwhile = Some(Box::new(move || {
        let takes_over = async move {
            // By then the lease has expired.
            clock.advance(Duration::minutes(6));
            assert_eq!(swept(&other, &same).await, ["committed"; ALL]);
        };
        takes_over.boxed()
    }));
    assert_eq!(swept(&process(&host), &group).await, ["before"; ALL]);
    assert_eq!(written(&host, &group).await, [true; ALL]);
    for event in group.events() {
        let trail = host.customer_audit(event.customer_compliance_org_id).await;
        assert_eq!(trail.len(), 1);
    }
}

async fn two_groups_of_one_connection_do_not_run_at_once(host: Host) {
    let group = promoted(&host).await;
    let (same, mine) = (process(&host), group.clone());
    let others = [same.clone(), process(&host)];
    host.ninjaone.script().meanwhile = Some(Box::new(move || {
        let turned_away = async move {
            for process in others {
                let error = process.sweep_group(&mine).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Busy);
            }
        };
        turned_away.boxed()
    }));
    assert_eq!(swept(&same, &group).await, ["committed"; ALL]);
    assert_eq!(asked(&host), organizations(&group));
}

async fn a_sweep_of_a_group_whose_record_was_lost_is_recorded_by_the_next_attempt(host: Host) {
    let group = promoted(&host).await;
    // The first lease that is released is that of the first customer, with the record of its sweep.
    let process = interrupted(&host, "release_lease", 1, false, Happens::Fails);
    let ends = swept(&process, &group).await;
    assert_eq!(ends, first_and("Store(Unavailable)", "committed"));
    assert_eq!(written(&host, &group).await, [true; ALL]);
    let first = event_of(&group, 0).mapping_id;
    let recorded = async || {
        let runs = host.store.runs(host.msp).await.unwrap();
        let of_first = runs.into_iter().find(|run| {
            run.subject.kind == RunKind::EvidenceSweep && run.subject.mapping == Some(first)
        });
        of_first.map(|run| run.was_done_since(group.scheduled_at))
    };
    assert_eq!(recorded().await, None);
    asked(&host);
    assert_eq!(swept(&process, &group).await, ["before"; ALL]);
    assert_eq!(recorded().await, Some(true));
    assert_eq!(asked(&host), [0; 0]);
}

async fn a_customer_that_fails_keeps_no_other_one_of_its_group(host: Host) {
    let group = promoted(&host).await;
    let second = event_of(&group, 1).external_org_id.get();
    host.ninjaone
        .script()
        .fails_for
        .insert(second, Vendor::Timeout);
    let process = process(&host);
    let ends = swept(&process, &group).await;
    assert_eq!(ends, all_but(1, "committed", "Ninjaone(Timeout)"));
    assert_eq!(written(&host, &group).await, [true, false, true, true]);
    asked(&host);
    host.ninjaone.script().fails_for.clear();
    let end = process.handle(&Event::SweepGroup(group.clone()), 2).await;
    assert_eq!(end.outcome, EventOutcome::Done);
    assert_eq!(asked(&host), [second]);
    assert_eq!(written(&host, &group).await, [true; ALL]);
}

async fn a_group_that_fails_forgets_nothing_of_what_earlier_ones_have_shown(host: Host) {
    let group = promoted(&host).await;
    assert_eq!(swept(&process(&host), &group).await, ["committed"; ALL]);
    let record = async || {
        let runs = host.store.runs(host.msp).await.unwrap();
        let mut of_passes = runs.into_iter().filter(|run| {
            run.subject.kind == RunKind::EvidenceSweep && run.subject.mapping.is_none()
        });
        of_passes.next().unwrap()
    };
    let before = record().await;
    assert!(!before.has_failed() && before.reading.is_some());
    host.clock.advance(Duration::hours(6));
    let group = planned(&host).await;
    // Each customer is looked up with its credential, and then the pass asks whether it may begin.
    let process = interrupted(&host, "credential", ALL + 1, false, Happens::Fails);
    assert_eq!(swept(&process, &group).await, ["Store(Unavailable)"; ALL]);
    assert_eq!(asked(&host).len(), ALL, "of the first pass alone");
    let after = record().await;
    assert!(after.has_failed());
    assert_eq!(after.reading, before.reading);
}

/// Everything the bridge is to do, whenever it is due.
async fn outbox(host: &Host) -> Vec<OutboxRow> {
    let far = host.clock.now() + Duration::days(365);
    host.store.outbox(host.msp, far, 1_000).await.unwrap()
}

async fn tickets_their_cap_and_the_digest_of_a_tick_are_those_of_single_sweeps(host: Host) {
    let alone = Host::in_memory();
    let mut remembered = Vec::new();
    for (host, is_group) in [(&host, true), (&alone, false)] {
        promoted(host).await;
        let process = process(host);
        // A dry run; more fails than a tick opens tickets for; some pass again, and a report fails; all pass twice.
        for tick in 0..5 {
            {
                let mut script = host.ninjaone.script();
                script.verdicts_of.clear();
                script.reports.clear();
                for (organization, _) in ORGANIZATIONS {
                    for (place, kind) in (0_i64..).zip(SignalKind::ALL) {
                        let fails = tick < 2 || tick == 2 && (organization + place) % 2 == 0;
                        if fails {
                            let of = (organization, kind);
                            script.verdicts_of.insert(of, Status::Fail);
                        }
                    }
                }
                if tick == 2 {
                    let report = regentra_sync::model::Report::Volumes;
                    script.reports.insert(report, TIMED_OUT);
                }
            }
            let group = planned(host).await;
            if is_group {
                assert_eq!(swept(&process, &group).await, ["committed"; ALL]);
            } else {
                for event in group.events() {
                    assert_eq!(outcome_text(&process.sweep(&event).await), "committed");
                }
            }
            host.clock.advance(Duration::hours(6));
        }
        let tickets = host.store.tickets(host.msp, None).await.unwrap();
        assert!(tickets.len() > 3, "{}", tickets.len());
        let rows = outbox(host).await;
        let actions: std::collections::BTreeSet<_> =
            rows.iter().map(|row| row.action.as_str()).collect();
        for action in ["open", "close", "digest"] {
            assert!(actions.contains(action), "{actions:?}");
        }
        remembered.push((format!("{tickets:#?}"), format!("{rows:#?}")));
    }
    assert_eq!(remembered[0], remembered[1]);
}
