//! Laws of [`Evidence`](crate::store::Evidence).

use futures_util::future::join;
use regentra_evidence::{SIGNAL_LIFETIME, SignalKind, Status, verify_chain};
use time::Duration;

use super::world::{World, at, committed, digest_of, signal};
use crate::{
    host::{Clock as _, ManualClock},
    model::{
        ComplianceOrgId, DeviceDigest, EvidenceHead, EvidenceRow, OutboxAction, OutboxId,
        OutboxRow, SignatureChanges, SignatureRecord, SignatureRecords, SignatureState, TicketTick,
        Version, WorkerId, chain_start,
    },
    store::{
        AuditPage, CommitOutcome, Precondition, Store, StoreErrorKind, StoredSignal, SweepCommit,
        TicketWrite,
    },
};

/// A sweep that writes something everywhere.
async fn full(world: &World<'_>, label: &str, minutes: i64) -> SweepCommit {
    let mut commit = world.sweeping(label, minutes).await;
    let ticket = world.ticket(label, SignalKind::PatchSla);
    commit.outbox = vec![OutboxRow {
        id: OutboxId::of(commit.event, ticket.id),
        ticket: Some(ticket.id),
        action: OutboxAction::Open {
            key: ticket.key,
            company: ticket.company,
            signal: Box::new(signal(SignalKind::PatchSla, Status::Fail, at(minutes))),
        },
        created_at: at(minutes),
        due_at: at(minutes),
        delivered_at: None,
    }];
    commit.tickets = vec![TicketWrite {
        ticket,
        expected: None,
    }];
    commit.tick = Some(TicketTick {
        opened: 1,
        ..TicketTick::new(at(0))
    });
    commit
}

pub async fn a_sweep_commits_everything_together(store: &dyn Store, clock: &ManualClock) {
    let mut world = World::new(store, 1).await;
    let commit = full(&world, "sweep", 3).await;
    assert!(!world.sweep_state("sweep").await.seen);
    committed(
        store
            .commit_sweep(world.msp, world.customer, commit.clone())
            .await
            .unwrap(),
    );

    assert_eq!(
        store.current_signals(world.customer, at(4)).await.unwrap(),
        commit.signals
    );
    for row in &commit.evidence {
        let chain = store
            .evidence_chain(world.customer, world.mapping.id, row.signal, 0, 9)
            .await
            .unwrap();
        let committed_at = Some(clock.now());
        let row = EvidenceRow {
            committed_at,
            ..row.clone()
        };
        assert_eq!(chain, vec![row], "with the time of the store's clock");
    }
    let trail = store
        .customer_audit(world.customer, AuditPage::newest(9))
        .await
        .unwrap();
    assert_eq!(trail, vec![commit.audit.clone()]);
    let head = |row: &EvidenceRow| EvidenceHead {
        customer: world.customer,
        mapping: row.mapping,
        signal: row.signal,
        length: row.link.sequence,
        hash: row.link.hash,
        tick: commit.scheduled_at,
        root: None,
    };
    let mut heads: Vec<_> = commit.evidence.iter().map(head).collect();
    heads.sort();
    assert_eq!(world.loose_heads().await, heads);
    world.reload_mapping().await;
    assert_eq!(world.mapping.first_evidence_synced_at, Some(at(3)));
    let state = world.sweep_state("sweep").await;
    assert!(state.seen);
    assert_eq!(
        state.heads,
        commit
            .evidence
            .iter()
            .map(|row| (row.signal, row.link.head()))
            .collect()
    );
    assert_eq!(state.signature_history, commit.signatures.changed);
    assert_eq!(
        state.open_tickets.into_values().collect::<Vec<_>>(),
        vec![commit.tickets[0].ticket.clone()]
    );
    assert_eq!(
        state.tick,
        Some(TicketTick {
            version: Version::FIRST,
            ..commit.tick.clone().unwrap()
        })
    );
    assert_eq!(
        store.outbox(world.msp, at(3), 9).await.unwrap(),
        commit.outbox
    );
    assert_eq!(
        store
            .tickets(world.msp, Some(world.customer))
            .await
            .unwrap(),
        vec![commit.tickets[0].ticket.clone()]
    );
}

pub async fn a_sweep_delivered_twice_writes_once(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let commit = full(&world, "sweep", 3).await;
    committed(
        store
            .commit_sweep(world.msp, world.customer, commit.clone())
            .await
            .unwrap(),
    );
    world.disconnect(4).await;
    let before = world.snapshot().await;
    // The stale guards do not matter: the event was seen.
    let outcome = store
        .commit_sweep(world.msp, world.customer, commit)
        .await
        .unwrap();
    assert_eq!(outcome, CommitOutcome::AlreadyCommitted);
    assert_eq!(world.snapshot().await, before);
}

pub async fn a_sweep_whose_guard_fails_writes_nothing(store: &dyn Store) {
    let world = World::new(store, 1).await;
    world.sweep("before", 2).await;
    let fresh = full(&world, "sweep", 3).await;
    let mut cases = Vec::new();
    let mut stale = fresh.clone();
    stale.credential.generation = world.credential.generation.next();
    cases.push((stale, Precondition::Credential));
    let mut stale = fresh.clone();
    stale.settings.version = Version::FIRST.next();
    cases.push((stale, Precondition::Settings));
    let mut stale = fresh.clone();
    stale.mapping.version = world.mapping.version.next();
    cases.push((stale, Precondition::Mapping));
    let mut stale = fresh.clone();
    stale.lease.fence = world.lease.fence.next();
    cases.push((stale, Precondition::Lease));
    let mut stale = fresh.clone();
    stale.lease.worker = WorkerId::from_uuid(uuid::Uuid::from_u128(9));
    cases.push((stale, Precondition::Lease));
    let mut stale = fresh.clone();
    stale.evidence[4].link.previous = chain_start(
        world.customer,
        world.mapping.id,
        SignalKind::DeviceInventory,
    )
    .hash;
    cases.push((stale, Precondition::EvidenceChain));
    let mut stale = fresh.clone();
    stale.evidence[0].link.sequence += 1;
    cases.push((stale, Precondition::EvidenceChain));
    let mut stale = fresh.clone();
    stale.tickets[0].expected = Some(Version::FIRST);
    cases.push((stale, Precondition::Ticket));
    let mut stale = fresh.clone();
    stale.tick.as_mut().unwrap().version = Version::FIRST;
    cases.push((stale, Precondition::TicketTick));
    let before = world.snapshot().await;
    for (commit, guard) in cases {
        let outcome = store
            .commit_sweep(world.msp, world.customer, commit)
            .await
            .unwrap();
        assert_eq!(outcome, CommitOutcome::Superseded(guard));
        assert_eq!(world.snapshot().await, before, "{guard:?}");
    }
    committed(
        store
            .commit_sweep(world.msp, world.customer, fresh)
            .await
            .unwrap(),
    );
}

pub async fn a_sweep_for_a_customer_the_company_is_not_writes_nothing(store: &dyn Store) {
    let (one, two) = (World::new(store, 1).await, World::new(store, 2).await);
    let before = (one.snapshot().await, two.snapshot().await);
    let superseded = CommitOutcome::Superseded(Precondition::Mapping);
    let commit = one.sweeping("sweep", 3).await;
    assert_eq!(
        store
            .commit_sweep(one.msp, two.customer, commit.clone())
            .await
            .unwrap(),
        superseded
    );
    let outcome = store
        .commit_sweep(two.msp, one.customer, commit)
        .await
        .unwrap();
    assert!(
        matches!(outcome, CommitOutcome::Superseded(_)),
        "another MSP holds neither the credential nor the mapping"
    );
    assert_eq!((one.snapshot().await, two.snapshot().await), before);
}

pub async fn a_sweep_with_rows_of_another_customer_or_mapping_is_refused(store: &dyn Store) {
    let (one, two) = (World::new(store, 1).await, World::new(store, 2).await);
    let before = (one.snapshot().await, two.snapshot().await);
    let (ours, theirs) = (full(&one, "ours", 3).await, full(&two, "theirs", 3).await);
    let mut mixed = vec![ours.clone(); 7];
    mixed[0].signals[4] = theirs.signals[4].clone();
    mixed[1].evidence[0] = theirs.evidence[0].clone();
    mixed[2].tickets = theirs.tickets;
    mixed[3].outbox = theirs.outbox;
    mixed[4].tickets[0].ticket.key.compliance_org = two.customer;
    mixed[5].tickets[0].ticket.key.mapping = two.mapping.id;
    mixed[6].settings.credential = two.credential.id;
    for commit in mixed {
        let refused = store.commit_sweep(one.msp, one.customer, commit).await;
        assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::Other);
    }
    assert_eq!((one.snapshot().await, two.snapshot().await), before);
    committed(
        store
            .commit_sweep(one.msp, one.customer, ours)
            .await
            .unwrap(),
    );
}

pub(super) async fn commit_one(
    world: &World<'_>,
    label: &str,
    minutes: i64,
    status: Status,
) -> StoredSignal {
    let mut commit = world.sweeping(label, minutes).await;
    commit.signals.truncate(1);
    commit.evidence.truncate(1);
    commit.signals[0].signal.status = status;
    let stored = commit.signals[0].clone();
    committed(
        world
            .store
            .commit_sweep(world.msp, world.customer, commit)
            .await
            .unwrap(),
    );
    stored
}

pub async fn signals_are_appended_and_the_last_is_current_while_unexpired(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let first = commit_one(&world, "first", 0, Status::Fail).await;
    let second = commit_one(&world, "second", 60, Status::Pass).await;
    let kind = first.signal.kind();
    let history = store
        .signal_history(world.customer, world.mapping.id, kind, 9)
        .await
        .unwrap();
    assert_eq!(history, vec![second.clone(), first]);
    assert_eq!(
        store.current_signals(world.customer, at(61)).await.unwrap(),
        vec![second.clone()]
    );
    let expiry = second.signal.expires_at;
    let just_before = expiry - Duration::microseconds(1);
    assert_eq!(
        store
            .current_signals(world.customer, just_before)
            .await
            .unwrap(),
        vec![second]
    );
    assert_eq!(
        store.current_signals(world.customer, expiry).await.unwrap(),
        Vec::new()
    );
    assert_eq!(expiry, at(60) + SIGNAL_LIFETIME);
}

pub async fn of_signals_collected_at_one_time_the_last_committed_is_current(store: &dyn Store) {
    let world = World::new(store, 1).await;
    for n in 0..4 {
        let stored = commit_one(&world, &format!("sweep {n}"), 3, Status::Warning).await;
        assert_eq!(
            store.current_signals(world.customer, at(4)).await.unwrap(),
            vec![stored.clone()]
        );
        let history = store
            .signal_history(world.customer, world.mapping.id, stored.signal.kind(), 1)
            .await
            .unwrap();
        assert_eq!(history, vec![stored]);
    }
}

pub async fn the_signal_history_is_newest_first(store: &dyn Store) {
    let world = World::new(store, 1).await;
    for n in 0..5 {
        world.sweep(&format!("sweep {n}"), n).await;
    }
    let kind = SignalKind::BackupActivity;
    let history = store
        .signal_history(world.customer, world.mapping.id, kind, 3)
        .await
        .unwrap();
    let times: Vec<_> = history
        .iter()
        .map(|stored| stored.signal.collected_at)
        .collect();
    assert_eq!(times, [at(4), at(3), at(2)]);
    assert!(history.iter().all(|stored| stored.signal.kind() == kind));
    let rows = store
        .evidence_chain(world.customer, world.mapping.id, kind, 0, 9)
        .await
        .unwrap();
    let head = world.sweep_state("state").await.heads[&kind];
    let start = chain_start(world.customer, world.mapping.id, kind);
    assert_eq!(
        verify_chain(start, rows.iter().map(|row| &row.link), &[head]),
        Ok(head)
    );
    let part = store
        .evidence_chain(world.customer, world.mapping.id, kind, 2, 2)
        .await
        .unwrap();
    assert_eq!(part, rows[2..4]);
}

pub async fn of_two_sweeps_from_one_chain_head_one_commits(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let (a, b) = (world.sweeping("a", 3).await, world.sweeping("b", 3).await);
    let (a, b) = join(
        store.commit_sweep(world.msp, world.customer, a),
        store.commit_sweep(world.msp, world.customer, b),
    )
    .await;
    let outcomes = [a.unwrap(), b.unwrap()];
    assert!(outcomes.contains(&CommitOutcome::Committed), "{outcomes:?}");
    assert!(
        outcomes.contains(&CommitOutcome::Superseded(Precondition::EvidenceChain)),
        "{outcomes:?}"
    );
}

pub async fn the_first_evidence_time_is_stamped_once(store: &dyn Store) {
    let mut world = World::new(store, 1).await;
    let mut unanswered = world.sweeping("unanswered", 2).await;
    unanswered.first_evidence_synced_at = None;
    committed(
        store
            .commit_sweep(world.msp, world.customer, unanswered)
            .await
            .unwrap(),
    );
    world.reload_mapping().await;
    assert_eq!(world.mapping.first_evidence_synced_at, None);
    let version = world.mapping.version;
    for minutes in [3, 4] {
        world.sweep(&format!("sweep {minutes}"), minutes).await;
        world.reload_mapping().await;
        assert_eq!(world.mapping.first_evidence_synced_at, Some(at(3)));
    }
    assert_eq!(
        world.mapping.version, version,
        "a sweep decides nothing about the mapping"
    );
}

pub async fn the_signature_history_keeps_states_and_forgets_devices(store: &dyn Store) {
    use SignatureState::{OutOfDate, OutOfDateAtFirst, UpToDate};

    let world = World::new(store, 1).await;
    let device = |name: &str| DeviceDigest::from_bytes(digest_of(name));
    let sweep = |label: &'static str, changes: SignatureChanges| {
        let world = &world;
        async move {
            let mut commit = world.sweeping(label, 3).await;
            commit.signatures = changes;
            committed(
                store
                    .commit_sweep(world.msp, world.customer, commit)
                    .await
                    .unwrap(),
            );
            world.sweep_state("state").await.signature_history
        }
    };
    let seen = |rows: &[(&str, SignatureState, i64)]| -> SignatureRecords {
        let row = |(name, state, minutes): &(&str, SignatureState, i64)| {
            let (state, since) = (*state, at(*minutes));
            (device(name), SignatureRecord { state, since })
        };
        rows.iter().map(row).collect()
    };
    let first = [
        ("a", OutOfDateAtFirst, 1),
        ("b", UpToDate, 1),
        ("c", OutOfDate, 1),
    ];
    let changes = SignatureChanges {
        changed: seen(&first),
        forgotten: vec![],
    };
    assert_eq!(sweep("one", changes).await, seen(&first));
    // A record takes the place of the one before; what is not in the commit stays.
    let changes = SignatureChanges {
        changed: seen(&[("b", OutOfDate, 2), ("d", UpToDate, 2)]),
        forgotten: vec![device("a"), device("x")],
    };
    let after = [("b", OutOfDate, 2), ("c", OutOfDate, 1), ("d", UpToDate, 2)];
    assert_eq!(sweep("two", changes).await, seen(&after));
}

pub async fn customers_do_not_read_each_other(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let second = ComplianceOrgId::from_uuid(uuid::Uuid::from_u128(77));
    let mapping = world.another_customer(8, second).await;
    let commit = full(&world, "sweep", 3).await;
    committed(
        store
            .commit_sweep(world.msp, world.customer, commit)
            .await
            .unwrap(),
    );
    assert_eq!(
        store.current_signals(second, at(4)).await.unwrap(),
        Vec::new()
    );
    assert_eq!(
        store
            .customer_audit(second, AuditPage::newest(9))
            .await
            .unwrap(),
        Vec::new()
    );
    assert_eq!(
        store.tickets(world.msp, Some(second)).await.unwrap(),
        Vec::new()
    );
    for kind in SignalKind::ALL {
        for mapping in [mapping.id, world.mapping.id] {
            assert_eq!(
                store
                    .signal_history(second, mapping, kind, 9)
                    .await
                    .unwrap(),
                Vec::new()
            );
            assert_eq!(
                store
                    .evidence_chain(second, mapping, kind, 0, 9)
                    .await
                    .unwrap(),
                Vec::new()
            );
        }
    }
    let state = store
        .sweep_state(world.msp, second, mapping.id, world.event("x"), at(9))
        .await
        .unwrap();
    assert_eq!(state, crate::store::SweepState::default());
}
