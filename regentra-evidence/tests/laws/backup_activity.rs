//! Rows of the activity log.

use std::sync::Arc;

use proptest::{prelude::*, sample::select};
use regentra_evidence::{
    ActivityKey, BackupActivity, BackupEvent, BackupFact, DeviceKey, FactsDigest, Fleet,
    ReportState, Signal,
};
use time::{Duration, OffsetDateTime};

use crate::{
    evaluator::Evaluator,
    world::{NOW, device, digest_key, recent},
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

    fn enough(device: u64) -> Vec<BackupFact> {
        vec![BackupFact {
            device: DeviceKey::new(device),
            activity: ActivityKey::new(500 + device.cast_signed()),
            event: BackupEvent::Success,
            at: Some(NOW - Duration::days(2)),
        }]
    }

    fn undated(fact: &BackupFact) -> BackupFact {
        BackupFact { at: None, ..*fact }
    }

    /// Of its result, which may have taken back what its code says.
    fn damaged(fact: &BackupFact, _: u8) -> BackupFact {
        use BackupEvent::{Cancelled, Failure, Success, SuccessWithWarning};
        let event = match fact.event {
            Success | SuccessWithWarning | Failure => Cancelled,
            event => event,
        };
        BackupFact { event, ..*fact }
    }

    fn good() -> BoxedStrategy<BackupFact> {
        // Without a readable time a success is none.
        backup(&[BackupEvent::Success], 100..101, Just(Some(NOW))).boxed()
    }

    fn bad() -> BoxedStrategy<BackupFact> {
        backup(&[BackupEvent::Failure], 100..101, recent()).boxed()
    }
}
