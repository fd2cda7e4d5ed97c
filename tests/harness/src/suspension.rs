//! Running a future up to one of its suspensions.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
};

/// Polls a future until it has been pending this many times. `None` when it is not done then.
pub async fn run_to_suspension<F: Future + ?Sized>(
    mut future: Pin<&mut F>,
    suspensions: usize,
) -> Option<F::Output> {
    let mut left = suspensions;
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if left <= 1 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}
