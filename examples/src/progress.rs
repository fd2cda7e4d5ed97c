//! What a person who waits is told: only that, and why.

use std::time::Duration;

use ninjaone_client::{Event, Observer, WaitReason};

/// Waits shorter than this are not worth a word.
const WORTH_SAYING: Duration = Duration::from_secs(2);

/// Says on standard error when the client waits, and for what.
#[derive(Clone, Copy, Debug, Default)]
pub struct Waits;

impl Observer for Waits {
    fn event(&self, event: &Event) {
        match event {
            Event::Wait {
                operation,
                reason,
                expected,
                ..
            } if *expected >= WORTH_SAYING => {
                let why = match reason {
                    WaitReason::Budget => "for the rate limit of this NinjaOne tenant",
                    WaitReason::RetryAfter => "because NinjaOne asked for it",
                    _ => "before trying again",
                };
                eprintln!("{operation}: waiting {} s {why}", expected.as_secs());
            }
            Event::Restart { operation, .. } => {
                eprintln!("{operation}: the cursor expired, reading it again");
            }
            _ => {}
        }
    }
}
