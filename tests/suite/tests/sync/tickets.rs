//! Section 5: tickets, through an outbox.

use regentra_harness::plan::PlanAll as _;
use regentra_sync::{
    SweepNow, SweepOutcome, SweepReport,
    host::HostPolicy,
    model::{OutboxAction, OutboxRow, TicketState},
    regentra_evidence::{SIGNAL_LIFETIME, SignalKind, Status},
    schedule::{Event, PlanKind},
};
use time::Duration;

use crate::host::{Host, operator, us};

on_every_store!(
    no_ticket_is_opened_in_the_dry_run,
    a_fail_opens_one_ticket,
    while_it_persists_it_is_updated_and_not_duplicated,
    two_complete_passing_sweeps_close_it,
    a_warning_in_between_begins_the_passes_anew,
    unknown_partial_and_expired_data_never_close_it,
    a_pass_that_has_expired_does_not_count,
    what_fails_again_after_it_was_closed_is_a_new_ticket,
    the_outbox_is_drained_in_order_and_acknowledged_once,
    a_row_that_was_sent_and_not_acknowledged_is_given_again_with_the_same_key,
    opening_is_capped_per_msp_and_tick_with_the_rest_in_one_digest,
    customers_swept_in_parallel_keep_one_cap,
    what_was_in_the_digest_competes_again_in_the_next_tick,
    warnings_open_nothing,
    a_digest_that_is_due_takes_nothing_more,
    sweeping_by_hand_twice_in_a_tick_is_one_sweep,
);

fn fails(host: &Host, signal: SignalKind) {
    host.ninjaone.script().verdicts.insert(signal, Status::Fail);
}

fn says(host: &Host, status: Status) {
    host.ninjaone
        .script()
        .verdicts
        .insert(SignalKind::PatchSla, status);
}

async fn outbox(host: &Host) -> Vec<OutboxRow> {
    host.integration
        .views()
        .outbox(host.msp, 1_000)
        .await
        .unwrap()
}

async fn actions(host: &Host) -> Vec<&'static str> {
    outbox(host)
        .await
        .iter()
        .map(|row| row.action.as_str())
        .collect()
}

async fn states(host: &Host) -> Vec<TicketState> {
    host.integration
        .views()
        .tickets(host.msp, None)
        .await
        .unwrap()
        .iter()
        .map(|ticket| ticket.state)
        .collect()
}

/// One promoted customer whose dry run is over and whose patches fail: one open ticket.
async fn one_open_ticket(host: &Host) {
    host.promoted(&[(1, "Alpha")]).await;
    host.sweep_one().await;
    fails(host, SignalKind::PatchSla);
    assert_eq!(host.sweep_one().await.opened, 1);
}

async fn no_ticket_is_opened_in_the_dry_run(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    fails(&host, SignalKind::PatchSla);
    let first = host.sweep_one().await;
    assert!(first.dry_run);
    assert!(states(&host).await.is_empty() && outbox(&host).await.is_empty());
    assert_eq!(host.sweep_one().await.opened, 1, "it opens in the second");
}

async fn a_fail_opens_one_ticket(host: Host) {
    one_open_ticket(&host).await;
    let tickets = host
        .integration
        .views()
        .tickets(host.msp, None)
        .await
        .unwrap();
    assert_eq!(tickets.len(), 1);
    assert_eq!(
        (tickets[0].key.mapping, tickets[0].key.signal),
        (host.mapping_id(1), SignalKind::PatchSla)
    );
    assert_eq!(
        Some(tickets[0].company),
        host.mapping(1).await.state.company()
    );
    let rows = outbox(&host).await;
    assert_eq!(rows.len(), 1);
    let OutboxAction::Open { key, signal, .. } = &rows[0].action else {
        panic!("{:?}", rows[0].action)
    };
    assert_eq!((*key, signal.status), (tickets[0].key, Status::Fail));
}

async fn while_it_persists_it_is_updated_and_not_duplicated(host: Host) {
    one_open_ticket(&host).await;
    let before = host
        .integration
        .views()
        .tickets(host.msp, None)
        .await
        .unwrap();
    host.sweep_one().await;
    let after = host
        .integration
        .views()
        .tickets(host.msp, None)
        .await
        .unwrap();
    assert_eq!(after.len(), 1);
    assert!(after[0].last_failed_at > before[0].last_failed_at);
    assert_eq!(
        actions(&host).await,
        ["open"],
        "the same numbers need no second word"
    );
    says(&host, Status::Warning);
    host.sweep_one().await;
    assert_eq!(actions(&host).await, ["open", "update"]);
    assert_eq!(states(&host).await, [TicketState::Open]);
}

async fn two_complete_passing_sweeps_close_it(host: Host) {
    one_open_ticket(&host).await;
    says(&host, Status::Pass);
    host.sweep_one().await;
    assert_eq!(states(&host).await, [TicketState::Open]);
    assert_eq!(host.sweep_one().await.closed, 1);
    assert_eq!(states(&host).await, [TicketState::Closed]);
    assert_eq!(actions(&host).await, ["open", "close"]);
    host.sweep_one().await;
    assert_eq!(actions(&host).await, ["open", "close"]);
}

async fn a_warning_in_between_begins_the_passes_anew(host: Host) {
    one_open_ticket(&host).await;
    for (status, state) in [
        (Status::Pass, TicketState::Open),
        (Status::Warning, TicketState::Open),
        (Status::Pass, TicketState::Open),
        (Status::Fail, TicketState::Open),
        (Status::Pass, TicketState::Open),
        (Status::Pass, TicketState::Closed),
    ] {
        says(&host, status);
        host.sweep_one().await;
        assert_eq!(states(&host).await, [state]);
    }
}

async fn unknown_partial_and_expired_data_never_close_it(host: Host) {
    one_open_ticket(&host).await;
    for _ in 0..3 {
        says(&host, Status::Unknown);
        host.sweep_one().await;
        says(&host, Status::NotApplicable);
        host.sweep_one().await;
        host.ninjaone.script().incomplete = true;
        says(&host, Status::Pass);
        host.sweep_one().await;
        host.ninjaone.script().incomplete = false;
    }
    host.clock.advance(Duration::days(30));
    assert_eq!(states(&host).await, [TicketState::Open]);
    assert_eq!(actions(&host).await, ["open"]);
}

async fn a_pass_that_has_expired_does_not_count(host: Host) {
    const SWEPT_EVERY: Duration = Duration::hours(6);
    one_open_ticket(&host).await;
    says(&host, Status::Pass);
    host.sweep_one().await;
    says(&host, Status::Unknown);
    let mut since = SWEPT_EVERY;
    while since < SIGNAL_LIFETIME {
        host.sweep_one().await;
        since += SWEPT_EVERY;
    }
    says(&host, Status::Pass);
    host.sweep_one().await;
    assert_eq!(
        states(&host).await,
        [TicketState::Open],
        "at its expiry the first pass is none any more"
    );
    host.clock
        .advance(SIGNAL_LIFETIME - SWEPT_EVERY - Duration::seconds(1));
    assert_eq!(host.sweep_one().await.closed, 1, "the second is one still");
}

async fn what_fails_again_after_it_was_closed_is_a_new_ticket(host: Host) {
    one_open_ticket(&host).await;
    says(&host, Status::Pass);
    host.sweep_one().await;
    host.sweep_one().await;
    says(&host, Status::Fail);
    assert_eq!(host.sweep_one().await.opened, 1);
    assert_eq!(
        states(&host).await,
        [TicketState::Open, TicketState::Closed]
    );
}

async fn the_outbox_is_drained_in_order_and_acknowledged_once(host: Host) {
    one_open_ticket(&host).await;
    says(&host, Status::Warning);
    host.sweep_one().await;
    let rows = outbox(&host).await;
    assert!(
        host.integration
            .delivered(host.msp, rows[0].id, Some("T-17".into()))
            .await
            .unwrap()
    );
    assert!(
        !host
            .integration
            .delivered(host.msp, rows[0].id, Some("T-18".into()))
            .await
            .unwrap()
    );
    assert_eq!(outbox(&host).await, rows[1..]);
    let tickets = host
        .integration
        .views()
        .tickets(host.msp, None)
        .await
        .unwrap();
    assert_eq!(tickets[0].reference, Some("T-17".into()));
    says(&host, Status::Pass);
    host.sweep_one().await;
    host.sweep_one().await;
    let closed = host
        .integration
        .views()
        .tickets(host.msp, None)
        .await
        .unwrap();
    assert_eq!(
        (closed[0].state, closed[0].reference.clone()),
        (TicketState::Closed, Some("T-17".into()))
    );
}

async fn a_row_that_was_sent_and_not_acknowledged_is_given_again_with_the_same_key(host: Host) {
    one_open_ticket(&host).await;
    let rows = outbox(&host).await;
    host.clock.advance(Duration::hours(1));
    assert_eq!(outbox(&host).await, rows);
}

/// So many promoted customers, every dry run over, and every signal failing from now on.
async fn all_fail(host: &Host, customers: i64) {
    let names: Vec<_> = (1..=customers)
        .map(|id| (id, format!("Company {id}")))
        .collect();
    let names: Vec<_> = names
        .iter()
        .map(|(id, name)| (*id, name.as_str()))
        .collect();
    host.promoted(&names).await;
    host.sweep_all().await;
    for signal in SignalKind::ALL {
        fails(host, signal);
    }
}

fn committed(outcomes: Vec<SweepOutcome>) -> Vec<SweepReport> {
    let report = |outcome| match outcome {
        SweepOutcome::Committed(report) => report,
        other => panic!("not committed: {other:?}"),
    };
    outcomes.into_iter().map(report).collect()
}

async fn opening_is_capped_per_msp_and_tick_with_the_rest_in_one_digest(host: Host) {
    all_fail(&host, 6).await;
    let tick = host.tick();
    let opened: usize = committed(host.sweep_all().await)
        .iter()
        .map(|report| report.opened)
        .sum();
    assert_eq!(opened, 20, "of 30 failing signals");
    let rows = outbox(&host).await;
    assert_eq!(
        rows.iter()
            .filter(|row| row.action.as_str() == "open")
            .count(),
        20
    );
    let digests: Vec<_> = rows
        .iter()
        .filter(|row| row.action.as_str() == "digest")
        .collect();
    assert_eq!(digests.len(), 1);
    let OutboxAction::Digest { entries } = &digests[0].action else {
        panic!()
    };
    assert_eq!(entries.values().map(Vec::len).sum::<usize>(), 10);
    assert_eq!(
        digests[0].due_at,
        tick + Duration::hours(6),
        "complete when the tick is over"
    );
}

async fn customers_swept_in_parallel_keep_one_cap(host: Host) {
    all_fail(&host, 8).await;
    let integration = host.with_policy(HostPolicy::default().tickets_per_tick(7));
    let swept = integration
        .sweep_now(
            host.msp,
            SweepNow {
                scheduled_at: host.tick(),
                parallel: 8,
                actor: operator(),
            },
        )
        .await
        .unwrap();
    let reports = committed(
        swept
            .into_iter()
            .map(|(_, outcome)| outcome.unwrap())
            .collect(),
    );
    assert_eq!(reports.iter().map(|report| report.opened).sum::<usize>(), 7);
    host.clock.advance(Duration::hours(6));
    let rows = outbox(&host).await;
    let entries: usize = rows
        .iter()
        .filter_map(|row| match &row.action {
            OutboxAction::Digest { entries } => Some(entries.values().map(Vec::len).sum::<usize>()),
            _ => None,
        })
        .sum();
    assert_eq!(
        entries,
        40 - 7,
        "every failing signal is in a ticket or in the digest, none in both"
    );
}

async fn a_digest_that_is_due_takes_nothing_more(host: Host) {
    all_fail(&host, 3).await;
    let integration = host.with_policy(HostPolicy::default().tickets_per_tick(5));
    let events = host.sweep_events().await;
    for event in &events[..2] {
        integration.sweep(event).await.unwrap();
    }
    let digest_of = |rows: &[OutboxRow]| -> Vec<OutboxRow> {
        let digests = rows.iter().filter(|row| row.action.as_str() == "digest");
        digests.cloned().collect()
    };
    host.clock.advance(Duration::hours(6));
    let read = digest_of(&outbox(&host).await);
    assert_eq!(read.len(), 1);
    // The bridge has read it. A sweep that started late commits now, and then the bridge acknowledges.
    integration.sweep(&events[2]).await.unwrap();
    let before = digest_of(&outbox(&host).await);
    assert_eq!(
        before, read,
        "it is as it was read, and the late one is not due"
    );
    host.clock.advance(Duration::minutes(11));
    let rows = digest_of(&outbox(&host).await);
    let entries = |row: &OutboxRow| match &row.action {
        OutboxAction::Digest { entries } => entries.values().map(Vec::len).sum::<usize>(),
        _ => 0,
    };
    let told: Vec<_> = rows.iter().map(entries).collect();
    assert_eq!(told, [5, 5], "in a digest of its own");
}

async fn sweeping_by_hand_twice_in_a_tick_is_one_sweep(host: Host) {
    all_fail(&host, 1).await;
    let now = host.tick() + Duration::minutes(3);
    let by_hand = async |at| {
        let swept = host.integration.sweep_now(
            host.msp,
            SweepNow {
                scheduled_at: at,
                parallel: 1,
                actor: operator(),
            },
        );
        let mut swept = swept.await.unwrap();
        swept.remove(0).1.unwrap()
    };
    assert!(matches!(by_hand(now).await, SweepOutcome::Committed(_)));
    let again = by_hand(now + Duration::minutes(1)).await;
    assert_eq!(again, SweepOutcome::AlreadyCommitted);
}

async fn what_was_in_the_digest_competes_again_in_the_next_tick(host: Host) {
    all_fail(&host, 6).await;
    host.sweep_all().await;
    let second: usize = committed(host.sweep_all().await)
        .iter()
        .map(|report| report.opened)
        .sum();
    assert_eq!(second, 10);
    assert_eq!(states(&host).await.len(), 30);
    let rows = outbox(&host).await;
    assert_eq!(
        rows.iter()
            .filter(|row| row.action.as_str() == "digest")
            .count(),
        1,
        "no digest in the second tick"
    );
}

async fn warnings_open_nothing(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    host.sweep_one().await;
    says(&host, Status::Warning);
    host.sweep_one().await;
    assert!(states(&host).await.is_empty() && outbox(&host).await.is_empty());
    let plan = host
        .integration
        .plan_all(PlanKind::EvidenceSweep, host.tick())
        .await
        .unwrap();
    assert!(matches!(&plan[0], Event::EvidenceSweep(event) if event.region == us()));
}
