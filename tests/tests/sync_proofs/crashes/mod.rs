//! Crashes, wherever they strike: then the event is delivered again, and everything is as if nothing had happened.

mod dropped;
mod failing;
mod interleaved;
mod over_http;
mod overtaken;
mod suspension;
mod token_rotation;

use std::sync::Arc;

use regentra_sync::MemoryStore;

use crate::{
    site::Site,
    snapshot::{Snapshot, assert_same},
    story::{Operation, Story},
    watched::{Call, Watch, Watched},
};

/// How often an event is delivered again at the most.
const DELIVERIES: usize = 3;

async fn in_memory() -> Story {
    Story::begin(Site::new(Arc::new(MemoryStore::new()), ())).await
}

/// Every state that an undisturbed run leaves behind: before it, after each of its commits, and at its end.
struct Undisturbed {
    between: Vec<Snapshot>,
    end: Snapshot,
}

impl Undisturbed {
    async fn run(operation: Operation) -> Self {
        let story = in_memory().await;
        let mut between = vec![story.site.snapshot().await.without_runs()];
        let (commits, mut seen) = tokio::sync::mpsc::unbounded_channel();
        let watched = Watched {
            store: Arc::clone(&story.site.store),
            watch: Arc::new(Pausing(commits)),
        };
        let process = story.process_over(operation, Arc::new(watched));
        let run = story.perform(&process, operation);
        let mut run = std::pin::pin!(run);
        loop {
            tokio::select! {
                biased;
                Some(resume) = seen.recv() => {
                    between.push(story.site.snapshot().await.without_runs());
                    let _: Result<(), ()> = resume.send(());
                }
                done = &mut run => break done.unwrap(),
            }
        }
        let end = story.site.snapshot().await;
        assert!(
            between.len() > 1,
            "{operation:?} commits something, or interrupting it proves nothing"
        );
        Self { between, end }
    }

    /// What there is after one that was disturbed, however often it was delivered.
    #[track_caller]
    fn assert_ended(&self, end: &Snapshot, operation: Operation, what: impl std::fmt::Display) {
        if operation.has_parts() {
            // Its parts may have come in another order.
            let (end, expected) = (end.without_order_of_syncs(), &self.end);
            assert_same(&end, &expected.without_order_of_syncs(), what);
        } else {
            assert_same(end, &self.end, what);
        }
    }

    /// Nobody ever sees anything but what one of the commits left.
    #[track_caller]
    fn assert_whole(&self, seen: &Snapshot, what: impl std::fmt::Display) {
        let seen = seen.without_runs();
        if !self.between.contains(&seen) {
            let nearest = self.between.iter().map(|state| seen.difference(state));
            let nearest = nearest.min_by_key(String::len).unwrap_or_default();
            panic!("{what}: a half of something is there (-: seen, +: nearest)\n{nearest}");
        }
    }
}

/// Tells of every commit, and lets it return only when it was looked at.
#[derive(Debug)]
struct Pausing(tokio::sync::mpsc::UnboundedSender<tokio::sync::oneshot::Sender<()>>);

#[async_trait::async_trait]
impl Watch for Pausing {
    async fn before(&self, _call: &Call) -> regentra_sync::store::Result<()> {
        Ok(())
    }

    async fn after(&self, call: &Call) -> regentra_sync::store::Result<()> {
        if call.is_commit() {
            let (resume, resumed) = tokio::sync::oneshot::channel();
            if self.0.send(resume).is_ok() {
                let _ = resumed.await;
            }
        }
        Ok(())
    }
}

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
    let another = story.process(operation);
    let mut said = String::new();
    for _ in 0..DELIVERIES {
        let process = match successor {
            Successor::Same => crashed,
            Successor::Another => {
                story.site.expire_leases().await;
                &another
            }
        };
        match story.perform(process, operation).await {
            Ok(()) => return,
            Err(error) => said = error,
        }
    }
    panic!("{operation:?}, delivered {DELIVERIES} times, is not handled: {said}");
}
