//! Laws about clocks that are wrong: a clock that ran ahead once decides nothing afterwards, nor does one that ran behind, and
//! processes whose clocks differ share one store.

use regentra_evidence::{SignalKind, Status};
use time::{Duration, OffsetDateTime};

use super::{
    anchors::root,
    connections::{pending, rewriting},
    evidence::commit_one,
    world::{World, at, committed, credential, digest_of, mapping},
};
use crate::{
    host::ManualClock,
    model::{
        AUTHORIZATION_LIFETIME, AdoptedFrameworks, AnchoringFailure, AuditRow, CLOCK_TOLERANCE,
        CompanyId, ComplianceOrgId, ConnectionSettings, Fingerprint, LeaseKey, MappingState,
        NINJAONE_WINDOWS, NoteReason, OutboxAction, OutboxId, OutboxRow, PortalCompany, RegionKey,
        RunKind, RunOutcome, RunRecord, RunSubject, Source, Spend, Ticket, TicketTick, TimeFault,
        Version, WorkerId, verify_times,
    },
    store::{
        CommitOutcome, DeliveryCommit, DiscoveryCommit, Precondition, PromotionCommit, RowsAhead,
        SeenOrganization, Store, StoreError, StoreErrorKind, StoredSignal, TicketWrite,
    },
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

/// Everything that is written with a time of a process: in each row that one time is the given one, and all others are right.
const STAMPED: [&str; 38] = [
    "connect: connected_at",
    "connect: disconnected_at",
    "connect: audit",
    "secrets: audit",
    "disconnect: at",
    "disconnect: audit",
    "authorization: begun",
    "authorization: expires_at",
    "authorization: taken",
    "company: created_at",
    "discovery: discovered_at",
    "discovery: first_evidence_synced_at",
    "discovery: missing_since",
    "discovery: audit",
    "decision: at",
    "decision: company",
    "decision: audit",
    "promotion: audit",
    "settings: audit",
    "frameworks: audit",
    "assets: created_at",
    "assets: updated_at",
    "assets: missing_since",
    "assets: audit",
    "sweep: scheduled_at",
    "sweep: first_evidence_synced_at",
    "sweep: signature",
    "sweep: ticket opened",
    "sweep: ticket failed",
    "sweep: ticket closed",
    "sweep: outbox",
    "sweep: tick",
    "audit",
    "delivery",
    "root: made_at",
    "root: handed out",
    "anchoring failure",
    "run",
];

/// A world with something to write about: a second company, an outbox row, a root that waits, a head that has none.
async fn prepared(store: &dyn Store, number: u128) -> World<'_> {
    let world = World::new(store, number).await;
    let company = another_company(&world, 0);
    store.add_company(world.msp, company).await.unwrap();
    let mut commit = world.sweeping("before", 0).await;
    let ticket = world.ticket("before", SignalKind::PatchSla);
    commit.outbox = vec![note(&world, "before", 0)];
    commit.tickets = vec![TicketWrite {
        ticket,
        expected: None,
    }];
    let (msp, customer) = (world.msp, world.customer);
    committed(store.commit_sweep(msp, customer, commit).await.unwrap());
    let mut first = root(&world, 1, at(0)).await;
    first.root.made_at = at(0);
    committed(store.commit_root(msp, first).await.unwrap());
    let sweep = world.sweeping("loose", 0).await;
    committed(store.commit_sweep(msp, customer, sweep).await.unwrap());
    world
}

fn another_company(world: &World<'_>, minutes: i64) -> PortalCompany {
    PortalCompany {
        id: CompanyId::from_uuid(uuid::Uuid::from_u128(
            world.number << 96 | u128::from(minutes.unsigned_abs() + 1),
        )),
        created_at: at(minutes),
        converted_to: None,
        ..world.company.clone()
    }
}

fn note(world: &World<'_>, label: &str, minutes: i64) -> OutboxRow {
    let ticket = world.ticket(label, SignalKind::PatchSla);
    OutboxRow {
        created_at: at(minutes),
        due_at: at(minutes),
        ..OutboxRow::note(world.event(label), &ticket, NoteReason::Unmapped, at(0))
    }
}

fn run(world: &World<'_>, minutes: i64) -> RunRecord {
    RunRecord {
        subject: RunSubject {
            kind: RunKind::AssetSync,
            credential: world.credential.id,
            mapping: Some(world.mapping.id),
        },
        started_at: at(minutes),
        finished_at: at(minutes),
        outcome: RunOutcome::Succeeded,
        requests: 1,
        reading: None,
    }
}

/// Writes it with that time.
async fn write(
    world: &World<'_>,
    what: &str,
    time: OffsetDateTime,
) -> Result<CommitOutcome, StoreError> {
    let World { store, msp, .. } = *world;
    // Each under an event of its own.
    let label = what;
    let audit = || AuditRow {
        at: time,
        ..world.audit(label, 0)
    };
    let stamp = |rows: &mut Vec<AuditRow>| *rows = vec![audit()];
    match what.split(':').next().unwrap_or_default() {
        "connect" => {
            let mut commit = world.connecting();
            commit.event = world.event(label);
            // Its own row, not the one that the world's connection wrote.
            commit.audit = vec![world.audit(label, 0)];
            let region = RegionKey::from_stored("eu");
            commit.credential = credential(msp, region, world.number + 1_000);
            match what {
                "connect: connected_at" => commit.credential.connected_at = time,
                "connect: disconnected_at" => commit.credential.disconnected_at = Some(time),
                _ => stamp(&mut commit.audit),
            }
            store.commit_connect(msp, commit).await
        }
        "secrets" => {
            let mut commit = rewriting(world, label, Version::FIRST);
            stamp(&mut commit.audit);
            store.commit_secrets(msp, commit).await
        }
        "disconnect" => {
            let mut commit = world.disconnecting(0);
            match what {
                "disconnect: at" => commit.at = time,
                _ => commit.audit.at = time,
            }
            store.commit_disconnect(msp, commit).await
        }
        "authorization" => {
            let mut begun = pending("stamped", "us", 10);
            let done = match what {
                "authorization: begun" => store.begin_authorization(msp, begun, time).await,
                "authorization: expires_at" => {
                    begun.expires_at = time + AUTHORIZATION_LIFETIME;
                    store.begin_authorization(msp, begun, at(0)).await
                }
                _ => {
                    let taken = store.take_authorization(msp, &begun.state, time).await;
                    taken.map(drop)
                }
            };
            done.map(|()| CommitOutcome::Committed)
        }
        "company" => {
            let company = PortalCompany {
                created_at: time,
                ..another_company(world, 1)
            };
            let added = store.add_company(msp, company).await;
            added.map(|()| CommitOutcome::Committed)
        }
        "discovery" => {
            let mut new = mapping(world.credential.id, 99);
            let mut commit = DiscoveryCommit {
                event: world.event(label),
                guard: world.credential.guard(),
                added: Vec::new(),
                seen: Vec::new(),
                lost_organizations: None,
                audit: vec![world.audit(label, 0)],
            };
            match what {
                "discovery: discovered_at" => new.discovered_at = time,
                "discovery: first_evidence_synced_at" => new.first_evidence_synced_at = Some(time),
                "discovery: missing_since" => commit.seen.push(SeenOrganization {
                    mapping: world.mapping.id,
                    name: world.mapping.name.clone(),
                    suggestion: None,
                    missing_since: Some(time),
                }),
                _ => stamp(&mut commit.audit),
            }
            commit.added.push(new);
            store.commit_discovery(msp, commit).await
        }
        "decision" => {
            let mut commit = world.deciding(label, MappingState::Ignored);
            commit.at = at(0);
            commit.audit = Vec::new();
            match what {
                "decision: at" => commit.at = time,
                "decision: company" => {
                    commit.company = Some(PortalCompany {
                        created_at: time,
                        ..another_company(world, 1)
                    });
                }
                _ => stamp(&mut commit.audit),
            }
            store.commit_mapping(msp, commit).await
        }
        "promotion" => {
            let commit = PromotionCommit {
                event: world.event(label),
                company: another_company(world, 0).id,
                compliance_org: ComplianceOrgId::from_uuid(another_company(world, 2).id.as_uuid()),
                audit: vec![audit()],
            };
            store.commit_promotion(msp, commit).await
        }
        "settings" => {
            let mut commit = world.configuring(label, ConnectionSettings::default());
            stamp(&mut commit.audit);
            store.commit_settings(msp, commit).await
        }
        "frameworks" => {
            let mut commit = world.adopting(label, AdoptedFrameworks::default());
            stamp(&mut commit.audit);
            store.commit_frameworks(msp, commit).await
        }
        "assets" => {
            let mut asset = world.asset(Source::Ninjaone, label);
            (asset.created_at, asset.updated_at) = (at(0), at(0));
            let mut audited = Vec::new();
            match what {
                "assets: created_at" => asset.created_at = time,
                "assets: updated_at" => asset.updated_at = time,
                "assets: missing_since" => asset.missing_since = Some(time),
                _ => stamp(&mut audited),
            }
            let mut commit = world.writing(label, vec![asset]);
            commit.audit = audited;
            store.commit_assets(msp, commit).await
        }
        "sweep" => {
            let mut commit = world.sweeping(label, 0).await;
            let before = world.ticket("before", SignalKind::PatchSla);
            let mut ticket = Ticket {
                version: before.version.next(),
                opened_at: at(0),
                last_failed_at: at(0),
                ..before.clone()
            };
            match what {
                "sweep: scheduled_at" => commit.scheduled_at = time,
                "sweep: first_evidence_synced_at" => commit.first_evidence_synced_at = Some(time),
                "sweep: signature" => {
                    for record in commit.signatures.changed.values_mut() {
                        record.since = time;
                    }
                }
                "sweep: ticket opened" => ticket.opened_at = time,
                "sweep: ticket failed" => ticket.last_failed_at = time,
                "sweep: ticket closed" => ticket.closed_at = Some(time),
                "sweep: outbox" => {
                    let mut row = note(world, label, 0);
                    row.created_at = time;
                    commit.outbox = vec![row];
                }
                _ => commit.tick = Some(TicketTick::new(time)),
            }
            commit.tickets = vec![TicketWrite {
                ticket,
                expected: Some(before.version),
            }];
            store.commit_sweep(msp, world.customer, commit).await
        }
        "audit" => {
            let rows = vec![audit()];
            store.commit_audit(msp, world.event(label), rows).await
        }
        "delivery" => {
            let commit = DeliveryCommit {
                event: world.event(label),
                row: note(world, "before", 0).id,
                reference: None,
                at: time,
            };
            store.commit_delivery(msp, commit).await
        }
        "root" if what == "root: made_at" => {
            let mut commit = root(world, 2, at(0)).await;
            commit.root.made_at = time;
            store.commit_root(msp, commit).await
        }
        "root" => {
            let handed_out = store.root_handed_out(msp, 1, time).await;
            handed_out.map(|()| CommitOutcome::Committed)
        }
        "anchoring failure" => {
            let failure = AnchoringFailure {
                error: "sink.refused".to_owned(),
                at: time,
            };
            let remembered = store.remember_anchoring_failure(msp, Some(failure)).await;
            remembered.map(|()| CommitOutcome::Committed)
        }
        "run" => {
            let mut record = run(world, 0);
            record.finished_at = time;
            let released = store.release_lease(msp, &world.lease, vec![record]).await;
            released.map(|()| CommitOutcome::Committed)
        }
        _ => panic!("nothing writes {what}"),
    }
}

pub async fn whatever_is_stamped_ahead_of_the_stores_clock_is_refused_and_writes_nothing(
    store: &dyn Store,
    clock: &ManualClock,
) {
    let within = at(5);
    let just_ahead = within + Duration::microseconds(1);
    // The fixtures are written at several minutes.
    clock.set(at(3));
    let world = prepared(store, 1).await;
    clock.set(at(0));
    let before = world.snapshot().await;
    for what in STAMPED {
        for time in [just_ahead, at(20 * DAY), at(365 * DAY)] {
            let refused = write(&world, what, time).await;
            let refused = refused.map_err(|error| error.kind());
            assert_eq!(refused, Err(StoreErrorKind::Clock), "{what} at {time}");
        }
        assert_eq!(world.snapshot().await, before, "{what}");
    }
    // It was the time alone, and no event of those is remembered. Some need a world of their own: they contradict each other.
    for (number, what) in (1..).zip(STAMPED) {
        let own;
        let world = if number == 1 {
            &world
        } else {
            clock.set(at(3));
            own = prepared(store, number).await;
            &own
        };
        clock.set(at(0));
        let written = write(world, what, within).await;
        assert_eq!(
            written.map_err(|error| error.kind()),
            Ok(CommitOutcome::Committed),
            "{what}"
        );
    }
}

pub async fn an_authorization_lasts_ten_minutes_by_the_stores_clock(
    store: &dyn Store,
    clock: &ManualClock,
) {
    let msp = World::empty(store, 1).msp;
    let begun = pending("a", "us", 10);
    clock.set(at(0));
    store
        .begin_authorization(msp, begun.clone(), at(0))
        .await
        .unwrap();
    // A process that is ahead neither takes nor forgets it.
    let ahead = store.take_authorization(msp, &begun.state, at(11)).await;
    assert_eq!(ahead.unwrap_err().kind(), StoreErrorKind::Clock);
    // One that is behind has no more time for it than the others.
    clock.set(at(10));
    let behind = store.take_authorization(msp, &begun.state, at(-60)).await;
    assert_eq!(behind.unwrap(), None);

    // What is begun behind is over earlier, and is not begun where it is over already.
    clock.set(at(0));
    for (minutes, is_begun) in [(-4, true), (-9, true), (-10, false), (-3 * DAY, false)] {
        let begun = pending("behind", "us", minutes + 10);
        let beginning = store.begin_authorization(msp, begun.clone(), at(minutes));
        let refused = beginning.await.map_err(|error| error.kind());
        let expected = is_begun.then_some(()).ok_or(StoreErrorKind::Clock);
        assert_eq!(refused, expected, "{minutes}");
        let taken = store.take_authorization(msp, &begun.state, at(minutes));
        assert_eq!(taken.await.unwrap(), is_begun.then_some(begun), "{minutes}");
    }
}

pub async fn an_asset_is_not_written_behind_its_own_row(store: &dyn Store, clock: &ManualClock) {
    let world = World::new(store, 1).await;
    let asset = |name: &str, minutes: i64| {
        let mut asset = world.asset(Source::Ninjaone, "1");
        asset.content.name = name.into();
        asset.updated_at = at(minutes);
        asset
    };
    clock.set(at(60));
    world.write_assets("newer", vec![asset("newer", 60)]).await;
    let rewriting = |label: &str, time: OffsetDateTime, version: Version| {
        let mut commit = world.writing(label, vec![asset(label, 0)]);
        commit.writes[0].expected = Some(version);
        commit.writes[0].asset.version = version.next();
        commit.writes[0].asset.updated_at = time;
        commit
    };
    let before = world.snapshot().await;
    let (just_behind, first) = (at(55) - Duration::microseconds(1), Version::FIRST);
    for time in [just_behind, at(-3 * DAY)] {
        let commit = rewriting("older", time, first);
        let refused = store.commit_assets(world.msp, commit).await;
        assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::Clock, "{time}");
        assert_eq!(world.snapshot().await, before, "{time}");
    }
    // Clocks of well-kept machines differ by less than five minutes.
    let commit = rewriting("within", at(55), first);
    committed(store.commit_assets(world.msp, commit).await.unwrap());
    // A row of a clock that ran ahead holds nobody up.
    clock.set(at(20 * DAY));
    let commit = rewriting("ahead", at(20 * DAY), first.next());
    committed(store.commit_assets(world.msp, commit).await.unwrap());
    clock.set(at(60));
    let commit = rewriting("right", at(60), first.next().next());
    committed(store.commit_assets(world.msp, commit).await.unwrap());
}

pub async fn of_two_decisions_the_version_says_which_is_later_and_no_clock_does(
    store: &dyn Store,
    clock: &ManualClock,
) {
    let mut world = World::new(store, 1).await;
    clock.set(at(60));
    let stale = world.mapping.guard();
    let mut later = world.deciding("later", MappingState::Ignored);
    later.at = at(60);
    committed(store.commit_mapping(world.msp, later).await.unwrap());
    world.reload_mapping().await;
    let decided = world.mapping.clone();
    // A process that did not see the later decision does not undo it, at whatever time.
    let again = MappingState::Mapped {
        company: world.company.id,
    };
    for (label, minutes) in [("behind", -3 * DAY), ("present", 60)] {
        let mut commit = world.deciding(label, again);
        (commit.guard, commit.at) = (stale, at(minutes));
        let outcome = store.commit_mapping(world.msp, commit).await.unwrap();
        assert_eq!(outcome, CommitOutcome::Superseded(Precondition::Mapping));
        world.reload_mapping().await;
        assert_eq!(world.mapping, decided);
    }
    // A process that saw it decides anew, though the clock of that process is behind.
    let mut commit = world.deciding("seen", again);
    commit.at = at(-3 * DAY);
    committed(store.commit_mapping(world.msp, commit).await.unwrap());
}

pub async fn of_two_runs_the_one_released_last_is_the_last(store: &dyn Store, clock: &ManualClock) {
    let world = World::new(store, 1).await;
    clock.set(at(60));
    let key = LeaseKey::AssetSync(world.mapping.id);
    let worker = WorkerId::from_uuid(uuid::Uuid::from_u128(7));
    for minutes in [60, -3 * DAY] {
        let lease = store.take_lease(world.msp, key, worker, Duration::minutes(5));
        let lease = lease.await.unwrap().unwrap();
        let record = run(&world, minutes);
        let released = store.release_lease(world.msp, &lease, vec![record.clone()]);
        released.await.unwrap();
        assert_eq!(store.runs(world.msp).await.unwrap(), [record]);
    }
}

pub async fn what_lies_ahead_is_counted_by_its_msp(store: &dyn Store, clock: &ManualClock) {
    clock.set(at(3));
    let (world, other) = (prepared(store, 1).await, prepared(store, 2).await);
    let ahead = at(20 * DAY);
    clock.set(ahead);
    let key = LeaseKey::Discovery(world.credential.id);
    let worker = WorkerId::from_uuid(uuid::Uuid::from_u128(7));
    let taken = store.take_lease(world.msp, key, worker, Duration::minutes(5));
    assert!(taken.await.unwrap().is_some());
    for what in [
        "connect: connected_at",
        "assets: created_at",
        "audit",
        "root: made_at",
    ] {
        committed(write(&world, what, ahead).await.unwrap());
    }
    let mut commit = world.sweeping("ahead", 20 * DAY).await;
    commit.scheduled_at = ahead;
    commit.outbox = vec![note(&world, "ahead", 20 * DAY)];
    let ticket = Ticket {
        opened_at: ahead,
        version: Version::FIRST.next(),
        ..world.ticket("before", SignalKind::PatchSla)
    };
    commit.tickets = vec![TicketWrite {
        ticket,
        expected: Some(Version::FIRST),
    }];
    commit.tick = Some(TicketTick {
        opened: 3,
        ..TicketTick::new(ahead)
    });
    let (msp, customer) = (world.msp, world.customer);
    committed(store.commit_sweep(msp, customer, commit).await.unwrap());
    assert_eq!(store.rows_ahead(msp).await.unwrap(), RowsAhead::default());

    clock.set(at(3));
    let counted = RowsAhead {
        leases: 1,
        ticket_ticks: 1,
        heads: 5,
        roots: 1,
        // It was stamped before.
        mappings: 0,
        assets: 1,
        tickets: 1,
        outbox: 1,
        audit: 1,
        credentials: 1,
    };
    assert_eq!(store.rows_ahead(msp).await.unwrap(), counted);
    let others = store.rows_ahead(other.msp).await.unwrap();
    assert_eq!(others, RowsAhead::default());
    // What its time has come for lies in the present.
    clock.set(ahead - CLOCK_TOLERANCE);
    assert_eq!(store.rows_ahead(msp).await.unwrap(), RowsAhead::default());
}

pub async fn a_tick_to_come_has_opened_no_ticket(store: &dyn Store, clock: &ManualClock) {
    let world = World::new(store, 1).await;
    let (msp, customer, ahead) = (world.msp, world.customer, at(20 * DAY));
    clock.set(ahead);
    let mut commit = world.sweeping("ahead", 20 * DAY).await;
    commit.scheduled_at = ahead;
    let opened = TicketTick {
        opened: 20,
        digests: 1,
        ..TicketTick::new(ahead)
    };
    commit.tick = Some(opened.clone());
    committed(store.commit_sweep(msp, customer, commit).await.unwrap());
    let mapping = async || store.mapping(msp, world.mapping.id).await.unwrap().unwrap();
    assert_eq!(mapping().await.first_evidence_synced_at, Some(ahead));

    clock.set(at(0));
    let ticks = async || store.rows_ahead(msp).await.unwrap().ticket_ticks;
    let mappings = async || store.rows_ahead(msp).await.unwrap().mappings;
    assert_eq!((ticks().await, mappings().await), (1, 1));
    world.sweep("right", 0).await;
    assert_eq!((ticks().await, mappings().await), (0, 0));
    assert_eq!(mapping().await.first_evidence_synced_at, Some(at(0)));
    let event = world.event("then");
    let then = store.sweep_state(msp, customer, world.mapping.id, event, ahead);
    let then = then.await.unwrap().tick.unwrap();
    // Its digest was handed out, and is not handed out again under the same id.
    assert_eq!((then.opened, then.digests), (0, 1));
    // One of now keeps what it opened.
    let present = TicketTick {
        opened: 3,
        ..TicketTick::new(at(0))
    };
    let mut commit = world.sweeping("opens", 0).await;
    commit.tick = Some(present);
    committed(store.commit_sweep(msp, customer, commit).await.unwrap());
    world.sweep("after", 1).await;
    let tick = world.sweep_state("now").await.tick.unwrap();
    assert_eq!(tick.opened, 3);
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
    let (tenant, ahead) = (Fingerprint::from_bytes(digest_of("tenant")), at(20 * DAY));
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
    // A store whose clock is behind, too: the last sweep lies ahead of it then, so that it cannot be distinguished from one by a clock that
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
        Fingerprint::from_bytes(digest_of("tenant")),
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
    let (tenant, length) = (
        Fingerprint::from_bytes(digest_of("tenant")),
        Duration::minutes(5),
    );
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
                reason: NoteReason::Unmapped,
            },
            created_at: at(minutes),
            due_at: at(minutes + 60),
            delivered_at: None,
        }
    };
    let (ahead, later) = (row("ahead", 20 * DAY), row("later", 0));
    clock.set(at(20 * DAY));
    let mut commit = world.sweeping("sweep", 0).await;
    commit.outbox = vec![ahead.clone(), later.clone()];
    committed(
        store
            .commit_sweep(world.msp, world.customer, commit)
            .await
            .unwrap(),
    );
    clock.set(at(0));
    let due = |minutes| store.outbox(world.msp, at(minutes), 9);
    assert_eq!(
        due(0).await.unwrap(),
        vec![ahead.clone()],
        "not in twenty days"
    );
    assert_eq!(due(60).await.unwrap(), [ahead, later]);
}
