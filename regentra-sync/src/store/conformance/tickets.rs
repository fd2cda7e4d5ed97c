//! Laws of [`Tickets`](crate::store::Tickets).

use std::collections::BTreeMap;

use futures_util::future::join;
use regentra_evidence::SignalKind;
use time::Duration;
use uuid::Uuid;

use super::world::{World, at, committed};
use crate::{
    model::{
        ComplianceOrgId, LeaseKey, NoteReason, OutboxAction, OutboxId, OutboxRow, PortalCompany,
        Ticket, TicketState, TicketTick, Version,
    },
    store::{
        CommitOutcome, DeliveryCommit, Precondition, Store, TicketCounts, TicketFilter, TicketPage,
        TicketWrite,
    },
};

fn opening(ticket: &Ticket) -> TicketWrite {
    TicketWrite {
        ticket: ticket.clone(),
        expected: None,
    }
}

pub async fn a_signal_has_one_open_ticket(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let first = world.ticket("one", SignalKind::PatchSla);
    let mut commit = world.sweeping("one", 3).await;
    commit.tickets = vec![opening(&first)];
    committed(
        store
            .commit_sweep(world.msp, world.customer, commit)
            .await
            .unwrap(),
    );

    let second = world.ticket("two", SignalKind::PatchSla);
    let mut commit = world.sweeping("two", 4).await;
    commit.tickets = vec![opening(&second)];
    let before = world.snapshot().await;
    let outcome = store
        .commit_sweep(world.msp, world.customer, commit.clone())
        .await
        .unwrap();
    assert_eq!(outcome, CommitOutcome::Superseded(Precondition::Ticket));
    assert_eq!(world.snapshot().await, before);

    let mut closed = first.clone();
    closed.state = TicketState::Closed;
    closed.closed_at = Some(at(4));
    closed.version = first.version.next();
    let mut close = world.sweeping("close", 4).await;
    close.tickets = vec![TicketWrite {
        ticket: closed.clone(),
        expected: Some(first.version),
    }];
    committed(
        store
            .commit_sweep(world.msp, world.customer, close)
            .await
            .unwrap(),
    );
    assert!(world.sweep_state("state").await.open_tickets.is_empty());
    let mut reopen = world.sweeping("two", 5).await;
    reopen.tickets = commit.tickets;
    committed(
        store
            .commit_sweep(world.msp, world.customer, reopen)
            .await
            .unwrap(),
    );
    let mut listed = store.tickets(world.msp, None).await.unwrap();
    listed.sort_by_key(|ticket| ticket.state == TicketState::Open);
    assert_eq!(listed, vec![closed, second]);
}

pub async fn a_ticket_is_written_from_the_version_that_was_read(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let ticket = world.ticket("one", SignalKind::PatchSla);
    let mut commit = world.sweeping("one", 3).await;
    commit.tickets = vec![opening(&ticket)];
    committed(
        store
            .commit_sweep(world.msp, world.customer, commit)
            .await
            .unwrap(),
    );
    let mut updated = ticket.clone();
    updated.version = ticket.version.next();
    updated.last_failed_at = at(9);
    updated.passes = 1;
    updated.pass_expires_at = Some(at(99));
    updated.content_digest = String::from("more");
    let before = world.snapshot().await;
    for expected in [None, Some(updated.version)] {
        let mut stale = world.sweeping("two", 9).await;
        stale.tickets = vec![TicketWrite {
            ticket: updated.clone(),
            expected,
        }];
        let outcome = store
            .commit_sweep(world.msp, world.customer, stale)
            .await
            .unwrap();
        assert_eq!(outcome, CommitOutcome::Superseded(Precondition::Ticket));
    }
    assert_eq!(world.snapshot().await, before);
    let mut fresh = world.sweeping("two", 9).await;
    fresh.tickets = vec![TicketWrite {
        ticket: updated.clone(),
        expected: Some(ticket.version),
    }];
    committed(
        store
            .commit_sweep(world.msp, world.customer, fresh)
            .await
            .unwrap(),
    );
    assert_eq!(
        store
            .tickets(world.msp, Some(world.customer))
            .await
            .unwrap(),
        vec![updated]
    );
}

pub async fn of_two_sweeps_that_open_tickets_in_one_tick_one_commits(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let opens = |label: &'static str| {
        let world = &world;
        async move {
            let mut commit = world.sweeping(label, 3).await;
            // Of different chains, so that the tick alone decides.
            let kind = usize::from(label != "a");
            commit.signals = vec![commit.signals.swap_remove(kind)];
            commit.evidence = vec![commit.evidence.swap_remove(kind)];
            commit.tick = Some(TicketTick {
                opened: 1,
                ..TicketTick::new(at(0))
            });
            commit
        }
    };
    let (a, b) = (opens("a").await, opens("b").await);
    let (a, b) = join(
        store.commit_sweep(world.msp, world.customer, a),
        store.commit_sweep(world.msp, world.customer, b),
    )
    .await;
    let outcomes = [a.unwrap(), b.unwrap()];
    assert!(outcomes.contains(&CommitOutcome::Committed), "{outcomes:?}");
    assert!(
        outcomes.contains(&CommitOutcome::Superseded(Precondition::TicketTick)),
        "{outcomes:?}"
    );
    let tick = world.sweep_state("state").await.tick.unwrap();
    assert_eq!((tick.opened, tick.version), (1, Version::FIRST));
}

fn note(world: &World<'_>, label: &str, created: i64, due: i64) -> OutboxRow {
    let ticket = world.ticket(label, SignalKind::PatchSla);
    let mut row = OutboxRow::note(
        world.event(label),
        &ticket,
        NoteReason::Unmapped,
        at(created),
    );
    row.due_at = at(due);
    row
}

pub async fn the_outbox_gives_due_rows_in_order_until_delivered(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let rows = [("z", 5), ("late", 60), ("a", 4), ("m", 5)]
        .map(|(label, due)| note(&world, label, 3, due));
    for (n, row) in rows.iter().enumerate() {
        let mut commit = world.sweeping(&format!("sweep {n}"), 3).await;
        commit.outbox = vec![row.clone()];
        committed(
            store
                .commit_sweep(world.msp, world.customer, commit)
                .await
                .unwrap(),
        );
    }
    let [z, late, a, m] = rows;
    let outbox = |minutes, limit| store.outbox(world.msp, at(minutes), limit);
    assert_eq!(outbox(3, 9).await.unwrap(), Vec::new());
    assert_eq!(outbox(4, 9).await.unwrap(), vec![a.clone()]);
    assert_eq!(
        outbox(5, 9).await.unwrap(),
        vec![z.clone(), a.clone(), m.clone()]
    );
    assert_eq!(outbox(5, 2).await.unwrap(), vec![z.clone(), a.clone()]);
    assert_eq!(
        outbox(60, 9).await.unwrap(),
        vec![z.clone(), late.clone(), a.clone(), m.clone()]
    );
    let delivered = DeliveryCommit {
        event: world.event("delivery"),
        row: z.id,
        reference: None,
        at: at(6),
    };
    committed(store.commit_delivery(world.msp, delivered).await.unwrap());
    assert_eq!(outbox(60, 9).await.unwrap(), vec![late, a, m]);
    let other = World::new(store, 2).await;
    assert_eq!(
        store.outbox(other.msp, at(60), 9).await.unwrap(),
        Vec::new()
    );
}

pub async fn a_digest_is_replaced_until_it_is_delivered(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let key = |signal| world.ticket("x", signal).key;
    let digest = |part, signals: &[SignalKind]| OutboxRow {
        id: OutboxId::digest(world.msp, at(0), part),
        ticket: None,
        action: OutboxAction::Digest {
            entries: BTreeMap::from([(
                world.company.id,
                signals.iter().map(|signal| key(*signal)).collect(),
            )]),
        },
        created_at: at(3),
        due_at: at(60),
        delivered_at: None,
    };
    let write = |label: &'static str, row: OutboxRow, version, digests| {
        let world = &world;
        async move {
            let mut commit = world.sweeping(label, 3).await;
            commit.tick = Some(TicketTick {
                scheduled_at: at(0),
                version,
                opened: 0,
                digests,
            });
            commit.outbox = vec![row];
            committed(
                store
                    .commit_sweep(world.msp, world.customer, commit)
                    .await
                    .unwrap(),
            );
        }
    };
    let one = digest(1, &[SignalKind::PatchSla]);
    write("one", one.clone(), Version::default(), 1).await;
    assert_eq!(world.sweep_state("state").await.digest, Some(one));
    let two = digest(1, &[SignalKind::PatchSla, SignalKind::DiskEncryption]);
    write("two", two.clone(), Version::FIRST, 1).await;
    assert_eq!(world.sweep_state("state").await.digest, Some(two.clone()));
    assert_eq!(
        store.outbox(world.msp, at(60), 9).await.unwrap(),
        vec![two.clone()]
    );
    let delivered = DeliveryCommit {
        event: world.event("delivery"),
        row: two.id,
        reference: None,
        at: at(61),
    };
    committed(store.commit_delivery(world.msp, delivered).await.unwrap());
    assert_eq!(world.sweep_state("state").await.digest, None);
    let three = digest(2, &[SignalKind::BackupActivity]);
    write("three", three.clone(), Version::FIRST.next(), 2).await;
    assert_eq!(world.sweep_state("state").await.digest, Some(three));
}

pub async fn a_digest_that_was_delivered_is_not_replaced(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let digest = |signals: &[SignalKind]| OutboxRow {
        id: OutboxId::digest(world.msp, at(0), 1),
        ticket: None,
        action: OutboxAction::Digest {
            entries: BTreeMap::from([(
                world.company.id,
                signals
                    .iter()
                    .map(|signal| world.ticket("x", *signal).key)
                    .collect(),
            )]),
        },
        created_at: at(3),
        due_at: at(3),
        delivered_at: None,
    };
    let tick = |version| TicketTick {
        scheduled_at: at(0),
        version,
        opened: 0,
        digests: 1,
    };
    let mut first = world.sweeping("one", 3).await;
    first.tick = Some(tick(Version::default()));
    first.outbox = vec![digest(&[SignalKind::PatchSla])];
    committed(
        store
            .commit_sweep(world.msp, world.customer, first)
            .await
            .unwrap(),
    );
    // Another sweep of the tick has read the digest; the bridge delivers it before that sweep commits.
    let mut late = world.sweeping("late", 4).await;
    late.tick = Some(tick(Version::FIRST));
    late.outbox = vec![digest(&[SignalKind::PatchSla, SignalKind::DiskEncryption])];
    let delivered = DeliveryCommit {
        event: world.event("delivery"),
        row: OutboxId::digest(world.msp, at(0), 1),
        reference: None,
        at: at(4),
    };
    committed(store.commit_delivery(world.msp, delivered).await.unwrap());
    let before = world.snapshot().await;
    let outcome = store
        .commit_sweep(world.msp, world.customer, late)
        .await
        .unwrap();
    assert_eq!(outcome, CommitOutcome::Superseded(Precondition::TicketTick));
    assert_eq!(
        world.snapshot().await,
        before,
        "what the late sweep has to say is neither lost nor sent under the delivered row's id"
    );
}

pub async fn a_delivery_keeps_the_reference_once(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let ticket = world.ticket("one", SignalKind::PatchSla);
    let row = note(&world, "one", 3, 3);
    let mut commit = world.sweeping("one", 3).await;
    commit.tickets = vec![opening(&ticket)];
    commit.outbox = vec![row.clone()];
    committed(
        store
            .commit_sweep(world.msp, world.customer, commit)
            .await
            .unwrap(),
    );
    let delivery = |label: &str, reference: &str| DeliveryCommit {
        event: world.event(label),
        row: row.id,
        reference: Some(reference.into()),
        at: at(6),
    };
    let other = World::new(store, 2).await;
    let outcome = store
        .commit_delivery(other.msp, delivery("foreign", "X"))
        .await
        .unwrap();
    assert_eq!(
        outcome,
        CommitOutcome::AlreadyCommitted,
        "another MSP's row is none of theirs"
    );
    committed(
        store
            .commit_delivery(world.msp, delivery("delivery", "T-1"))
            .await
            .unwrap(),
    );
    for label in ["delivery", "again"] {
        let outcome = store
            .commit_delivery(world.msp, delivery(label, "T-2"))
            .await
            .unwrap();
        assert_eq!(outcome, CommitOutcome::AlreadyCommitted);
    }
    let stored = &store.tickets(world.msp, None).await.unwrap()[0];
    assert_eq!(
        (stored.reference.clone(), stored.version),
        (Some("T-1".into()), ticket.version.next())
    );
    assert_eq!(store.outbox(world.msp, at(9), 9).await.unwrap(), Vec::new());
}

/// The customer of a further company of the same MSP.
async fn second_customer<'a>(world: &World<'a>) -> World<'a> {
    let customer = ComplianceOrgId::from_uuid(Uuid::from_u128(77));
    let mapping = world.another_customer(8, customer).await;
    let (key, worker) = (LeaseKey::EvidenceSweep(customer), world.lease.worker);
    let hour = Duration::hours(1);
    let lease = world.store.take_lease(world.msp, key, worker, hour).await;
    World {
        store: world.store,
        number: world.number,
        msp: world.msp,
        customer,
        credential: world.credential.clone(),
        company: PortalCompany {
            id: mapping.state.company().unwrap(),
            ..world.company.clone()
        },
        mapping,
        lease: lease.unwrap().unwrap(),
    }
}

/// Writes tickets: label, signal, minute of opening, and whether it is open.
async fn write(world: &World<'_>, label: &str, tickets: &[(&str, SignalKind, i64, TicketState)]) {
    let mut commit = world.sweeping(label, 9).await;
    commit.tickets = tickets
        .iter()
        .map(|(label, signal, minutes, state)| {
            let mut ticket = world.ticket(label, *signal);
            (ticket.opened_at, ticket.state) = (at(*minutes), *state);
            ticket.closed_at = (*state == TicketState::Closed).then(|| at(8));
            opening(&ticket)
        })
        .collect();
    let commit = world.store.commit_sweep(world.msp, world.customer, commit);
    committed(commit.await.unwrap());
}

pub async fn pages_of_tickets_are_whole_in_order_and_filtered(store: &dyn Store) {
    use SignalKind::{BackupActivity, DiskEncryption, PatchSla};
    use TicketState::{Closed, Open};
    let (one, two) = (World::new(store, 1).await, World::new(store, 2).await);
    let second = second_customer(&one).await;
    let of_one = [
        ("a", PatchSla, 1, Closed),
        ("b", PatchSla, 3, Closed),
        ("c", PatchSla, 3, Closed),
        ("d", PatchSla, 5, Open),
        ("e", DiskEncryption, 3, Open),
    ];
    write(&one, "one", &of_one).await;
    let of_second = [("f", PatchSla, 3, Open), ("g", BackupActivity, 4, Closed)];
    write(&second, "second", &of_second).await;
    write(&two, "two", &[("h", PatchSla, 3, Open)]).await;

    let all = store.tickets(one.msp, None).await.unwrap();
    assert_eq!(all.len(), 7);
    let none = TicketFilter::default();
    let state = |state| TicketFilter {
        state: Some(state),
        ..none
    };
    let signal = |signal| TicketFilter {
        signal: Some(signal),
        ..none
    };
    let customer = |world: &World<'_>| TicketFilter {
        customer: Some(world.customer),
        ..none
    };
    let company = |world: &World<'_>| TicketFilter {
        company: Some(world.company.id),
        ..none
    };
    let mapping = |world: &World<'_>| TicketFilter {
        mapping: Some(world.mapping.id),
        ..none
    };
    let everything = TicketFilter {
        state: Some(Open),
        customer: Some(one.customer),
        company: Some(one.company.id),
        mapping: Some(one.mapping.id),
        signal: Some(PatchSla),
    };
    let mixed = TicketFilter {
        mapping: Some(second.mapping.id),
        ..customer(&one)
    };
    for (filter, open, closed) in [
        (none, 3, 4),
        (state(Open), 3, 0),
        (state(Closed), 0, 4),
        (signal(PatchSla), 2, 3),
        (signal(BackupActivity), 0, 1),
        (signal(SignalKind::DeviceInventory), 0, 0),
        (customer(&one), 2, 3),
        (customer(&second), 1, 1),
        (company(&one), 2, 3),
        (company(&second), 1, 1),
        (mapping(&one), 2, 3),
        (mapping(&second), 1, 1),
        (everything, 1, 0),
        (mixed, 0, 0),
        (customer(&two), 0, 0),
        (company(&two), 0, 0),
        (mapping(&two), 0, 0),
    ] {
        let expected: Vec<_> = all
            .iter()
            .filter(|of| filter.matches(of))
            .cloned()
            .collect();
        assert_eq!(expected.len() as u64, open + closed, "{filter:?}");
        for limit in 1..=8 {
            let (mut page, mut read) = (TicketPage::first(filter, limit), Vec::new());
            loop {
                let rows = store.tickets_page(one.msp, page).await.unwrap();
                read.extend(rows.iter().cloned());
                let Some(last) = rows
                    .last()
                    .filter(|_| rows.len() as u64 == u64::from(limit))
                else {
                    break;
                };
                page = page.next(last);
            }
            assert_eq!(read, expected, "{filter:?} in pages of {limit}");
        }
        let counts = store.ticket_counts(one.msp, filter).await.unwrap();
        assert_eq!(counts, TicketCounts { open, closed }, "{filter:?}");
    }
    let nothing = TicketPage::first(none, 0);
    assert_eq!(store.tickets_page(one.msp, nothing).await.unwrap(), []);

    let theirs = store.tickets(two.msp, None).await.unwrap();
    let page = TicketPage::first(none, 100);
    assert_eq!(store.tickets_page(two.msp, page).await.unwrap(), theirs);
    assert_eq!(theirs.len(), 1);
    let stolen = TicketPage::first(customer(&one), 100);
    assert_eq!(store.tickets_page(two.msp, stolen).await.unwrap(), []);
    let counts = store.ticket_counts(two.msp, none).await.unwrap();
    assert_eq!(counts, TicketCounts { open: 1, closed: 0 });
}
