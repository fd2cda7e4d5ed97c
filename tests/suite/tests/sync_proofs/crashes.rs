//! Crashes, wherever they strike: then the event is delivered again, and everything is as if nothing had happened.

mod dropped;
mod failing;
mod interleaved;
mod over_http;
mod overtaken;
mod token_rotation;

use crate::{
    story::{Operation, Story},
    undisturbed::{Undisturbed, in_memory},
};

/// How often an event is delivered again, at most.
const DELIVERIES: usize = 3;

/// Who handles the event that is delivered again.
#[derive(Clone, Copy, Debug)]
enum Successor {
    /// The same process, which lives on.
    Same,
    /// Another one, once the leases of the dead one have expired.
    Another,
}

/// Delivers the event again until it is handled.
async fn deliver_again(
    story: &Story,
    crashed: &regentra_sync::Integration,
    operation: Operation,
    successor: Successor,
) {
    let to = match successor {
        Successor::Same => Some(crashed),
        Successor::Another => None,
    };
    let handled = story.deliver_again(operation, to, DELIVERIES).await;
    assert_eq!(
        handled,
        Ok(()),
        "{operation:?}, delivered {DELIVERIES} times"
    );
}
