//! Work that is cut off: a future that is dropped at any of its suspensions, a connection that dies, a process that is killed.
//! Nothing is half written, and the same commit delivered again ends where an undisturbed one does.

use std::{
    env,
    future::poll_fn,
    io::{BufRead as _, BufReader},
    pin::pin,
    task::Poll,
    time::Duration,
};

use regentra_harness::{
    other_process,
    postgres::{self, STORE, SUPERUSER, execute},
    test_name,
};
use regentra_sync::{
    model::{AssetStatus, MappingState, NoteReason, OutboxRow, Source, chain_start},
    regentra_evidence::{SignalKind, verify_chain},
    store::{
        Assets as _, AuditTrail as _, CommitOutcome, Connections as _, DeliveryCommit,
        DiscoveryCommit, Evidence as _, Mappings as _, PromotionCommit, Result, Runs as _,
        SecretsCommit, StoreErrorKind, SweepCommit, TicketWrite, Tickets as _,
        conformance::world::{Snapshot, World, at, committed, mapping, secrets},
    },
};
use regentra_sync_postgres::PostgresStore;
use sqlx::postgres::PgPoolOptions;

/// Polls a future so many times and drops it, unless it was ready before.
async fn cut<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let (mut future, mut left) = (pin!(future), polls);
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

/// Delivers commits, each cut off after so many polls and then delivered again.
struct Deliveries {
    polls: usize,
    cuts: usize,
}

impl Deliveries {
    async fn deliver<F: Future<Output = Result<CommitOutcome>>>(&mut self, commit: impl Fn() -> F) {
        let first = cut(commit(), self.polls).await;
        let again = commit().await.unwrap();
        if let Some(outcome) = first {
            committed(outcome.unwrap());
            assert_eq!(again, CommitOutcome::AlreadyCommitted);
        } else {
            self.cuts += 1;
            let delivered = [CommitOutcome::Committed, CommitOutcome::AlreadyCommitted];
            assert!(delivered.contains(&again), "{again:?}");
        }
    }
}

/// A sweep that writes in every table a sweep writes in.
async fn sweeping(world: &World<'_>, label: &str) -> SweepCommit {
    let mut sweep = world.sweeping(label, 3).await;
    let ticket = world.ticket(label, SignalKind::PatchSla);
    sweep.outbox = vec![OutboxRow::note(
        sweep.event,
        &ticket,
        NoteReason::Unmapped,
        at(3),
    )];
    sweep.tickets = vec![TicketWrite {
        ticket,
        expected: None,
    }];
    sweep
}

/// From connecting to disconnecting, every commit delivered so.
async fn story(store: &PostgresStore, polls: usize) -> (Snapshot, usize) {
    let mut deliveries = Deliveries { polls, cuts: 0 };
    let mut world = World::empty(store, 1);
    let msp = world.msp;

    let connect = world.connecting();
    deliveries
        .deliver(|| store.commit_connect(msp, connect.clone()))
        .await;
    let added = [7, 8].map(|organization| mapping(world.credential.id, organization));
    let discovery = DiscoveryCommit {
        event: world.event("discovery"),
        guard: world.credential.guard(),
        added: added.to_vec(),
        seen: Vec::new(),
        lost_organizations: None,
        audit: vec![world.audit("discovery", 1)],
    };
    deliveries
        .deliver(|| store.commit_discovery(msp, discovery.clone()))
        .await;
    let mut decision = world.deciding(
        "map",
        MappingState::Mapped {
            company: world.company.id,
        },
    );
    decision.company = Some(world.company.clone());
    deliveries
        .deliver(|| store.commit_mapping(msp, decision.clone()))
        .await;
    world.reload_mapping().await;
    let promotion = PromotionCommit {
        event: world.event("promote"),
        company: world.company.id,
        compliance_org: world.customer,
        audit: vec![world.audit("promote", 1)],
    };
    deliveries
        .deliver(|| store.commit_promotion(msp, promotion.clone()))
        .await;

    // Taking a lease is no commit: taken again by the same worker, it has another fence.
    let (key, worker) = (world.lease.key, world.lease.worker);
    let hour = time::Duration::hours(1);
    let _ = cut(store.take_lease(msp, key, worker, hour), polls).await;
    world.lease = store
        .take_lease(msp, key, worker, hour)
        .await
        .unwrap()
        .unwrap();

    let ninja = world.asset(Source::Ninjaone, "1");
    let mut level = world.asset(Source::Level, "l");
    level.status = AssetStatus::Superseded { by: ninja.id };
    let assets = world.writing("assets", vec![ninja, level]);
    deliveries
        .deliver(|| store.commit_assets(msp, assets.clone()))
        .await;
    let sweep = sweeping(&world, "sweep").await;
    deliveries
        .deliver(|| store.commit_sweep(msp, world.customer, sweep.clone()))
        .await;
    let rotation = SecretsCommit {
        event: world.event("rotate"),
        guard: world.credential.guard(),
        expected: world.credential.secrets_version,
        secrets: secrets("new"),
        audit: vec![world.audit("rotate", 4)],
    };
    deliveries
        .deliver(|| store.commit_secrets(msp, rotation.clone()))
        .await;
    let delivery = DeliveryCommit {
        event: world.event("delivery"),
        row: sweep.outbox.first().unwrap().id,
        reference: Some("T-1".into()),
        at: at(4),
    };
    deliveries
        .deliver(|| store.commit_delivery(msp, delivery.clone()))
        .await;
    let low = world.audit("low", 4);
    deliveries
        .deliver(|| store.commit_audit(msp, low.event, vec![low.clone()]))
        .await;
    let disconnect = world.disconnecting(5);
    deliveries
        .deliver(|| store.commit_disconnect(msp, disconnect.clone()))
        .await;
    (world.snapshot().await, deliveries.cuts)
}

#[tokio::test]
async fn a_commit_dropped_at_any_suspension_and_delivered_again_ends_as_if_undisturbed() {
    let (store, _database) = postgres::new_store(postgres::clock()).await;
    let (undisturbed, cuts) = story(&store, usize::MAX).await;
    assert_eq!(cuts, 0);
    let mut polls = 0;
    loop {
        let (store, _database) = postgres::new_store(postgres::clock()).await;
        let (snapshot, cuts) = story(&store, polls).await;
        assert_eq!(snapshot, undisturbed, "after {polls} polls");
        store.close().await;
        if cuts == 0 {
            break;
        }
        polls += 1;
    }
    assert!(polls > 5, "no commit suspended often: {polls}");
}

/// `BEGIN` is the one statement that the driver does not take back when its future is dropped.
#[tokio::test]
async fn a_call_dropped_at_any_suspension_leaves_no_transaction_open() {
    let (_, database) = postgres::new_store(postgres::clock()).await;
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .connect(&database.url(STORE))
        .await
        .unwrap();
    let store = PostgresStore::from_pool(pool).await.unwrap();
    let store = store.with_clock(postgres::clock());
    let world = World::new(&store, 1).await;
    // More than once, because it is chance how often a call suspends.
    for write in [false, true].repeat(5) {
        for polls in 0.. {
            let finished = if write {
                let lease = store.renew_lease(world.msp, &world.lease, time::Duration::hours(1));
                cut(lease, polls).await.is_some()
            } else {
                cut(store.credentials(world.msp), polls).await.is_some()
            };
            let mut connection = store.pool().acquire().await.unwrap();
            execute(
                &mut connection,
                "SELECT set_config('regentra.msp_org_id', 'x', true)",
            )
            .await;
            let left: Option<String> =
                sqlx::query_scalar("SELECT current_setting('regentra.msp_org_id', true)")
                    .fetch_one(&mut *connection)
                    .await
                    .unwrap();
            assert_eq!(
                left.unwrap_or_default(),
                "",
                "a transaction is open after {polls} polls"
            );
            drop(connection);
            if finished {
                assert!(
                    polls > 1,
                    "it suspends at least while its transaction begins"
                );
                break;
            }
        }
    }
}

/// A process that freezes in mid-commit holds up the others for so long and no longer.
#[tokio::test]
async fn every_transaction_bounds_its_waiting_and_its_idleness() {
    let (store, database) = postgres::new_store(postgres::clock()).await;
    let mut superuser = database.connect(SUPERUSER).await;
    execute(
        &mut superuser,
        "CREATE TABLE public.seen (lock_timeout text, idle text); \
         CREATE FUNCTION public.look() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN \
         INSERT INTO public.seen SELECT current_setting('lock_timeout'), \
         current_setting('idle_in_transaction_session_timeout'); RETURN NULL; END $$; \
         CREATE TRIGGER look AFTER INSERT ON regentra_sync.events EXECUTE FUNCTION public.look()",
    )
    .await;
    World::new(&store, 1).await;
    let seen: Vec<(String, String)> =
        sqlx::query_as("SELECT DISTINCT lock_timeout, idle FROM public.seen")
            .fetch_all(&mut superuser)
            .await
            .unwrap();
    assert_eq!(seen, [("10s".to_owned(), "1min".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_dies_in_mid_commit_leaves_nothing() {
    let (store, database) = postgres::new_store(postgres::clock()).await;
    let world = World::new(&store, 1).await;
    let (msp, customer) = (world.msp, world.customer);
    // Each table holds up the commit at another of its statements.
    for table in [
        "tickets",
        "leases",
        "signals",
        "evidence",
        "evidence_heads",
        "customer_audit",
        "signature_history",
        "outbox",
    ] {
        let mut sweep = sweeping(&world, table).await;
        // One open ticket a signal: the first of these sweeps opens it.
        sweep.tickets.retain(|_| table == "tickets");
        let before = world.snapshot().await;
        let mut superuser = database.connect(SUPERUSER).await;
        let lock = format!("BEGIN; LOCK TABLE regentra_sync.{table} IN ACCESS EXCLUSIVE MODE");
        execute(&mut superuser, &lock).await;
        let (same, commit) = (store.clone(), sweep.clone());
        let commit = tokio::spawn(async move { same.commit_sweep(msp, customer, commit).await });
        let mut watcher = database.connect(SUPERUSER).await;
        loop {
            let killed: i64 = sqlx::query_scalar(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                 WHERE datname = current_database() AND usename = $1 AND wait_event_type = 'Lock'",
            )
            .bind(STORE)
            .fetch_one(&mut watcher)
            .await
            .unwrap();
            if killed > 0 {
                break;
            }
            assert!(!commit.is_finished(), "{table} did not hold it up");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let error = commit.await.unwrap().unwrap_err();
        assert_eq!(
            error.kind(),
            StoreErrorKind::Unavailable,
            "{table}: {error:?}"
        );
        execute(&mut superuser, "ROLLBACK").await;
        assert_eq!(world.snapshot().await, before, "{table}");
        committed(store.commit_sweep(msp, customer, sweep).await.unwrap());
    }
}

const CHILD: &str = "REGENTRA_TEST_SWEEPS_ON";

/// Sweeps on and on, each sweep after the one before.
async fn sweep_on(url: &str) {
    let store = PostgresStore::connect(url).await.unwrap();
    let store = store.with_clock(postgres::clock());
    let mut world = World::empty(&store, 1);
    world.reload_mapping().await;
    let (key, worker) = (world.lease.key, world.lease.worker);
    let lease = store
        .take_lease(world.msp, key, worker, time::Duration::hours(1))
        .await;
    world.lease = lease.unwrap().unwrap();
    loop {
        let swept = world
            .sweep_state("state")
            .await
            .heads
            .values()
            .next()
            .map_or(0, |head| head.length);
        let mut sweep = world.sweeping(&format!("sweep {swept}"), 3).await;
        let ticket = world.ticket("ticket", SignalKind::PatchSla);
        sweep.outbox = vec![OutboxRow::note(
            sweep.event,
            &ticket,
            NoteReason::Unmapped,
            at(3),
        )];
        committed(
            store
                .commit_sweep(world.msp, world.customer, sweep)
                .await
                .unwrap(),
        );
        println!("\nswept");
    }
}

#[tokio::test]
async fn a_process_killed_at_any_time_leaves_whole_sweeps() {
    if let Ok(url) = env::var(CHILD) {
        Box::pin(sweep_on(&url)).await;
    }
    let (store, database) = postgres::new_store(postgres::clock()).await;
    let world = World::new(&store, 1).await;
    let mut superuser = database.connect(SUPERUSER).await;
    let mut swept = 0;
    for round in 0..8_u64 {
        let test = test_name!(a_process_killed_at_any_time_leaves_whole_sweeps);
        let mut child = other_process::start(test, CHILD, &database.url(STORE));
        // A sweep or more is done, and the next one is somewhere in its middle.
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut done = lines.filter(|line| line.as_deref().is_ok_and(|line| line == "swept"));
        let wanted = 1 + usize::try_from(round).unwrap() % 3;
        let seen = done.by_ref().take(wanted).count();
        assert_eq!(seen, wanted, "the other process ended");
        tokio::time::sleep(Duration::from_millis(round * 3)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        drop(done);

        let counts: (i64, i64, i64, i64) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM regentra_sync.signals), (SELECT count(*) FROM regentra_sync.evidence), \
             (SELECT count(*) FROM regentra_sync.customer_audit), (SELECT count(*) FROM regentra_sync.outbox)",
        )
        .fetch_one(&mut superuser)
        .await
        .unwrap();
        let sweeps = counts.2;
        assert_eq!(counts, (5 * sweeps, 5 * sweeps, sweeps, sweeps));
        assert!(sweeps > swept, "what was answered is there");
        swept = sweeps;
        for kind in SignalKind::ALL {
            let rows = store
                .evidence_chain(world.customer, world.mapping.id, kind, 0, u32::MAX)
                .await
                .unwrap();
            let start = chain_start(world.customer, world.mapping.id, kind);
            let head = verify_chain(start, rows.iter().map(|row| &row.link), &[]).unwrap();
            assert!(head.length >= u64::try_from(sweeps).unwrap());
        }
    }
}
