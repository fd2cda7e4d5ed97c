//! A future that is dropped at its k-th suspension, for every k: the caller went away, a time-out struck, the process ended.
//!
//! The store in memory suspends before every call, so every gap between two calls is struck.

use std::pin::pin;

use regentra_harness::suspension::run_to_suspension;

use super::{Operation, Successor, Undisturbed, deliver_again, in_memory};

async fn dropped_at_every_suspension(operation: Operation) {
    let undisturbed = Undisturbed::run(operation).await;
    for successor in [Successor::Same, Successor::Another] {
        let mut suspension = 0;
        loop {
            suspension += 1;
            let what = format!("{operation:?} dropped at suspension {suspension}, {successor:?}");
            let story = in_memory().await;
            let process = story.process(operation);
            let done = {
                let run = pin!(story.perform(&process, operation));
                run_to_suspension(run, suspension).await
            };
            undisturbed.assert_whole(&story.site.snapshot().await, &what);
            deliver_again(&story, &process, operation, successor).await;
            undisturbed.assert_ended_in_order(&story.site.snapshot().await, operation, &what);
            if let Some(done) = done {
                // It was not dropped any more: that was every suspension.
                assert_eq!(done, Ok(()));
                break;
            }
        }
        assert!(suspension > 2, "{operation:?} suspends before every call");
    }
}

regentra_harness::every_operation!(dropped_at_every_suspension);
