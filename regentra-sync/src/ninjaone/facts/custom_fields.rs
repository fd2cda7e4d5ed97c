//! Custom fields that a host names for facts that NinjaOne does not report: FileVault, LUKS, antivirus on servers.
//!
//! A host names the field to read, the values that mean yes, and the values that mean no. Any other value, such as a blank or an unexpected
//! word, is not an answer, and the fact stays unmeasured.
//!
//! ```
//! use ninjaone_client::models::DeviceCustomFields;
//! use regentra_evidence::CustomAnswer;
//! use regentra_sync::model::CustomFieldSource;
//!
//! let filevault = CustomFieldSource::new("filevault", ["on", "enabled"], ["off"])?;
//! let row: DeviceCustomFields = serde_json::from_str(r#"{"deviceId": 1, "fields": {"filevault": " On "}}"#)?;
//! assert_eq!(filevault.fact(&row)?.map(|fact| fact.answer), Some(CustomAnswer::Yes));
//!
//! let row: DeviceCustomFields = serde_json::from_str(r#"{"deviceId": 1, "fields": {"filevault": "on, I think"}}"#)?;
//! assert_eq!(filevault.fact(&row)?, None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use ninjaone_client::models::DeviceCustomFields;
use regentra_evidence::{AntivirusPosture, CustomAnswer, CustomFact, DiskEncryption, RowFate};
use serde_json::Value;

use super::{Malformed, row_device};
use crate::model::{CustomFieldSource, CustomFields, Question};

impl CustomFieldSource {
    /// What one row of the custom fields report answers; `None` when it does not.
    ///
    /// # Errors
    ///
    /// [`Malformed`] for a row with an answer and without a device, and for one whose fields cannot be read: it may have said no.
    pub fn fact(&self, row: &DeviceCustomFields) -> Result<Option<CustomFact>, Malformed> {
        if row.fields.is_none() && row.unreadable.contains("fields") {
            return Err(Malformed { field: "fields" });
        }
        let Some(answer) = row
            .fields
            .as_ref()
            .and_then(|fields| fields.get(self.field()))
            .and_then(|value| self.answer(value))
        else {
            return Ok(None);
        };
        let device = row_device(row.device_id)?;
        Ok(Some(CustomFact { device, answer }))
    }

    fn answer(&self, value: &Value) -> Option<CustomAnswer> {
        match value {
            Value::String(word) => self.meaning(word),
            Value::Bool(flag) => self.meaning(&flag.to_string()),
            Value::Number(number) => self.meaning(&number.to_string()),
            // Some answers wrap the value.
            Value::Object(wrapped) => self.answer(wrapped.get("value")?),
            Value::Null | Value::Array(_) => None,
        }
    }
}

impl CustomFields {
    /// What one row of the custom fields report answers.
    ///
    /// # Errors
    ///
    /// [`Malformed`] for a row with an answer and without a device, and for one whose fields cannot be read.
    pub fn read(&self, row: &DeviceCustomFields) -> Result<Vec<(Question, CustomFact)>, Malformed> {
        let mut answers = Vec::new();
        for (question, source) in self.sources() {
            if let Some(fact) = source.fact(row)? {
                answers.push((*question, fact));
            }
        }
        Ok(answers)
    }
}

/// Shows the answers about disks to their evaluator.
pub(crate) fn answer_disks(answers: &[(Question, CustomFact)], disk: &mut DiskEncryption) {
    for (question, fact) in answers {
        if *question == Question::DiskEncrypted {
            let _: RowFate = disk.observe_custom(*fact);
        }
    }
}

/// Shows the answers about antivirus to their evaluator.
pub(crate) fn answer_antivirus(
    answers: &[(Question, CustomFact)],
    antivirus: &mut AntivirusPosture,
) {
    for (question, fact) in answers {
        let _: RowFate = match question {
            Question::AntivirusOn => antivirus.observe_custom_protection(*fact),
            Question::SignaturesUpToDate => antivirus.observe_custom_definitions(*fact),
            Question::DiskEncrypted => continue,
        };
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn source() -> CustomFieldSource {
        CustomFieldSource::new("filevault", ["On", "true", "1"], ["Off", "false", "0"]).unwrap()
    }

    fn read(fields: &Value) -> Option<CustomAnswer> {
        let row = serde_json::from_value(json!({"deviceId": 7, "fields": fields})).unwrap();
        let fact = source().fact(&row).unwrap()?;
        assert_eq!(fact.device.get(), 7);
        Some(fact.answer)
    }

    #[test]
    fn only_the_values_named_are_answers() {
        let (yes, no) = (Some(CustomAnswer::Yes), Some(CustomAnswer::No));
        let table = [
            (json!("On"), yes),
            (json!(" oN "), yes),
            (json!(true), yes),
            (json!(1), yes),
            (json!({"value": "on"}), yes),
            (json!("OFF"), no),
            (json!(false), no),
            (json!(0), no),
            (json!({"value": false}), no),
            (json!("onn"), None),
            (json!("yes"), None),
            (json!(""), None),
            (json!("  "), None),
            (json!(null), None),
            (json!(2), None),
            (json!(1.0), None),
            (json!(["On"]), None),
            (json!({"text": "on"}), None),
            (json!({"value": null}), None),
        ];
        for (value, expected) in table {
            assert_eq!(read(&json!({"filevault": value})), expected, "{value}");
        }
        assert_eq!(read(&json!({})), None);
        assert_eq!(read(&json!({"FileVault": "on"})), None);
        assert_eq!(read(&json!({"bitlocker": "on"})), None);
        assert_eq!(read(&json!(null)), None);
    }

    /// A protected device with an answer to each question: no evaluator may take another's answer for its own.
    #[test]
    fn each_answer_is_shown_to_the_evaluator_it_is_meant_for() {
        use regentra_evidence::{DeviceClass, DeviceFact, DeviceKey, Fleet, ReportState, Status};
        use time::macros::datetime;

        let now = datetime!(2026-11-23 06:30 UTC);
        let fleet = || {
            let mut devices = Fleet::builder(now);
            devices.observe(DeviceFact {
                device: DeviceKey::new(7),
                approved: true,
                class: DeviceClass::Mac,
                offline: Some(false),
                last_contact: Some(now),
            });
            devices.build()
        };
        let source = |field| CustomFieldSource::new(field, ["yes"], ["no"]).unwrap();
        let fields = CustomFields::default()
            .answer(Question::DiskEncrypted, source("disk"))
            .answer(Question::AntivirusOn, source("on"))
            .answer(Question::SignaturesUpToDate, source("signatures"));
        let judged = |disk: &str, on: &str, signatures: &str| {
            let answers = json!({"disk": disk, "on": on, "signatures": signatures});
            let row = serde_json::from_value(json!({"deviceId": 7, "fields": answers})).unwrap();
            let answers = fields.read(&row).unwrap();
            let (mut disks, mut antivirus) =
                (DiskEncryption::new(fleet()), AntivirusPosture::new(fleet()));
            answer_disks(&answers, &mut disks);
            answer_antivirus(&answers, &mut antivirus);
            let answered = ReportState::answered;
            (
                disks.finish(answered()).status,
                antivirus.finish(answered(), None).status,
            )
        };
        assert_eq!(judged("yes", "yes", "yes"), (Status::Pass, Status::Pass));
        assert_eq!(judged("no", "yes", "yes"), (Status::Fail, Status::Pass));
        assert_eq!(judged("yes", "no", "yes"), (Status::Pass, Status::Fail));
        assert_eq!(judged("yes", "yes", "no"), (Status::Pass, Status::Warning));
        assert_eq!(judged("", "yes", "yes"), (Status::Unknown, Status::Pass));
        assert_eq!(judged("yes", "", "yes"), (Status::Pass, Status::Unknown));
    }

    #[test]
    fn an_answer_without_device_is_malformed() {
        let row = serde_json::from_value(json!({"fields": {"filevault": "on"}})).unwrap();
        assert_eq!(source().fact(&row), Err(Malformed { field: "deviceId" }));
        let row = serde_json::from_value(json!({"fields": {"other": "on"}})).unwrap();
        assert_eq!(source().fact(&row), Ok(None));
    }

    #[test]
    fn fields_that_cannot_be_read_may_have_said_no() {
        let row = DeviceCustomFields {
            unreadable: ninjaone_client::Unreadable::of(["fields"]),
            ..serde_json::from_value(json!({"deviceId": 7})).unwrap()
        };
        assert_eq!(source().fact(&row), Err(Malformed { field: "fields" }));
        let row = serde_json::from_value(json!({"deviceId": 7, "fields": null})).unwrap();
        assert_eq!(source().fact(&row), Ok(None));
    }

    #[test]
    fn a_source_that_could_not_say_both_is_refused() {
        let refused = |field: &str, yes: &[&str], no: &[&str]| {
            CustomFieldSource::new(field, yes.iter().copied(), no.iter().copied())
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            refused(" ", &["on"], &["off"]),
            "name the custom field to read"
        );
        let missing = "name at least one value of `f` that means yes and one that means no";
        assert_eq!(refused("f", &[], &["off"]), missing);
        assert_eq!(refused("f", &["on"], &[" "]), missing);
        assert_eq!(
            refused("f", &["on", "x"], &["off", " X"]),
            "a value of `f` means both yes and no"
        );
    }

    #[test]
    fn a_configuration_file_names_the_source() {
        let json = json!({"field": "filevault", "yes": ["on"], "no": ["off"]});
        let source: CustomFieldSource = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(source.field(), "filevault");
        assert_eq!(serde_json::to_value(&source).unwrap(), json);
        for wrong in [
            json!({"field": "f", "yes": ["on"], "no": ["ON"]}),
            json!({"field": "f", "yes": ["on"], "no": ["off"], "maybe": []}),
        ] {
            assert!(serde_json::from_value::<CustomFieldSource>(wrong).is_err());
        }
    }
}
