//! What the four evaluators that take rows have in common.

use std::{fmt::Debug, sync::Arc};

use proptest::prelude::*;
use regentra_evidence::{DeviceClass, FactsDigest, Fleet, ReportState, Signal};

use crate::world::ANSWERED;

/// What the four evaluators that take rows have in common.
pub(crate) trait Evaluator: Clone {
    type Fact: Clone + Debug;

    fn new(fleet: Arc<Fleet>) -> Self;
    fn observe(&mut self, fact: &Self::Fact);
    fn merge(&mut self, other: Self);
    fn finish(self, report: ReportState) -> (Signal, FactsDigest);

    fn facts() -> BoxedStrategy<Vec<Self::Fact>>;
    /// A row that says something good and nothing bad.
    fn good() -> BoxedStrategy<Self::Fact>;
    /// A row that says something bad and nothing good.
    fn bad() -> BoxedStrategy<Self::Fact>;
    /// Rows that are good and enough for this device to pass.
    fn enough(device: u64) -> Vec<Self::Fact>;
    /// The same row without a time that can be read.
    fn undated(fact: &Self::Fact) -> Self::Fact;
    /// The same row with a field that the evaluator reads made unreadable; which one is up to `field`.
    fn damaged(fact: &Self::Fact, field: u8) -> Self::Fact;
    /// Whether rows of a device of this class can be good or bad.
    fn can_tell(class: DeviceClass) -> bool {
        let _ = class;
        true
    }

    fn judge(fleet: &Arc<Fleet>, facts: &[Self::Fact]) -> Signal {
        let mut evaluator = Self::new(Arc::clone(fleet));
        for fact in facts {
            evaluator.observe(fact);
        }
        evaluator.finish(ANSWERED).0
    }
}
