//! Section 13, clocks: one that once ran ahead or behind does not decide for weeks.

use std::{collections::BTreeMap, sync::Arc};

use regentra_harness::plan::PlanAll as _;
use regentra_sync::{
    Choice, Disconnect, Discover, ErrorKind, Integration, MapOrganization, Promote, Scheduler,
    SkipReason, SweepOutcome, SyncOutcome,
    host::{Clock as _, HostPolicy, ManualClock, Progress},
    model::{
        BudgetUsage, ComplianceOrgId, EventId, NINJAONE_WINDOWS, RunOutcome, SignatureState, Spend,
        TicketState, verify_times,
    },
    regentra_evidence::{SignalKind, Status},
    schedule::{Cadence, Event, PlanKind, SweepEvent},
    store::{StoreErrorKind, StoredSignal},
    views::{Finding, FutureRows},
};
use time::{Duration, OffsetDateTime, macros::datetime};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::{
    host::{Host, SendsProgress, now, operator, us},
    scripted::device,
};

on_every_store!(
    one_sweep_twenty_days_ahead_does_not_decide_for_weeks,
    a_process_twenty_days_ahead_sweeps_nothing_and_asks_for_nothing,
    two_hundred_budget_rows_a_year_ahead_make_no_sweep_sleep_a_year,
    a_lease_of_a_worker_that_died_ahead_is_taken_over,
    a_sweep_three_days_back_is_refused,
    three_sweeps_in_two_seconds_close_no_ticket,
    a_tick_that_was_swept_ahead_is_swept_when_its_time_comes,
    a_tick_that_was_swept_ahead_is_swept_in_time_though_the_one_before_was_swept_late,
    a_tick_that_was_swept_ahead_before_any_other_is_swept_in_time,
    run_records_of_the_future_count_as_not_there,
    whatever_lies_in_the_future_is_shown_and_cleared,
    a_machine_that_is_ahead_writes_nothing_and_says_why,
    signatures_do_not_stay_fresh_by_a_clock_that_ran_ahead,
    a_scheduler_whose_clock_is_set_back_plans_the_present_tick,
    two_processes_ten_minutes_apart_sweep_and_plan_as_one,
    an_old_event_is_skipped_only_in_favour_of_a_newer_tick,
    an_event_of_a_tick_to_come_is_not_due,
    no_time_of_the_calendar_panics,
);

const CLOCK: ErrorKind = ErrorKind::Store(StoreErrorKind::Clock);

fn fails(host: &Host) {
    for signal in SignalKind::ALL {
        host.ninjaone.script().verdicts.insert(signal, Status::Fail);
    }
}

async fn current(host: &Host) -> Vec<StoredSignal> {
    let company = host.mapping(1).await.state.company().unwrap();
    let posture = host
        .integration
        .views()
        .posture(host.msp, company)
        .await
        .unwrap();
    let mut mappings = posture.mappings;
    assert_eq!(mappings.len(), 1);
    mappings.remove(0).1
}

async fn statuses(host: &Host) -> Vec<Status> {
    let current = current(host).await;
    current.iter().map(|stored| stored.signal.status).collect()
}

async fn findings(host: &Host) -> Vec<Finding> {
    let found = host.integration.diagnose(host.msp, None).await.unwrap();
    found.into_iter().map(|found| found.finding).collect()
}

async fn in_the_future(host: &Host) -> BTreeMap<FutureRows, u64> {
    let found = findings(host).await.into_iter();
    found
        .filter_map(|finding| match finding {
            Finding::InTheFuture { rows, count } => Some((rows, count)),
            _ => None,
        })
        .collect()
}

fn asked(host: &Host) -> usize {
    let script = host.ninjaone.script();
    script
        .asked
        .iter()
        .filter(|asked| asked.0 == "assess")
        .count()
}

/// The sweep of the one customer in the tick of this time.
async fn sweep_of(host: &Host, at: OffsetDateTime) -> SweepEvent {
    let tick = Cadence::EVIDENCE_SWEEP.last(at);
    let events = host
        .integration
        .plan_all(PlanKind::EvidenceSweep, tick)
        .await;
    match events.unwrap().remove(0) {
        Event::EvidenceSweep(event) => event,
        other => panic!("{other:?} among sweeps"),
    }
}

async fn one_sweep_twenty_days_ahead_does_not_decide_for_weeks(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    // The machine and its database run ahead, and the fleet is well.
    host.clock.advance(Duration::days(20));
    assert!(host.sweep_one().await.dry_run);
    assert_eq!(statuses(&host).await, [Status::Pass; 5]);

    // The clock is set right, and the fleet is not well.
    host.clock.set(now());
    fails(&host);
    assert_eq!(statuses(&host).await, [], "no pass of a day to come");
    let signals = in_the_future(&host)
        .await
        .get(&FutureRows::Signals)
        .copied();
    assert_eq!(signals, Some(5));
    assert_eq!(host.sweep_one().await.opened, 5);
    assert_eq!(statuses(&host).await, [Status::Fail; 5], "at once");
    // Heads are never changed: they wait for a root, and nobody makes one here.
    let heads = BTreeMap::from([(FutureRows::Heads, 5)]);
    assert_eq!(in_the_future(&host).await, heads, "and it is cleared");
    // Day after day, until the wrong sweep's time has come and is over.
    for _ in 0..(27 * 4) {
        host.sweep_all().await;
        assert_eq!(
            statuses(&host).await,
            [Status::Fail; 5],
            "{}",
            host.clock.now()
        );
    }
    let tickets = host
        .integration
        .views()
        .tickets(host.msp, None)
        .await
        .unwrap();
    assert!(
        tickets
            .iter()
            .all(|ticket| ticket.state == TicketState::Open)
    );
}

async fn a_process_twenty_days_ahead_sweeps_nothing_and_asks_for_nothing(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    host.sweep_one().await;
    let (right, before) = (host.clock.now(), asked(&host));
    host.store_clock.set(right);
    host.clock.advance(Duration::days(20));
    let event = sweep_of(&host, host.clock.now()).await;
    let error = host.integration.sweep(&event).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.kind().as_str()),
        (CLOCK, "store.clock")
    );
    assert!(error.is_retryable());
    assert_eq!(asked(&host), before, "no request is spent on it");
    let apart = findings(&host).await;
    let days = Duration::days(20).whole_seconds();
    assert!(
        apart.contains(&Finding::ClocksApart { seconds: days }),
        "{apart:?}"
    );

    host.clock.set(right);
    assert_eq!(statuses(&host).await, [Status::Pass; 5]);
    assert!(matches!(
        host.integration.sweep(&sweep_of(&host, right).await).await,
        Ok(SweepOutcome::Committed(_))
    ));
}

async fn two_hundred_budget_rows_a_year_ahead_make_no_sweep_sleep_a_year(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    let credential = host.mapping(1).await.credential;
    let credential = host.store.credential(host.msp, credential).await.unwrap();
    let fingerprint = credential.unwrap().fingerprint;
    host.clock.advance(Duration::days(365));
    for _ in 0..200 {
        let spent = host.store.spend(&fingerprint, &NINJAONE_WINDOWS).await;
        assert_eq!(spent.unwrap(), Spend::Granted);
    }
    host.clock.set(now());
    let card = host
        .integration
        .views()
        .connection_status(host.msp)
        .await
        .unwrap();
    let used = BudgetUsage {
        last_minute: 200,
        last_hour: 200,
        ahead: 200,
    };
    assert_eq!(card[0].budget, used, "the card does not say 0");
    let shown = in_the_future(&host)
        .await
        .get(&FutureRows::Requests)
        .copied();
    assert_eq!(shown, Some(200));
    let wait = host
        .store
        .budget_wait(&fingerprint, &NINJAONE_WINDOWS)
        .await;
    assert_eq!(wait.unwrap(), Duration::MINUTE);
    let spent = host.store.spend(&fingerprint, &NINJAONE_WINDOWS).await;
    let retry_after = Duration::MINUTE;
    assert_eq!(spent.unwrap(), Spend::Exhausted { retry_after });
    assert_eq!(
        in_the_future(&host).await,
        BTreeMap::new(),
        "asking clears it"
    );
    host.clock.advance(Duration::MINUTE);
    let spent = host.store.spend(&fingerprint, &NINJAONE_WINDOWS).await;
    assert_eq!(spent.unwrap(), Spend::Granted);
}

/// NinjaOne never answers the next organization it is asked about.
fn freeze(host: &Host) -> oneshot::Sender<()> {
    let (never, thawed) = oneshot::channel::<()>();
    host.ninjaone.script().meanwhile = Some(Box::new(move || {
        Box::pin(async move {
            let _ = thawed.await;
        })
    }));
    never
}

async fn a_lease_of_a_worker_that_died_ahead_is_taken_over(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    host.clock.advance(Duration::days(20));
    let event = sweep_of(&host, host.clock.now()).await;
    let _never = freeze(&host);
    let dies = host.another_process();
    let sweep = dies.sweep(&event);
    let soon = std::time::Duration::from_millis(200);
    assert!(
        tokio::time::timeout(soon, sweep).await.is_err(),
        "it dies in mid-sweep"
    );

    host.clock.set(now());
    assert_eq!(
        in_the_future(&host).await.get(&FutureRows::Leases),
        Some(&1)
    );
    host.sweep_one().await;
    assert_eq!(in_the_future(&host).await, BTreeMap::new());
}

async fn a_sweep_three_days_back_is_refused(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    for _ in 0..13 {
        host.sweep_one().await;
    }
    let (right, before) = (host.clock.now(), asked(&host));
    host.store_clock.set(right);
    host.clock
        .advance(Duration::days(-3) + Duration::minutes(7));
    let event = sweep_of(&host, host.clock.now()).await;
    // Its tick was swept when it was due; a tick that was not is refused, too.
    let done = host.integration.sweep(&event).await.unwrap();
    assert_eq!(done, SweepOutcome::AlreadyCommitted);
    let invented = SweepEvent {
        id: EventId::of_request("three days back", "1"),
        ..event
    };
    let error = host.integration.sweep(&invented).await.unwrap_err();
    assert_eq!(error.kind(), CLOCK);
    assert_eq!(asked(&host), before);
    let customer = invented.customer_compliance_org_id;
    for kind in SignalKind::ALL {
        let mapping = invented.mapping_id;
        let chain = host.store.evidence_chain(customer, mapping, kind, 0, 100);
        let chain = chain.await.unwrap();
        assert_eq!((chain.len(), verify_times(&chain)), (13, Vec::new()));
        assert!(chain.iter().all(|row| row.committed_at.is_some()));
    }
}

async fn three_sweeps_in_two_seconds_close_no_ticket(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    host.sweep_one().await;
    let signal = SignalKind::PatchSla;
    host.ninjaone.script().verdicts.insert(signal, Status::Fail);
    assert_eq!(host.sweep_one().await.opened, 1);
    host.ninjaone.script().verdicts.clear();
    // Whatever tick they say they are of.
    let event = sweep_of(&host, host.clock.now()).await;
    for number in 0..3 {
        let event = SweepEvent {
            id: EventId::of_request("hasty", &number.to_string()),
            ..event.clone()
        };
        let swept = host.integration.sweep(&event).await.unwrap();
        let SweepOutcome::Committed(report) = swept else {
            panic!("{swept:?}");
        };
        assert_eq!(report.closed, 0, "sweep {number}");
        host.clock.advance(Duration::seconds(1));
    }
    let open = async || {
        let tickets = host
            .integration
            .views()
            .tickets(host.msp, None)
            .await
            .unwrap();
        tickets[0].state == TicketState::Open
    };
    assert!(open().await);
    // Just under half an interval after the first of them is still the same pass; half an interval after it is another one.
    for (hours, minutes, is_open) in [(2, 59, true), (0, 2, false)] {
        host.clock
            .advance(Duration::hours(hours) + Duration::minutes(minutes));
        let event = SweepEvent {
            id: EventId::of_request("later", &minutes.to_string()),
            ..event.clone()
        };
        host.integration.sweep(&event).await.unwrap();
        assert_eq!(open().await, is_open, "{hours}:{minutes}");
    }
}

async fn a_tick_that_was_swept_ahead_is_swept_when_its_time_comes(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    let then = now() + Duration::days(1);
    // Twice the clock runs ahead to the same tick, and is set right.
    host.clock.set(then);
    host.sweep_one().await;
    host.clock.set(now());
    fails(&host);
    host.sweep_one().await;
    host.clock.set(then);
    host.sweep_one().await;
    host.clock.set(now() + Duration::hours(6));
    while host.clock.now() < then + Duration::hours(6) {
        let at = host.clock.now();
        let events = host
            .integration
            .plan_all(PlanKind::EvidenceSweep, host.tick());
        let left = host.integration.outstanding(events.await.unwrap()).await;
        assert_eq!(left.unwrap().len(), 1, "{at}");
        host.sweep_one().await;
        let current = current(&host).await;
        assert!(
            current
                .iter()
                .all(|stored| stored.signal.collected_at == at),
            "{at}"
        );
        assert!(
            current
                .iter()
                .all(|stored| stored.signal.status == Status::Fail)
        );
    }
    // Delivered again it is done.
    let event = sweep_of(&host, then).await;
    let again = host.integration.sweep(&event).await.unwrap();
    assert_eq!(again, SweepOutcome::AlreadyCommitted);
}

async fn a_tick_that_was_swept_ahead_is_swept_in_time_though_the_one_before_was_swept_late(
    host: Host,
) {
    host.promoted(&[(1, "Alpha")]).await;
    // Starts are spread over the interval: this customer's is a quarter of an hour before the next tick.
    let late = datetime!(2026-11-23 12:16 UTC);
    host.clock.set(late);
    host.sweep_one().await;
    // The machine and its database run six hours ahead, and sweep the tick of 12:30.
    host.clock.set(late + Duration::hours(6));
    host.sweep_one().await;
    let then = late + Duration::hours(5);
    host.clock.set(then);
    let event = sweep_of(&host, then).await;
    let swept = host.integration.sweep(&event).await.unwrap();
    assert!(matches!(swept, SweepOutcome::Committed(_)), "{swept:?}");
    let current = current(&host).await;
    assert!(
        current
            .iter()
            .all(|stored| stored.signal.collected_at == then)
    );
    assert_eq!(current.len(), 5);
    let again = host.integration.sweep(&event).await.unwrap();
    assert_eq!(again, SweepOutcome::AlreadyCommitted);
}

async fn a_tick_that_was_swept_ahead_before_any_other_is_swept_in_time(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    host.clock.set(datetime!(2026-11-23 12:16 UTC));
    host.sweep_one().await;
    let then = datetime!(2026-11-23 06:40 UTC);
    host.clock.set(then);
    let event = sweep_of(&host, then).await;
    let swept = host.integration.sweep(&event).await.unwrap();
    assert!(matches!(swept, SweepOutcome::Committed(_)), "{swept:?}");
    assert_eq!(current(&host).await.len(), 5);
}

async fn run_records_of_the_future_count_as_not_there(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    host.sync().await;
    host.clock.advance(Duration::days(20));
    host.sync().await;
    host.sweep_one().await;
    host.clock.set(now());
    let card = async || {
        let mut card = host
            .integration
            .views()
            .connection_status(host.msp)
            .await
            .unwrap();
        card.remove(0)
    };
    let shown = card().await;
    assert_eq!(
        (shown.last_asset_sync, shown.last_evidence_sweep),
        (None, None)
    );
    let ahead = in_the_future(&host).await.get(&FutureRows::Runs).copied();
    assert_eq!(ahead, Some(2));
    // What was planned for now is not taken for done by them.
    let events = host
        .integration
        .plan_all(PlanKind::EvidenceSweep, host.tick())
        .await;
    host.clock.set(datetime!(2026-11-23 12:29 UTC));
    let left = host.integration.outstanding(events.unwrap()).await.unwrap();
    assert_eq!(left.len(), 1);
    host.sweep_one().await;
    host.sync().await;
    let heads = BTreeMap::from([(FutureRows::Heads, 5)]);
    assert_eq!(in_the_future(&host).await, heads);
    let shown = card().await;
    assert_eq!(
        shown.last_evidence_sweep.unwrap().outcome,
        RunOutcome::Succeeded
    );
}

async fn whatever_lies_in_the_future_is_shown_and_cleared(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    host.organizations(&[(1, "Alpha"), (2, "Beta")]);
    host.clock.advance(Duration::days(20));
    host.ninjaone
        .script()
        .devices
        .insert(1, vec![device(7, "pc-7")]);
    fails(&host);
    host.discover().await;
    host.sync().await;
    assert!(host.sweep_one().await.dry_run);
    assert_eq!(host.sweep_one().await.opened, 5);
    let then = host.clock.now();

    host.clock.set(now());
    let shown = in_the_future(&host).await;
    let expected = BTreeMap::from([
        (FutureRows::Signals, 5),
        (FutureRows::Runs, 3),
        (FutureRows::TicketTicks, 1),
        (FutureRows::Heads, 10),
        (FutureRows::Mappings, 2),
        (FutureRows::Assets, 1),
        (FutureRows::Tickets, 5),
        (FutureRows::Outbox, 5),
        (FutureRows::AuditRows, 2),
    ]);
    assert_eq!(shown, expected);
    // Normal work clears what it writes anew; the machine is the same, and so is its ticket.
    host.discover().await;
    let synced = host.sync_one().await;
    let SyncOutcome::Synced {
        counts, changed, ..
    } = synced
    else {
        panic!("{synced:?}");
    };
    assert!(changed, "its times are set right");
    assert_eq!((counts.created, counts.updated), (0, 0), "and nothing else");
    assert_eq!(host.sweep_one().await.opened, 0);
    for row in host.integration.views().outbox(host.msp, 9).await.unwrap() {
        let delivered = host.integration.delivered(host.msp, row.id, None);
        assert!(delivered.await.unwrap());
    }
    let left = BTreeMap::from([
        (FutureRows::Heads, 10),
        (FutureRows::Mappings, 1),
        (FutureRows::AuditRows, 2),
    ]);
    assert_eq!(in_the_future(&host).await, left);
    let asset = &host.assets().await[0];
    assert!(asset.created_at <= asset.updated_at && asset.updated_at <= host.clock.now());
    let tickets = host
        .integration
        .views()
        .tickets(host.msp, None)
        .await
        .unwrap();
    assert!(
        tickets
            .iter()
            .all(|ticket| ticket.opened_at <= host.clock.now())
    );
    // A second run over the same data writes nothing.
    let again = host.sync_one().await;
    assert!(
        matches!(again, SyncOutcome::Synced { changed: false, .. }),
        "{again:?}"
    );
    // What is never changed is there again when its time comes.
    host.clock.set(then);
    assert_eq!(in_the_future(&host).await, BTreeMap::new());
}

async fn a_machine_that_is_ahead_writes_nothing_and_says_why(host: Host) {
    host.organizations(&[(1, "Alpha")]);
    let right = host.clock.now();
    host.store_clock.set(right);
    host.clock.advance(Duration::days(20));
    let (ahead, msp) = (&host.integration, host.msp);
    let kind = |error: regentra_sync::Error| error.kind();
    let connected = ahead.connect(msp, host.connecting()).await;
    assert_eq!(connected.map(drop).map_err(kind), Err(CLOCK));
    assert_eq!(host.store.credentials(msp).await.unwrap(), []);
    host.clock.set(right);
    host.connect().await;
    host.discover().await;
    let company = host
        .map(1, Choice::CreateNew)
        .await
        .unwrap()
        .state
        .company()
        .unwrap();
    host.ninjaone
        .script()
        .devices
        .insert(1, vec![device(7, "pc-7")]);

    host.clock.advance(Duration::days(20));
    let before = (host.mapping(1).await, host.store.runs(msp).await.unwrap());
    let customer = ComplianceOrgId::from_uuid(Uuid::from_u128(9));
    let (event, actor) = (|| host.event(), operator());
    let refused = [
        ahead
            .promote(
                msp,
                Promote {
                    company,
                    compliance_org: customer,
                    actor,
                    event: event(),
                },
            )
            .await
            .map(drop),
        ahead
            .map(
                msp,
                MapOrganization {
                    mapping: host.mapping_id(1),
                    choice: Choice::DontSync,
                    actor,
                    event: event(),
                },
            )
            .await
            .map(drop),
        ahead
            .discover(
                msp,
                Discover {
                    region: us(),
                    actor,
                    event: event(),
                },
            )
            .await
            .map(drop),
        ahead
            .disconnect(
                msp,
                Disconnect {
                    region: us(),
                    actor,
                    event: event(),
                },
            )
            .await
            .map(drop),
    ];
    for refused in refused {
        assert_eq!(refused.map_err(kind), Err(CLOCK));
    }
    for synced in host.sync().await {
        assert_eq!(synced.outcome.map(drop).map_err(kind), Err(CLOCK));
    }
    assert_eq!(
        (host.mapping(1).await, host.store.runs(msp).await.unwrap()),
        before
    );
    assert_eq!(host.assets().await, []);
    // What it worked on is free for the others at once.
    host.clock.set(right);
    host.discover().await;
    assert!(matches!(host.sync_one().await, SyncOutcome::Synced { .. }));
    assert_eq!(host.assets().await.len(), 1);
}

async fn signatures_do_not_stay_fresh_by_a_clock_that_ran_ahead(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    let history = async || {
        let sweep = sweep_of(&host, host.clock.now()).await;
        let (customer, mapping) = (sweep.customer_compliance_org_id, sweep.mapping_id);
        let state =
            host.store
                .sweep_state(host.msp, customer, mapping, sweep.id, sweep.scheduled_at);
        let known = state.await.unwrap().signature_history.into_values();
        known
            .map(|record| (record.state, record.since))
            .collect::<Vec<_>>()
    };
    let seen = |out_of_date| {
        host.ninjaone.script().signatures.insert(7, out_of_date);
    };
    // Twenty days ahead a device was up to date, and a moment later it was not.
    host.clock.advance(Duration::days(20));
    seen(false);
    host.sweep_one().await;
    seen(true);
    let then = host.clock.now();
    host.sweep_one().await;
    assert_eq!(history().await, [(SignatureState::OutOfDate, then)]);
    // By a clock that is right nobody knows since when: it is as if it were seen for the first time, and stays so.
    host.clock.set(now());
    host.sweep_one().await;
    assert_eq!(history().await, [(SignatureState::OutOfDateAtFirst, now())]);
}

async fn a_scheduler_whose_clock_is_set_back_plans_the_present_tick(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    let (tells, mut told) = mpsc::unbounded_channel();
    let scheduler =
        Scheduler::new(host.observed(Arc::new(SendsProgress(tells)), HostPolicy::default()))
            .timetable([(PlanKind::EvidenceSweep, Cadence::EVIDENCE_SWEEP)]);
    let (stop, stopped) = oneshot::channel::<()>();
    host.clock.advance(Duration::days(20));
    let running = tokio::spawn(async move {
        let until_told = async {
            let _ = stopped.await;
        };
        scheduler.run(until_told).await
    });
    let mut next = async |is_wanted: fn(&Progress) -> bool| {
        let soon = std::time::Duration::from_secs(20);
        loop {
            let told = tokio::time::timeout(soon, told.recv()).await;
            let told = told.unwrap_or_else(|_| panic!("nothing is planned for twenty days"));
            let told = told.unwrap();
            if is_wanted(&told) {
                return told;
            }
        }
    };
    let planned = |told: &Progress| matches!(told, Progress::Planned { .. });
    let idle = |told: &Progress| matches!(told, Progress::Idle { .. });
    next(planned).await;
    next(idle).await;
    host.clock.set(now());
    let Progress::Planned { scheduled_at, .. } = next(planned).await else {
        unreachable!()
    };
    assert_eq!(scheduled_at, datetime!(2026-11-23 06:30 UTC));
    next(idle).await;
    host.clock.set(datetime!(2026-11-23 12:29 UTC));
    next(|told| matches!(told, Progress::EventFinished { .. })).await;
    let current = current(&host).await;
    assert_eq!(current.len(), 5, "and swept");
    stop.send(()).unwrap();
    running.await.unwrap();
}

async fn two_processes_ten_minutes_apart_sweep_and_plan_as_one(host: Host) {
    host.promoted(&[(1, "Alpha"), (2, "Beta")]).await;
    let begin = host.clock.now();
    host.store_clock.set(begin);
    let process = |minutes: i64| -> Integration {
        let clock = ManualClock::at(begin + Duration::minutes(minutes));
        host.process_by(&clock)
    };
    let (ahead, right, behind) = (process(10), process(0), process(-10));
    // The tick of 06:30 is a minute old: the one that is behind is still in the tick before.
    let events = host.sweep_events().await;
    let error = ahead.sweep(&events[0]).await.unwrap_err();
    assert_eq!(error.kind(), CLOCK, "ahead of the store");
    let swept = right.sweep(&events[0]).await.unwrap();
    assert!(matches!(swept, SweepOutcome::Committed(_)));
    // What one of them has done is done for all.
    for process in [&ahead, &right, &behind] {
        let again = process.sweep(&events[0]).await.unwrap();
        assert_eq!(again, SweepOutcome::AlreadyCommitted);
    }
    // The one that is behind may sweep what nobody has swept later.
    let swept = behind.sweep(&events[1]).await.unwrap();
    assert!(matches!(swept, SweepOutcome::Committed(_)), "{swept:?}");
    // While one works, neither of the others takes its lease.
    host.store_clock.set(begin + Duration::hours(6));
    host.clock.advance(Duration::hours(6));
    let next = host.sweep_events().await;
    let thaw = freeze(&host);
    let (running, event) = (host.another_process(), next[0].clone());
    let running = tokio::spawn(async move { running.sweep(&event).await });
    while host.ninjaone.script().meanwhile.is_some() {
        tokio::task::yield_now().await;
    }
    for minutes in [370, 360, 350] {
        let other = process(minutes).sweep(&next[0]).await.unwrap();
        assert_eq!(other, SweepOutcome::Busy, "{minutes}");
    }
    thaw.send(()).unwrap();
    let swept = running.await.unwrap().unwrap();
    assert!(matches!(swept, SweepOutcome::Committed(_)), "{swept:?}");
}

async fn an_old_event_is_skipped_only_in_favour_of_a_newer_tick(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    let (tick, before) = (
        host.tick(),
        sweep_of(&host, now() - Duration::hours(6)).await,
    );
    let old = sweep_of(&host, now()).await;
    host.sweep_one().await;
    // Nothing was swept for three days: an event of then is better than none.
    host.clock.advance(Duration::days(3));
    let missed = sweep_of(&host, tick + Duration::hours(6)).await;
    let swept = host.integration.sweep(&missed).await.unwrap();
    assert!(matches!(swept, SweepOutcome::Committed(_)), "{swept:?}");
    // Now there is newer evidence than what the others would have been about.
    let overtaken = SweepOutcome::Skipped(SkipReason::Overtaken);
    for event in [before, sweep_of(&host, tick + Duration::hours(12)).await] {
        assert_eq!(host.integration.sweep(&event).await.unwrap(), overtaken);
    }
    assert_eq!(
        host.integration.sweep(&old).await.unwrap(),
        SweepOutcome::AlreadyCommitted
    );
    // The present tick goes on.
    let present = sweep_of(&host, host.clock.now()).await;
    let swept = host.integration.sweep(&present).await.unwrap();
    assert!(matches!(swept, SweepOutcome::Committed(_)), "{swept:?}");
}

async fn an_event_of_a_tick_to_come_is_not_due(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    let before = asked(&host);
    for ahead in [Duration::hours(6), Duration::days(20)] {
        let event = sweep_of(&host, now() + ahead).await;
        let skipped = host.integration.sweep(&event).await.unwrap();
        assert_eq!(skipped, SweepOutcome::Skipped(SkipReason::NotDue));
    }
    assert_eq!(asked(&host), before);
    // Within the tolerance of clocks it is.
    host.clock.set(datetime!(2026-11-23 12:26 UTC));
    let event = sweep_of(&host, datetime!(2026-11-23 12:30 UTC)).await;
    let swept = host.integration.sweep(&event).await.unwrap();
    assert!(matches!(swept, SweepOutcome::Committed(_)), "{swept:?}");
}

async fn no_time_of_the_calendar_panics(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    fails(&host);
    let ends = [
        datetime!(9999-12-31 00:00 UTC),
        datetime!(9999-12-31 23:59:59.999_999 UTC),
        datetime!(2026-11-23 06:31 UTC),
        datetime!(1970-01-01 00:00 UTC),
        datetime!(0001-01-01 00:00 UTC),
        datetime!(-9999-01-01 00:00 UTC),
    ];
    for processes in ends {
        for stores in ends {
            host.clock.set(processes);
            host.store_clock.set(stores);
            let integration = &host.integration;
            // What comes of it is another question: it may be refused, and never panics.
            for kind in [PlanKind::AssetSync, PlanKind::EvidenceSweep] {
                let cadence = match kind {
                    PlanKind::AssetSync => Cadence::ASSET_SYNC,
                    _ => Cadence::EVIDENCE_SWEEP,
                };
                let _ = cadence.next(processes);
                let events = integration.plan_all(kind, cadence.last(processes)).await;
                for event in events.unwrap_or_default() {
                    let _ = integration.handle(&event, 1).await;
                    let _ = integration.outstanding(vec![event]).await;
                }
            }
            let _ = integration.views().connection_status(host.msp).await;
            let _ = integration.diagnose(host.msp, None).await;
            let _ = integration.views().outbox(host.msp, 10).await;
            let _ = integration.views().tickets(host.msp, None).await;
            let company = host.mapping(1).await.state.company().unwrap();
            let _ = integration.views().posture(host.msp, company).await;
            let _ = integration
                .discover(
                    host.msp,
                    Discover {
                        region: us(),
                        actor: operator(),
                        event: host.event(),
                    },
                )
                .await;
        }
    }
}
