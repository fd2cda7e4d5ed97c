//! Two processes with one event at once, their steps interleaved at random.

use std::{
    future::{Future as _, poll_fn},
    pin::pin,
    task::Poll,
};

use super::{Operation, Undisturbed, in_memory};
use crate::dice::Dice;

const INTERLEAVINGS: u64 = 24;

async fn interleaved(operation: Operation) {
    let undisturbed = Undisturbed::run(operation).await;
    let mut turned_away = 0;
    for seed in 0..INTERLEAVINGS {
        let what = format!("{operation:?} in two processes, interleaving {seed}");
        let mut dice = Dice::new(seed);
        let story = in_memory().await;
        let (one, other) = (story.process(operation), story.process(operation));
        let mut one = pin!(story.perform(&one, operation));
        let mut other = pin!(story.perform(&other, operation));
        let (mut one_done, mut other_done) = (None, None);
        while one_done.is_none() || other_done.is_none() {
            let is_one = dice.below(2) == 0;
            poll_fn(|context| {
                if is_one && one_done.is_none() {
                    if let Poll::Ready(done) = one.as_mut().poll(context) {
                        one_done = Some(done);
                    }
                } else if !is_one
                    && other_done.is_none()
                    && let Poll::Ready(done) = other.as_mut().poll(context)
                {
                    other_done = Some(done);
                }
                Poll::Ready(())
            })
            .await;
        }
        let outcomes = [one_done.unwrap(), other_done.unwrap()];
        turned_away += usize::from(outcomes.iter().any(Result::is_err));
        assert!(
            operation.has_parts() || outcomes.iter().any(Result::is_ok),
            "{what}: one of the two does it: {outcomes:?}"
        );
        // A process that was turned away is delivered its event again.
        let again = story.process(operation);
        story.perform(&again, operation).await.unwrap();
        undisturbed.assert_ended(&story.site.snapshot().await, operation, &what);
    }
    assert_eq!(
        turned_away > 0,
        Operation::RUNS.contains(&operation),
        "{operation:?}: of two runs one is turned away, and of two requests none"
    );
}

regentra_harness::every_operation!(interleaved);
