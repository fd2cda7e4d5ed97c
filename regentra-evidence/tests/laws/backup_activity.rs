//! Rows of the activity log.

use std::sync::Arc;

use proptest::{prelude::*, sample::select};
use regentra_evidence::{
    ActivityKey, BackupActivity, BackupEvent, BackupFact, FactsDigest, Fleet, ReportState, Signal,
};
use time::OffsetDateTime;

use crate::{
    evaluator::Evaluator,
    world::{device, digest_key, recent},
};

fn backup(
    events: &'static [BackupEvent],
    activities: std::ops::Range<i64>,
    times: impl Strategy<Value = Option<OffsetDateTime>>,
) -> impl Strategy<Value = BackupFact> {
    (device(), activities, select(events), times).prop_map(|(device, activity, event, at)| {
        BackupFact {
            device,
            activity: ActivityKey::new(activity),
            event,
            at,
        }
    })
}

impl Evaluator for BackupActivity {
    type Fact = BackupFact;

    fn new(fleet: Arc<Fleet>) -> Self {
        Self::new(fleet)
    }

    fn observe(&mut self, fact: &BackupFact) {
        let _ = self.observe(*fact);
    }

    fn merge(&mut self, other: Self) {
        self.merge(other).unwrap();
    }

    fn finish(self, report: ReportState) -> (Signal, FactsDigest) {
        self.finish_with_digest(report, &digest_key())
    }

    fn facts() -> BoxedStrategy<Vec<BackupFact>> {
        use BackupEvent::{
            Cancelled, Failure, IntegrityFailed, IntegrityPassed, RestoreCompleted, Success,
            SuccessWithWarning,
        };
        let row = backup(
            &[
                Success,
                Success,
                Success,
                SuccessWithWarning,
                Failure,
                Cancelled,
                IntegrityFailed,
                IntegrityPassed,
                RestoreCompleted,
            ],
            0..12,
            recent(),
        );
        prop::collection::vec(row, 0..24).boxed()
    }

    fn good() -> BoxedStrategy<BackupFact> {
        backup(&[BackupEvent::Success], 100..101, recent()).boxed()
    }

    fn bad() -> BoxedStrategy<BackupFact> {
        backup(&[BackupEvent::Failure], 100..101, recent()).boxed()
    }
}
