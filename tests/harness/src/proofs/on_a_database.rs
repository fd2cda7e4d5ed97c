//! The same crashes on a store that keeps its rows in a database: statements and transactions are on their way when one
//! strikes. What an operation ends in is what it ends in undisturbed, in memory.

use std::{
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use regentra_sync::{
    Integration,
    host::StoreClock,
    store::{Result, Store},
};
use tokio::sync::oneshot;

use crate::{
    StoreGuard,
    proofs::{
        killed::is_everything_asked_for,
        snapshot::{Snapshot, assert_same},
        story::{Operation, Story},
        undisturbed::{Undisturbed, in_memory},
        watched::{Call, FailsOnce, Moment, Watch, Watched},
    },
    suspension::run_to_suspension,
};

/// How often an event is delivered again, at most.
const DELIVERIES: usize = 4;

/// A database in which the story has begun, to be copied.
pub trait StoryTemplate: Sized {
    /// A copy of it, for as long as this lives.
    type Copy: 'static;

    async fn new() -> Self;

    async fn copy(&self) -> Self::Copy;

    /// Where a copy is, in words that another process understands.
    fn place(copy: &Self::Copy) -> String;

    async fn open(place: &str, clock: StoreClock) -> Arc<dyn Store>;

    /// Waits until nothing that a dead process has begun is at work any more.
    async fn is_left(copy: &Self::Copy);

    /// The story, in a copy that nobody else knows.
    async fn begin(&self) -> (Story, StoreGuard) {
        let copy = self.copy().await;
        (on::<Self>(&Self::place(&copy)).await, Box::new(copy))
    }
}

/// The story, over a database in which it has begun.
pub async fn on<T: StoryTemplate>(place: &str) -> Story {
    let mut story = in_memory().await;
    let clock = StoreClock::of(story.site.clock.clone());
    story.site.store = T::open(place, clock).await;
    story
}

/// Another process is delivered the event until it has handled it, and ends where an undisturbed one does.
pub async fn is_made_good(
    story: &Story,
    operation: Operation,
    undisturbed: &Undisturbed,
    what: &str,
) {
    let handled = story.deliver_again(operation, None, DELIVERIES).await;
    assert_eq!(handled, Ok(()), "{what}");
    undisturbed.assert_ended(&story.site.snapshot().await, operation, what);
}

/// The place of the next disturbance, ever further apart: a copy of the database is made for each, and in memory every place is tried.
/// Where all operations are asked for, so are all places.
pub(super) fn next_place(at: usize) -> usize {
    if is_everything_asked_for() {
        at + 1
    } else {
        at + 1 + at / 3
    }
}

/// Dropped at its suspensions, ever further apart; a database suspends often.
pub async fn dropped(operation: Operation, begin: &impl AsyncFn() -> (Story, StoreGuard)) {
    let undisturbed = Undisturbed::run(operation).await;
    let mut suspension = 1;
    loop {
        let what = format!("{operation:?} dropped at suspension {suspension}");
        let (story, _kept) = begin().await;
        let is_over = {
            let process = story.process(operation);
            let run = pin!(story.perform(&process, operation));
            run_to_suspension(run, suspension).await.is_some()
        };
        is_made_good(&story, operation, &undisturbed, &what).await;
        if is_over {
            break;
        }
        suspension += 1 + suspension / 3;
    }
    assert!(
        suspension > 2,
        "{operation:?} suspends while the database works"
    );
}

/// The database is away for one call, or its answer gets lost.
pub async fn failing(operation: Operation, begin: &impl AsyncFn() -> (Story, StoreGuard)) {
    let undisturbed = Undisturbed::run(operation).await;
    for moment in [Moment::Before, Moment::After] {
        let mut at = 1;
        loop {
            let what = format!("{operation:?}: {moment:?} call {at}");
            let (story, _kept) = begin().await;
            let watch = Arc::new(FailsOnce::at(at, moment));
            let process = watched(&story, operation, &watch);
            let _: std::result::Result<(), String> = story.perform(&process, operation).await;
            let was_reached = watch.was_reached();
            is_made_good(&story, operation, &undisturbed, &what).await;
            if !was_reached {
                assert!(at > 2, "{operation:?} calls the store");
                break;
            }
            at = next_place(at);
        }
    }
}

fn watched<W: Watch>(story: &Story, operation: Operation, watch: &Arc<W>) -> Integration {
    let watched = Watched {
        store: Arc::clone(&story.site.store),
        watch: Arc::<W>::clone(watch),
    };
    story.process_over(operation, Arc::new(watched))
}

/// Two processes are delivered one event at the same time.
pub async fn at_once(operation: Operation, begin: &impl AsyncFn() -> (Story, StoreGuard)) {
    let undisturbed = Undisturbed::run(operation).await;
    for round in 0..4 {
        let what = format!("{operation:?} in two processes at once, {round}");
        let (story, _kept) = begin().await;
        let (one, other) = (story.process(operation), story.process(operation));
        let (one, other) = tokio::join!(
            story.perform(&one, operation),
            story.perform(&other, operation)
        );
        assert!(
            operation.has_parts() || one.is_ok() || other.is_ok(),
            "{what}: one of the two does it: {one:?}, {other:?}"
        );
        is_made_good(&story, operation, &undisturbed, &what).await;
    }
}

/// Stops before one call until it is woken.
#[derive(Debug)]
struct Freezes {
    at: usize,
    calls: AtomicUsize,
    answered: Mutex<Vec<&'static str>>,
    frozen: Mutex<Option<(oneshot::Sender<()>, oneshot::Receiver<()>)>>,
}

#[async_trait]
impl Watch for Freezes {
    async fn before(&self, _call: &Call) -> Result<()> {
        if self.calls.fetch_add(1, Ordering::Relaxed) + 1 == self.at {
            let frozen = self.frozen.lock().unwrap().take();
            if let Some((frozen, wakes)) = frozen {
                frozen.send(()).unwrap();
                wakes.await.unwrap();
            }
        }
        Ok(())
    }

    async fn after(&self, call: &Call) -> Result<()> {
        self.answered.lock().unwrap().push(call.name());
        Ok(())
    }
}

/// Freezes a run before each of its calls, lets something happen meanwhile, wakes it, and looks at what is there.
async fn frozen(
    operation: Operation,
    begin: &impl AsyncFn() -> (Story, StoreGuard),
    in_flight_after: Option<&'static str>,
    meanwhile: impl AsyncFn(&Story) -> Option<Snapshot>,
    look: impl Fn(&Snapshot, Option<Snapshot>, &str),
) {
    let mut woken = 0;
    let mut next = 1;
    loop {
        let at = next;
        next = next_place(at);
        let what = format!("{operation:?} frozen before call {at}");
        let (story, _kept) = begin().await;
        let ((frozen, freezes), (wake, wakes)) = (oneshot::channel(), oneshot::channel());
        let watch = Arc::new(Freezes {
            at,
            calls: AtomicUsize::new(0),
            answered: Mutex::default(),
            frozen: Mutex::new(Some((frozen, wakes))),
        });
        let process = watched(&story, operation, &watch);
        let mut run = pin!(story.perform(&process, operation));
        let is_frozen = tokio::select! {
            frozen = freezes => frozen.is_ok(),
            _ = &mut run => false,
        };
        if !is_frozen {
            break;
        }
        let is_in_flight =
            in_flight_after.is_none_or(|call| watch.answered.lock().unwrap().contains(&call));
        if !is_in_flight {
            continue;
        }
        woken += 1;
        let then = meanwhile(&story).await;
        wake.send(()).unwrap();
        let _: std::result::Result<(), String> = run.await;
        look(&story.site.snapshot().await, then, &what);
    }
    assert!(woken > 1, "{operation:?} calls the store");
}

/// A frozen run that wakes after another took over changes nothing.
pub async fn taken_over(operation: Operation, begin: &impl AsyncFn() -> (Story, StoreGuard)) {
    let undisturbed = Undisturbed::run(operation).await;
    let another = async |story: &Story| {
        story.site.expire_leases().await;
        let another = story.process(operation);
        story.perform(&another, operation).await.unwrap();
        None
    };
    let look = |end: &Snapshot, _: Option<Snapshot>, what: &str| {
        undisturbed.assert_ended(end, operation, what);
    };
    frozen(operation, begin, None, another, look).await;
}

/// A run in flight writes nothing after a disconnect, nor after a disconnect and a reconnect.
pub async fn fenced(operation: Operation, begin: &impl AsyncFn() -> (Story, StoreGuard)) {
    for meanwhile in [
        &[Operation::Disconnect][..],
        &[Operation::Disconnect, Operation::Reconnect],
    ] {
        let happens = async |story: &Story| {
            for operation in meanwhile {
                let process = story.process(*operation);
                story.perform(&process, *operation).await.unwrap();
            }
            Some(story.site.snapshot().await.without_runs())
        };
        let look = |end: &Snapshot, then: Option<Snapshot>, what: &str| {
            // What a pass cost is a matter of the MSP's, whatever became of the connection.
            let [end, then] = [&end.without_runs(), &then.unwrap()].map(Snapshot::without_passes);
            assert_same(&end, &then, what);
        };
        frozen(operation, begin, Some("credential"), happens, look).await;
    }
}

/// One test for each way to be disturbed.
#[macro_export]
macro_rules! crashes {
    ($flavor:literal, $template:ty) => {
        use $crate::proofs::{
            on_a_database::{at_once, dropped, failing, fenced, taken_over},
            story::Operation,
        };

        #[tokio::test(flavor = $flavor)]
        async fn an_operation_dropped_at_any_suspension_is_made_good() {
            let template = <$template>::new().await;
            for operation in Operation::PROMISED {
                dropped(operation, &async || template.begin().await).await;
            }
        }

        #[tokio::test(flavor = $flavor)]
        async fn a_call_that_fails_before_or_after_is_made_good() {
            let template = <$template>::new().await;
            for operation in Operation::PROMISED {
                failing(operation, &async || template.begin().await).await;
            }
        }

        #[tokio::test(flavor = $flavor)]
        async fn two_runs_at_once_end_as_one() {
            let template = <$template>::new().await;
            for operation in Operation::PROMISED {
                at_once(operation, &async || template.begin().await).await;
            }
        }

        #[tokio::test(flavor = $flavor)]
        async fn a_frozen_run_that_wakes_after_another_took_over_changes_nothing() {
            let template = <$template>::new().await;
            for operation in Operation::PROMISED {
                taken_over(operation, &async || template.begin().await).await;
            }
        }

        #[tokio::test(flavor = $flavor)]
        async fn a_run_in_flight_does_not_write_after_a_disconnect() {
            let template = <$template>::new().await;
            for operation in Operation::PROMISED {
                if Operation::RUNS.contains(&operation) {
                    fenced(operation, &async || template.begin().await).await;
                }
            }
        }
    };
}
pub use crate::crashes;
