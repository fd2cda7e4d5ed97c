//! A run that freezes at its k-th suspension, for every k, and wakes after the world went on without it.

use std::{
    pin::pin,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use regentra_harness::suspension::run_to_suspension;
use regentra_sync::store::Result;

use super::{Operation, Undisturbed, in_memory};
use crate::{
    snapshot::assert_same,
    story::{Story, ours},
    watched::{Call, Watch, Watched},
};

/// Freezes a run at each of its suspensions, lets something happen meanwhile, wakes the run, and looks at what is there.
async fn frozen_at_every_suspension(
    operation: Operation,
    has_begun: impl Fn(&[&'static str]) -> bool,
    meanwhile: impl AsyncFn(&Story),
    look: impl AsyncFn(&Story, &str),
) {
    let (mut suspension, mut frozen) = (0, 0);
    loop {
        suspension += 1;
        let what = format!("{operation:?} frozen at suspension {suspension}");
        let story = in_memory().await;
        let called = Arc::new(Called::default());
        let watched = Watched {
            store: Arc::clone(&story.site.store),
            watch: Arc::<Called>::clone(&called),
        };
        let process = story.process_over(operation, Arc::new(watched));
        let mut run = pin!(story.perform(&process, operation));
        if run_to_suspension(run.as_mut(), suspension).await.is_some() {
            break;
        }
        if !has_begun(&called.0.lock().unwrap()) {
            continue;
        }
        frozen += 1;
        meanwhile(&story).await;
        let _: std::result::Result<(), String> = run.await;
        look(&story, &what).await;
    }
    assert!(frozen > 1, "{operation:?} suspends before every call");
}

/// The calls that were answered.
#[derive(Debug, Default)]
struct Called(Mutex<Vec<&'static str>>);

#[async_trait]
impl Watch for Called {
    async fn before(&self, _call: &Call) -> Result<()> {
        Ok(())
    }

    async fn after(&self, call: &Call) -> Result<()> {
        self.0.lock().unwrap().push(call.name());
        Ok(())
    }
}

/// Another worker takes the frozen one's leases and handles the same event to its end.
async fn another_takes_over(operation: Operation) {
    let undisturbed = Undisturbed::run(operation).await;
    let takes_over = async |story: &Story| {
        story.site.expire_leases().await;
        let another = story.process(operation);
        story.perform(&another, operation).await.unwrap();
    };
    let look = async |story: &Story, what: &str| {
        undisturbed.assert_ended_in_order(&story.site.snapshot().await, operation, what);
    };
    frozen_at_every_suspension(operation, |_| true, takes_over, look).await;
}

mod a_frozen_run_that_wakes_after_another_took_over_changes_nothing {
    regentra_harness::every_operation!(super::another_takes_over);
}

/// What is stored when the run wakes is what is stored when it ends: it is fenced.
async fn nothing_is_written_after(operation: Operation, meanwhile: &[Operation]) {
    let state = std::cell::RefCell::new(None);
    let happens = async |story: &Story| {
        for operation in meanwhile {
            let process = story.process(*operation);
            story.perform(&process, *operation).await.unwrap();
        }
        let now = story.site.snapshot().await.without_runs();
        assert!(
            now.rows(&format!("msp {} asset", ours()))
                .filter(|asset| asset.contains("\"ninjaone\""))
                .all(|asset| asset.contains("\"retired\"")),
            "a disconnect retires every asset"
        );
        state.replace(Some(now));
    };
    let look = async |story: &Story, what: &str| {
        let now = story.site.snapshot().await.without_runs();
        let before = state.take().unwrap();
        // What a pass cost is a matter of the MSP's, whatever became of the connection.
        assert_same(&now.without_passes(), &before.without_passes(), what);
    };
    // Before it has read the credential it is not in flight yet: it would begin under what it finds then.
    let is_in_flight = |called: &[&str]| called.contains(&"credential");
    frozen_at_every_suspension(operation, is_in_flight, happens, look).await;
}

/// Every run, with a disconnect in the middle of it.
#[tokio::test]
async fn a_run_in_flight_does_not_write_after_a_disconnect() {
    for operation in Operation::RUNS {
        nothing_is_written_after(operation, &[Operation::Disconnect]).await;
    }
}

/// The region is the same afterwards; the credential's generation is not.
#[tokio::test]
async fn a_run_in_flight_does_not_write_after_a_disconnect_and_a_reconnect() {
    for operation in Operation::RUNS {
        let meanwhile = [Operation::Disconnect, Operation::Reconnect];
        nothing_is_written_after(operation, &meanwhile).await;
    }
}
