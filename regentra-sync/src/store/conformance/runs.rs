//! Laws of [`Runs`](crate::store::Runs).

use futures_util::future::join_all;
use ninjaone_client::ErrorKind as Vendor;
use time::Duration;
use uuid::Uuid;

use super::world::{World, at};
use crate::{
    error::ErrorKind,
    host::ManualClock,
    model::{
        CredentialId, Lease, LeaseKey, MappingId, MspOrgId, Report, RunKind, RunOutcome, RunRecord,
        RunSubject, WorkerId,
    },
    store::{RunFilter, RunOutcomeKind, RunPage, RunSubjects, Store},
};

fn worker(n: u128) -> WorkerId {
    WorkerId::from_uuid(Uuid::from_u128(n))
}

struct Holder<'a> {
    store: &'a dyn Store,
    clock: &'a ManualClock,
    msp: MspOrgId,
    key: LeaseKey,
}

impl Holder<'_> {
    async fn take(&self, n: u128, minutes: i64) -> Option<Lease> {
        self.clock.set(at(minutes));
        self.store
            .take_lease(self.msp, self.key, worker(n), Duration::minutes(10))
            .await
            .unwrap()
    }

    async fn renew(&self, lease: &Lease, minutes: i64) -> Option<Lease> {
        self.clock.set(at(minutes));
        self.store
            .renew_lease(self.msp, lease, Duration::minutes(10))
            .await
            .unwrap()
    }
}

fn holder<'a>(world: &World<'a>, clock: &'a ManualClock) -> Holder<'a> {
    Holder {
        store: world.store,
        clock,
        msp: world.msp,
        key: LeaseKey::AssetSync(world.mapping.id),
    }
}

fn record(world: &World<'_>, minutes: i64) -> RunRecord {
    let (credential, mapping) = (world.credential.id, Some(world.mapping.id));
    RunRecord {
        subject: RunSubject {
            kind: RunKind::AssetSync,
            credential,
            mapping,
        },
        started_at: at(minutes),
        finished_at: at(minutes + 1),
        outcome: RunOutcome::failed(ErrorKind::Ninjaone(Vendor::Timeout)),
        requests: 3,
        reading: Some(crate::model::RunReading::of_customer(
            crate::model::SweepStrategy::Group,
            std::collections::BTreeMap::from([(Report::OsPatches, 7)]),
        )),
    }
}

pub async fn a_lease_has_one_holder_until_it_expires(store: &dyn Store, clock: &ManualClock) {
    let world = World::empty(store, 1);
    let leases = holder(&world, clock);
    let first = leases.take(1, 0).await.unwrap();
    assert_eq!(
        (first.worker, first.key, first.expires_at),
        (worker(1), leases.key, at(10))
    );
    assert_eq!(leases.take(2, 9).await, None);
    let just_before = at(10) - Duration::microseconds(1);
    clock.set(just_before);
    let taken = store
        .take_lease(world.msp, leases.key, worker(2), Duration::minutes(10))
        .await
        .unwrap();
    assert_eq!(taken, None);
    let second = leases.take(2, 10).await.unwrap();
    assert_eq!((second.worker, second.expires_at), (worker(2), at(20)));
    assert_eq!(leases.take(1, 11).await, None);
}

pub async fn each_taking_of_a_lease_raises_its_fence(store: &dyn Store, clock: &ManualClock) {
    let world = World::empty(store, 1);
    let leases = holder(&world, clock);
    let first = leases.take(1, 0).await.unwrap();
    let again = leases.take(1, 1).await.unwrap();
    assert_eq!(again.fence, first.fence.next(), "also for the same worker");
    assert_eq!(
        leases.renew(&first, 2).await,
        None,
        "the earlier run of that worker has lost it"
    );
    let second = leases.take(2, 60).await.unwrap();
    assert_eq!(second.fence, again.fence.next());
    store
        .release_lease(world.msp, &second, Vec::new())
        .await
        .unwrap();
    assert_eq!(
        leases.take(3, 61).await.unwrap().fence,
        second.fence.next(),
        "also after a release"
    );
}

pub async fn a_lost_lease_is_not_renewed_and_records_nothing(
    store: &dyn Store,
    clock: &ManualClock,
) {
    let world = World::new(store, 1).await;
    let leases = holder(&world, clock);
    let first = leases.take(1, 0).await.unwrap();
    let late = leases.renew(&first, 30).await;
    assert_eq!(
        late,
        Some(Lease {
            expires_at: at(40),
            ..first
        }),
        "expired, but nobody took it"
    );
    let second = leases.take(2, 60).await.unwrap();
    assert_eq!(leases.renew(&first, 61).await, None);
    store
        .release_lease(world.msp, &first, vec![record(&world, 1)])
        .await
        .unwrap();
    assert_eq!(store.runs(world.msp).await.unwrap(), Vec::new());
    assert_eq!(
        leases.take(3, 62).await,
        None,
        "the present holder keeps it"
    );
    assert!(leases.renew(&second, 63).await.is_some());
}

pub async fn a_released_lease_is_free_and_its_runs_are_recorded(
    store: &dyn Store,
    clock: &ManualClock,
) {
    let world = World::new(store, 1).await;
    let leases = holder(&world, clock);
    let first = leases.take(1, 0).await.unwrap();
    let discovery = RunRecord {
        subject: RunSubject {
            kind: RunKind::Discovery,
            mapping: None,
            ..record(&world, 1).subject
        },
        outcome: RunOutcome::Partial {
            failed_reports: [
                (Report::OsPatches, ErrorKind::Unknown),
                (Report::Volumes, ErrorKind::Ninjaone(Vendor::Server)),
            ]
            .into(),
        },
        ..record(&world, 1)
    };
    store
        .release_lease(
            world.msp,
            &first,
            vec![record(&world, 1), discovery.clone()],
        )
        .await
        .unwrap();
    assert_eq!(leases.renew(&first, 1).await, None);
    let second = leases.take(2, 1).await.unwrap();
    store
        .release_lease(world.msp, &second, vec![record(&world, 5)])
        .await
        .unwrap();
    assert_eq!(
        store.runs(world.msp).await.unwrap(),
        vec![discovery, record(&world, 5)]
    );
    let other = World::new(store, 2).await;
    assert_eq!(store.runs(other.msp).await.unwrap(), Vec::new());
}

pub async fn leases_of_other_subjects_and_msps_are_independent(
    store: &dyn Store,
    clock: &ManualClock,
) {
    let (one, two) = (World::empty(store, 1), World::empty(store, 2));
    let leases = holder(&one, clock);
    assert!(leases.take(1, 0).await.is_some());
    assert!(
        Holder {
            msp: two.msp,
            ..holder(&one, clock)
        }
        .take(2, 0)
        .await
        .is_some()
    );
    for key in [
        LeaseKey::EvidenceSweep(one.customer),
        LeaseKey::Discovery(one.credential.id),
    ] {
        assert!(
            Holder {
                key,
                ..holder(&one, clock)
            }
            .take(2, 0)
            .await
            .is_some()
        );
    }
}

pub async fn of_many_workers_at_once_one_gets_the_lease(store: &dyn Store, clock: &ManualClock) {
    let world = World::empty(store, 1);
    let leases = holder(&world, clock);
    for round in 0..3 {
        let taken = join_all((1..=8).map(|n| leases.take(n, round * 60))).await;
        assert_eq!(taken.iter().flatten().count(), 1, "round {round}");
    }
}

pub async fn the_store_tells_the_time_by_its_clock(store: &dyn Store, clock: &ManualClock) {
    for minutes in [0, 500, -500] {
        clock.set(at(minutes));
        assert_eq!(store.store_time().await.unwrap(), at(minutes));
    }
}

async fn leases_ahead(world: &World<'_>) -> u64 {
    world.store.rows_ahead(world.msp).await.unwrap().leases
}

pub async fn a_lease_that_ends_later_than_twice_its_length_is_expired(
    store: &dyn Store,
    clock: &ManualClock,
) {
    let world = World::empty(store, 1);
    let leases = holder(&world, clock);
    // Its worker died twenty days ahead.
    let died = leases.take(1, 20 * 24 * 60).await.unwrap();
    assert_eq!(leases_ahead(&world).await, 0);
    clock.set(at(0));
    assert_eq!(leases_ahead(&world).await, 1);
    assert_eq!(leases_ahead(&World::empty(store, 2)).await, 0);
    let taken = leases.take(2, 0).await.unwrap();
    assert_eq!((taken.fence, taken.expires_at), (died.fence.next(), at(10)));
    assert_eq!(leases_ahead(&world).await, 0);
    assert_eq!(leases.renew(&died, 1).await, None, "it lost it");

    // Ahead by less than its length it may still be alive.
    let near = leases.take(2, 9).await.unwrap();
    assert_eq!(leases.take(3, 0).await, None);
    assert_eq!(leases.take(3, -1).await, None, "twice its length exactly");
    clock.set(at(-1) - Duration::microseconds(1));
    assert_eq!(leases_ahead(&world).await, 1);
    store
        .release_lease(world.msp, &near, Vec::new())
        .await
        .unwrap();
    assert_eq!(leases_ahead(&world).await, 0, "nobody's");

    // A lease is measured by its own length, and not by that of who wants it.
    clock.set(at(0));
    let long = Duration::hours(1);
    let key = leases.key;
    let long = store.take_lease(world.msp, key, worker(4), long).await;
    assert!(long.unwrap().is_some());
    assert_eq!(leases.take(5, 0).await, None, "it is alive");
}

const LOW: u128 = 1;
const HIGH: u128 = u128::MAX;

fn mapping(n: u128) -> MappingId {
    MappingId::from_uuid(Uuid::from_u128(n))
}

/// Runs of every kind of one MSP, in the order of pages: the name of the kind, the credential, the mapping, and none last. Another MSP has
/// one of the same subject as one of them.
async fn ten_runs(store: &dyn Store) -> (World<'_>, World<'_>, Vec<RunRecord>, RunRecord) {
    use RunKind::{AssetSync, Discovery, EvidenceSweep};
    let (one, two) = (World::new(store, 1).await, World::new(store, 2).await);
    let run = |kind, credential: u128, mapping, outcome| RunRecord {
        subject: RunSubject {
            kind,
            credential: CredentialId::from_uuid(Uuid::from_u128(credential)),
            mapping,
        },
        outcome,
        ..record(&one, 1)
    };
    let failed = RunOutcome::failed(ErrorKind::Ninjaone(Vendor::Timeout));
    let partial = RunOutcome::Partial {
        failed_reports: [(Report::Volumes, ErrorKind::Unknown)].into(),
    };
    let all = vec![
        run(AssetSync, LOW, Some(mapping(LOW)), RunOutcome::Succeeded),
        run(AssetSync, LOW, Some(mapping(0x10)), failed.clone()),
        run(
            AssetSync,
            LOW,
            Some(mapping(0xa << 120)),
            RunOutcome::PARTIAL,
        ),
        run(AssetSync, LOW, Some(mapping(HIGH)), RunOutcome::Succeeded),
        run(AssetSync, LOW, None, failed.clone()),
        run(AssetSync, HIGH, Some(mapping(2)), RunOutcome::Succeeded),
        run(Discovery, LOW, None, RunOutcome::Succeeded),
        run(Discovery, HIGH, None, failed.clone()),
        run(EvidenceSweep, LOW, Some(mapping(LOW)), partial),
        run(
            EvidenceSweep,
            LOW,
            Some(mapping(HIGH)),
            RunOutcome::Succeeded,
        ),
    ];
    let written: Vec<_> = all.iter().rev().cloned().collect();
    let released = store.release_lease(one.msp, &one.lease, written).await;
    released.unwrap();
    let theirs = run(AssetSync, LOW, Some(mapping(LOW)), failed);
    let released = store.release_lease(two.msp, &two.lease, vec![theirs.clone()]);
    released.await.unwrap();
    (one, two, all, theirs)
}

pub async fn the_runs_of_some_subjects_are_read_without_the_others(store: &dyn Store) {
    use RunKind::{AssetSync, Discovery, EvidenceSweep};
    let (one, two, all, theirs) = ten_runs(store).await;
    for (kind, credential, mappings, expected) in [
        (AssetSync, LOW, vec![], 1),
        (AssetSync, LOW, vec![LOW], 2),
        (AssetSync, LOW, vec![HIGH, 0x10], 3),
        (AssetSync, LOW, vec![LOW, 0x10, 0xa << 120, HIGH, 2], 5),
        (AssetSync, LOW, vec![2], 1),
        (AssetSync, HIGH, vec![LOW, 2], 1),
        (AssetSync, HIGH, vec![], 0),
        (AssetSync, 3, vec![LOW], 0),
        (Discovery, HIGH, vec![LOW], 1),
        (EvidenceSweep, LOW, vec![LOW, 2], 1),
        (EvidenceSweep, LOW, vec![LOW, HIGH], 2),
    ] {
        let subjects = RunSubjects {
            kind,
            credential: CredentialId::from_uuid(Uuid::from_u128(credential)),
            mappings: mappings.into_iter().map(mapping).collect(),
        };
        let mut matching: Vec<_> = all
            .iter()
            .filter(|run| subjects.contains(&run.subject))
            .cloned()
            .collect();
        matching.sort_by_key(|run| run.subject);
        assert_eq!(matching.len(), expected, "{subjects:?}");
        let read = store.runs_of(one.msp, subjects.clone()).await.unwrap();
        assert_eq!(read, matching, "{subjects:?}");
        let read = store.runs_of(two.msp, subjects.clone()).await.unwrap();
        let is_theirs = subjects.contains(&theirs.subject);
        assert_eq!(
            read,
            is_theirs
                .then(|| theirs.clone())
                .into_iter()
                .collect::<Vec<_>>()
        );
    }
    // More than a statement has room for parameters.
    let subjects = RunSubjects {
        kind: EvidenceSweep,
        credential: CredentialId::from_uuid(Uuid::from_u128(LOW)),
        mappings: (LOW..=70_000).map(mapping).collect(),
    };
    let read = store.runs_of(one.msp, subjects).await.unwrap();
    assert_eq!(read.len(), 1);
}

pub async fn pages_of_runs_are_whole_in_order_and_filtered(store: &dyn Store) {
    use RunKind::{AssetSync, Discovery, EvidenceSweep};
    let (one, two, all, theirs) = ten_runs(store).await;
    let none = RunFilter::default();
    let kind = |kind| RunFilter {
        kind: Some(kind),
        ..none
    };
    let outcome = |outcome| RunFilter {
        outcome: Some(outcome),
        ..none
    };
    let of_mapping = |n| RunFilter {
        mapping: Some(mapping(n)),
        ..none
    };
    let everything = RunFilter {
        kind: Some(EvidenceSweep),
        mapping: Some(mapping(LOW)),
        outcome: Some(RunOutcomeKind::Partial),
    };
    let failed_discoveries = RunFilter {
        outcome: Some(RunOutcomeKind::Failed),
        ..kind(Discovery)
    };
    for (filter, expected) in [
        (none, 10),
        (kind(AssetSync), 6),
        (kind(Discovery), 2),
        (kind(EvidenceSweep), 2),
        (outcome(RunOutcomeKind::Succeeded), 5),
        (outcome(RunOutcomeKind::Partial), 2),
        (outcome(RunOutcomeKind::Failed), 3),
        (of_mapping(LOW), 2),
        (of_mapping(2), 1),
        (of_mapping(3), 0),
        (everything, 1),
        (failed_discoveries, 1),
    ] {
        let matching: Vec<_> = all
            .iter()
            .filter(|run| filter.matches(run))
            .cloned()
            .collect();
        assert_eq!(matching.len(), expected, "{filter:?}");
        for limit in 1..=11 {
            let (mut page, mut read) = (RunPage::first(filter, limit), Vec::new());
            loop {
                let rows = store.runs_page(one.msp, page).await.unwrap();
                read.extend(rows.iter().cloned());
                let Some(last) = rows
                    .last()
                    .filter(|_| rows.len() as u64 == u64::from(limit))
                else {
                    break;
                };
                page = page.next(last);
            }
            assert_eq!(read, matching, "{filter:?} in pages of {limit}");
        }
        // A page may begin after a run of another kind, or after one that was never kept.
        for after in &all {
            let page = RunPage::first(filter, 100).next(after);
            let rest = store.runs_page(one.msp, page).await.unwrap();
            let is_after =
                |run: &&RunRecord| RunPage::place(&run.subject) > RunPage::place(&after.subject);
            assert!(rest.iter().eq(matching.iter().filter(is_after)), "{page:?}");
        }
    }
    let nothing = RunPage::first(none, 0);
    assert_eq!(store.runs_page(one.msp, nothing).await.unwrap(), []);
    let page = RunPage::first(none, 100);
    assert_eq!(store.runs_page(two.msp, page).await.unwrap(), [theirs]);
}
