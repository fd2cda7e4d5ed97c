//! Commits that meet inside the database, through connections that know nothing of each other: each ends in one winner, and
//! the loser learns which guard it lost.

use futures_util::future::join_all;
use regentra_harness::postgres;
use regentra_sync::{
    host::StoreClock,
    model::{
        Asset, AssetStatus, CompanyId, ComplianceOrgId, MappingState, MspOrgId, NINJAONE_WINDOWS,
        NoteReason, OutboxRow, PortalCompany, Source, Spend,
    },
    regentra_evidence::SignalKind,
    store::{
        AssetCommit, AssetFilter, AssetWrite, Assets as _, Budget as _, CommitOutcome,
        ConnectCommit, Connections as _, DeliveryCommit, Evidence as _, MappingCommit,
        Mappings as _, Precondition, PromotionCommit, Result, SecretsCommit, Tickets as _,
        conformance::world::{World, at, secrets},
    },
};
use regentra_sync_postgres::PostgresStore;
use sqlx::types::Uuid;
use tokio::sync::Barrier;

const ROUNDS: u128 = 12;

/// Two stores on one database, as two processes have them.
struct Two {
    a: PostgresStore,
    b: PostgresStore,
    _database: postgres::Database,
}

async fn two() -> Two {
    let clock = postgres::clock();
    let (a, database) = postgres::new_store(clock.clone()).await;
    Two {
        a,
        b: database.store().await.with_clock(clock),
        _database: database,
    }
}

/// Runs both at once, on threads of their own.
async fn at_once<T: Send + 'static>(
    a: impl Future<Output = Result<T>> + Send + 'static,
    b: impl Future<Output = Result<T>> + Send + 'static,
) -> [T; 2] {
    let start = std::sync::Arc::new(Barrier::new(2));
    let race = |start: std::sync::Arc<Barrier>| async move {
        start.wait().await;
    };
    let (race_a, race_b) = (race(start.clone()), race(start));
    let a = tokio::spawn(async move {
        race_a.await;
        a.await
    });
    let b = tokio::spawn(async move {
        race_b.await;
        b.await
    });
    [a.await.unwrap().unwrap(), b.await.unwrap().unwrap()]
}

/// One is committed, and the other is answered `loser`.
fn one_wins(mut outcomes: [CommitOutcome; 2], loser: CommitOutcome) {
    outcomes.sort_by_key(|outcome| *outcome != CommitOutcome::Committed);
    assert_eq!(outcomes, [CommitOutcome::Committed, loser]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sweeps_from_one_chain_head() {
    let two = two().await;
    for number in 1..=ROUNDS {
        let world = World::new(&two.a, number).await;
        let (msp, customer) = (world.msp, world.customer);
        let (first, second) = (world.sweeping("a", 3).await, world.sweeping("b", 3).await);
        let (a, b) = (two.a.clone(), two.b.clone());
        let outcomes = at_once(
            async move { a.commit_sweep(msp, customer, first).await },
            async move { b.commit_sweep(msp, customer, second).await },
        )
        .await;
        one_wins(
            outcomes,
            CommitOutcome::Superseded(Precondition::EvidenceChain),
        );
        assert_eq!(
            two.a.current_signals(customer, at(4)).await.unwrap().len(),
            5
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_event_delivered_twice() {
    let two = two().await;
    for number in 1..=ROUNDS {
        let world = World::new(&two.a, number).await;
        let (msp, customer) = (world.msp, world.customer);
        let commit = world.sweeping("a", 3).await;
        let (a, b, again) = (two.a.clone(), two.b.clone(), commit.clone());
        let outcomes = at_once(
            async move { a.commit_sweep(msp, customer, commit).await },
            async move { b.commit_sweep(msp, customer, again).await },
        )
        .await;
        one_wins(outcomes, CommitOutcome::AlreadyCommitted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_decisions_about_one_organization() {
    let two = two().await;
    for number in 1..=ROUNDS {
        let world = World::new(&two.a, number).await;
        let msp = world.msp;
        let (ignore, unmap) = (
            world.deciding("ignore", MappingState::Ignored),
            world.deciding("unmap", MappingState::PendingReview),
        );
        let (a, b) = (two.a.clone(), two.b.clone());
        let outcomes = at_once(
            async move { a.commit_mapping(msp, ignore).await },
            async move { b.commit_mapping(msp, unmap).await },
        )
        .await;
        one_wins(outcomes, CommitOutcome::Superseded(Precondition::Mapping));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_decisions_that_create_one_company() {
    let two = two().await;
    for number in 1..=ROUNDS {
        let world = World::new(&two.a, number).await;
        let second = world
            .another_customer(
                8,
                ComplianceOrgId::from_uuid(Uuid::from_u128(1_000 + number)),
            )
            .await;
        let msp = world.msp;
        let company = PortalCompany {
            id: CompanyId::of_name(msp, "New"),
            name: "New".into(),
            converted_to: None,
            created_at: at(3),
        };
        let mapped = MappingState::Mapped {
            company: company.id,
        };
        let first = MappingCommit {
            company: Some(company.clone()),
            ..world.deciding("a", mapped)
        };
        let other = MappingCommit {
            guard: second.guard(),
            company: Some(company),
            ..world.deciding("b", mapped)
        };
        let (a, b) = (two.a.clone(), two.b.clone());
        let outcomes = at_once(
            async move { a.commit_mapping(msp, first).await },
            async move { b.commit_mapping(msp, other).await },
        )
        .await;
        one_wins(outcomes, CommitOutcome::Superseded(Precondition::Company));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_msps_that_connect_one_client_id() {
    let two = two().await;
    for number in 1..=ROUNDS {
        let (one, other) = (
            World::empty(&two.a, number),
            World::empty(&two.a, 100 + number),
        );
        let mut second = other.connecting();
        second.credential.fingerprint = one.credential.fingerprint.clone();
        let (first, msps) = (one.connecting(), (one.msp, other.msp));
        let (a, b) = (two.a.clone(), two.b.clone());
        let outcomes = at_once(
            async move { a.commit_connect(msps.0, first).await },
            async move { b.commit_connect(msps.1, second).await },
        )
        .await;
        one_wins(
            outcomes,
            CommitOutcome::Superseded(Precondition::Fingerprint),
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_first_connections_of_one_region() {
    let two = two().await;
    for number in 1..=ROUNDS {
        let world = World::empty(&two.a, number);
        let msp = world.msp;
        let (first, second) = (
            world.connecting(),
            ConnectCommit {
                event: world.event("again"),
                ..world.connecting()
            },
        );
        let (a, b) = (two.a.clone(), two.b.clone());
        let outcomes = at_once(
            async move { a.commit_connect(msp, first).await },
            async move { b.commit_connect(msp, second).await },
        )
        .await;
        one_wins(
            outcomes,
            CommitOutcome::Superseded(Precondition::Credential),
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_msps_that_promote_to_one_compliance_organization() {
    let two = two().await;
    for number in 1..=ROUNDS {
        let org = ComplianceOrgId::from_uuid(Uuid::from_u128(5_000 + number));
        let mut commits = Vec::new();
        for number in [number, 100 + number] {
            let msp = MspOrgId::from_uuid(Uuid::from_u128(number));
            let world = World::empty(&two.a, number);
            two.a.add_company(msp, world.company.clone()).await.unwrap();
            let commit = PromotionCommit {
                event: world.event("promote"),
                company: world.company.id,
                compliance_org: org,
                audit: Vec::new(),
            };
            commits.push((msp, commit));
        }
        let (second, first) = (commits.pop().unwrap(), commits.pop().unwrap());
        let (a, b) = (two.a.clone(), two.b.clone());
        let outcomes = at_once(
            async move { a.commit_promotion(first.0, first.1).await },
            async move { b.commit_promotion(second.0, second.1).await },
        )
        .await;
        one_wins(outcomes, CommitOutcome::Superseded(Precondition::Company));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_rotations_of_one_refresh_token() {
    let two = two().await;
    for number in 1..=ROUNDS {
        let world = World::new(&two.a, number).await;
        let msp = world.msp;
        let rotating = |label: &str| SecretsCommit {
            event: world.event(label),
            guard: world.credential.guard(),
            expected: world.credential.secrets_version,
            secrets: secrets(label),
            audit: Vec::new(),
        };
        let (first, second) = (rotating("a"), rotating("b"));
        let (a, b) = (two.a.clone(), two.b.clone());
        let outcomes = at_once(
            async move { a.commit_secrets(msp, first).await },
            async move { b.commit_secrets(msp, second).await },
        )
        .await;
        one_wins(
            outcomes,
            CommitOutcome::Superseded(Precondition::Credential),
        );
    }
}

/// The same new assets from two sources at once, each in an order of its own.
#[tokio::test(flavor = "multi_thread")]
async fn two_writers_of_the_same_assets() {
    let two = two().await;
    for number in 1..=ROUNDS {
        let world = World::new(&two.a, number).await;
        let msp = world.msp;
        let assets: Vec<_> = (0..40)
            .map(|n| world.asset(Source::Level, &n.to_string()))
            .collect();
        let writing = |label: &str, assets: Vec<_>| AssetCommit {
            credential: None,
            settings: None,
            mapping: None,
            lease: None,
            ..world.writing(label, assets)
        };
        let (first, second) = (
            writing("a", assets.clone()),
            writing("b", assets.into_iter().rev().collect()),
        );
        let (a, b) = (two.a.clone(), two.b.clone());
        let outcomes = at_once(
            async move { a.commit_assets(msp, first).await },
            async move { b.commit_assets(msp, second).await },
        )
        .await;
        one_wins(outcomes, CommitOutcome::Superseded(Precondition::Asset));
    }
}

/// One asset is superseded by another that is taken out of count at the same time, by its own sync or by a disconnect: whichever
/// comes first, no machine ends up counted nowhere.
#[tokio::test(flavor = "multi_thread")]
async fn an_asset_is_superseded_by_one_that_is_retired_at_the_same_time() {
    let two = two().await;
    for number in 1..=2 * ROUNDS {
        let world = World::new(&two.a, number).await;
        let msp = world.msp;
        let (winner, loser) = (
            world.asset(Source::Ninjaone, "1"),
            world.asset(Source::Entra, "e"),
        );
        let rewriting = |label: &str, asset: &Asset, status| {
            let mut written = asset.clone();
            (written.status, written.version) = (status, asset.version.next());
            AssetCommit {
                credential: None,
                settings: None,
                mapping: None,
                lease: None,
                writes: vec![AssetWrite {
                    asset: written,
                    expected: Some(asset.version),
                }],
                ..world.writing(label, Vec::new())
            }
        };
        world
            .write_assets("assets", vec![winner.clone(), loser.clone()])
            .await;
        let superseded = AssetStatus::Superseded { by: winner.id };
        let superseded = rewriting("superseded", &loser, superseded);
        let retired = rewriting("retired", &winner, AssetStatus::Retired);
        let disconnect = world.disconnecting(5);
        let is_disconnect = number.is_multiple_of(2);
        let (a, b) = (two.a.clone(), two.b.clone());
        let outcomes = at_once(
            async move { a.commit_assets(msp, superseded).await },
            async move {
                if is_disconnect {
                    b.commit_disconnect(msp, disconnect).await
                } else {
                    b.commit_assets(msp, retired).await
                }
            },
        )
        .await;
        let refused = CommitOutcome::Superseded(Precondition::Asset);
        if is_disconnect {
            assert_eq!(outcomes[1], CommitOutcome::Committed);
        } else {
            one_wins(outcomes, refused);
        }
        let stored = two.a.assets(msp, AssetFilter::All).await.unwrap();
        let is_active = |id| {
            let of = |asset: &&Asset| asset.id == id;
            stored.iter().find(of).unwrap().status == AssetStatus::Active
        };
        assert!(
            is_active(winner.id) || is_active(loser.id),
            "{outcomes:?}: {stored:#?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_deliveries_of_one_outbox_row() {
    let two = two().await;
    for number in 1..=ROUNDS {
        let world = World::new(&two.a, number).await;
        let (msp, customer) = (world.msp, world.customer);
        let mut sweep = world.sweeping("sweep", 3).await;
        let ticket = world.ticket("sweep", SignalKind::PatchSla);
        let row = OutboxRow::note(sweep.event, &ticket, NoteReason::Unmapped, at(3));
        sweep.outbox = vec![row.clone()];
        assert_eq!(
            two.a.commit_sweep(msp, customer, sweep).await.unwrap(),
            CommitOutcome::Committed
        );
        let delivering = |label: &str| DeliveryCommit {
            event: world.event(label),
            row: row.id,
            reference: None,
            at: at(4),
        };
        let (first, second) = (delivering("a"), delivering("b"));
        let (a, b) = (two.a.clone(), two.b.clone());
        let outcomes = at_once(
            async move { a.commit_delivery(msp, first).await },
            async move { b.commit_delivery(msp, second).await },
        )
        .await;
        one_wins(outcomes, CommitOutcome::AlreadyCommitted);
    }
}

/// Whichever comes first, nothing of the sweep is there that the disconnect did not count.
#[tokio::test(flavor = "multi_thread")]
async fn a_disconnect_in_the_middle_of_a_sweep() {
    let two = two().await;
    for number in 1..=ROUNDS {
        let world = World::new(&two.a, number).await;
        let (msp, customer) = (world.msp, world.customer);
        let (sweep, disconnect) = (world.sweeping("sweep", 3).await, world.disconnecting(5));
        let (a, b) = (two.a.clone(), two.b.clone());
        let [swept, disconnected] = at_once(
            async move { a.commit_sweep(msp, customer, sweep).await },
            async move { b.commit_disconnect(msp, disconnect).await },
        )
        .await;
        assert_eq!(disconnected, CommitOutcome::Committed);
        let signals = two.a.current_signals(customer, at(5)).await.unwrap().len();
        match swept {
            CommitOutcome::Committed => assert_eq!(signals, 5),
            outcome => {
                assert_eq!(outcome, CommitOutcome::Superseded(Precondition::Credential));
                assert_eq!(signals, 0);
            }
        }
        let state = world.sweep_state("state").await;
        assert!(
            state.signature_history.is_empty(),
            "the disconnect purges what the sweep wrote"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_spend_one_request_budget() {
    // By the server's clock, as processes of a host do.
    let (a, database) = postgres::new_store(StoreClock::server()).await;
    let two = Two {
        a,
        b: database.store().await,
        _database: database,
    };
    let world = World::empty(&two.a, 1);
    let spending = (0..150)
        .flat_map(|_| [two.a.clone(), two.b.clone()])
        .map(|store| {
            let fingerprint = world.credential.fingerprint.clone();
            tokio::spawn(async move { store.spend(&fingerprint, &NINJAONE_WINDOWS).await.unwrap() })
        });
    let answers: Vec<_> = join_all(spending)
        .await
        .into_iter()
        .map(|spend| spend.unwrap())
        .collect();
    let granted = answers
        .iter()
        .filter(|spend| **spend == Spend::Granted)
        .count();
    assert_eq!(
        (granted, answers.len()),
        (200, 300),
        "the minute's quota, and not one more"
    );
}
