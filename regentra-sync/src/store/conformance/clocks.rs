//! Laws about clocks that are wrong: a clock that ran ahead once decides nothing afterwards, nor does one that ran behind, and
//! processes whose clocks differ share one store.

use regentra_evidence::{SignalKind, Status};
use time::{Duration, OffsetDateTime};

use super::{
    evidence::commit_one,
    world::{World, at, committed},
};
use crate::{
    host::ManualClock,
    model::{
        CLOCK_TOLERANCE, Fingerprint, LeaseKey, NINJAONE_WINDOWS, OutboxAction, OutboxId,
        OutboxRow, Spend, TimeFault, WorkerId, verify_times,
    },
    store::{Store, StoreErrorKind, StoredSignal},
};

const DAY: i64 = 24 * 60;

/// A sweep of the world at this time is refused as a clock's fault, and writes nothing.
async fn refused(world: &World<'_>, label: &str, time: OffsetDateTime) {
    let mut commit = world.sweeping(label, 0).await;
    for stored in &mut commit.signals {
        stored.signal.collected_at = time;
    }
    commit.audit.at = time;
    let before = world.snapshot().await;
    let outcome = world
        .store
        .commit_sweep(world.msp, world.customer, commit)
        .await;
    assert_eq!(outcome.unwrap_err().kind(), StoreErrorKind::Clock, "{time}");
    assert_eq!(world.snapshot().await, before, "{time}");
    assert!(!world.sweep_state(label).await.seen, "{time}");
}

async fn current(world: &World<'_>, minutes: i64) -> Vec<StoredSignal> {
    let current = world.store.current_signals(world.customer, at(minutes));
    current.await.unwrap()
}

pub async fn a_commit_ahead_of_the_stores_clock_is_refused(store: &dyn Store, clock: &ManualClock) {
    let world = World::new(store, 1).await;
    clock.set(at(0));
    let just_ahead = at(5) + Duration::microseconds(1);
    for time in [just_ahead, at(20 * DAY), at(365 * DAY)] {
        refused(&world, "ahead", time).await;
    }
    // One of its five signals is enough, and so is the audit row.
    let fresh = world.sweeping("mixed", 0).await;
    let (mut signal, mut audit) = (fresh.clone(), fresh.clone());
    signal.signals[3].signal.collected_at = just_ahead;
    audit.audit.at = just_ahead;
    for commit in [signal, audit] {
        let outcome = store.commit_sweep(world.msp, world.customer, commit).await;
        assert_eq!(outcome.unwrap_err().kind(), StoreErrorKind::Clock);
    }
    assert_eq!(CLOCK_TOLERANCE, Duration::minutes(5));
    world.sweep("within the tolerance", 5).await;
    assert_eq!(current(&world, 5).await.len(), 5);
}

pub async fn a_commit_behind_the_last_record_is_refused(store: &dyn Store, clock: &ManualClock) {
    let world = World::new(store, 1).await;
    clock.set(at(60));
    world.sweep("first", 60).await;
    for time in [at(60) - Duration::microseconds(1), at(-3 * DAY)] {
        refused(&world, "behind", time).await;
    }
    world.sweep("at the same time", 60).await;
    let kind = SignalKind::PatchSla;
    let chain = store.evidence_chain(world.customer, world.mapping.id, kind, 0, 9);
    assert_eq!(verify_times(&chain.await.unwrap()), []);
}

pub async fn a_clock_that_ran_ahead(store: &dyn Store, clock: &ManualClock) {
    let world = World::new(store, 1).await;
    let (tenant, ahead) = (Fingerprint::from_hex("tenant"), at(20 * DAY));
    // Everything of a machine twenty days ahead, its store's clock included: it is as all were before stores refused such times.
    clock.set(ahead);
    let passed = commit_one(&world, "ahead", 20 * DAY, Status::Pass).await;
    let worker = WorkerId::from_uuid(uuid::Uuid::from_u128(7));
    let key = LeaseKey::Discovery(world.credential.id);
    let length = Duration::minutes(5);
    let taken = store.take_lease(world.msp, key, worker, length).await;
    assert!(taken.unwrap().is_some());
    for _ in 0..200 {
        let spent = store.spend(&tenant, &NINJAONE_WINDOWS).await.unwrap();
        assert_eq!(spent, Spend::Granted);
    }

    clock.set(at(0));
    assert_eq!(current(&world, 0).await, [], "it is no verdict of today");
    let signals_ahead = store.signals_ahead(world.customer).await.unwrap();
    assert_eq!(signals_ahead, vec![passed.clone()], "and is shown");
    let kind = passed.signal.kind();
    let collected = world.sweep_state("state").await.collected;
    assert_eq!(collected.get(&kind), None, "it keeps nothing out");

    // Normal work clears it.
    let failed = commit_one(&world, "right", 0, Status::Fail).await;
    assert_eq!(current(&world, 0).await, vec![failed.clone()]);
    assert_eq!(store.signals_ahead(world.customer).await.unwrap(), []);
    let collected = world.sweep_state("state").await.collected;
    assert_eq!(collected.get(&kind), Some(&at(0)));
    let history = store.signal_history(world.customer, world.mapping.id, kind, 9);
    assert_eq!(history.await.unwrap(), [failed.clone(), passed]);
    let other = WorkerId::from_uuid(uuid::Uuid::from_u128(8));
    let taken = store.take_lease(world.msp, key, other, length).await;
    assert!(taken.unwrap().is_some(), "its worker died ahead");
    let spent = store.spend(&tenant, &NINJAONE_WINDOWS).await.unwrap();
    let retry_after = Duration::minutes(1);
    assert_eq!(spent, Spend::Exhausted { retry_after }, "not twenty days");

    // When the time of the wrong pass really comes, it is still not the last of its chain.
    clock.set(at(20 * DAY));
    assert_eq!(current(&world, 0).await, [failed]);
    assert_eq!(
        current(&world, 20 * DAY).await,
        [],
        "which is expired by then"
    );
    // The chain says what happened.
    let chain = store.evidence_chain(world.customer, world.mapping.id, kind, 0, 9);
    let named = verify_times(&chain.await.unwrap());
    let backwards = TimeFault::CollectedBackwards { sequence: 2 };
    assert!(named.contains(&backwards), "{named:?}");
}

pub async fn a_clock_that_ran_behind(store: &dyn Store, clock: &ManualClock) {
    let world = World::new(store, 1).await;
    clock.set(at(0));
    let first = commit_one(&world, "first", 0, Status::Fail).await;
    // A process three days behind, by a store whose clock is right.
    refused(&world, "behind", at(-3 * DAY)).await;
    // A store whose clock is behind, too: the last sweep lies ahead of it then, so that it cannot be told from one by a clock that
    // ran ahead. The sweep is committed, and shows in the chain.
    clock.set(at(-3 * DAY));
    assert_eq!(current(&world, -3 * DAY).await, []);
    let behind = commit_one(&world, "all behind", -3 * DAY, Status::Pass).await;
    assert_eq!(current(&world, -3 * DAY).await, vec![behind.clone()]);
    clock.set(at(60));
    assert_eq!(current(&world, 60).await, [behind], "the last committed");
    let right = commit_one(&world, "right", 60, Status::Fail).await;
    assert_eq!(current(&world, 60).await, [right]);
    let kind = first.signal.kind();
    let chain = store.evidence_chain(world.customer, world.mapping.id, kind, 0, 9);
    assert_eq!(
        verify_times(&chain.await.unwrap()),
        [
            TimeFault::CollectedBackwards { sequence: 2 },
            TimeFault::CommittedBackwards { sequence: 2 },
        ]
    );
    // Leases and requests that were stamped behind are over when the clock is right.
    let (tenant, worker) = (
        Fingerprint::from_hex("tenant"),
        WorkerId::from_uuid(uuid::Uuid::from_u128(7)),
    );
    let key = LeaseKey::Discovery(world.credential.id);
    let length = Duration::minutes(5);
    clock.set(at(-3 * DAY));
    let taken = store.take_lease(world.msp, key, worker, length).await;
    assert!(taken.unwrap().is_some());
    let spent = store.spend(&tenant, &NINJAONE_WINDOWS).await.unwrap();
    assert_eq!(spent, Spend::Granted);
    clock.set(at(60));
    let other = WorkerId::from_uuid(uuid::Uuid::from_u128(8));
    let taken = store.take_lease(world.msp, key, other, length).await;
    assert!(taken.unwrap().is_some());
    assert_eq!(store.budget_usage(&tenant).await.unwrap().last_hour, 0);
}

pub async fn two_processes_ten_minutes_apart(store: &dyn Store, clock: &ManualClock) {
    let world = World::new(store, 1).await;
    let (tenant, length) = (Fingerprint::from_hex("tenant"), Duration::minutes(5));
    let key = LeaseKey::Discovery(world.credential.id);
    let worker = |n| WorkerId::from_uuid(uuid::Uuid::from_u128(n));
    clock.set(at(60));
    // Neither takes the other's lease, whatever its own clock says: the store's counts.
    let first = store.take_lease(world.msp, key, worker(1), length).await;
    let first = first.unwrap().unwrap();
    clock.set(at(64));
    let second = store.take_lease(world.msp, key, worker(2), length).await;
    assert_eq!(second.unwrap(), None);
    let renewed = store.renew_lease(world.msp, &first, length).await.unwrap();
    assert_eq!(renewed.map(|lease| lease.expires_at), Some(at(69)));
    // Together they spend one budget.
    for _ in 0..200 {
        let spent = store.spend(&tenant, &NINJAONE_WINDOWS).await.unwrap();
        assert_eq!(spent, Spend::Granted);
    }
    let spent = store.spend(&tenant, &NINJAONE_WINDOWS).await.unwrap();
    assert!(matches!(spent, Spend::Exhausted { .. }));
    // The one that is right, or behind, sweeps; the one that is ten minutes ahead is refused until its clock is set.
    refused(&world, "ten minutes ahead", at(74)).await;
    let behind = commit_one(&world, "ten minutes behind", 54, Status::Pass).await;
    assert_eq!(current(&world, 54).await, [behind]);
    let right = commit_one(&world, "right", 64, Status::Fail).await;
    refused(&world, "behind again", at(58)).await;
    // Both see the same.
    for minutes in [54, 64, 74] {
        assert_eq!(current(&world, minutes).await, vec![right.clone()]);
    }
}

pub async fn an_outbox_row_that_was_written_ahead_is_due(store: &dyn Store, clock: &ManualClock) {
    let world = World::new(store, 1).await;
    let row = |label: &str, minutes: i64| {
        let ticket = world.ticket(label, SignalKind::PatchSla);
        OutboxRow {
            id: OutboxId::of(world.event(label), ticket.id),
            ticket: Some(ticket.id),
            action: OutboxAction::Note {
                key: ticket.key,
                reason: crate::model::NoteReason::Unmapped,
            },
            created_at: at(minutes),
            due_at: at(minutes + 60),
            delivered_at: None,
        }
    };
    let (ahead, later) = (row("ahead", 20 * DAY), row("later", 0));
    clock.set(at(0));
    let mut commit = world.sweeping("sweep", 0).await;
    commit.outbox = vec![ahead.clone(), later.clone()];
    committed(
        store
            .commit_sweep(world.msp, world.customer, commit)
            .await
            .unwrap(),
    );
    let due = |minutes| store.outbox(world.msp, at(minutes), 9);
    assert_eq!(
        due(0).await.unwrap(),
        vec![ahead.clone()],
        "not in twenty days"
    );
    assert_eq!(due(60).await.unwrap(), [ahead, later]);
}
