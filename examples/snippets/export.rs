//! One customer's signals for an auditor: evidence records in a chain, OSCAL assessment results, and tables for a spreadsheet.
//!
//! ```console
//! $ cargo run -p regentra-snippets --example export -- oscal > assessment-results.json
//! $ cargo run -p regentra-snippets --example export -- signals > signals.csv        # also: figures, claims
//! ```
//!
//! Needs no NinjaOne: the fleet is made up here, fact by fact, so that every outcome occurs.

use std::{io, sync::Arc};

use anyhow::{Context as _, Result, bail, ensure};
use regentra_evidence::{
    AntivirusPosture, BackupActivity, ChainHead, Conversion, Definitions, DeviceClass, DeviceFact,
    DeviceKey, DigestKey, DiskEncryption, Encryption, EvidenceRecord, Fleet, Framework, KeyId,
    PatchKey, PatchKind, PatchSeverity, PatchSla, PendingFact, Product, ProductFact, Protection,
    ProtectionState, ReportState, Rules, Vendor, VolumeFact, VolumeKey, VolumeLabel, VolumeType,
    device_inventory,
    oscal::{self, AssessmentResults},
    spreadsheet, verify_chain,
};
use time::{OffsetDateTime, macros::datetime};

const NOW: OffsetDateTime = datetime!(2026-11-23 06:30 UTC);
const CUSTOMER: &str = "Customer one";

fn main() -> Result<()> {
    let records = records()?;
    let signals = || records.iter().map(|(record, _)| (CUSTOMER, &record.signal));
    let what = std::env::args().nth(1).unwrap_or_default();
    match what.as_str() {
        "oscal" => {
            let results = AssessmentResults::new(CUSTOMER, NOW).frameworks(Framework::ALL);
            let document = records
                .iter()
                .fold(results, |results, (record, head)| {
                    results.record(record, *head)
                })
                .build()?;
            // The last word before anything leaves the house.
            oscal::guard().check(&document)?;
            serde_json::to_writer_pretty(io::stdout().lock(), &document)?;
        }
        "signals" => spreadsheet::write_signals(io::stdout().lock(), signals())?,
        "figures" => spreadsheet::write_figures(io::stdout().lock(), signals())?,
        "claims" => {
            spreadsheet::write_claims(io::stdout().lock(), signals(), Framework::ALL, NOW)?;
        }
        _ => bail!("say what to write: oscal, signals, figures or claims"),
    }
    Ok(())
}

/// Every signal as an evidence record, with the head of its chain.
fn records() -> Result<Vec<(EvidenceRecord, ChainHead)>> {
    let rules = Rules::default().with_patches_fail_from(3)?;
    let key = DigestKey::new(KeyId::new("2026-11")?, &[7; 32])?; // a host keeps 32 random bytes
    let fleet = fleet(rules);
    let answered = ReportState::answered();
    let judged = [
        disk_encryption(&fleet).finish_with_digest(answered, &key),
        antivirus(&fleet).finish_with_digest(answered, None, &key),
        patches(&fleet).finish_with_digest(answered, answered, &key),
        BackupActivity::new(Arc::clone(&fleet)).finish_with_digest(answered, &key),
        device_inventory::finish_with_digest(&fleet, &key),
    ];
    judged
        .into_iter()
        .map(|(signal, facts)| {
            let record = EvidenceRecord::new(signal, &rules, facts);
            let start = ChainHead::start(CUSTOMER, record.signal.kind());
            let link = start.append(record.canonical()?);
            let head = verify_chain(start, [&link], &[link.head()])
                .context("the chain that was just written does not verify")?;
            ensure!(EvidenceRecord::parse(&link.record)? == record);
            Ok((record, head))
        })
        .collect()
}

fn fleet(rules: Rules) -> Arc<Fleet> {
    let mut fleet = Fleet::builder(NOW).rules(rules);
    for key in 1..=20 {
        fleet.observe(DeviceFact {
            device: DeviceKey::new(key),
            approved: true,
            class: if key > 18 {
                DeviceClass::Network
            } else {
                DeviceClass::WindowsWorkstation
            },
            offline: Some(key == 7),
            last_contact: Some(NOW),
        });
    }
    fleet.build()
}

/// All encrypted: a pass.
fn disk_encryption(fleet: &Arc<Fleet>) -> DiskEncryption {
    let mut disk = DiskEncryption::new(Arc::clone(fleet));
    for key in 1..=18 {
        let _ = disk.observe(VolumeFact {
            device: DeviceKey::new(key),
            volume: VolumeKey::new(1),
            volume_type: VolumeType::Fixed,
            label: VolumeLabel::Other,
            capacity: Some(500_000_000_000),
            encryption: Some(Encryption {
                conversion: Conversion::FullyEncrypted,
                protection: Protection::Protected,
            }),
            collected_at: Some(NOW),
        });
    }
    disk
}

/// One device out of date, since when nobody knows: a warning.
fn antivirus(fleet: &Arc<Fleet>) -> AntivirusPosture {
    let mut antivirus = AntivirusPosture::new(Arc::clone(fleet));
    for key in 1..=18 {
        let _ = antivirus.observe(ProductFact {
            device: DeviceKey::new(key),
            product: Product::Real(Vendor::MicrosoftDefender),
            state: ProtectionState::On,
            definitions: if key == 3 {
                Definitions::OutOfDate
            } else {
                Definitions::UpToDate
            },
            collected_at: Some(NOW),
        });
    }
    antivirus
}

/// Three critical patches missing, where the host allows two: a failure.
fn patches(fleet: &Arc<Fleet>) -> PatchSla {
    let mut patches = PatchSla::new(Arc::clone(fleet));
    for key in 1..=18 {
        for kind in [PatchKind::Os, PatchKind::Software] {
            // A definition update says nothing but that the device was scanned.
            let _ = patches.observe_pending(PendingFact {
                device: DeviceKey::new(key),
                kind,
                patch: PatchKey::new(0),
                definition_update: true,
                severity: PatchSeverity::Low,
                rejected: false,
                collected_at: Some(NOW),
            });
        }
    }
    for key in 1..=3 {
        let _ = patches.observe_pending(PendingFact {
            device: DeviceKey::new(key),
            kind: PatchKind::Os,
            patch: PatchKey::new(1),
            definition_update: false,
            severity: PatchSeverity::Critical,
            rejected: false,
            collected_at: Some(NOW),
        });
    }
    patches
}
