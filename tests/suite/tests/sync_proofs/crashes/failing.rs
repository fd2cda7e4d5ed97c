//! A store that fails before and after each call: the database was away, or its answer got lost on the way.

use std::sync::Arc;

use super::{Operation, Successor, Undisturbed, deliver_again, in_memory};
use crate::watched::{FailsOnce, Moment, Watched};

async fn failing_at_every_call(operation: Operation) {
    let undisturbed = Undisturbed::run(operation).await;
    for successor in [Successor::Same, Successor::Another] {
        for moment in [Moment::Before, Moment::After] {
            let (mut at, mut failed) = (0, 0);
            loop {
                at += 1;
                let what = format!("{operation:?}: {moment:?} call {at}, {successor:?}");
                let story = in_memory().await;
                let watch = Arc::new(FailsOnce::at(at, moment));
                let failing = Watched {
                    store: Arc::clone(&story.site.store),
                    watch: Arc::<FailsOnce>::clone(&watch),
                };
                let process = story.process_over(operation, Arc::new(failing));
                let done = story.perform(&process, operation).await;
                let was_reached = watch.was_reached();
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

regentra_harness::every_operation!(failing_at_every_call);
