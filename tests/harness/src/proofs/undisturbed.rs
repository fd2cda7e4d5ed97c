//! What an operation leaves behind when nothing disturbs it.

use std::{fmt::Display, pin::pin, sync::Arc};

use async_trait::async_trait;
use regentra_sync::store::MemoryStore;
use tokio::sync::{mpsc, oneshot};

use crate::proofs::{
    site::Site,
    snapshot::{Snapshot, assert_same},
    story::{Operation, Story},
    watched::{Call, Watch, Watched},
};

pub async fn in_memory() -> Story {
    Story::begin(Site::new(
        |clock| Arc::new(MemoryStore::new().with_clock(clock)),
        (),
    ))
    .await
}

/// Every state that an undisturbed run leaves behind: before it, after each of its commits, and at its end.
pub struct Undisturbed {
    between: Vec<Snapshot>,
    pub end: Snapshot,
}

impl Undisturbed {
    pub async fn run(operation: Operation) -> Self {
        let story = in_memory().await;
        let mut between = vec![story.site.snapshot().await.without_runs()];
        let (commits, mut seen) = mpsc::unbounded_channel();
        let watched = Watched {
            store: Arc::clone(&story.site.store),
            watch: Arc::new(Pausing(commits)),
        };
        let process = story.process_over(operation, Arc::new(watched));
        let run = story.perform(&process, operation);
        let mut run = pin!(run);
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
    pub fn assert_ended(&self, end: &Snapshot, operation: Operation, what: impl Display) {
        if operation.has_parts() {
            // Its parts may have come in another order.
            let [end, expected] = [end, &self.end].map(Snapshot::without_order_of_syncs);
            assert_same(&end.without_passes(), &expected.without_passes(), what);
        } else {
            assert_same(end, &self.end, what);
        }
    }

    /// The same after one whose parts come in the order that they always come in.
    #[track_caller]
    pub fn assert_ended_in_order(&self, end: &Snapshot, operation: Operation, what: impl Display) {
        if operation.is_together() {
            assert_same(&end.without_passes(), &self.end.without_passes(), what);
        } else {
            assert_same(end, &self.end, what);
        }
    }

    /// Whether one of the commits is there.
    pub fn has_begun(&self, seen: &Snapshot) -> bool {
        self.between.first() != Some(&seen.without_runs())
    }

    /// Nobody ever sees anything but what one of the commits left.
    #[track_caller]
    pub fn assert_whole(&self, seen: &Snapshot, what: impl Display) {
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
struct Pausing(mpsc::UnboundedSender<oneshot::Sender<()>>);

#[async_trait]
impl Watch for Pausing {
    async fn before(&self, _call: &Call) -> regentra_sync::store::Result<()> {
        Ok(())
    }

    async fn after(&self, call: &Call) -> regentra_sync::store::Result<()> {
        if call.is_commit() {
            let (resume, resumed) = oneshot::channel();
            if self.0.send(resume).is_ok() {
                let _ = resumed.await;
            }
        }
        Ok(())
    }
}
