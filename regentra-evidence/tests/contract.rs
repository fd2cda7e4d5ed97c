//! The public JSON contract: what each signal looks like, to the byte.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;

use regentra_evidence::{
    ActivityKey, AntivirusPosture, AttemptFact, BackupActivity, BackupEvent, BackupFact, ChainHead,
    Conversion, CustomAnswer, CustomFact, Definitions, DeviceClass, DeviceFact, DeviceKey,
    DigestKey, DiskEncryption, Encryption, EvidenceRecord, Fleet, InstallOutcome, KeyId,
    KindsInUse, PatchKey, PatchKind, PatchSeverity, PatchSla, PendingFact, Product, ProductFact,
    Protection, ProtectionState, RULES_VERSION, ReportState, Signal, SignalKind, SignatureHistory,
    Vendor, VolumeFact, VolumeKey, VolumeLabel, VolumeType, device_inventory, verify_chain,
};
use time::{Duration, OffsetDateTime, macros::datetime};

const NOW: OffsetDateTime = datetime!(2026-11-23 06:30 UTC);
const ANSWERED: ReportState = ReportState::answered();

/// 100 approved devices: 80 live computers (keys 1 to 80), three stale ones, 17 of other kinds; four not approved.
fn fleet() -> Arc<Fleet> {
    use DeviceClass::{Mobile, Network, Other, Virtualization, WindowsServer, WindowsWorkstation};
    let classes = std::iter::repeat_n(WindowsWorkstation, 70)
        .chain(std::iter::repeat_n(WindowsServer, 10))
        .chain(std::iter::repeat_n(WindowsServer, 2))
        .chain(std::iter::repeat_n(Mobile, 6))
        .chain(std::iter::repeat_n(Network, 8))
        .chain(std::iter::repeat_n(Virtualization, 2))
        .chain([Virtualization, Other]);
    let mut fleet = Fleet::builder(NOW);
    for (key, class) in (1..).zip(classes) {
        let stale = (81..=82).contains(&key);
        fleet.observe(DeviceFact {
            device: DeviceKey::new(key),
            approved: true,
            class,
            offline: Some(key <= 7),
            last_contact: Some(if stale { NOW - Duration::days(31) } else { NOW }),
        });
    }
    for key in 1001..=1004 {
        fleet.observe(DeviceFact {
            device: DeviceKey::new(key),
            approved: false,
            class: WindowsWorkstation,
            offline: None,
            last_contact: None,
        });
    }
    fleet.build()
}

fn json(signal: &Signal) -> String {
    let json = serde_json::to_string(signal).unwrap();
    assert_eq!(&serde_json::from_str::<Signal>(&json).unwrap(), signal);
    json
}

#[test]
fn disk_encryption() {
    use Conversion::{Decrypted, Encrypting, FullyEncrypted};
    let mut disk = DiskEncryption::new(fleet());
    let mut volume = 0;
    let mut observe = |device, conversion, protection| {
        volume += 1;
        let _ = disk.observe(VolumeFact {
            device: DeviceKey::new(device),
            volume: VolumeKey::new(volume),
            volume_type: VolumeType::Fixed,
            label: VolumeLabel::Other,
            capacity: Some(500_000_000_000),
            encryption: Some(Encryption {
                conversion,
                protection,
            }),
            collected_at: Some(NOW),
        });
    };
    for device in 1..=74 {
        observe(device, FullyEncrypted, Protection::Protected);
        observe(device, FullyEncrypted, Protection::Protected);
    }
    for device in 75..=78 {
        observe(device, FullyEncrypted, Protection::Protected);
        observe(device, FullyEncrypted, Protection::Unknown);
        observe(device, Decrypted, Protection::Unprotected);
    }
    observe(75, FullyEncrypted, Protection::Unprotected);
    observe(76, Encrypting, Protection::Unprotected);
    let _ = disk.observe(VolumeFact {
        device: DeviceKey::new(1),
        volume: VolumeKey::new(1000),
        volume_type: VolumeType::NotFixed,
        label: VolumeLabel::Other,
        capacity: None,
        encryption: None,
        collected_at: Some(NOW),
    });
    assert_eq!(
        json(&disk.finish(ANSWERED)),
        concat!(
            r#"{"signal":"disk_encryption","status":"warning","complete":true,"#,
            r#""reasons":["unmeasured_devices","unmeasured_volumes"],"controls":["IC-024","IC-052"],"#,
            r#""collected_at":"2026-11-23T06:30:00Z","expires_at":"2026-11-30T06:30:00Z","metadata":{"#,
            r#""scope":{"approved":100,"measured":78,"unmeasured":2,"stale":2,"not_applicable":18,"not_approved":4},"#,
            r#""volumes":{"in_scope":164,"out_of_scope":1,"encrypted":152,"suspended":1,"in_progress":1,"not_encrypted":4,"unmeasured":6},"#,
            r#""encrypted_percent":96.2,"devices_fully_encrypted":74}}"#
        )
    );
    assert!(
        json(&DiskEncryption::new(fleet()).finish(ANSWERED))
            .contains(r#""encrypted_percent":null"#)
    );
}

#[test]
fn antivirus_posture() {
    let mut antivirus = AntivirusPosture::new(fleet());
    for device in 1..=78 {
        let _ = antivirus.observe(ProductFact {
            device: DeviceKey::new(device),
            product: Product::Real(match device {
                1..=70 => Vendor::MicrosoftDefender,
                71..=76 => Vendor::Sentinelone,
                _ => Vendor::Other,
            }),
            state: ProtectionState::On,
            definitions: if device <= 3 {
                Definitions::OutOfDate
            } else {
                Definitions::UpToDate
            },
            collected_at: Some(NOW),
        });
    }
    assert_eq!(
        json(&antivirus.finish(ANSWERED, None)),
        concat!(
            r#"{"signal":"antivirus_posture","status":"warning","complete":true,"#,
            r#""reasons":["age_not_reported","unmeasured_devices"],"controls":["IC-013","IC-051"],"#,
            r#""collected_at":"2026-11-23T06:30:00Z","expires_at":"2026-11-30T06:30:00Z","metadata":{"#,
            r#""scope":{"approved":100,"measured":78,"unmeasured":2,"stale":2,"not_applicable":18,"not_approved":4},"#,
            r#""devices":{"on":78,"off":0,"unmeasured":2},"#,
            r#""signatures":{"fresh":75,"aged_7_to_30":0,"over_30":0,"age_not_reported":3,"unmeasured":0},"#,
            r#""vendors":{"microsoft_defender":70,"other":2,"sentinelone":6},"age_basis":"status_only"}}"#
        )
    );
}

#[test]
fn patch_sla() {
    let mut patches = PatchSla::new(fleet());
    for device in 1..=80 {
        let kinds = if device <= 71 {
            &[PatchKind::Os, PatchKind::Software][..]
        } else {
            &[PatchKind::Os]
        };
        for kind in kinds {
            let _ = patches.observe_pending(PendingFact {
                device: DeviceKey::new(device),
                kind: *kind,
                patch: PatchKey::new(99),
                definition_update: true,
                severity: PatchSeverity::Low,
                rejected: false,
                collected_at: Some(NOW),
            });
        }
    }
    let mut pending = |device, severity, rejected| {
        let _ = patches.observe_pending(PendingFact {
            device: DeviceKey::new(device),
            kind: PatchKind::Os,
            patch: PatchKey::new(u128::from(device)),
            definition_update: false,
            severity,
            rejected,
            collected_at: Some(NOW),
        });
    };
    pending(1, PatchSeverity::Critical, false);
    pending(2, PatchSeverity::Important, false);
    pending(3, PatchSeverity::Important, false);
    for device in 4..=6 {
        pending(device, PatchSeverity::Critical, true);
    }
    for device in 7..=10 {
        pending(device, PatchSeverity::Unknown, false);
    }
    let _ = patches.observe_attempt(AttemptFact {
        device: DeviceKey::new(11),
        kind: PatchKind::Software,
        patch: PatchKey::new(1),
        definition_update: false,
        outcome: InstallOutcome::Failed,
        installed_at: Some(NOW),
    });
    // Moot: a later success of another patch.
    for (patch, outcome, days) in [
        (2, InstallOutcome::Failed, 3),
        (3, InstallOutcome::Installed, 2),
    ] {
        let _ = patches.observe_attempt(AttemptFact {
            device: DeviceKey::new(12),
            kind: PatchKind::Os,
            patch: PatchKey::new(patch),
            definition_update: false,
            outcome,
            installed_at: Some(NOW - Duration::days(days)),
        });
    }
    assert_eq!(
        json(&patches.finish(ANSWERED, ANSWERED)),
        concat!(
            r#"{"signal":"patch_sla","status":"fail","complete":true,"#,
            r#""reasons":["installs_failed","installs_superseded","patches_missing","patches_rejected","severity_unknown"],"controls":["IC-038","IC-053"],"#,
            r#""collected_at":"2026-11-23T06:30:00Z","expires_at":"2026-11-30T06:30:00Z","metadata":{"#,
            r#""scope":{"approved":100,"measured":80,"unmeasured":0,"stale":2,"not_applicable":18,"not_approved":4},"#,
            r#""os":{"devices_measured":80,"missing_critical":1,"missing_important":2,"failed_installs":0,"failed_superseded":1,"rejected":3,"severity_unknown":4},"#,
            r#""software":{"devices_measured":71,"missing_critical":0,"missing_important":0,"failed_installs":1,"failed_superseded":0,"rejected":0,"severity_unknown":0},"#,
            r#""devices_with_missing":3,"devices_with_failed":1}}"#
        )
    );
}

#[test]
fn backup_activity() {
    let mut backups = BackupActivity::new(fleet());
    let mut observe = |device, activity, event| {
        let _ = backups.observe(BackupFact {
            device: DeviceKey::new(device),
            activity: ActivityKey::new(activity),
            event,
            at: Some(NOW - Duration::hours(activity)),
        });
    };
    for device in 1..=12 {
        observe(
            device,
            20 + i64::try_from(device).unwrap(),
            BackupEvent::Success,
        );
    }
    observe(1, 1, BackupEvent::Failure);
    observe(1, 2, BackupEvent::IntegrityPassed);
    observe(1, 3, BackupEvent::IntegrityPassed);
    assert_eq!(
        json(&backups.finish(ANSWERED)),
        concat!(
            r#"{"signal":"backup_activity","status":"pass","complete":true,"#,
            r#""reasons":["devices_without_backup","latest_runs_failing"],"controls":["IC-060","IC-061"],"#,
            r#""collected_at":"2026-11-23T06:30:00Z","expires_at":"2026-11-30T06:30:00Z","metadata":{"#,
            r#""scope":{"approved":100,"measured":12,"unmeasured":0,"stale":2,"not_applicable":86,"not_approved":4},"#,
            r#""devices":{"with_activity":12,"with_success":12,"without_success":0,"warnings_only":0,"#,
            r#""latest_run_failed":1,"without_any_backup":68},"#,
            r#""integrity_checks":{"passed":2,"failed":0},"restores_completed":0,"window_days":7}}"#
        )
    );
}

#[test]
fn inventory() {
    assert_eq!(
        json(&device_inventory::finish(&fleet())),
        concat!(
            r#"{"signal":"device_inventory","status":"pass","complete":true,"#,
            r#""reasons":[],"controls":["IC-031","IC-032"],"#,
            r#""collected_at":"2026-11-23T06:30:00Z","expires_at":"2026-11-30T06:30:00Z","metadata":{"#,
            r#""scope":{"approved":100,"measured":100,"unmeasured":0,"stale":0,"not_applicable":0,"not_approved":4},"#,
            r#""devices":{"approved":100,"offline":7,"stale":2},"#,
            r#""by_family":{"workstation":70,"server":12,"mobile":6,"network":8,"virtualization":3,"other":1}}}"#
        )
    );
}

/// The figures of kinds that are not in use are null, and nothing stands in their place.
#[test]
fn patches_of_one_kind() {
    let patches = PatchSla::new(fleet()).kinds_in_use(KindsInUse::Os);
    let json = json(&patches.finish(ANSWERED, ANSWERED));
    assert!(
        json.contains(r#""software":null,"devices_with_missing":0"#),
        "{json}"
    );
    assert!(json.contains(r#""kind_not_in_use""#), "{json}");
}

/// Records that were written by the rules `2026-11`: each verifies, reads, and is written again to the byte.
#[test]
fn records_of_earlier_rules_verify_as_before() {
    #[derive(serde::Deserialize)]
    struct Row {
        signal: SignalKind,
        record: String,
        head: ChainHead,
    }
    let rows: Vec<Row> =
        serde_json::from_str(include_str!("fixtures/records_2026_11.json")).unwrap();
    assert_eq!(rows.len(), SignalKind::ALL.len());
    for row in rows {
        let start = ChainHead::start("customer 42, mapping 7", row.signal);
        let link = start.append(row.record.clone());
        assert_eq!(link.head(), row.head, "{}", row.signal);
        assert_eq!(verify_chain(start, [&link], &[row.head]), Ok(row.head));
        let record = EvidenceRecord::parse(&row.record).unwrap();
        assert_eq!(record.signal.kind(), row.signal);
        assert_eq!(record.rules.version, "2026-11");
        assert_eq!(record.canonical().unwrap(), row.record);
    }
    assert_ne!(RULES_VERSION, "2026-11");
}

/// The layout of the digest is numbered: under one number the digest of the same facts may never change. Every word of every closed list
/// occurs once.
#[test]
#[expect(clippy::too_many_lines, reason = "every word of every closed list")]
fn the_digest_of_the_same_facts_never_changes() {
    let key = DigestKey::new(KeyId::new("2026-11").unwrap(), &[7; 32]).unwrap();
    let fleet = every_class();
    let device = |number: usize| DeviceKey::new(u64::try_from(number % 11 + 1).unwrap());

    let mut disk = DiskEncryption::new(Arc::clone(&fleet));
    let conversions = [
        Conversion::FullyEncrypted,
        Conversion::Encrypting,
        Conversion::Decrypted,
        Conversion::Unknown,
    ];
    let protections = [
        Protection::Protected,
        Protection::Unprotected,
        Protection::Pending,
        Protection::Unknown,
    ];
    let words = conversions
        .into_iter()
        .flat_map(|conversion| protections.map(|protection| (conversion, protection)));
    for (number, (conversion, protection)) in words.enumerate() {
        let _ = disk.observe(VolumeFact {
            device: device(number),
            volume: VolumeKey::new(u128::MAX - u128::try_from(number).unwrap()),
            volume_type: if number == 15 {
                VolumeType::NotFixed
            } else {
                VolumeType::Fixed
            },
            label: VolumeLabel::Other,
            capacity: None,
            encryption: Some(Encryption {
                conversion,
                protection,
            }),
            collected_at: Some(NOW - Duration::days(i64::try_from(number).unwrap())),
        });
    }
    for answer in [CustomAnswer::Yes, CustomAnswer::No] {
        let _ = disk.observe_custom(CustomFact {
            device: device(answer as usize),
            answer,
        });
    }

    let mut antivirus = AntivirusPosture::new(Arc::clone(&fleet));
    for (number, vendor) in Vendor::ALL.iter().enumerate() {
        let _ = antivirus.observe(ProductFact {
            device: device(number),
            product: Product::Real(*vendor),
            state: [
                ProtectionState::On,
                ProtectionState::Off,
                ProtectionState::Unknown,
            ][number % 3],
            definitions: [
                Definitions::UpToDate,
                Definitions::OutOfDate,
                Definitions::Unknown,
            ][number / 3 % 3],
            collected_at: Some(NOW),
        });
    }
    let history: SignatureHistory = (1..=6)
        .map(|key| (DeviceKey::new(key), NOW - Duration::days(9)))
        .collect();

    let mut patches = PatchSla::new(Arc::clone(&fleet));
    let severities = [
        PatchSeverity::Critical,
        PatchSeverity::Important,
        PatchSeverity::Low,
        PatchSeverity::Unknown,
    ];
    for (number, severity) in severities.into_iter().chain(severities).enumerate() {
        let kind = if number % 2 == 0 {
            PatchKind::Os
        } else {
            PatchKind::Software
        };
        let _ = patches.observe_pending(PendingFact {
            device: device(number),
            kind,
            patch: PatchKey::new(u128::try_from(number).unwrap()),
            definition_update: false,
            severity,
            rejected: number > 3,
            collected_at: Some(NOW),
        });
        let _ = patches.observe_attempt(AttemptFact {
            device: device(number),
            kind,
            patch: PatchKey::new(u128::MAX),
            definition_update: number == 7,
            outcome: if number < 4 {
                InstallOutcome::Failed
            } else {
                InstallOutcome::Installed
            },
            installed_at: Some(NOW - Duration::days(1)),
        });
    }

    let mut backups = BackupActivity::new(Arc::clone(&fleet));
    let events = [
        BackupEvent::RestoreCompleted,
        BackupEvent::IntegrityPassed,
        BackupEvent::IntegrityFailed,
        BackupEvent::Success,
        BackupEvent::SuccessWithWarning,
        BackupEvent::Cancelled,
        BackupEvent::Failure,
    ];
    for (number, event) in events.into_iter().enumerate() {
        let _ = backups.observe(BackupFact {
            device: device(number),
            activity: ActivityKey::new(-i64::try_from(number).unwrap()),
            event,
            at: Some(NOW - Duration::hours(1)),
        });
    }

    let digests = [
        disk.finish_with_digest(ANSWERED, &key).1,
        antivirus
            .finish_with_digest(ANSWERED, Some(&history), &key)
            .1,
        patches
            .finish_with_digest(ANSWERED, ReportState::with_malformed_rows(), &key)
            .1,
        backups.finish_with_digest(ANSWERED, &key).1,
        device_inventory::finish_with_digest(&fleet, &key).1,
    ]
    .map(|digest| digest.hmac_sha256.to_string());
    assert_eq!(
        digests,
        [
            "bf792abd32a3312164ef5b626cc75cb2bb72d54b59ca5391e77aa11c7cbd928e",
            "6e2ecf4994127cfc5000aee6743d7277639113ae9062054100a64e21c9aa315c",
            "4e340c41c3b0a4fe3d99b3fc6ede7d59e318603a7df62918a83c6dcafce470fd",
            "ab9e3524f7cbc3dc8626e4a51bca23d52c7e486bc1b80c266751c070adef42a7",
            "418bd1091f487fd26ddd64e3f381fc06d71606ae266eb80ed6d8d4897bbb039a",
        ]
    );
}

/// The same for rows without a readable time, and rows whose scope, volume or type cannot be read: what the digest holds of them shares
/// a byte.
#[test]
fn the_digest_of_rows_that_cannot_be_read_whole_never_changes() {
    let key = DigestKey::new(KeyId::new("2026-11").unwrap(), &[7; 32]).unwrap();
    let fleet = every_class();
    let device = DeviceKey::new(2);
    let times = [Some(NOW), None, Some(NOW - Duration::days(31))];

    let mut disk = DiskEncryption::new(Arc::clone(&fleet));
    let encryption = Some(Encryption {
        conversion: Conversion::FullyEncrypted,
        protection: Protection::Protected,
    });
    for (volume, (collected_at, encryption)) in (0..).zip(
        times
            .into_iter()
            .flat_map(|time| [(time, encryption), (time, None)]),
    ) {
        let fact = |volume| VolumeFact {
            device,
            volume: VolumeKey::new(volume),
            volume_type: VolumeType::Fixed,
            label: VolumeLabel::Other,
            capacity: None,
            encryption,
            collected_at,
        };
        let _ = disk.observe(fact(3 * volume));
        let _ = disk.observe_in_doubt(fact(3 * volume + 1));
        let _ = disk.observe_unidentified(fact(3 * volume + 2));
    }

    let mut patches = PatchSla::new(Arc::clone(&fleet));
    for (patch, (is_in_doubt, is_undated_failure)) in
        (0..).zip([(false, false), (false, true), (true, false), (true, true)])
    {
        for collected_at in times {
            let fact = PendingFact {
                device,
                kind: PatchKind::Os,
                patch: PatchKey::new(patch),
                definition_update: false,
                severity: PatchSeverity::Critical,
                rejected: false,
                collected_at,
            };
            let _ = if is_in_doubt {
                patches.observe_pending_in_doubt(fact)
            } else {
                patches.observe_pending(fact)
            };
        }
        let _ = patches.observe_attempt(AttemptFact {
            device,
            kind: PatchKind::Os,
            patch: PatchKey::new(patch),
            definition_update: false,
            outcome: InstallOutcome::Failed,
            installed_at: (!is_undated_failure).then_some(NOW),
        });
    }

    let mut backups = BackupActivity::new(Arc::clone(&fleet));
    for (activity, (event, at)) in (0..).zip(
        [BackupEvent::Success, BackupEvent::Failure]
            .into_iter()
            .flat_map(|event| [(event, None), (event, Some(NOW))]),
    ) {
        let _ = backups.observe(BackupFact {
            device,
            activity: ActivityKey::new(activity),
            event,
            at,
        });
    }

    let digests = [
        disk.finish_with_digest(ANSWERED, &key).1,
        patches.finish_with_digest(ANSWERED, ANSWERED, &key).1,
        backups.finish_with_digest(ANSWERED, &key).1,
    ]
    .map(|digest| digest.hmac_sha256.to_string());
    assert_eq!(
        digests,
        [
            "ba555360672604691490deec0b4ca978f1ac66cda58b3750a82c373f1f8ee729",
            "440d42c92346c55a470bd7316dd0736ab3670230a1972ceeff091b82bc247b04",
            "e9b88caa8c2bd44dea874a42dd9f43e30a2100f601761fdd5c12860f28f7ca97",
        ]
    );
}

/// A device of every class, live and not, with every flag.
fn every_class() -> Arc<Fleet> {
    use DeviceClass::{
        LinuxServer, LinuxWorkstation, Mac, MacServer, Mobile, Network, Other, Unknown,
        Virtualization, WindowsServer, WindowsWorkstation,
    };
    let classes = [
        WindowsWorkstation,
        WindowsServer,
        Mac,
        MacServer,
        LinuxWorkstation,
        LinuxServer,
        Mobile,
        Network,
        Virtualization,
        Other,
        Unknown,
    ];
    let mut fleet = Fleet::builder(NOW);
    for (key, class) in (1..).zip(classes.into_iter().chain(classes)) {
        fleet.observe(DeviceFact {
            device: DeviceKey::new(key),
            approved: key != 22,
            class,
            offline: match key % 3 {
                0 => None,
                rest => Some(rest == 2),
            },
            last_contact: Some(if key > 11 {
                NOW - Duration::days(31)
            } else {
                NOW
            }),
        });
    }
    fleet.build()
}
