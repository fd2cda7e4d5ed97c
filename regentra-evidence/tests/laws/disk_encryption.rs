//! Rows of the volumes report.

use std::sync::Arc;

use proptest::{prelude::*, sample::select};
use regentra_evidence::{
    Conversion, CustomFact, DeviceClass, DeviceKey, DiskEncryption, Encryption, FactsDigest, Fleet,
    Protection, ReportState, Signal, VolumeFact, VolumeKey, VolumeLabel, VolumeType,
};
use time::{Duration, OffsetDateTime};

use crate::{
    evaluator::Evaluator,
    world::{NOW, answer, device, digest_key, recent},
};

#[derive(Clone, Debug)]
pub(crate) enum DiskRow {
    Volume(VolumeFact),
    InDoubt(VolumeFact),
    Unidentified(VolumeFact),
    Answer(CustomFact),
}

fn volume(
    conversions: &'static [Conversion],
    protections: &'static [Protection],
    times: impl Strategy<Value = Option<OffsetDateTime>>,
) -> impl Strategy<Value = VolumeFact> {
    (
        device(),
        0_u128..3,
        select(conversions),
        select(protections),
        times,
    )
        .prop_map(
            |(device, volume, conversion, protection, collected_at)| VolumeFact {
                device,
                volume: VolumeKey::new(volume),
                volume_type: VolumeType::Fixed,
                label: VolumeLabel::Other,
                capacity: None,
                encryption: Some(Encryption {
                    conversion,
                    protection,
                }),
                collected_at,
            },
        )
}

impl Evaluator for DiskEncryption {
    type Fact = DiskRow;

    fn new(fleet: Arc<Fleet>) -> Self {
        Self::new(fleet)
    }

    fn observe(&mut self, fact: &DiskRow) {
        let _ = match fact {
            DiskRow::Volume(fact) => self.observe(*fact),
            DiskRow::InDoubt(fact) => self.observe_in_doubt(*fact),
            DiskRow::Unidentified(fact) => self.observe_unidentified(*fact),
            DiskRow::Answer(fact) => self.observe_custom(*fact),
        };
    }

    fn merge(&mut self, other: Self) {
        self.merge(other).unwrap();
    }

    fn finish(self, report: ReportState) -> (Signal, FactsDigest) {
        self.finish_with_digest(report, &digest_key())
    }

    fn facts() -> BoxedStrategy<Vec<DiskRow>> {
        use Conversion::{Decrypted, Encrypting, FullyEncrypted, Unknown};
        use Protection::{Pending, Protected, Unprotected};
        let any_row = volume(
            &[
                FullyEncrypted,
                FullyEncrypted,
                FullyEncrypted,
                Encrypting,
                Decrypted,
                Unknown,
            ],
            &[
                Protected,
                Protected,
                Protected,
                Unprotected,
                Pending,
                Protection::Unknown,
            ],
            recent(),
        );
        let types = select(vec![
            VolumeType::Fixed,
            VolumeType::Fixed,
            VolumeType::NotFixed,
        ]);
        let labels = select(vec![
            VolumeLabel::Other,
            VolumeLabel::Reserved,
            VolumeLabel::Unopenable,
        ]);
        let sizes = select(vec![None, Some(0), Some(1), Some(1 << 40)]);
        let row = (any_row, types, labels, sizes, prop::bool::weighted(0.2)).prop_map(
            |(fact, volume_type, label, capacity, silent)| {
                DiskRow::Volume(VolumeFact {
                    volume_type,
                    label,
                    capacity,
                    encryption: fact.encryption.filter(|_| !silent),
                    ..fact
                })
            },
        );
        let row = (row, 0_u8..20).prop_map(|(row, doubt)| match (row, doubt) {
            (DiskRow::Volume(fact), 0) => DiskRow::Unidentified(fact),
            (DiskRow::Volume(fact), 1 | 2) => DiskRow::InDoubt(fact),
            (row, _) => row,
        });
        let row = prop_oneof![8 => row, 1 => answer().prop_map(DiskRow::Answer)];
        prop::collection::vec(row, 0..24).boxed()
    }

    fn enough(device: u64) -> Vec<DiskRow> {
        (0..3)
            .map(|volume| {
                DiskRow::Volume(VolumeFact {
                    device: DeviceKey::new(device),
                    volume: VolumeKey::new(volume),
                    volume_type: VolumeType::Fixed,
                    label: VolumeLabel::Other,
                    capacity: None,
                    encryption: Some(Encryption {
                        conversion: Conversion::FullyEncrypted,
                        protection: Protection::Protected,
                    }),
                    collected_at: Some(NOW - Duration::days(2)),
                })
            })
            .collect()
    }

    fn undated(fact: &DiskRow) -> DiskRow {
        let undated = |fact: &VolumeFact| VolumeFact {
            collected_at: None,
            ..*fact
        };
        match fact {
            DiskRow::Volume(fact) => DiskRow::Volume(undated(fact)),
            DiskRow::InDoubt(fact) => DiskRow::InDoubt(undated(fact)),
            DiskRow::Unidentified(fact) => DiskRow::Unidentified(undated(fact)),
            DiskRow::Answer(_) => fact.clone(),
        }
    }

    fn damaged(row: &DiskRow, field: u8) -> DiskRow {
        let damage = |fact: VolumeFact| match field % 3 {
            0 => VolumeFact {
                volume_type: VolumeType::Fixed,
                ..fact
            },
            1 => VolumeFact {
                label: VolumeLabel::Other,
                ..fact
            },
            _ => VolumeFact {
                capacity: None,
                ..fact
            },
        };
        match row {
            DiskRow::Volume(fact) if field % 4 == 3 => DiskRow::Volume(VolumeFact {
                encryption: fact.encryption.map(|_| Encryption {
                    conversion: Conversion::Unknown,
                    protection: Protection::Unknown,
                }),
                ..*fact
            }),
            DiskRow::Volume(fact) | DiskRow::InDoubt(fact) => DiskRow::InDoubt(damage(*fact)),
            DiskRow::Unidentified(fact) => DiskRow::Unidentified(damage(*fact)),
            DiskRow::Answer(_) => row.clone(),
        }
    }

    fn can_tell(class: DeviceClass) -> bool {
        class.may_have_bitlocker()
    }

    fn good() -> BoxedStrategy<DiskRow> {
        volume(
            &[Conversion::FullyEncrypted],
            &[Protection::Protected],
            Just(Some(NOW)),
        )
        .prop_map(DiskRow::Volume)
        .boxed()
    }

    fn bad() -> BoxedStrategy<DiskRow> {
        volume(
            &[Conversion::Decrypted],
            &[Protection::Unprotected],
            Just(Some(NOW)),
        )
        .prop_map(DiskRow::Volume)
        .boxed()
    }
}
