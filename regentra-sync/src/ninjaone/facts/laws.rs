//! Laws of reading the vendor's words: whatever the vendor sends, no fact is better than what the row says.

use ninjaone_client::models::{Activity, AntivirusStatus, Device, OsPatch, Volume};
use proptest::{prelude::*, sample::select};
use regentra_evidence::{
    Definitions, DeviceClass, PatchSeverity, ProtectionState, disk_encryption::VolumeBucket,
};
use serde_json::{Value, json};

use super::{
    antivirus_posture, backup_activity, device_inventory, disk_encryption, opaque,
    patch_sla::{self, PatchReport},
    plain,
};

/// Words: those the vendor uses, in any case, and anything else.
fn word() -> impl Strategy<Value = String> {
    let known = select(vec![
        "FULLY_ENCRYPTED",
        "FULLY_DECRYPTED",
        "DECRYPTION_PAUSED",
        "ENCRYPTION_PAUSED",
        "PROTECTED",
        "UNPROTECTED",
        "PENDING",
        "UNKNOWN",
        "ON",
        "OFF",
        "Up-to-Date",
        "Out-of-Date",
        "NONE",
        "CRITICAL",
        "IMPORTANT",
        "LOW",
        "SECURITY_UPDATES",
        "DRIVER_UPDATES",
        "DEFINITION_UPDATES",
        "MANUAL",
        "REJECTED",
        "FAILED",
        "INSTALLED",
        "WINDOWS_SERVER",
        "NMS_SWITCH",
        "APPROVED",
        "NINJA_BACKUP_BACKUPJOB_COMPLETED",
        "NINJA_BACKUP_BACKUPJOB_FAILED",
        "FAILURE",
        "Removable Disk",
        "Recovery",
    ]);
    prop_oneof![
        2 => known.clone().prop_map(str::to_owned),
        1 => known.prop_map(str::to_lowercase),
        // A word that lost a letter is unreadable, which stands apart.
        2 => any::<String>().prop_map(|word| word.replace(char::REPLACEMENT_CHARACTER, "?")),
    ]
}

/// A value as the vendor might send it where a word is expected.
fn word_or_null() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => word().prop_map(Value::from),
        1 => Just(Value::Null),
    ]
}

/// Whether the vendor's word is this one, in any case.
fn says(value: &Value, expected: &str) -> bool {
    value
        .as_str()
        .is_some_and(|word| word.trim().to_uppercase() == expected.to_uppercase())
}

proptest! {
    #[test]
    fn a_volume_is_encrypted_only_where_both_words_say_so(
        conversion in word_or_null(),
        protection in word_or_null(),
        kind in word_or_null(),
        label in word_or_null(),
        capacity in any::<Option<i64>>(),
    ) {
        let row = json!({"deviceId": 1, "name": "C:", "deviceType": kind, "label": label, "capacity": capacity,
            "bitLockerStatus": {"conversionStatus": conversion, "protectionStatus": protection}});
        let fact = disk_encryption::volume(&serde_json::from_value::<Volume>(row).unwrap()).unwrap().fact;
        let bucket = fact.bucket(DeviceClass::WindowsWorkstation);
        if bucket == VolumeBucket::Encrypted {
            prop_assert!(says(&conversion, "FULLY_ENCRYPTED"));
            prop_assert!(says(&protection, "PROTECTED"));
        }
        if bucket == VolumeBucket::Out {
            prop_assert!(says(&kind, "Removable Disk") || capacity == Some(0) || says(&label, "Recovery"));
        }
    }

    #[test]
    fn a_product_is_on_and_up_to_date_only_where_the_words_say_so(
        name in word_or_null(),
        state in word_or_null(),
        definitions in word_or_null(),
    ) {
        let row = json!({"deviceId": 1, "productName": name, "productState": state, "definitionStatus": definitions});
        let fact = antivirus_posture::product(&serde_json::from_value::<AntivirusStatus>(row).unwrap()).unwrap();
        let is = |value: &Value, expected: &str| value.as_str().is_some_and(|word| plain(word) == expected);
        prop_assert_eq!(fact.state == ProtectionState::On, is(&state, "ON"));
        prop_assert_eq!(fact.definitions == Definitions::UpToDate, is(&definitions, "UPTODATE"));
    }

    #[test]
    fn a_patch_counts_for_nothing_only_where_a_word_says_so(
        severity in word_or_null(),
        status in word_or_null(),
        kind in word_or_null(),
    ) {
        let row = json!({"deviceId": 1, "id": "a", "severity": severity, "status": status, "type": kind});
        let row: OsPatch = serde_json::from_value(row).unwrap();
        let pending = patch_sla::os_patch(&row, PatchReport::Pending).unwrap().pending;
        // A row of what is pending is not pending only when it says that it was installed.
        prop_assert_eq!(pending.is_none(), says(&status, "INSTALLED"));
        if let Some(fact) = pending {
            prop_assert_eq!(fact.rejected, says(&status, "REJECTED"));
            prop_assert_eq!(fact.definition_update, says(&kind, "DEFINITION_UPDATES"));
            if fact.severity == PatchSeverity::Low {
                let low = ["LOW", "NONE"].iter().any(|word| says(&severity, word));
                prop_assert!(low || says(&kind, "DRIVER_UPDATES"));
            }
        }
    }

    #[test]
    fn an_activity_is_a_success_only_by_its_code(code in word_or_null(), result in word_or_null()) {
        let row = json!({"id": 1, "deviceId": 1, "statusCode": code, "activityResult": result});
        let fact = backup_activity::backup(&serde_json::from_value::<Activity>(row).unwrap());
        let is_blank = code.as_str().is_none_or(|word| word.trim().is_empty());
        prop_assert_eq!(fact.is_err(), is_blank);
        let success = fact.ok().flatten().is_some_and(|fact| fact.event == regentra_evidence::BackupEvent::Success);
        prop_assert_eq!(success, says(&code, "NINJA_BACKUP_BACKUPJOB_COMPLETED") && !says(&result, "FAILURE"));
    }

    #[test]
    fn a_device_is_approved_and_out_of_scope_only_by_a_known_word(approval in word_or_null(), class in word_or_null()) {
        let row = json!({"id": 1, "approvalStatus": approval, "nodeClass": class});
        let fact = device_inventory::device(&serde_json::from_value::<Device>(row).unwrap()).unwrap();
        prop_assert_eq!(fact.approved, says(&approval, "APPROVED"));
        if !fact.class.is_endpoint() {
            prop_assert!(class.as_str().is_some_and(|word| word.trim().to_uppercase().starts_with("NMS_")));
        }
    }

    #[test]
    fn keys_of_different_words_differ(left in prop::collection::vec(".{0,3}", 0..4), right in prop::collection::vec(".{0,3}", 0..4)) {
        let key = |words: &[String]| opaque(words.iter().map(String::as_str));
        prop_assert_eq!(key(&left) == key(&right), left == right);
    }
}

/// The keys are part of the keyed digest that is compared with facts produced again, so they may never change.
#[test]
fn a_key_is_the_same_on_every_machine() {
    // SHA-256 over each word after its length in eight bytes, little end first: the first sixteen bytes.
    assert_eq!(opaque(["C:"]), 0x7c90_2cca_291d_b4be_f8b9_b09d_8e6f_d30e);
    assert_eq!(
        opaque(["ab", "c"]),
        0x43ee_6555_79de_01ca_739b_3f95_c1c2_d3f4
    );
}
