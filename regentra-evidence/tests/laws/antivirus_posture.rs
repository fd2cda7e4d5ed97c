//! Rows of the antivirus report.

use std::sync::Arc;

use proptest::{prelude::*, sample::select};
use regentra_evidence::{
    AntivirusPosture, CustomFact, Definitions, DeviceKey, FactsDigest, Fleet, Product, ProductFact,
    ProtectionState, ReportState, Signal, SignatureHistory, Vendor,
};
use time::{Duration, OffsetDateTime};

use crate::{
    evaluator::Evaluator,
    world::{NOW, answer, device, digest_key, recent},
};

#[derive(Clone, Debug)]
pub(crate) enum AntivirusRow {
    Product(ProductFact),
    Protection(CustomFact),
    Definitions(CustomFact),
}

fn product(
    states: &'static [ProtectionState],
    definitions: &'static [Definitions],
    times: impl Strategy<Value = Option<OffsetDateTime>>,
) -> impl Strategy<Value = ProductFact> {
    let vendors = select(vec![
        Vendor::MicrosoftDefender,
        Vendor::Avast,
        Vendor::Other,
    ]);
    (
        device(),
        vendors,
        select(states),
        select(definitions),
        times,
    )
        .prop_map(
            |(device, vendor, state, definitions, collected_at)| ProductFact {
                device,
                product: Product::Real(vendor),
                state,
                definitions,
                collected_at,
            },
        )
}

/// What the host remembers of some devices, on every side of the boundaries.
fn history() -> SignatureHistory {
    (1_u64..5)
        .zip([7, 8, 30, 31])
        .map(|(device, days)| (DeviceKey::new(device), NOW - Duration::days(days)))
        .collect()
}

impl Evaluator for AntivirusPosture {
    type Fact = AntivirusRow;

    fn new(fleet: Arc<Fleet>) -> Self {
        Self::new(fleet)
    }

    fn observe(&mut self, fact: &AntivirusRow) {
        let _ = match fact {
            AntivirusRow::Product(fact) => self.observe(*fact),
            AntivirusRow::Protection(fact) => self.observe_custom_protection(*fact),
            AntivirusRow::Definitions(fact) => self.observe_custom_definitions(*fact),
        };
    }

    fn merge(&mut self, other: Self) {
        self.merge(other).unwrap();
    }

    fn finish(self, report: ReportState) -> (Signal, FactsDigest) {
        self.finish_with_digest(report, Some(&history()), &digest_key())
    }

    fn facts() -> BoxedStrategy<Vec<AntivirusRow>> {
        use Definitions::{OutOfDate, UpToDate};
        use ProtectionState::{Off, On, Unknown};
        let row = product(
            &[On, On, On, Off, Unknown],
            &[UpToDate, UpToDate, OutOfDate, Definitions::Unknown],
            recent(),
        );
        let row = (row, 0..10).prop_map(|(fact, name)| {
            AntivirusRow::Product(ProductFact {
                product: match name {
                    0 => Product::None,
                    1 => Product::Nameless,
                    _ => fact.product,
                },
                ..fact
            })
        });
        let row = prop_oneof![
            8 => row,
            1 => answer().prop_map(AntivirusRow::Protection),
            1 => answer().prop_map(AntivirusRow::Definitions),
        ];
        prop::collection::vec(row, 0..20).boxed()
    }

    fn enough(device: u64) -> Vec<AntivirusRow> {
        vec![AntivirusRow::Product(ProductFact {
            device: DeviceKey::new(device),
            product: Product::Real(Vendor::Avast),
            state: ProtectionState::On,
            definitions: Definitions::UpToDate,
            collected_at: Some(NOW - Duration::days(2)),
        })]
    }

    fn undated(fact: &AntivirusRow) -> AntivirusRow {
        match fact {
            AntivirusRow::Product(fact) => AntivirusRow::Product(ProductFact {
                collected_at: None,
                ..*fact
            }),
            AntivirusRow::Protection(_) | AntivirusRow::Definitions(_) => fact.clone(),
        }
    }

    fn damaged(row: &AntivirusRow, field: u8) -> AntivirusRow {
        let AntivirusRow::Product(fact) = row else {
            return row.clone();
        };
        let mut fact = *fact;
        match field % 3 {
            0 => fact.product = Product::Nameless,
            1 => fact.state = ProtectionState::Unknown,
            _ => fact.definitions = Definitions::Unknown,
        }
        AntivirusRow::Product(fact)
    }

    fn good() -> BoxedStrategy<AntivirusRow> {
        product(
            &[ProtectionState::On],
            &[Definitions::UpToDate],
            Just(Some(NOW)),
        )
        .prop_map(AntivirusRow::Product)
        .boxed()
    }

    fn bad() -> BoxedStrategy<AntivirusRow> {
        product(
            &[ProtectionState::Off],
            &[Definitions::OutOfDate],
            Just(Some(NOW)),
        )
        .prop_map(AntivirusRow::Product)
        .boxed()
    }
}
