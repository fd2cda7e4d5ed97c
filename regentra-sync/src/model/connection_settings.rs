//! The settings of one connection: names that differ between tenants, such as those of custom fields, and what the tenant is used for.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use regentra_evidence::KindsInUse;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned, ser::SerializeMap as _,
};
use serde_json::{Map, Value};

use super::{
    credential::CredentialId,
    custom_field::{CustomFieldName, CustomFields, Question},
    id::Version,
    sweep_strategy::StrategyChoice,
};

/// The maximum number of custom fields, counted once per question, that one connection reads.
pub const MOST_CUSTOM_FIELDS: usize = 20;

/// A setting, without its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Setting {
    /// [`ConnectionSettings::custom_fields`].
    CustomFields,
    /// [`ConnectionSettings::entra_device_id_field`].
    EntraDeviceIdField,
    /// [`ConnectionSettings::kinds_in_use`].
    KindsInUse,
    /// [`ConnectionSettings::sweep_strategy`].
    SweepStrategy,
}

impl Setting {
    /// Every setting that this release knows.
    pub const ALL: [Self; 4] = [
        Self::CustomFields,
        Self::EntraDeviceIdField,
        Self::KindsInUse,
        Self::SweepStrategy,
    ];

    /// The name used in JSON, stores and audit rows, such as `custom_fields`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CustomFields => "custom_fields",
            Self::EntraDeviceIdField => "entra_device_id_field",
            Self::KindsInUse => "kinds_in_use",
            Self::SweepStrategy => "sweep_strategy",
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Which custom field holds a device's Entra device id, because NinjaOne's API has no field for it. In JSON: the name, or `false`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntraDeviceIdField {
    /// No field: Entra device ids are not read.
    NotRead,
    /// The field of this name.
    Named(CustomFieldName),
}

impl EntraDeviceIdField {
    /// The field, if one is read.
    #[must_use]
    pub const fn name(&self) -> Option<&CustomFieldName> {
        match self {
            Self::NotRead => None,
            Self::Named(name) => Some(name),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum EntraOnTheWire {
    NotRead(bool),
    Named(CustomFieldName),
}

impl Serialize for EntraDeviceIdField {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::NotRead => EntraOnTheWire::NotRead(false),
            Self::Named(name) => EntraOnTheWire::Named(name.clone()),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for EntraDeviceIdField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match EntraOnTheWire::deserialize(deserializer)? {
            EntraOnTheWire::NotRead(false) => Ok(Self::NotRead),
            EntraOnTheWire::Named(name) => Ok(Self::Named(name)),
            EntraOnTheWire::NotRead(true) => Err(serde::de::Error::custom("a name, or false")),
        }
    }
}

/// The settings of one connection. For a setting that is `None`, the host's [`HostPolicy`](crate::host::HostPolicy) applies.
///
/// A store keeps them as a JSON object. Fields that a later release wrote and this release does not read are kept and written back
/// unchanged: see [`unread`](Self::unread).
///
/// ```
/// use regentra_sync::model::ConnectionSettings;
///
/// let stored = r#"{"kinds_in_use":"os","of_a_later_release":[1]}"#;
/// let mut settings: ConnectionSettings = serde_json::from_str(stored)?;
/// assert_eq!(settings.unread().collect::<Vec<_>>(), ["of_a_later_release"]);
/// settings.kinds_in_use = None;
/// assert_eq!(serde_json::to_string(&settings)?, r#"{"of_a_later_release":[1]}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionSettings {
    /// Which custom fields answer what NinjaOne cannot. An empty value means that no field is read, even if the policy names some.
    pub custom_fields: Option<CustomFields>,
    /// Which custom field holds the Entra device id.
    pub entra_device_id_field: Option<EntraDeviceIdField>,
    /// Which kinds of patches the tenant is used for.
    pub kinds_in_use: Option<KindsInUse>,
    /// How the reports of its sweeps are read. `PerCustomer` also applies to the device lists of asset syncs.
    pub sweep_strategy: Option<StrategyChoice>,
    /// Values that this release does not read, by name.
    kept: BTreeMap<String, Value>,
}

impl ConnectionSettings {
    /// The names of the settings that a later release stored and this release does not read: it does not know the setting, or not the form
    /// of its value.
    pub fn unread(&self) -> impl Iterator<Item = &str> {
        self.kept().map(|(name, _)| name)
    }

    /// The first known setting whose stored form this release cannot read. A connection with such a setting is neither synced nor swept:
    /// without all of its settings, a verdict may be wrong.
    #[must_use]
    pub fn unreadable(&self) -> Option<Setting> {
        let is_unread = |setting: &Setting| self.unread().any(|name| name == setting.as_str());
        Setting::ALL.into_iter().find(is_unread)
    }

    /// Forgets the stored value of this setting that this release cannot read, because the setting was changed since.
    pub(crate) fn forget_unreadable(&mut self, setting: Setting) {
        self.kept.remove(setting.as_str());
    }

    /// The kept values, without those whose setting was changed since.
    fn kept(&self) -> impl Iterator<Item = (&str, &Value)> {
        let settled = [
            (Setting::CustomFields, self.custom_fields.is_some()),
            (
                Setting::EntraDeviceIdField,
                self.entra_device_id_field.is_some(),
            ),
            (Setting::KindsInUse, self.kinds_in_use.is_some()),
            (Setting::SweepStrategy, self.sweep_strategy.is_some()),
        ];
        let kept = self.kept.iter();
        kept.map(|(name, value)| (name.as_str(), value))
            .filter(move |(name, _)| {
                !settled
                    .iter()
                    .any(|(setting, is_settled)| *is_settled && setting.as_str() == *name)
            })
    }

    /// Checks whether these can be the settings of a connection.
    ///
    /// # Errors
    /// [`SettingsError`] says why they cannot.
    pub fn check(&self) -> Result<(), SettingsError> {
        let fields = self.custom_fields.as_ref();
        let answers = fields.map_or(&[][..], CustomFields::sources);
        if answers.len() > MOST_CUSTOM_FIELDS {
            return Err(SettingsError::TooManyCustomFields);
        }
        let mut named = BTreeSet::new();
        for (question, source) in answers {
            if !named.insert((*question, source.field())) {
                return Err(SettingsError::NamedTwice {
                    field: source.field().to_owned(),
                    question: *question,
                });
            }
        }
        Ok(())
    }
}

/// Why these cannot be the settings of a connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// There are too many custom fields.
    #[error("a connection reads at most {MOST_CUSTOM_FIELDS} custom fields")]
    TooManyCustomFields,
    /// One custom field answers the same question twice, so it is unclear which of its values mean yes.
    #[error(
        "the custom field `{field}` is named twice for {question}: name it once, with all its values"
    )]
    NamedTwice {
        /// The field.
        field: String,
        /// The question.
        question: Question,
    },
}

/// A later release stored a setting in a form that this release does not read. Such a connection is neither synced nor swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the setting {0} of this connection is stored in a form that this release does not read: use a newer release, or decide the \
     setting anew"
)]
pub struct UnreadableSetting(pub Setting);

impl Serialize for ConnectionSettings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(fields) = &self.custom_fields {
            map.serialize_entry(Setting::CustomFields.as_str(), fields)?;
        }
        if let Some(field) = &self.entra_device_id_field {
            map.serialize_entry(Setting::EntraDeviceIdField.as_str(), field)?;
        }
        if let Some(kinds) = &self.kinds_in_use {
            map.serialize_entry(Setting::KindsInUse.as_str(), kinds)?;
        }
        if let Some(strategy) = &self.sweep_strategy {
            map.serialize_entry(Setting::SweepStrategy.as_str(), strategy)?;
        }
        for (name, value) in self.kept() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for ConnectionSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut map = Map::<String, Value>::deserialize(deserializer)?;
        let mut settings = Self {
            custom_fields: read(&mut map, Setting::CustomFields),
            entra_device_id_field: read(&mut map, Setting::EntraDeviceIdField),
            kinds_in_use: read(&mut map, Setting::KindsInUse),
            sweep_strategy: read(&mut map, Setting::SweepStrategy),
            kept: BTreeMap::new(),
        };
        settings.kept.extend(map);
        Ok(settings)
    }
}

/// Removes a setting from the map and returns it. A setting that cannot be read stays in the map.
fn read<T: DeserializeOwned>(map: &mut Map<String, Value>, setting: Setting) -> Option<T> {
    let read = T::deserialize(map.get(setting.as_str())?).ok()?;
    map.remove(setting.as_str());
    Some(read)
}

/// The settings of a connection as a store keeps them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSettings {
    /// The settings; the defaults if none were ever written.
    pub settings: ConnectionSettings,
    /// How often they were written, counted from [`Version::FIRST`], which means never.
    pub version: Version,
}

impl Default for StoredSettings {
    fn default() -> Self {
        Self {
            settings: ConnectionSettings::default(),
            version: Version::FIRST,
        }
    }
}

impl StoredSettings {
    /// The guard for commits that rely on these settings of this credential.
    #[must_use]
    pub const fn guard(&self, credential: CredentialId) -> SettingsGuard {
        SettingsGuard {
            credential,
            version: self.version,
        }
    }
}

/// A guard in a commit: the commit is refused if the settings of the connection have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettingsGuard {
    /// Whose settings.
    pub credential: CredentialId,
    /// The version that was read.
    pub version: Version,
}

/// The settings in force for one connection: its own, and the policy's for those that it leaves out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AppliedSettings {
    /// Which custom fields answer what NinjaOne cannot.
    pub custom_fields: CustomFields,
    /// Which custom field holds the Entra device id. If `None`, no id is read.
    pub entra_device_id_field: Option<CustomFieldName>,
    /// Which kinds of patches the tenant is used for.
    pub kinds_in_use: KindsInUse,
    /// How the reports of its sweeps are read.
    pub sweep_strategy: StrategyChoice,
}

/// A changed setting, as an audit row shows it: names of fields, but none of their values. `None` if the policy applies now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "setting", content = "now", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChangedSetting {
    /// The fields that answer each question now. They are the same as before if only the values that mean yes or no changed.
    CustomFields(Option<BTreeMap<Question, BTreeSet<CustomFieldName>>>),
    /// The field of the Entra device id now.
    EntraDeviceIdField(Option<EntraDeviceIdField>),
    /// The kinds of patches now.
    KindsInUse(Option<KindsInUse>),
    /// How the reports of sweeps are read now.
    SweepStrategy(Option<StrategyChoice>),
}

impl ChangedSetting {
    /// The changes from one version of a connection's settings to another.
    #[must_use]
    pub fn between(before: &ConnectionSettings, after: &ConnectionSettings) -> Vec<Self> {
        let differs = |setting: Setting| {
            let kept = |of: &ConnectionSettings| of.kept.contains_key(setting.as_str());
            kept(before) != kept(after)
        };
        let mut changed = Vec::new();
        if before.custom_fields != after.custom_fields || differs(Setting::CustomFields) {
            let now = after.custom_fields.as_ref();
            changed.push(Self::CustomFields(now.map(CustomFields::by_question)));
        }
        if before.entra_device_id_field != after.entra_device_id_field
            || differs(Setting::EntraDeviceIdField)
        {
            changed.push(Self::EntraDeviceIdField(
                after.entra_device_id_field.clone(),
            ));
        }
        if before.kinds_in_use != after.kinds_in_use || differs(Setting::KindsInUse) {
            changed.push(Self::KindsInUse(after.kinds_in_use));
        }
        if before.sweep_strategy != after.sweep_strategy || differs(Setting::SweepStrategy) {
            changed.push(Self::SweepStrategy(after.sweep_strategy));
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::CustomFieldSource;

    fn settings(json: &Value) -> ConnectionSettings {
        serde_json::from_value(json.clone()).unwrap()
    }

    #[test]
    fn settings_read_back_from_json() {
        for json in [
            json!({}),
            json!({"custom_fields": []}),
            json!({"custom_fields": [{"question": "disk_encrypted", "field": "f", "yes": ["on"], "no": ["off"]}],
                "entra_device_id_field": "entraId", "kinds_in_use": "software", "sweep_strategy": "group"}),
            json!({"entra_device_id_field": false}),
        ] {
            let read = settings(&json);
            assert_eq!(read.unread().count(), 0, "{json}");
            assert_eq!(serde_json::to_value(&read).unwrap(), json);
        }
        assert_eq!(settings(&json!({})), ConnectionSettings::default());
        assert!(serde_json::from_str::<ConnectionSettings>("[]").is_err());
        assert!(serde_json::from_str::<ConnectionSettings>("{").is_err());
    }

    /// A setting of a later release, a known setting in another form, and a setting that is `null`: each is written back byte for byte.
    #[test]
    fn what_a_later_release_stored_is_written_back_as_it_was() {
        let tables = [
            json!({"scope_rules": {"roles": ["a", null, 1.5]}, "languages": null}),
            json!({"custom_fields": [{"question": "firewall_on", "field": "f", "yes": ["on"], "no": ["off"]}]}),
            json!({"custom_fields": [{"question": "disk_encrypted", "field": "f", "yes": ["on"], "no": ["off"], "inverted": true}]}),
            json!({"custom_fields": {"disk_encrypted": "f"}}),
            json!({"custom_fields": null}),
            json!({"entra_device_id_field": true}),
            json!({"entra_device_id_field": {"name": "f"}}),
            json!({"entra_device_id_field": "a,b"}),
            json!({"kinds_in_use": ["os", "firmware"]}),
            json!({"sweep_strategy": "by_night"}),
        ];
        for json in tables {
            let read = settings(&json);
            assert_eq!(serde_json::to_value(&read).unwrap(), json);
            assert!(read.unread().count() > 0, "{json}");
            let is_known = json.get("scope_rules").is_none();
            assert_eq!(read.unreadable().is_some(), is_known, "{json}");
            // Changing another setting keeps it.
            for (name, value) in json.as_object().unwrap() {
                let mut other = read.clone();
                if name != Setting::KindsInUse.as_str() {
                    other.kinds_in_use = Some(KindsInUse::Os);
                }
                assert_eq!(serde_json::to_value(&other).unwrap()[name], *value);
            }
        }
    }

    #[test]
    fn a_setting_that_is_decided_anew_takes_the_place_of_what_could_not_be_read() {
        let mut read = settings(&json!({"kinds_in_use": "firmware", "other": 1}));
        assert_eq!(read.unreadable(), Some(Setting::KindsInUse));
        read.kinds_in_use = Some(KindsInUse::Both);
        assert_eq!(read.unreadable(), None);
        assert_eq!(
            serde_json::to_string(&read).unwrap(),
            r#"{"kinds_in_use":"both","other":1}"#
        );
    }

    #[test]
    fn too_many_fields_and_one_named_twice_are_refused() {
        let source = |field: String| {
            CustomFieldSource::new(field, vec!["on".to_owned()], vec!["off".to_owned()])
        };
        let mut settings = ConnectionSettings::default();
        let mut fields = CustomFields::default();
        for number in 0..MOST_CUSTOM_FIELDS {
            fields = fields.answer(
                Question::DiskEncrypted,
                source(format!("f{number}")).unwrap(),
            );
        }
        settings.custom_fields = Some(fields.clone());
        settings.check().unwrap();
        settings.custom_fields =
            Some(fields.answer(Question::AntivirusOn, source("f0".to_owned()).unwrap()));
        assert_eq!(settings.check(), Err(SettingsError::TooManyCustomFields));

        let twice = CustomFields::default()
            .answer(Question::DiskEncrypted, source("f".to_owned()).unwrap())
            .answer(Question::AntivirusOn, source("f".to_owned()).unwrap());
        settings.custom_fields = Some(twice.clone());
        settings.check().unwrap();
        let twice = twice.answer(Question::DiskEncrypted, source("f".to_owned()).unwrap());
        settings.custom_fields = Some(twice);
        let refused = settings.check().unwrap_err().to_string();
        assert!(refused.contains("`f` is named twice for disk_encrypted"));
    }

    #[test]
    fn what_changed_is_named_and_no_value_of_a_field() {
        let before = settings(&json!({"kinds_in_use": "os", "entra_device_id_field": "entra"}));
        let after = settings(
            &json!({"custom_fields": [{"question": "disk_encrypted", "field": "vault", "yes": ["secret"], "no": ["off"]}],
                "entra_device_id_field": "entra"}),
        );
        assert_eq!(ChangedSetting::between(&before, &before), []);
        let changed = ChangedSetting::between(&before, &after);
        assert_eq!(
            serde_json::to_value(&changed).unwrap(),
            json!([
                {"setting": "custom_fields", "now": {"disk_encrypted": ["vault"]}},
                {"setting": "kinds_in_use", "now": null},
            ])
        );
        let read: Vec<ChangedSetting> =
            serde_json::from_value(serde_json::to_value(&changed).unwrap()).unwrap();
        assert_eq!(read, changed);
    }
}
