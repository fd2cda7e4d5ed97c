//! Nothing that identifies a device or a person comes out of any evaluator or export.
//!
//! The facts hold no text at all, so the canaries are numbers: every key is one that occurs nowhere else. What is written is
//! searched for them, and looked through by the guard.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{collections::BTreeSet, sync::Arc};

use regentra_evidence::{
    ActivityKey, AntivirusPosture, AttemptFact, BackupActivity, BackupEvent, BackupFact, ChainHead,
    Claim, Conversion, CustomAnswer, CustomFact, Definitions, DeviceClass, DeviceFact, DeviceKey,
    DigestKey, DiskEncryption, Encryption, EvidenceRecord, FactsDigest, Fleet, Framework, Guard,
    InstallOutcome, KeyId, LeakKind, PatchKey, PatchKind, PatchSeverity, PatchSla, PendingFact,
    Product, ProductFact, Protection, ProtectionState, PublicView, ReportState, Rules, Signal,
    SignatureHistory, Vendor, VolumeFact, VolumeKey, VolumeLabel, VolumeType, device_inventory,
    posture,
};
use time::{OffsetDateTime, macros::datetime};

const NOW: OffsetDateTime = datetime!(2026-11-23 06:30 UTC);
const ANSWERED: ReportState = ReportState::answered();

/// Every number that must not come out again ends in these digits.
const MARK: &str = "8675309";

const fn marked(number: u64) -> u64 {
    number * 100_000_000 + 8_675_309
}

fn device(number: u64) -> DeviceKey {
    DeviceKey::new(marked(number))
}

fn fleet() -> Arc<Fleet> {
    let mut fleet = Fleet::builder(NOW);
    for number in 1..=12 {
        fleet.observe(DeviceFact {
            device: device(number),
            approved: number != 12,
            class: DeviceClass::WindowsWorkstation,
            offline: Some(number % 3 == 0),
            last_contact: Some(if number == 11 {
                datetime!(2026-01-01 00:00 UTC)
            } else {
                NOW
            }),
        });
    }
    fleet.build()
}

fn key() -> DigestKey {
    DigestKey::new(KeyId::new("k").unwrap(), &[7; 32]).unwrap()
}

fn disk_encryption(fleet: &Arc<Fleet>) -> DiskEncryption {
    let mut disk = DiskEncryption::new(Arc::clone(fleet));
    for number in 1..=9 {
        let _ = disk.observe(VolumeFact {
            device: device(number),
            volume: VolumeKey::new(marked(number).into()),
            volume_type: VolumeType::Fixed,
            label: VolumeLabel::Other,
            capacity: Some(marked(number)),
            encryption: Some(Encryption {
                conversion: Conversion::FullyEncrypted,
                protection: Protection::Protected,
            }),
            collected_at: Some(NOW),
        });
    }
    let _ = disk.observe_custom(CustomFact {
        device: device(10),
        answer: CustomAnswer::No,
    });
    disk
}

fn antivirus(fleet: &Arc<Fleet>) -> AntivirusPosture {
    let mut antivirus = AntivirusPosture::new(Arc::clone(fleet));
    for number in 1..=9 {
        let _ = antivirus.observe(ProductFact {
            device: device(number),
            product: Product::Real(Vendor::Sophos),
            state: ProtectionState::On,
            definitions: Definitions::OutOfDate,
            collected_at: Some(NOW),
        });
    }
    antivirus
}

fn patches(fleet: &Arc<Fleet>) -> PatchSla {
    let mut patches = PatchSla::new(Arc::clone(fleet));
    for number in 1..=9 {
        let _ = patches.observe_pending(PendingFact {
            device: device(number),
            kind: PatchKind::Os,
            patch: PatchKey::new(marked(number).into()),
            definition_update: false,
            severity: PatchSeverity::Critical,
            rejected: false,
            collected_at: Some(NOW),
        });
        let _ = patches.observe_attempt(AttemptFact {
            device: device(number),
            kind: PatchKind::Software,
            patch: PatchKey::new(marked(number).into()),
            definition_update: false,
            outcome: InstallOutcome::Failed,
            installed_at: Some(NOW),
        });
    }
    patches
}

fn backups(fleet: &Arc<Fleet>) -> BackupActivity {
    let mut backups = BackupActivity::new(Arc::clone(fleet));
    for number in 1..=9 {
        let _ = backups.observe(BackupFact {
            device: device(number),
            activity: ActivityKey::new(i64::try_from(marked(number)).unwrap()),
            event: BackupEvent::Success,
            at: Some(NOW),
        });
    }
    backups
}

fn history() -> SignatureHistory {
    (1..=9).map(|number| (device(number), NOW)).collect()
}

/// The five signals of a fleet with something of everything, and what an evidence record needs of them.
fn judged() -> Vec<(Signal, FactsDigest)> {
    let fleet = fleet();
    vec![
        disk_encryption(&fleet).finish_with_digest(ANSWERED, &key()),
        antivirus(&fleet).finish_with_digest(ANSWERED, Some(&history()), &key()),
        patches(&fleet).finish_with_digest(ANSWERED, ANSWERED, &key()),
        backups(&fleet).finish_with_digest(ANSWERED, &key()),
        device_inventory::finish_with_digest(&fleet, &key()),
    ]
}

/// Neither a canary nor a shape that identifies anything.
#[track_caller]
fn assert_clean(text: &str) {
    assert!(!text.contains(MARK), "a canary sings: {text}");
    assert_eq!(Guard::new().scan_text(text), BTreeSet::new(), "{text}");
}

#[test]
fn the_canaries_are_found_when_they_are_there() {
    let text = format!("device {}", marked(1));
    assert!(text.contains(MARK));
    assert!(Guard::new().scan_text(&text).contains(&LeakKind::Serial));
}

#[test]
fn no_signal_record_view_posture_or_claim_names_a_device() {
    let judged = judged();
    for (signal, facts) in &judged {
        assert_clean(&serde_json::to_string(signal).unwrap());
        assert_clean(&serde_json::to_string(&PublicView::of(signal)).unwrap());
        assert_eq!(Guard::new().check(signal), Ok(()));
        let record = EvidenceRecord::new(signal.clone(), &Rules::default(), facts.clone());
        assert_clean(&record.canonical().unwrap());
        let link =
            ChainHead::start("customer 42", signal.kind()).append(record.canonical().unwrap());
        assert_eq!(Guard::new().check(&link), Ok(()));
        for claim in Claim::all_of(signal, Framework::ALL, NOW) {
            assert_clean(&claim.to_string());
            assert_eq!(Guard::new().check(&claim), Ok(()));
        }
    }
    let company = posture([judged.iter().map(|(signal, _)| signal)], NOW);
    assert_clean(&serde_json::to_string(&company).unwrap());
}

#[test]
fn no_debug_output_names_a_device() {
    let fleet = fleet();
    for text in [
        format!("{fleet:?}"),
        format!("{:?}", disk_encryption(&fleet)),
        format!("{:?}", antivirus(&fleet)),
        format!("{:?}", patches(&fleet)),
        format!("{:?}", backups(&fleet)),
        format!("{:?}", history()),
        format!("{:?}", judged()),
        format!("{:?}", key()),
    ] {
        assert!(!text.contains(MARK), "a canary sings: {text}");
    }
}

#[cfg(feature = "oscal")]
#[test]
fn no_oscal_document_names_a_device() {
    use regentra_evidence::oscal::{self, AssessmentResults};

    let records: Vec<_> = judged()
        .into_iter()
        .map(|(signal, facts)| EvidenceRecord::new(signal, &Rules::default(), facts))
        .collect();
    let results = AssessmentResults::new("Customer one", NOW).frameworks(Framework::ALL);
    let document = records
        .iter()
        .fold(results, |results, record| {
            let start = ChainHead::start("customer 42", record.signal.kind());
            results.record(record, start.append(record.canonical().unwrap()).head())
        })
        .build()
        .unwrap();
    assert_eq!(oscal::guard().check(&document), Ok(()));
    assert!(!document.to_string().contains(MARK));
}

#[cfg(feature = "csv")]
#[test]
fn no_table_names_a_device() {
    use regentra_evidence::spreadsheet;

    let judged = judged();
    let signals = || judged.iter().map(|(signal, _)| ("Customer one", signal));
    let mut tables = [Vec::new(), Vec::new(), Vec::new()];
    let [first, second, third] = &mut tables;
    spreadsheet::write_signals(first, signals()).unwrap();
    spreadsheet::write_figures(second, signals()).unwrap();
    spreadsheet::write_claims(third, signals(), Framework::ALL, NOW).unwrap();
    for table in tables {
        for line in String::from_utf8(table).unwrap().lines() {
            assert_clean(line);
        }
    }
}

#[test]
fn what_a_store_adds_to_a_signal_is_not_written_again() {
    let (signal, _) = judged().remove(0);
    let mut stored = serde_json::to_value(&signal).unwrap();
    stored["hostname"] = "reception.example.com".into();
    stored["metadata"]["owner"] = "jane@example.com".into();
    stored["metadata"]["scope"]["serial"] = "5CD1234ABC".into();
    let read: Signal = serde_json::from_value(stored).unwrap();
    assert_eq!(read, signal);
    assert_eq!(Guard::new().check(&read), Ok(()));
}
