//! Laws of [`Anchors`](crate::store::Anchors).

use futures_util::future::join;
use regentra_evidence::HeadTree;
use time::OffsetDateTime;

use super::world::{World, at, committed};
use crate::{
    model::{AnchoringFailure, EventId, EvidenceHead, EvidenceRoot},
    store::{CommitOutcome, Precondition, RootCommit, Store},
};

/// A sweep of the world's mapping in a tick.
async fn sweep_in(world: &World<'_>, label: &str, tick: OffsetDateTime) {
    let mut commit = world.sweeping(label, 3).await;
    commit.scheduled_at = tick;
    let (store, msp, customer) = (world.store, world.msp, world.customer);
    committed(store.commit_sweep(msp, customer, commit).await.unwrap());
}

/// The root over what is loose in a tick.
pub(super) async fn root(world: &World<'_>, number: u64, tick: OffsetDateTime) -> RootCommit {
    let heads = world.store.heads_without_root(world.msp, tick).await;
    let tree = HeadTree::new(heads.unwrap().iter().map(EvidenceHead::head));
    RootCommit {
        event: EventId::of_root(number),
        root: EvidenceRoot {
            number,
            tick,
            heads: tree.len(),
            root: tree.root(),
            made_at: at(400),
            handed_out_at: None,
        },
    }
}

async fn heads_of_root(world: &World<'_>, number: u64) -> Vec<EvidenceHead> {
    let heads = world.store.heads_of_root(world.msp, number).await;
    let mut heads = heads.unwrap();
    heads.sort();
    heads
}

fn under(mut heads: Vec<EvidenceHead>, number: u64) -> Vec<EvidenceHead> {
    for head in &mut heads {
        head.root = Some(number);
    }
    heads
}

pub async fn the_heads_of_a_tick_are_put_under_one_root(store: &dyn Store) {
    let world = World::new(store, 1).await;
    assert_eq!(store.last_root(world.msp).await.unwrap(), None);
    sweep_in(&world, "first", at(0)).await;
    sweep_in(&world, "second", at(360)).await;
    sweep_in(&world, "third", at(720)).await;
    let ticks = |before, limit| store.ticks_without_root(world.msp, before, limit);
    assert_eq!(ticks(at(720), 9).await.unwrap(), [at(0), at(360)]);
    assert_eq!(ticks(at(720), 1).await.unwrap(), [at(0)]);

    let mut loose = store.heads_without_root(world.msp, at(0)).await.unwrap();
    loose.sort();
    assert_eq!(loose.len(), 5);
    let commit = root(&world, 1, at(0)).await;
    let expected = commit.root.clone();
    committed(store.commit_root(world.msp, commit).await.unwrap());
    assert_eq!(ticks(at(720), 9).await.unwrap(), [at(360)]);
    assert!(
        store
            .heads_without_root(world.msp, at(0))
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(heads_of_root(&world, 1).await, under(loose, 1));
    assert_eq!(store.last_root(world.msp).await.unwrap(), Some(expected));
}

pub async fn a_head_that_came_late_gets_a_root_of_its_own(store: &dyn Store) {
    let world = World::new(store, 1).await;
    sweep_in(&world, "in time", at(0)).await;
    let first = root(&world, 1, at(0)).await;
    committed(store.commit_root(world.msp, first).await.unwrap());
    sweep_in(&world, "late", at(0)).await;
    let second = root(&world, 2, at(0)).await;
    assert_eq!(second.root.heads, 5);
    committed(store.commit_root(world.msp, second).await.unwrap());
    let lengths = |heads: Vec<EvidenceHead>| -> Vec<u64> {
        heads.into_iter().map(|head| head.length).collect()
    };
    assert_eq!(lengths(heads_of_root(&world, 1).await), [1; 5]);
    assert_eq!(lengths(heads_of_root(&world, 2).await), [2; 5]);
}

pub async fn a_root_that_another_process_made_or_whose_heads_changed_is_not_written(
    store: &dyn Store,
) {
    let world = World::new(store, 1).await;
    sweep_in(&world, "first", at(0)).await;
    let stale = root(&world, 1, at(0)).await;
    let refused = CommitOutcome::Superseded(Precondition::Root);
    for number in [0, 2] {
        let commit = root(&world, number, at(0)).await;
        assert_eq!(store.commit_root(world.msp, commit).await.unwrap(), refused);
    }
    sweep_in(&world, "meanwhile", at(0)).await;
    assert_eq!(store.commit_root(world.msp, stale).await.unwrap(), refused);
    let loose = store.heads_without_root(world.msp, at(0)).await.unwrap();
    assert_eq!(loose.len(), 10, "nothing was written");

    let fresh = root(&world, 1, at(0)).await;
    let commit = || store.commit_root(world.msp, fresh.clone());
    let outcomes = join(commit(), commit()).await;
    let mut outcomes = [outcomes.0.unwrap(), outcomes.1.unwrap()];
    outcomes.sort_by_key(|outcome| *outcome != CommitOutcome::Committed);
    assert_eq!(
        outcomes,
        [CommitOutcome::Committed, CommitOutcome::AlreadyCommitted]
    );
    assert_eq!(heads_of_root(&world, 1).await.len(), 10);
}

pub async fn a_root_waits_until_it_is_handed_out(store: &dyn Store) {
    let world = World::new(store, 1).await;
    for (number, label) in (1..).zip(["first", "second", "third"]) {
        sweep_in(&world, label, at(0)).await;
        let commit = root(&world, number, at(0)).await;
        committed(store.commit_root(world.msp, commit).await.unwrap());
    }
    let waiting = |limit| async move {
        let roots = store.roots_waiting(world.msp, limit).await.unwrap();
        roots
            .into_iter()
            .map(|root| root.number)
            .collect::<Vec<_>>()
    };
    assert_eq!(waiting(9).await, [1, 2, 3]);
    assert_eq!(waiting(2).await, [1, 2]);
    for (number, minutes) in [(2, 401), (3, 402), (3, 403), (9, 404)] {
        let handed_out = store.root_handed_out(world.msp, number, at(minutes));
        handed_out.await.unwrap();
    }
    assert_eq!(waiting(9).await, [1]);
    let last = store.last_root(world.msp).await.unwrap().unwrap();
    assert_eq!(last.handed_out_at, Some(at(402)), "the first time stays");
}

pub async fn heads_and_roots_of_msps_and_customers_are_apart(store: &dyn Store) {
    let (one, two) = (World::new(store, 1).await, World::new(store, 2).await);
    for world in [&one, &two] {
        sweep_in(world, "sweep", at(0)).await;
    }
    let commit = root(&one, 1, at(0)).await;
    committed(store.commit_root(one.msp, commit).await.unwrap());
    assert_eq!(store.last_root(two.msp).await.unwrap(), None);
    assert_eq!(two.loose_heads().await.len(), 5);
    assert!(store.heads_of_root(two.msp, 1).await.unwrap().is_empty());
    store.root_handed_out(two.msp, 1, at(401)).await.unwrap();
    assert_eq!(store.roots_waiting(one.msp, 9).await.unwrap().len(), 1);
    let of = |msp, customer| store.heads_of_customer(msp, customer);
    let mut theirs = of(one.msp, one.customer).await.unwrap();
    theirs.sort();
    assert_eq!(theirs, heads_of_root(&one, 1).await);
    assert!(of(one.msp, two.customer).await.unwrap().is_empty());
    assert!(of(two.msp, one.customer).await.unwrap().is_empty());
    assert!(
        of(two.msp, two.customer).await.unwrap().is_empty(),
        "under no root"
    );
}

pub async fn why_evidence_is_not_anchored_is_kept_until_it_is_forgotten(store: &dyn Store) {
    let (one, two) = (World::empty(store, 1), World::empty(store, 2));
    let failure = |error: &str, minutes| {
        let error = error.to_owned();
        Some(AnchoringFailure {
            error,
            at: at(minutes),
        })
    };
    let known = async |world: &World<'_>| store.anchoring_failure(world.msp).await.unwrap();
    let remember = async |world: &World<'_>, failure| {
        let remembered = store.remember_anchoring_failure(world.msp, failure);
        remembered.await.unwrap();
    };
    assert_eq!(known(&one).await, None);
    remember(&one, None).await;
    remember(&one, failure("sink.refused", 1)).await;
    remember(&two, failure("superseded", 2)).await;
    // The last one counts, whatever its time says.
    remember(&one, failure("sink.unreadable", 0)).await;
    assert_eq!(known(&one).await, failure("sink.unreadable", 0));
    remember(&one, None).await;
    assert_eq!(known(&one).await, None);
    assert_eq!(known(&two).await, failure("superseded", 2));
}
