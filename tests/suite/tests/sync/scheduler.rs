//! Section 8: the schedule, run inside the host's process.

use std::{collections::BTreeSet, future::pending, sync::Arc};

use regentra_harness::plan::PlanAll as _;
use regentra_sync::{
    Choice, Disconnect, ErrorKind, Integration, RequestSync, Scheduler, Stopped,
    host::{Clock as _, HostPolicy, Progress},
    model::{AuditAction, EventId, MspOrgId, StrategyChoice},
    ninjaone_client::{ErrorKind as Vendor, Lane},
    regentra_evidence::SignalKind,
    schedule::{
        Again, Cadence, Event, EventEnd, EventKey, EventOutcome, PlanKind, PlanPage, Retry,
    },
};
use time::{Duration, OffsetDateTime, macros::datetime};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use crate::{
    host::{Host, SendsProgress, now, operator, us},
    scripted::device,
};

on_every_store!(
    ticks_are_planned_when_they_are_due_and_their_events_handled,
    missed_ticks_collapse_into_one,
    a_process_that_starts_late_does_what_is_left_and_asks_for_nothing_else,
    starts_are_spread_over_the_interval_and_kept,
    one_run_at_a_time_per_compliance_org_and_different_ones_in_parallel,
    no_more_events_run_side_by_side_than_allowed,
    no_connection_has_more_than_its_share_of_the_slots,
    what_a_person_asked_for_has_a_slot_of_its_own,
    a_frozen_worker_is_fenced_by_its_lease,
    a_shutdown_lets_what_runs_come_to_its_end,
    a_shutdown_in_mid_sweep_leaves_a_whole_store_and_the_next_start_finishes,
    two_schedulers_on_one_store_do_every_event_once,
    ten_hours_is_a_cadence,
    what_fails_is_tried_again_later_each_time_and_keeps_no_other_waiting,
    what_fails_is_never_tried_again_beyond_the_next_tick,
    what_cannot_come_right_is_not_tried_again,
    a_customer_that_is_worked_on_elsewhere_is_tried_again,
    what_is_due_can_be_done_once_without_spreading,
    an_asset_sync_that_is_delivered_again_asks_for_what_is_left,
    a_region_that_cannot_be_listed_is_on_the_card,
    a_customer_that_is_no_longer_there_is_skipped,
    a_requested_sync_asks_for_its_organization_alone_ahead_of_the_schedule,
    an_organization_that_is_asked_for_twice_within_a_minute_is_synced_once,
    what_cannot_be_synced_is_refused_when_it_is_asked_for,
    a_requested_sync_of_an_organization_that_is_mapped_no_more_is_skipped,
    a_plan_goes_on_where_its_page_ended,
    a_scheduler_handles_every_page_of_a_plan,
    an_end_says_when_to_deliver_the_event_again,
);

/// A scheduler that runs, and its progress so far, with the time of each.
struct Running {
    told: mpsc::UnboundedReceiver<Progress>,
    journal: Vec<(OffsetDateTime, Progress)>,
    sleeps_until: Option<OffsetDateTime>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Stopped>,
}

impl Running {
    fn start(host: &Host) -> Self {
        Self::of(host, |scheduler| scheduler)
    }

    fn of(host: &Host, settings: impl FnOnce(Scheduler) -> Scheduler) -> Self {
        let alone = HostPolicy::default().sweep_strategy(StrategyChoice::PerCustomer);
        Self::by(host, alone, settings)
    }

    fn by(host: &Host, policy: HostPolicy, settings: impl FnOnce(Scheduler) -> Scheduler) -> Self {
        let (tells, told) = mpsc::unbounded_channel();
        let scheduler = settings(Scheduler::new(
            host.observed(Arc::new(SendsProgress(tells)), policy),
        ));
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            scheduler
                .run(async {
                    let _ = stopped.await;
                })
                .await
        });
        Self {
            told,
            journal: Vec::new(),
            sleeps_until: None,
            stop: Some(stop),
            task,
        }
    }

    /// Reads the progress until this.
    async fn until(&mut self, host: &Host, wanted: impl Fn(&Progress) -> bool) -> Progress {
        loop {
            let limit = std::time::Duration::from_secs(30);
            let told = tokio::time::timeout(limit, self.told.recv()).await;
            let told = told.unwrap_or_else(|_| panic!("never told: {:#?}", self.journal));
            let told = told.unwrap();
            self.journal.push((host.clock.now(), told.clone()));
            if let Progress::Idle { until, .. } = told {
                self.sleeps_until = Some(until);
            }
            if wanted(&told) {
                return told;
            }
        }
    }

    /// Waits until it has nothing to do, and says until when.
    async fn idle(&mut self, host: &Host) -> OffsetDateTime {
        let idle = |told: &Progress| matches!(told, Progress::Idle { .. });
        match self.until(host, idle).await {
            Progress::Idle { until, .. } => until,
            _ => unreachable!(),
        }
    }

    /// Lets the time pass until `end`, as far as the scheduler has anything to do.
    async fn pass(&mut self, host: &Host, end: OffsetDateTime) {
        loop {
            let until = match self.sleeps_until {
                Some(until) if until > host.clock.now() => until,
                _ => self.idle(host).await,
            };
            if until > end {
                host.clock.set(end.max(host.clock.now()));
                return;
            }
            host.clock.set(until);
        }
    }

    async fn stop(mut self) -> Stopped {
        let _ = self.stop.take().unwrap().send(());
        self.task.await.unwrap()
    }

    fn planned(&self, of: PlanKind) -> Vec<(OffsetDateTime, usize, usize, u64)> {
        let planned = self.journal.iter().filter_map(|(_, told)| match told {
            Progress::Planned {
                kind,
                scheduled_at,
                events,
                done,
                missed,
            } if *kind == of => Some((*scheduled_at, *events, *done, *missed)),
            _ => None,
        });
        planned.collect()
    }

    fn started(&self) -> Vec<(OffsetDateTime, EventId, u32)> {
        let started = self.journal.iter().filter_map(|(at, told)| match told {
            Progress::EventStarted { event, attempt, .. } => Some((*at, *event, *attempt)),
            _ => None,
        });
        started.collect()
    }

    fn ends(&self, of: EventId) -> Vec<(EventOutcome, Option<OffsetDateTime>)> {
        let ends = self.journal.iter().filter_map(|(_, told)| match told {
            Progress::EventFinished {
                event,
                outcome,
                retry_at,
                ..
            } if *event == of => Some((*outcome, *retry_at)),
            _ => None,
        });
        ends.collect()
    }
}

fn only_sweeps(scheduler: Scheduler) -> Scheduler {
    scheduler.timetable([(PlanKind::EvidenceSweep, Cadence::EVIDENCE_SWEEP)])
}

fn only_syncs(scheduler: Scheduler) -> Scheduler {
    scheduler.timetable([(PlanKind::AssetSync, Cadence::ASSET_SYNC)])
}

fn asked(host: &Host, what: &str) -> Vec<i64> {
    let script = host.ninjaone.script();
    let asked = script.asked.iter().filter(|asked| asked.0 == what);
    asked.map(|asked| asked.1.unwrap_or_default()).collect()
}

/// How many sweeps of the organization are in the customer's tenant.
async fn sweeps(host: &Host, organization: i64) -> usize {
    let mapping = host.mapping(organization).await;
    let company = mapping.state.company().unwrap();
    let company = host.store.company(host.msp, company).await.unwrap();
    let customer = company.unwrap().converted_to.unwrap();
    let mut counts = BTreeSet::new();
    for kind in SignalKind::ALL {
        let history = host
            .store
            .signal_history(customer, mapping.id, kind, 100)
            .await
            .unwrap();
        counts.insert(history.len());
    }
    assert_eq!(counts.len(), 1, "a sweep is whole, or it is not there");
    counts.pop_first().unwrap()
}

/// The sweep of an organization in the tick that is due.
async fn sweep_of(host: &Host, organization: i64) -> (EventId, OffsetDateTime) {
    let mapping = host.mapping_id(organization);
    let events = host.sweep_events().await;
    let event = events.iter().find(|event| event.mapping_id == mapping);
    event.map(|event| (event.id, event.starts_at)).unwrap()
}

/// NinjaOne takes forever over the next organization it is asked about.
fn freeze(host: &Host) -> oneshot::Sender<()> {
    let (thaw, thawed) = oneshot::channel::<()>();
    host.ninjaone.script().meanwhile = Some(Box::new(move || {
        Box::pin(async move {
            if thawed.await.is_err() {
                pending::<()>().await;
            }
        })
    }));
    thaw
}

const THREE: [(i64, &str); 3] = [(1, "Alpha"), (2, "Beta"), (3, "Gamma")];

async fn ticks_are_planned_when_they_are_due_and_their_events_handled(host: Host) {
    host.promoted(&THREE).await;
    host.ninjaone
        .script()
        .devices
        .insert(1, vec![device(10, "PC-1")]);
    let mut running = Running::start(&host);
    running.pass(&host, now() + Duration::days(1)).await;
    let ticks = |kind| {
        let ticks = running.planned(kind).into_iter();
        ticks
            .map(|(at, ..)| (at.hour(), at.minute()))
            .collect::<Vec<_>>()
    };
    let expected = [
        (4, 15),
        (8, 15),
        (12, 15),
        (16, 15),
        (20, 15),
        (0, 15),
        (4, 15),
    ];
    assert_eq!(ticks(PlanKind::AssetSync), expected);
    let expected = [(6, 30), (12, 30), (18, 30), (0, 30), (6, 30)];
    assert_eq!(ticks(PlanKind::EvidenceSweep), expected);
    assert_eq!(host.assets().await.len(), 1);
    for (organization, _) in THREE {
        // The last tick's start may lie ahead.
        let sweeps = sweeps(&host, organization).await;
        assert!((4..=5).contains(&sweeps), "{sweeps}");
    }
    let stopped = running.stop().await;
    assert_eq!((stopped.failed, stopped.dropped), (0, 0));
    assert!(stopped.done >= 3 * 4 + 6, "{stopped:?}");
}

async fn missed_ticks_collapse_into_one(host: Host) {
    host.promoted(&THREE).await;
    let mut running = Running::of(&host, only_sweeps);
    running.pass(&host, datetime!(2026-11-23 12:29 UTC)).await;
    assert_eq!(sweeps(&host, 2).await, 1);
    // The machine sleeps for three days and a bit, and wakes before the starts of its last tick.
    host.clock.set(datetime!(2026-11-26 18:30:01 UTC));
    running.pass(&host, datetime!(2026-11-27 00:29 UTC)).await;
    let planned = running.planned(PlanKind::EvidenceSweep);
    assert_eq!(
        planned,
        [
            (datetime!(2026-11-23 06:30 UTC), 3, 0, 0),
            (datetime!(2026-11-26 18:30 UTC), 3, 0, 13),
        ]
    );
    for (organization, _) in THREE {
        assert_eq!(sweeps(&host, organization).await, 2);
    }
    running.stop().await;
}

async fn a_process_that_starts_late_does_what_is_left_and_asks_for_nothing_else(host: Host) {
    host.promoted(&THREE).await;
    let tick = host.tick();
    let half = tick + Duration::hours(3);
    let mut first = Running::start(&host);
    first.pass(&host, half).await;
    first.stop().await;
    let mut done = 0;
    for (organization, _) in THREE {
        let (_, starts_at) = sweep_of(&host, organization).await;
        let swept = sweeps(&host, organization).await;
        assert_eq!(swept, usize::from(starts_at <= half));
        done += swept;
    }
    assert!((1..3).contains(&done), "some of each, or it shows nothing");
    let runs = host.store.runs(host.msp).await.unwrap();
    host.ninjaone.script().asked.clear();

    // Late in the interval every start has passed.
    host.clock.set(tick + Duration::minutes(355));
    let mut second = Running::of(&host, only_sweeps);
    second.pass(&host, tick + Duration::minutes(358)).await;
    let planned = second.planned(PlanKind::EvidenceSweep);
    assert_eq!(planned, [(tick, 3 - done, done, 0)]);
    assert_eq!(asked(&host, "assess").len(), 3 - done);
    for (organization, _) in THREE {
        assert_eq!(sweeps(&host, organization).await, 1);
    }
    let kept = host.store.runs(host.msp).await.unwrap();
    let untouched = runs.iter().filter(|run| kept.contains(run)).count();
    assert_eq!(untouched, runs.len(), "what is done is not touched");
    second.stop().await;

    host.ninjaone.script().asked.clear();
    let mut third = Running::of(&host, only_sweeps);
    third.pass(&host, tick + Duration::minutes(359)).await;
    assert_eq!(third.planned(PlanKind::EvidenceSweep), [(tick, 0, 3, 0)]);
    assert!(host.ninjaone.script().asked.is_empty());
    third.stop().await;
}

async fn starts_are_spread_over_the_interval_and_kept(host: Host) {
    let names: Vec<_> = (1..=12).map(|id| (id, format!("Company {id}"))).collect();
    let names: Vec<_> = names.iter().map(|(id, name)| (*id, &**name)).collect();
    host.promoted(&names).await;
    let events = host.sweep_events().await;
    let mut running = Running::of(&host, only_sweeps);
    running
        .pass(&host, datetime!(2026-11-23 12:29:59 UTC))
        .await;
    let started = running.started();
    assert_eq!(started.len(), 12);
    for event in events {
        let start = started.iter().find(|(_, id, _)| *id == event.id).unwrap();
        // Those before the process began are made up for at once.
        assert_eq!(start.0, event.starts_at.max(now()));
    }
    let hours: BTreeSet<_> = started.iter().map(|(at, ..)| at.hour()).collect();
    assert!(hours.len() >= 4, "{hours:?}");
    running.stop().await;
}

/// Two customers, the first with two organizations.
async fn two_customers(host: &Host) {
    host.organizations(&THREE);
    host.connect().await;
    host.discover().await;
    let alpha = host.map(1, Choice::CreateNew).await.unwrap();
    let alpha = alpha.state.company().unwrap();
    host.map(2, Choice::UseExisting(alpha)).await.unwrap();
    let gamma = host.map(3, Choice::CreateNew).await.unwrap();
    host.promote(alpha).await;
    host.promote(gamma.state.company().unwrap()).await;
}

async fn one_run_at_a_time_per_compliance_org_and_different_ones_in_parallel(host: Host) {
    two_customers(&host).await;
    let mut of_alpha = Vec::new();
    for organization in [1, 2] {
        of_alpha.push(sweep_of(&host, organization).await.0);
    }
    // Every start has passed, so all of them are ready at once.
    host.clock.set(datetime!(2026-11-23 12:29 UTC));
    let mut running = Running::of(&host, only_sweeps);
    running
        .pass(&host, datetime!(2026-11-23 12:29:30 UTC))
        .await;
    let (mut now_running, mut most) = (BTreeSet::new(), 0);
    for (_, told) in &running.journal {
        match told {
            Progress::EventStarted { event, .. } => {
                now_running.insert(*event);
            }
            Progress::EventFinished { event, outcome, .. } => {
                assert_eq!(*outcome, EventOutcome::Done, "nobody had to be turned away");
                now_running.remove(event);
            }
            _ => {}
        }
        most = most.max(now_running.len());
        let of_one = of_alpha.iter().filter(|id| now_running.contains(id));
        assert!(of_one.count() <= 1, "{:#?}", running.journal);
    }
    assert_eq!(most, 2, "the other customer goes beside it");
    for organization in [1, 2, 3] {
        assert_eq!(sweeps(&host, organization).await, 1);
    }
    running.stop().await;
}

async fn no_more_events_run_side_by_side_than_allowed(host: Host) {
    let names: Vec<_> = (1..=9).map(|id| (id, format!("Company {id}"))).collect();
    let names: Vec<_> = names.iter().map(|(id, name)| (*id, &**name)).collect();
    host.promoted(&names).await;
    host.clock.set(datetime!(2026-11-23 12:29:58 UTC));
    let mut running = Running::of(&host, |scheduler| {
        only_sweeps(scheduler).parallel(3).per_connection(3)
    });
    running
        .pass(&host, datetime!(2026-11-23 12:29:59 UTC))
        .await;
    let (mut side_by_side, mut most) = (0_i32, 0);
    for (_, told) in &running.journal {
        match told {
            Progress::EventStarted { .. } => side_by_side += 1,
            Progress::EventFinished { .. } => side_by_side -= 1,
            _ => {}
        }
        most = most.max(side_by_side);
    }
    assert_eq!((most, running.started().len()), (3, 9));
    running.stop().await;
}

async fn no_connection_has_more_than_its_share_of_the_slots(host: Host) {
    let names: Vec<_> = (1..=9).map(|id| (id, format!("Company {id}"))).collect();
    let names: Vec<_> = names.iter().map(|(id, name)| (*id, &**name)).collect();
    host.promoted(&names).await;
    host.clock.set(datetime!(2026-11-23 12:29:58 UTC));
    let mut running = Running::of(&host, |scheduler| only_sweeps(scheduler).parallel(6));
    running
        .pass(&host, datetime!(2026-11-23 12:29:59 UTC))
        .await;
    let (mut side_by_side, mut most) = (0_i32, 0);
    for (_, told) in &running.journal {
        match told {
            Progress::EventStarted { .. } => side_by_side += 1,
            Progress::EventFinished { .. } => side_by_side -= 1,
            _ => {}
        }
        most = most.max(side_by_side);
    }
    assert_eq!((most, running.started().len()), (3, 9), "half of six");
    running.stop().await;
}

async fn what_a_person_asked_for_has_a_slot_of_its_own(host: Host) {
    host.promoted(&[(1, "Alpha"), (2, "Beta")]).await;
    host.clock.set(datetime!(2026-11-23 12:29 UTC));
    let thaw = freeze(&host);
    let mut requests = None;
    let mut running = Running::of(&host, |scheduler| {
        let scheduler = only_sweeps(scheduler).parallel(1);
        requests = Some(scheduler.requests());
        scheduler
    });
    let begun = |told: &Progress| matches!(told, Progress::EventStarted { .. });
    running.until(&host, begun).await;
    // The sweep and nothing else is to freeze.
    while host.ninjaone.script().meanwhile.is_some() {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    // The one slot is taken, and another sweep waits for it.
    let requests = requests.unwrap();
    let sync = sync_event(&host.integration).await;
    requests.request(sync.clone());
    let done = |told: &Progress| {
        let id = sync.id();
        matches!(told, Progress::EventFinished { event, .. } if *event == id)
    };
    running.until(&host, done).await;
    assert_eq!(running.ends(sync.id()), [(EventOutcome::Done, None)]);
    assert_eq!(running.started().len(), 2, "the other sweep still waits");
    thaw.send(()).unwrap();
    running
        .pass(&host, datetime!(2026-11-23 12:29:30 UTC))
        .await;
    for organization in [1, 2] {
        assert_eq!(sweeps(&host, organization).await, 1);
    }
    assert_eq!(running.stop().await.done, 3);
}

async fn a_frozen_worker_is_fenced_by_its_lease(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    let (event, starts_at) = sweep_of(&host, 1).await;
    host.clock.set(starts_at);
    let thaw = freeze(&host);
    let mut frozen = Running::of(&host, only_sweeps);
    let begun = |told: &Progress| matches!(told, Progress::EventStarted { .. });
    frozen.until(&host, begun).await;
    while asked(&host, "assess").is_empty() {
        tokio::task::yield_now().await;
    }

    // Another process waits for the lease to expire, and takes over.
    let mut other = Running::of(&host, only_sweeps);
    let at = starts_at + Duration::minutes(10);
    other.pass(&host, at).await;
    let ends = other.ends(event);
    let (last, before) = ends.split_last().unwrap();
    assert_eq!(*last, (EventOutcome::Done, None));
    assert!(before.iter().all(|(end, _)| *end == EventOutcome::Busy) && !before.is_empty());
    assert_eq!(sweeps(&host, 1).await, 1);

    // The first one wakes: what it found is refused, and it sees that the event is done.
    thaw.send(()).unwrap();
    let finished = |told: &Progress| matches!(told, Progress::EventFinished { .. });
    frozen.until(&host, finished).await;
    frozen.pass(&host, at + Duration::minutes(5)).await;
    let ends: Vec<_> = frozen.ends(event).into_iter().map(|(end, _)| end).collect();
    assert_eq!(ends[0], EventOutcome::DoneBefore, "{ends:?}");
    assert_eq!(sweeps(&host, 1).await, 1);
    frozen.stop().await;
    other.stop().await;
}

async fn a_shutdown_lets_what_runs_come_to_its_end(host: Host) {
    host.promoted(&[(1, "Alpha"), (2, "Beta")]).await;
    host.clock.set(datetime!(2026-11-23 12:29 UTC));
    let thaw = freeze(&host);
    let mut running = Running::of(&host, |scheduler| only_sweeps(scheduler).parallel(1));
    let begun = |told: &Progress| matches!(told, Progress::EventStarted { .. });
    running.until(&host, begun).await;
    let _ = running.stop.take().unwrap().send(());
    let stopping = |told: &Progress| matches!(told, Progress::Stopping { running: 1, .. });
    running.until(&host, stopping).await;
    thaw.send(()).unwrap();
    let stopped = running.task.await.unwrap();
    let expected = Stopped {
        done: 1,
        left: 1,
        ..Stopped::default()
    };
    assert_eq!(stopped, expected, "what had not begun is not begun");
    assert_eq!(sweeps(&host, 1).await + sweeps(&host, 2).await, 1);
}

async fn a_shutdown_in_mid_sweep_leaves_a_whole_store_and_the_next_start_finishes(host: Host) {
    host.promoted(&[(1, "Alpha"), (2, "Beta")]).await;
    host.clock.set(datetime!(2026-11-23 12:20 UTC));
    let never = freeze(&host);
    let mut running = Running::of(&host, only_sweeps);
    let done = |told: &Progress| matches!(told, Progress::EventFinished { .. });
    running.until(&host, done).await;
    let _ = running.stop.take().unwrap().send(());
    let stopping = |told: &Progress| matches!(told, Progress::Stopping { .. });
    let Progress::Stopping { until, .. } = running.until(&host, stopping).await else {
        unreachable!()
    };
    assert_eq!(until - host.clock.now(), Duration::seconds(25));
    host.clock.set(until);
    let stopped = running.task.await.unwrap();
    assert_eq!((stopped.done, stopped.dropped), (1, 1));
    drop(never);
    assert_eq!(sweeps(&host, 1).await + sweeps(&host, 2).await, 1);

    // The dropped one's lease runs out, and the next process does it.
    let mut next = Running::of(&host, only_sweeps);
    next.pass(&host, datetime!(2026-11-23 12:29 UTC)).await;
    let (planned, ends) = (next.planned(PlanKind::EvidenceSweep), next.started());
    assert_eq!(planned[0].1, 1, "the other one is done");
    assert!(!ends.is_empty());
    for organization in [1, 2] {
        assert_eq!(sweeps(&host, organization).await, 1);
    }
    let stopped = next.stop().await;
    assert_eq!((stopped.done, stopped.failed), (1, 0));
}

async fn two_schedulers_on_one_store_do_every_event_once(host: Host) {
    let names: Vec<_> = (1..=8).map(|id| (id, format!("Company {id}"))).collect();
    let names: Vec<_> = names.iter().map(|(id, name)| (*id, &**name)).collect();
    host.promoted(&names).await;
    for (organization, _) in &names {
        let device = device(*organization * 10, "PC");
        let devices = vec![device];
        host.ninjaone
            .script()
            .devices
            .insert(*organization, devices);
    }
    host.ninjaone.script().asked.clear();
    let tick = host.tick();
    // Half of the starts have passed: both begin with a backlog.
    host.clock.set(tick + Duration::hours(3));
    let mut one = Running::of(&host, |scheduler| scheduler.parallel(2));
    let mut two = Running::of(&host, |scheduler| scheduler.parallel(2));
    let end = datetime!(2026-11-23 12:14 UTC);
    while host.clock.now() < end {
        let (one, two) = tokio::join!(one.idle(&host), two.idle(&host));
        // Both have to wake, or one of them has nothing new to tell.
        host.clock.set(one.max(two).min(end));
    }
    let mut swept = asked(&host, "assess");
    swept.sort_unstable();
    let due: Vec<_> = host
        .sweep_events()
        .await
        .into_iter()
        .filter(|event| event.starts_at <= end)
        .collect();
    let mut expected: Vec<_> = due
        .iter()
        .map(|event| event.external_org_id.get())
        .collect();
    expected.sort_unstable();
    assert!(expected.len() > 4);
    assert_eq!(swept, expected, "each is asked about once");
    // The tick of 08:15, or that of 04:15 before it, and never an organization twice in one.
    let devices = asked(&host, "devices");
    for (organization, _) in &names {
        let times = devices
            .iter()
            .filter(|asked| *asked == organization)
            .count();
        assert!((1..=2).contains(&times), "{devices:?}");
    }
    assert_eq!(devices.len() % names.len(), 0, "{devices:?}");
    let done: BTreeSet<_> = [&one, &two]
        .iter()
        .flat_map(|running| &running.journal)
        .filter_map(|(_, told)| match told {
            Progress::EventFinished {
                event,
                outcome: EventOutcome::Done,
                kind: PlanKind::EvidenceSweep,
                ..
            } => Some(*event),
            _ => None,
        })
        .collect();
    assert_eq!(done.len(), expected.len());
    for organization in expected {
        assert_eq!(sweeps(&host, organization).await, 1);
    }
    let (one, two) = (one.stop().await, two.stop().await);
    assert_eq!(one.failed + two.failed, 0);
}

async fn ten_hours_is_a_cadence(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    let ten = [(PlanKind::EvidenceSweep, Cadence::SAAS_ALERTS)];
    let mut running = Running::of(&host, |scheduler| scheduler.timetable(ten));
    running.pass(&host, now() + Duration::hours(60)).await;
    let planned = running.planned(PlanKind::EvidenceSweep);
    assert_eq!(planned.len(), 7);
    for pair in planned.windows(2) {
        assert_eq!(pair[1].0 - pair[0].0, Duration::hours(10));
    }
    for ((at, ..), (tick, ..)) in running.started().iter().zip(&planned) {
        let after = *at - *tick;
        assert!(at == &now() || (Duration::ZERO..Duration::hours(10)).contains(&after));
    }
    running.stop().await;
}

async fn what_fails_is_tried_again_later_each_time_and_keeps_no_other_waiting(host: Host) {
    host.promoted(&THREE).await;
    let failing = sweep_of(&host, 2).await.0;
    let begin = host.tick() + Duration::minutes(300);
    host.clock.set(begin);
    host.ninjaone.script().fails_for.insert(2, Vendor::Timeout);
    let mut running = Running::of(&host, |scheduler| only_sweeps(scheduler).parallel(1));
    running.pass(&host, begin + Duration::minutes(30)).await;
    let ends = running.ends(failing);
    assert!(ends.len() >= 5, "{ends:?}");
    let times: Vec<_> = running
        .started()
        .into_iter()
        .filter(|(_, event, _)| *event == failing)
        .collect();
    let attempts: Vec<_> = times.iter().map(|(_, _, attempt)| *attempt).collect();
    let expected: Vec<_> = (1..=u32::try_from(times.len()).unwrap()).collect();
    assert_eq!(attempts, expected);
    let waits: Vec<_> = times.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    for (wait, seconds) in waits.iter().zip([30, 60, 120, 240]) {
        let least = Duration::seconds(seconds);
        assert!(*wait >= least && *wait <= least * 1.25, "{waits:?}");
    }
    let timeout = EventOutcome::Failed {
        error: ErrorKind::Ninjaone(Vendor::Timeout),
    };
    assert!(
        ends.iter()
            .all(|(end, retry)| *end == timeout && retry.is_some())
    );
    for organization in [1, 3] {
        if sweep_of(&host, organization).await.1 <= host.clock.now() {
            assert_eq!(sweeps(&host, organization).await, 1);
        }
    }
    // It comes right.
    host.ninjaone.script().fails_for.clear();
    running.pass(&host, begin + Duration::minutes(58)).await;
    assert_eq!(
        running.ends(failing).last(),
        Some(&(EventOutcome::Done, None))
    );
    assert_eq!(sweeps(&host, 2).await, 1);
    assert_eq!(running.stop().await.failed, 0);
}

async fn what_fails_is_never_tried_again_beyond_the_next_tick(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    let (tick, event) = (host.tick(), sweep_of(&host, 1).await.0);
    let next = tick + Duration::hours(6);
    host.ninjaone.script().fails = Some(Vendor::Server);
    let mut running = Running::of(&host, only_sweeps);
    running.pass(&host, next - Duration::SECOND).await;
    let ends = running.ends(event);
    assert!(ends.len() > 1);
    for (_, retry_at) in &ends {
        assert!(retry_at.is_none_or(|at| at < next), "{ends:?}");
    }
    // What is left of the interval is shorter than the wait would be.
    assert_eq!(ends.last().unwrap().1, None, "{ends:?}");
    assert!(running.started().iter().all(|(at, ..)| *at < next));
    assert_eq!(running.stop().await.failed, 1);
}

async fn what_cannot_come_right_is_not_tried_again(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    let event = sweep_of(&host, 1).await.0;
    host.ninjaone.script().fails = Some(Vendor::Forbidden);
    let mut running = Running::of(&host, only_sweeps);
    running.pass(&host, datetime!(2026-11-23 12:29 UTC)).await;
    let forbidden = EventOutcome::Failed {
        error: ErrorKind::Ninjaone(Vendor::Forbidden),
    };
    assert_eq!(running.ends(event), [(forbidden, None)]);
    running.stop().await;
}

async fn a_customer_that_is_worked_on_elsewhere_is_tried_again(host: Host) {
    use regentra_sync::model::{LeaseKey, WorkerId};
    let customer = host.promoted(&[(1, "Alpha")]).await.remove(0);
    let (event, starts_at) = sweep_of(&host, 1).await;
    let key = LeaseKey::EvidenceSweep(customer);
    let length = starts_at - now() + Duration::minutes(3);
    let worker = WorkerId::new(now());
    let taken = host.store.take_lease(host.msp, key, worker, length);
    assert!(taken.await.unwrap().is_some());
    let mut running = Running::of(&host, only_sweeps);
    running.pass(&host, starts_at + Duration::minutes(10)).await;
    let ends = running.ends(event);
    assert!(
        ends.len() > 1 && ends[0].0 == EventOutcome::Busy,
        "{ends:?}"
    );
    assert_eq!(ends.last(), Some(&(EventOutcome::Done, None)));
    running.stop().await;
}

async fn what_is_due_can_be_done_once_without_spreading(host: Host) {
    host.promoted(&THREE).await;
    let devices = vec![device(10, "PC-1")];
    host.ninjaone.script().devices.insert(1, devices);
    let scheduler = Scheduler::new(host.integration.clone());
    let stopped = scheduler.run_due(pending()).await;
    let expected = Stopped {
        done: 4,
        ..Stopped::default()
    };
    assert_eq!(stopped, expected);
    assert_eq!(host.assets().await.len(), 1);
    for (organization, _) in THREE {
        assert_eq!(sweeps(&host, organization).await, 1);
    }
    // Once more there is nothing to do, in whichever process.
    host.ninjaone.script().asked.clear();
    let again = Scheduler::new(host.another_process());
    assert_eq!(again.run_due(pending()).await, Stopped::default());
    assert!(host.ninjaone.script().asked.is_empty());
}

async fn sync_event(integration: &Integration) -> Event {
    let tick = Cadence::ASSET_SYNC.last(now());
    let events = integration
        .plan_all(PlanKind::AssetSync, tick)
        .await
        .unwrap();
    events.into_iter().next().unwrap()
}

async fn an_asset_sync_that_is_delivered_again_asks_for_what_is_left(host: Host) {
    host.mapped(&THREE).await;
    let event = sync_event(&host.integration).await;
    host.clock.set(event.starts_at());
    host.ninjaone.script().fails_for.insert(2, Vendor::Timeout);
    host.ninjaone.script().asked.clear();
    let end = host.integration.handle(&event, 1).await;
    let error = ErrorKind::Ninjaone(Vendor::Timeout);
    assert_eq!(end.outcome, EventOutcome::Failed { error });
    assert_eq!(asked(&host, "devices"), [1, 2, 3]);
    host.ninjaone.script().fails_for.clear();
    host.clock.advance(Duration::minutes(1));
    let end = host.integration.handle(&event, 2).await;
    assert_eq!(end.outcome, EventOutcome::Done);
    assert_eq!(asked(&host, "devices"), [1, 2, 3, 2]);
    let end = host.another_process().handle(&event, 3).await;
    assert_eq!(end.outcome, EventOutcome::Done);
    assert_eq!(asked(&host, "devices"), [1, 2, 3, 2]);
    assert_eq!(asked(&host, "organizations").len(), 2, "not even the list");
    let left = host.integration.outstanding(vec![event.clone()]).await;
    assert!(left.unwrap().is_empty());
    // A person's own sync goes on asking.
    host.sync().await;
    assert_eq!(asked(&host, "devices").len(), 7);
}

async fn a_region_that_cannot_be_listed_is_on_the_card(host: Host) {
    host.mapped(&THREE).await;
    host.ninjaone.script().fails = Some(Vendor::Unauthenticated);
    let mut running = Running::of(&host, only_syncs);
    running.pass(&host, datetime!(2026-11-23 08:14 UTC)).await;
    running.stop().await;
    let card = || async {
        let mut card = host
            .integration
            .views()
            .connection_status(host.msp)
            .await
            .unwrap();
        card.remove(0)
    };
    let failed = card().await.last_error.unwrap();
    assert_eq!((failed.mapping, failed.kind.as_str()), (None, "asset_sync"));
    // A later run of the region that works takes it off again.
    host.ninjaone.script().fails = None;
    host.clock.advance(Duration::minutes(1));
    host.sync().await;
    assert_eq!(card().await.last_error, None);
}

async fn a_customer_that_is_no_longer_there_is_skipped(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    let (event, starts_at) = sweep_of(&host, 1).await;
    let mut running = Running::of(&host, only_sweeps);
    running.pass(&host, starts_at - Duration::SECOND).await;
    host.map(1, Choice::DontSync).await.unwrap();
    running.pass(&host, starts_at + Duration::MINUTE).await;
    assert_eq!(running.ends(event), [(EventOutcome::Skipped, None)]);
    assert_eq!(running.stop().await.skipped, 1);
}

async fn requested(host: &Host, organization: i64) -> Result<Event, ErrorKind> {
    let mapping = host.mapping_id(organization);
    let request = host.event();
    let event = host.integration.request_sync(
        host.msp,
        RequestSync {
            mapping,
            actor: operator(),
            event: request,
        },
    );
    event.await.map_err(|error| error.kind())
}

async fn a_requested_sync_asks_for_its_organization_alone_ahead_of_the_schedule(host: Host) {
    host.mapped(&THREE).await;
    host.ninjaone
        .script()
        .devices
        .insert(2, vec![device(10, "PC-1")]);
    host.ninjaone.script().asked.clear();
    let event = requested(&host, 2).await.unwrap();
    assert_eq!(
        asked(&host, "organizations").len(),
        0,
        "nothing is asked yet"
    );
    assert_eq!(event.key(), EventKey::Mapping(host.mapping_id(2)));

    let mut requests = None;
    let mut running = Running::of(&host, |scheduler| {
        requests = Some(scheduler.requests());
        scheduler.timetable([])
    });
    requests.unwrap().request(event.clone());
    let finished = |told: &Progress| matches!(told, Progress::EventFinished { .. });
    running.until(&host, finished).await;
    assert_eq!(running.ends(event.id()), [(EventOutcome::Done, None)]);
    assert_eq!(asked(&host, "devices"), [2]);
    let lanes: Vec<_> = host.ninjaone.script().asked.iter().map(|of| of.3).collect();
    assert!(
        lanes.iter().all(|lane| *lane == Lane::Interactive),
        "{lanes:?}"
    );
    let audit = host.msp_audit(AuditAction::NinjaoneSynced).await;
    assert_eq!(audit.last().unwrap().actor, operator(), "{audit:?}");
    running.stop().await;
}

async fn an_organization_that_is_asked_for_twice_within_a_minute_is_synced_once(host: Host) {
    host.mapped(&THREE).await;
    host.ninjaone.script().asked.clear();
    let first = requested(&host, 1).await.unwrap();
    let second = requested(&host, 1).await.unwrap();
    assert_ne!(first.id(), second.id(), "each request has its own");
    // Both wait: it is one event.
    let mut requests = None;
    let mut running = Running::of(&host, |scheduler| {
        requests = Some(scheduler.requests());
        scheduler.timetable([])
    });
    let requests = requests.unwrap();
    requests.request(first.clone());
    requests.request(second.clone());
    let finished = |told: &Progress| matches!(told, Progress::EventFinished { .. });
    running.until(&host, finished).await;
    assert_eq!(running.stop().await.done, 1);
    // One is done, and the other is delivered after it, here or elsewhere.
    let end = host.another_process().handle(&second, 1).await;
    assert_eq!(end.outcome, EventOutcome::DoneBefore);
    host.clock.advance(Duration::seconds(59));
    let soon = requested(&host, 1).await.unwrap();
    let end = host.integration.handle(&soon, 1).await;
    assert_eq!(end.outcome, EventOutcome::DoneBefore);
    assert_eq!(asked(&host, "devices"), [1]);
    // A minute later it is another request.
    host.clock.advance(Duration::seconds(2));
    let later = requested(&host, 1).await.unwrap();
    let end = host.integration.handle(&later, 1).await;
    assert_eq!(end.outcome, EventOutcome::Done);
    assert_eq!(asked(&host, "devices"), [1, 1]);
    // What failed is no reason to leave the next one out.
    host.clock.advance(Duration::minutes(2));
    host.ninjaone
        .script()
        .fails_for
        .insert(1, Vendor::Forbidden);
    for _ in 0..2 {
        let event = requested(&host, 1).await.unwrap();
        let end = host.integration.handle(&event, 1).await;
        let error = ErrorKind::Ninjaone(Vendor::Forbidden);
        assert_eq!(end.outcome, EventOutcome::Failed { error });
    }
}

async fn what_cannot_be_synced_is_refused_when_it_is_asked_for(host: Host) {
    host.mapped(&THREE[..1]).await;
    assert_eq!(requested(&host, 404).await, Err(ErrorKind::NotFound));
    host.organizations(&THREE[..2]);
    host.discover().await;
    assert_eq!(
        requested(&host, 2).await,
        Err(ErrorKind::Invalid),
        "not bound"
    );
    // Another MSP has no such organization.
    let other = MspOrgId::from_uuid(uuid::Uuid::from_u128(2));
    let mapping = host.mapping_id(1);
    let foreign = host.integration.request_sync(
        other,
        RequestSync {
            mapping,
            actor: operator(),
            event: host.event(),
        },
    );
    assert_eq!(foreign.await.unwrap_err().kind(), ErrorKind::NotFound);
    disconnect(&host).await;
    let refused = requested(&host, 1).await;
    assert_eq!(refused, Err(ErrorKind::NotConnected));
}

async fn a_requested_sync_of_an_organization_that_is_mapped_no_more_is_skipped(host: Host) {
    host.mapped(&THREE).await;
    let event = requested(&host, 1).await.unwrap();
    host.map(1, Choice::DontSync).await.unwrap();
    host.ninjaone.script().asked.clear();
    let end = host.integration.handle(&event, 1).await;
    let skipped = EventEnd {
        outcome: EventOutcome::Skipped,
        again: Again::Never,
    };
    assert_eq!(end, skipped);
    assert!(host.ninjaone.script().asked.is_empty());
    let event = requested(&host, 2).await.unwrap();
    disconnect(&host).await;
    assert_eq!(host.integration.handle(&event, 1).await, skipped);
}

async fn a_plan_goes_on_where_its_page_ended(host: Host) {
    host.promoted(&THREE).await;
    for (kind, events) in [(PlanKind::AssetSync, 1), (PlanKind::EvidenceSweep, 3)] {
        let tick = host.tick();
        let first = host.integration.plan(kind, tick, None).await.unwrap();
        assert_eq!(first.events.len(), events);
        // The cursor goes through text, and to another process.
        if let Some(next) = first.next {
            let cursor = next.to_string().parse().unwrap();
            let last = host.another_process().plan(kind, tick, Some(cursor)).await;
            let last = last.unwrap();
            assert_eq!((last.events.len(), last.next), (0, None));
        }
        // Page by page it is the same plan, whatever their size.
        for size in [1, 2, 3] {
            let host = host.with_policy(HostPolicy::default().plan_page(size));
            let (mut pages, mut from) = (Vec::new(), None);
            loop {
                let page = host.plan(kind, tick, from).await.unwrap();
                assert!(page.events.len() <= size as usize);
                pages.extend(page.events);
                from = page.next;
                if from.is_none() {
                    break;
                }
            }
            assert_eq!(pages, first.events);
        }
        let page = serde_json::to_string(&first).unwrap();
        assert_eq!(serde_json::from_str::<PlanPage>(&page).unwrap(), first);
    }
}

async fn a_scheduler_handles_every_page_of_a_plan(host: Host) {
    host.promoted(&THREE).await;
    host.clock.set(datetime!(2026-11-23 12:29:58 UTC));
    let small = HostPolicy::default().plan_page(1);
    let mut running = Running::by(&host, small, only_sweeps);
    running
        .pass(&host, datetime!(2026-11-23 18:29:59 UTC))
        .await;
    let planned = running.planned(PlanKind::EvidenceSweep);
    let ticks: Vec<_> = planned
        .iter()
        .map(|(at, events, ..)| (at.hour(), *events))
        .collect();
    assert_eq!(ticks, [(6, 3), (12, 3)], "told once for all pages");
    for organization in [1, 2, 3] {
        assert_eq!(sweeps(&host, organization).await, 2);
    }
    running.stop().await;
}

async fn an_end_says_when_to_deliver_the_event_again(host: Host) {
    host.promoted(&THREE[..1]).await;
    let event = sync_event(&host.integration).await;
    host.clock.set(event.starts_at());
    host.ninjaone.script().fails = Some(Vendor::Timeout);
    let again = |seconds: u64, end: EventEnd| {
        let Again::After(wait) = end.again else {
            panic!("{end:?}");
        };
        let least = std::time::Duration::from_secs(seconds);
        assert!(wait >= least && wait <= least * 5 / 4, "{end:?}");
    };
    again(30, host.integration.handle(&event, 1).await);
    again(120, host.integration.handle(&event, 3).await);
    // The next tick is due before it could be tried again.
    host.clock
        .set(event.scheduled_at() + Duration::hours(4) - Duration::SECOND);
    let end = host.integration.handle(&event, 1).await;
    assert_eq!(end.again, Again::Never);
    host.clock.set(event.starts_at());
    // What cannot come right.
    host.ninjaone.script().fails = Some(Vendor::Unauthenticated);
    let end = host.integration.handle(&event, 1).await;
    assert_eq!(end.again, Again::Never);
    // The host's own rule.
    host.ninjaone.script().fails = Some(Vendor::Timeout);
    let rule = Retry::default()
        .waits(Duration::minutes(1), Duration::minutes(1))
        .attempts(2);
    let own = host.with_policy(HostPolicy::default().retry(rule));
    again(60, own.handle(&event, 1).await);
    assert_eq!(own.handle(&event, 2).await.again, Again::Never);
}

async fn disconnect(host: &Host) {
    host.integration
        .disconnect(
            host.msp,
            Disconnect {
                region: us(),
                actor: operator(),
                event: host.event(),
            },
        )
        .await
        .unwrap();
}
