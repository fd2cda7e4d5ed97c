//! Custom fields that a host names to say what NinjaOne cannot: FileVault, LUKS, antivirus on servers.
//!
//! A host says which field to read, which of its values mean yes and which mean no. Anything else, from a blank to a word that
//! nobody foresaw, is no answer: what it was asked about stays unmeasured.
//!
//! ```
//! use ninjaone_client::models::DeviceCustomFields;
//! use regentra_evidence::CustomAnswer;
//! use regentra_sync::facts::custom_field::CustomFieldSource;
//!
//! let filevault = CustomFieldSource::new("filevault", ["on", "enabled"], ["off"])?;
//! let row: DeviceCustomFields = serde_json::from_str(r#"{"deviceId": 1, "fields": {"filevault": " On "}}"#)?;
//! assert_eq!(filevault.fact(&row)?.map(|fact| fact.answer), Some(CustomAnswer::Yes));
//!
//! let row: DeviceCustomFields = serde_json::from_str(r#"{"deviceId": 1, "fields": {"filevault": "on, I think"}}"#)?;
//! assert_eq!(filevault.fact(&row)?, None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::BTreeSet;

use ninjaone_client::models::DeviceCustomFields;
use regentra_evidence::{CustomAnswer, CustomFact};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Malformed, present, row_device};

/// Which custom field to read, and what its values mean. Values compare without case and surrounding space.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Named", into = "Named")]
pub struct CustomFieldSource {
    field: String,
    yes: BTreeSet<String>,
    no: BTreeSet<String>,
}

/// Why a custom field cannot be read as named.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// No field was named.
    #[error("name the custom field to read")]
    NoField,
    /// No value means yes, or none means no, so that one of the two could never be said.
    #[error("name at least one value of `{field}` that means yes and one that means no")]
    NoValue {
        /// The field.
        field: String,
    },
    /// A value means yes and no.
    #[error("a value of `{field}` means both yes and no")]
    Contradiction {
        /// The field.
        field: String,
    },
}

impl CustomFieldSource {
    /// Reads `field`, as the API names it.
    ///
    /// # Errors
    ///
    /// [`SourceError`] when a name or value is missing, or one value means both.
    pub fn new<T: Into<String>>(
        field: impl Into<String>,
        yes: impl IntoIterator<Item = T>,
        no: impl IntoIterator<Item = T>,
    ) -> Result<Self, SourceError> {
        let field = present(Some(&field.into()))
            .ok_or(SourceError::NoField)?
            .trim()
            .to_owned();
        let yes: BTreeSet<String> = yes
            .into_iter()
            .filter_map(|word| value(&word.into()))
            .collect();
        let no: BTreeSet<String> = no
            .into_iter()
            .filter_map(|word| value(&word.into()))
            .collect();
        if yes.is_empty() || no.is_empty() {
            return Err(SourceError::NoValue { field });
        }
        if !yes.is_disjoint(&no) {
            return Err(SourceError::Contradiction { field });
        }
        Ok(Self { field, yes, no })
    }

    /// The field's name, for the `fields` parameter of the report.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

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
            .and_then(|fields| fields.get(&self.field))
            .and_then(|value| self.answer(value))
        else {
            return Ok(None);
        };
        let device = row_device(row.device_id)?;
        Ok(Some(CustomFact { device, answer }))
    }

    fn answer(&self, said: &Value) -> Option<CustomAnswer> {
        let said = match said {
            Value::String(word) => value(word)?,
            Value::Bool(flag) => flag.to_string(),
            Value::Number(number) => number.to_string(),
            // Some answers wrap the value.
            Value::Object(wrapped) => return self.answer(wrapped.get("value")?),
            Value::Null | Value::Array(_) => return None,
        };
        if self.yes.contains(&said) {
            Some(CustomAnswer::Yes)
        } else if self.no.contains(&said) {
            Some(CustomAnswer::No)
        } else {
            None
        }
    }
}

/// A value as it is compared.
fn value(word: &str) -> Option<String> {
    present(Some(word)).map(|word| word.trim().to_lowercase())
}

/// The source as a configuration file holds it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    field: String,
    yes: BTreeSet<String>,
    no: BTreeSet<String>,
}

impl TryFrom<Named> for CustomFieldSource {
    type Error = SourceError;

    fn try_from(named: Named) -> Result<Self, SourceError> {
        Self::new(named.field, named.yes, named.no)
    }
}

impl From<CustomFieldSource> for Named {
    fn from(source: CustomFieldSource) -> Self {
        Self {
            field: source.field,
            yes: source.yes,
            no: source.no,
        }
    }
}

/// The custom fields a host reads for the signals; none by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CustomFieldSources {
    /// Are the device's volumes encrypted? See [`regentra_evidence::DiskEncryption::observe_custom`].
    pub disk_encryption: Option<CustomFieldSource>,
    /// Is the device protected? See [`regentra_evidence::AntivirusPosture::observe_custom_protection`].
    pub antivirus_protection: Option<CustomFieldSource>,
    /// Are its signatures up to date? See [`regentra_evidence::AntivirusPosture::observe_custom_definitions`].
    pub antivirus_definitions: Option<CustomFieldSource>,
}

impl CustomFieldSources {
    /// The names of all fields to read, for the `fields` parameter of the report; empty when the report is not needed.
    #[must_use]
    pub fn fields(&self) -> BTreeSet<&str> {
        [
            &self.disk_encryption,
            &self.antivirus_protection,
            &self.antivirus_definitions,
        ]
        .into_iter()
        .flatten()
        .map(CustomFieldSource::field)
        .collect()
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
    fn a_configuration_file_names_the_sources() {
        let sources: CustomFieldSources = serde_json::from_value(json!({
            "disk_encryption": {"field": "filevault", "yes": ["on"], "no": ["off"]},
            "antivirus_protection": {"field": "av", "yes": ["on"], "no": ["off"]},
        }))
        .unwrap();
        assert_eq!(sources.fields(), BTreeSet::from(["av", "filevault"]));
        assert_eq!(
            sources.disk_encryption.as_ref().unwrap().field(),
            "filevault"
        );
        let json = serde_json::to_value(&sources).unwrap();
        assert_eq!(
            serde_json::from_value::<CustomFieldSources>(json).unwrap(),
            sources
        );
        assert!(CustomFieldSources::default().fields().is_empty());
        for wrong in [
            json!({"disk_encryption": {"field": "f", "yes": ["on"], "no": ["ON"]}}),
            json!({"disc_encryption": null}),
        ] {
            assert!(serde_json::from_value::<CustomFieldSources>(wrong).is_err());
        }
    }
}
