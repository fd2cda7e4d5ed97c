//! Rows of the four patch reports.

use std::sync::Arc;

use proptest::{prelude::*, sample::select};
use regentra_evidence::{
    AttemptFact, DeviceKey, FactsDigest, Fleet, InstallOutcome, PatchKey, PatchKind, PatchSeverity,
    PatchSla, PendingFact, ReportState, Signal,
};
use time::OffsetDateTime;

use crate::{
    evaluator::Evaluator,
    world::{ANSWERED, NOW, device, digest_key, moment, recent},
};

#[derive(Clone, Debug)]
pub(crate) enum PatchRow {
    Pending(PendingFact),
    Attempt(AttemptFact),
    Scan(DeviceKey, PatchKind, Option<OffsetDateTime>),
}

fn kind() -> impl Strategy<Value = PatchKind> {
    select(vec![PatchKind::Os, PatchKind::Software])
}

fn pending(
    severities: &'static [PatchSeverity],
    times: impl Strategy<Value = Option<OffsetDateTime>>,
) -> impl Strategy<Value = PendingFact> {
    (device(), kind(), 0_u128..4, select(severities), times).prop_map(
        |(device, kind, patch, severity, collected_at)| PendingFact {
            device,
            kind,
            patch: PatchKey::new(patch),
            definition_update: false,
            severity,
            rejected: false,
            collected_at,
        },
    )
}

fn attempt(
    outcomes: &'static [InstallOutcome],
    times: impl Strategy<Value = Option<OffsetDateTime>>,
) -> impl Strategy<Value = AttemptFact> {
    (
        device(),
        kind(),
        0_u128..4,
        select(outcomes),
        times,
        moment(),
    )
        .prop_map(
            |(device, kind, patch, outcome, installed_at, collected_at)| AttemptFact {
                device,
                kind,
                patch: PatchKey::new(patch),
                definition_update: false,
                outcome,
                installed_at,
                collected_at,
            },
        )
}

impl Evaluator for PatchSla {
    type Fact = PatchRow;

    fn new(fleet: Arc<Fleet>) -> Self {
        Self::new(fleet)
    }

    fn observe(&mut self, fact: &PatchRow) {
        let _ = match fact {
            PatchRow::Pending(fact) => self.observe_pending(*fact),
            PatchRow::Attempt(fact) => self.observe_attempt(*fact),
            PatchRow::Scan(device, kind, time) => self.observe_scan(*device, *kind, *time),
        };
    }

    fn merge(&mut self, other: Self) {
        self.merge(other).unwrap();
    }

    fn finish(self, report: ReportState) -> (Signal, FactsDigest) {
        self.finish_with_digest(report, ANSWERED, &digest_key())
    }

    fn facts() -> BoxedStrategy<Vec<PatchRow>> {
        use PatchSeverity::{Critical, Important, Low, Unknown};
        let waiting = pending(
            &[Critical, Important, Low, Low, Low, Low, Unknown],
            recent(),
        );
        let waiting = (
            waiting,
            prop::bool::weighted(0.2),
            prop::bool::weighted(0.2),
        )
            .prop_map(|(fact, rejected, definition_update)| {
                PatchRow::Pending(PendingFact {
                    rejected,
                    definition_update,
                    ..fact
                })
            });
        let outcomes = &[
            InstallOutcome::Installed,
            InstallOutcome::Installed,
            InstallOutcome::Installed,
            InstallOutcome::Failed,
        ];
        let row = prop_oneof![
            2 => waiting,
            1 => attempt(outcomes, recent()).prop_map(PatchRow::Attempt),
            4 => (device(), kind(), recent()).prop_map(|(device, kind, at)| PatchRow::Scan(device, kind, at)),
        ];
        prop::collection::vec(row, 0..32).boxed()
    }

    fn good() -> BoxedStrategy<PatchRow> {
        prop_oneof![
            attempt(&[InstallOutcome::Installed], Just(Some(NOW))).prop_map(PatchRow::Attempt),
            pending(&[PatchSeverity::Low], Just(Some(NOW))).prop_map(PatchRow::Pending),
            (device(), kind()).prop_map(|(device, kind)| PatchRow::Scan(device, kind, Some(NOW))),
        ]
        .boxed()
    }

    fn bad() -> BoxedStrategy<PatchRow> {
        prop_oneof![
            attempt(&[InstallOutcome::Failed], Just(Some(NOW))).prop_map(PatchRow::Attempt),
            pending(&[PatchSeverity::Critical], Just(Some(NOW))).prop_map(PatchRow::Pending),
        ]
        .boxed()
    }
}
