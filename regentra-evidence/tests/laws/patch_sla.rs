//! Rows of the four patch reports.

use std::sync::Arc;

use proptest::{prelude::*, sample::select};
use regentra_evidence::{
    AttemptFact, DeviceKey, FactsDigest, Fleet, InstallOutcome, PatchKey, PatchKind, PatchSeverity,
    PatchSla, PendingFact, ReportState, Signal,
};
use time::{Duration, OffsetDateTime};

use crate::{
    evaluator::Evaluator,
    world::{ANSWERED, NOW, device, digest_key, recent},
};

#[derive(Clone, Debug)]
pub(crate) enum PatchRow {
    Pending(PendingFact),
    InDoubt(PendingFact),
    Attempt(AttemptFact),
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
    (device(), kind(), 0_u128..4, select(outcomes), times).prop_map(
        |(device, kind, patch, outcome, installed_at)| AttemptFact {
            device,
            kind,
            patch: PatchKey::new(patch),
            definition_update: false,
            outcome,
            installed_at,
        },
    )
}

/// A row that says nothing but that the device was scanned.
fn scan(device: DeviceKey, kind: PatchKind, collected_at: Option<OffsetDateTime>) -> PatchRow {
    PatchRow::Pending(PendingFact {
        device,
        kind,
        patch: PatchKey::new(99),
        definition_update: true,
        severity: PatchSeverity::Low,
        rejected: false,
        collected_at,
    })
}

impl Evaluator for PatchSla {
    type Fact = PatchRow;

    fn new(fleet: Arc<Fleet>) -> Self {
        Self::new(fleet)
    }

    fn observe(&mut self, fact: &PatchRow) {
        let _ = match fact {
            PatchRow::Pending(fact) => self.observe_pending(*fact),
            PatchRow::InDoubt(fact) => self.observe_pending_in_doubt(*fact),
            PatchRow::Attempt(fact) => self.observe_attempt(*fact),
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
            prop::bool::weighted(0.1),
        )
            .prop_map(|(fact, rejected, definition_update, in_doubt)| {
                let fact = PendingFact {
                    rejected,
                    definition_update,
                    ..fact
                };
                if in_doubt {
                    PatchRow::InDoubt(fact)
                } else {
                    PatchRow::Pending(fact)
                }
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
            4 => (device(), kind(), recent()).prop_map(|(device, kind, at)| scan(device, kind, at)),
        ];
        prop::collection::vec(row, 0..32).boxed()
    }

    fn enough(device: u64) -> Vec<PatchRow> {
        let device = DeviceKey::new(device);
        let at = Some(NOW - Duration::days(2));
        let installed = |kind| {
            PatchRow::Attempt(AttemptFact {
                device,
                kind,
                patch: PatchKey::new(0),
                definition_update: false,
                outcome: InstallOutcome::Installed,
                installed_at: at,
            })
        };
        vec![
            scan(device, PatchKind::Os, at),
            scan(device, PatchKind::Software, at),
            installed(PatchKind::Os),
            installed(PatchKind::Software),
        ]
    }

    fn undated(fact: &PatchRow) -> PatchRow {
        match fact {
            PatchRow::Pending(fact) => PatchRow::Pending(PendingFact {
                collected_at: None,
                ..*fact
            }),
            PatchRow::InDoubt(fact) => PatchRow::InDoubt(PendingFact {
                collected_at: None,
                ..*fact
            }),
            PatchRow::Attempt(fact) => PatchRow::Attempt(AttemptFact {
                installed_at: None,
                ..*fact
            }),
        }
    }

    fn damaged(row: &PatchRow, field: u8) -> PatchRow {
        match row {
            PatchRow::Pending(fact) if field.is_multiple_of(3) => PatchRow::Pending(PendingFact {
                severity: PatchSeverity::Unknown,
                ..*fact
            }),
            // Of the type that cannot be read.
            PatchRow::Pending(fact) | PatchRow::InDoubt(fact) => PatchRow::InDoubt(PendingFact {
                definition_update: false,
                ..*fact
            }),
            PatchRow::Attempt(fact) => PatchRow::Attempt(AttemptFact {
                definition_update: fact.outcome == InstallOutcome::Installed,
                ..*fact
            }),
        }
    }

    fn good() -> BoxedStrategy<PatchRow> {
        prop_oneof![
            attempt(&[InstallOutcome::Installed], Just(Some(NOW))).prop_map(PatchRow::Attempt),
            pending(&[PatchSeverity::Low], Just(Some(NOW))).prop_map(PatchRow::Pending),
            (device(), kind()).prop_map(|(device, kind)| scan(device, kind, Some(NOW))),
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
