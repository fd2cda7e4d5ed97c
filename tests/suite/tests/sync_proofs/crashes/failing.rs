//! A store that fails before and after each call: the database was away, or its answer got lost on the way.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use regentra_sync::store::{Result, StoreError, StoreErrorKind};

use super::{Operation, Successor, Undisturbed, deliver_again, in_memory};
use crate::watched::{Call, Watch, Watched};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// The store has done nothing.
    Before,
    /// The store has done it, and says that it failed.
    After,
}

/// Fails one call, the n-th, and then never again.
#[derive(Debug)]
struct FailsOnce {
    at: usize,
    moment: Moment,
    calls: AtomicUsize,
}

impl FailsOnce {
    fn fail(call: &Call) -> Result<()> {
        let text = format!("{} was told to fail", call.name());
        Err(StoreError::new(StoreErrorKind::Unavailable, text))
    }
}

#[async_trait]
impl Watch for FailsOnce {
    async fn before(&self, call: &Call) -> Result<()> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        if number == self.at && self.moment == Moment::Before {
            return Self::fail(call);
        }
        Ok(())
    }

    async fn after(&self, call: &Call) -> Result<()> {
        if self.calls.load(Ordering::Relaxed) == self.at && self.moment == Moment::After {
            return Self::fail(call);
        }
        Ok(())
    }
}

async fn failing_at_every_call(operation: Operation) {
    let undisturbed = Undisturbed::run(operation).await;
    for successor in [Successor::Same, Successor::Another] {
        for moment in [Moment::Before, Moment::After] {
            let (mut at, mut failed) = (0, 0);
            loop {
                at += 1;
                let what = format!("{operation:?}: {moment:?} call {at}, {successor:?}");
                let story = in_memory().await;
                let watch = Arc::new(FailsOnce {
                    at,
                    moment,
                    calls: AtomicUsize::new(0),
                });
                let failing = Watched {
                    store: Arc::clone(&story.site.store),
                    watch: Arc::<FailsOnce>::clone(&watch),
                };
                let process = story.process_over(operation, Arc::new(failing));
                let done = story.perform(&process, operation).await;
                let was_reached = watch.calls.load(Ordering::Relaxed) >= at;
                failed += usize::from(done.is_err());
                if !operation.has_parts() {
                    undisturbed.assert_whole(&story.site.snapshot().await, &what);
                }
                deliver_again(&story, &process, operation, successor).await;
                undisturbed.assert_ended(&story.site.snapshot().await, operation, &what);
                if !was_reached {
                    assert_eq!(done, Ok(()), "{what}: nothing failed");
                    break;
                }
            }
            assert!(failed > 1, "{operation:?} says when the store fails");
        }
    }
}

macro_rules! failing {
    ($($name:ident: $operation:ident,)+) => {
        $(
            #[tokio::test]
            async fn $name() {
                failing_at_every_call(Operation::$operation).await;
            }
        )+

        #[test]
        fn every_operation_fails() {
            assert_eq!([$(Operation::$operation),+], Operation::ALL);
        }
    };
}

failing! {
    connecting: Connect,
    reconnecting: Reconnect,
    disconnecting: Disconnect,
    discovering: Discover,
    mapping_to_a_new_company: MapToNewCompany,
    unmapping: Unmap,
    promoting: Promote,
    syncing_assets: SyncAssets,
    syncing_a_company: SyncCompany,
    a_sweep_that_fails: SweepThatFails,
    a_sweep_that_passes: SweepThatPasses,
    sweeping_a_group: SweepGroup,
    syncing_assets_together: SyncTogether,
    delivering_to_the_ticket_system: Deliver,
    rotating_the_key: RotateKey,
    changing_settings: Configure,
    adopting_frameworks: AdoptFrameworks,
}
