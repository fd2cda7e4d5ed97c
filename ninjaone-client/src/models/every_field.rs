//! One damaged field never loses its row: these tests damage every field of every model in every known way.

use std::{collections::BTreeSet, fmt::Write as _};

use bytes::Bytes;
use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::*;
use crate::{
    RepairedField, Timestamp, Unreadable,
    field::Field,
    paging::{Fences, RawPage, read_page},
};

/// What the tests need from a model.
pub(crate) trait Model: Field + DeserializeOwned + Serialize + PartialEq {
    fn unreadable(&self) -> &Unreadable;
}

macro_rules! models {
    ($($name:ident)*) => {
        const MODELS: &[(&str, fn() -> Specimen)] = &[$((stringify!($name), specimen::<$name>)),*];
    };
}

models! {
    Activity Alert AntivirusStatus AntivirusThreat BackupUsage LocationBackupUsage BackupBandwidthThrottle
    BackupWorkSchedule BackupJob UpsyncJob Contact DeviceCustomFields DeviceCustomFieldsDetailed ScopedCustomFields
    ScopedCustomFieldsDetailed CustomFieldValue CustomFieldUpdatedBy CustomFieldDefinition CustomFieldContent EndUserTexts
    CustomFieldChoice CustomFieldLimits DateFilters ComplexityRules NumericRange IdentifierSettings MonetarySettings Device
    Maintenance DeviceReferences Warranty Note DeviceSearchResults DeviceSearchMatch DeviceLink Disk RaidController RaidDrive
    Group DeviceHealth Job SoftwareLicense LicenseParty LicenseScope LicenseTerm LicenseNotification LicenseAutomation
    SoftwareCriteria LicenseGroups LicenseRoles LicenseAssignment NetworkInterface Organization OrganizationDetailed Location
    RolePolicyAssignment OrganizationSettings FeatureSettings OsPatch SoftwarePatch Policy PolicyOverrides Role NodeRole
    ScanGroup Software SoftwareProduct OperatingSystem ComputerSystem Memory Processor MobileNetwork Tags Tag User EndUser
    Technician UserRole UserRoleMember UserReference LoggedOnUser Volume BitLockerStatus WindowsService
}

/// A row in which every field has a value, and a function that reads a page of such rows.
struct Specimen {
    row: Value,
    read: fn(&str) -> Read,
}

struct Read {
    rows: Vec<Value>,
    unreadable: Vec<Vec<String>>,
    malformed: usize,
    repaired: Vec<RepairedField>,
}

fn specimen<T: Model>() -> Specimen {
    Specimen {
        row: serde_json::to_value(T::sample(&mut 0)).unwrap(),
        read: |body| {
            let page: RawPage<T> =
                read_page(&Bytes::from(body.to_owned()), Fences::default()).unwrap();
            Read {
                rows: page
                    .rows
                    .iter()
                    .map(|row| serde_json::to_value(row).unwrap())
                    .collect(),
                unreadable: page
                    .rows
                    .iter()
                    .map(|row| row.unreadable().iter().map(str::to_owned).collect())
                    .collect(),
                malformed: page.malformed.len(),
                repaired: page.repaired,
            }
        },
    }
}

/// Kind of value in a field of a specimen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Integer,
    Float,
    Flag,
    Text,
    Word,
    Time,
    List,
    Model,
    Map,
    FreeObject,
    Free,
}

fn kind_of(value: &Value) -> Kind {
    match value {
        Value::Bool(_) => Kind::Flag,
        Value::String(text) if text.starts_with("text ") => Kind::Text,
        Value::String(_) => Kind::Word,
        Value::Number(number) if number.is_i64() => Kind::Integer,
        Value::Number(number) if number.as_f64() > Some(1e9) => Kind::Time,
        Value::Number(_) => Kind::Float,
        Value::Array(_) => Kind::List,
        Value::Object(object) => match object.get("free") {
            Some(Value::Object(_)) => Kind::FreeObject,
            Some(_) => Kind::Free,
            None if object.contains_key("one") => Kind::Map,
            None => Kind::Model,
        },
        Value::Null => panic!("a specimen has no nulls"),
    }
}

/// The expected result for a damaged value.
#[derive(Debug, Clone, PartialEq)]
enum Fate {
    /// The value is read normally.
    AsIs(Value),
    /// The value is read without loss, and counted as repaired.
    Odd(Value),
    /// The value counts as absent.
    Absent,
    /// The value is dropped, and its field is named.
    Lost,
    /// A part of the value is dropped, and its field is named.
    Partly(Value),
}

/// All conversions that are allowed. Any other value is lost.
fn fate(kind: Kind, damage: &str) -> Fate {
    use Fate::{Absent, AsIs, Lost, Odd, Partly};
    use Kind::{Flag, Float, Free, FreeObject, Integer, List, Map, Model, Text, Time, Word};
    if kind == Time {
        // A time never fails: an unreadable time is `Timestamp::Unreadable`, which is written as null.
        let time = match damage {
            "7" | "7.0" | "70e-1" => Timestamp::from_number(7.0),
            "7.5" => Timestamp::from_number(7.5),
            "16e9" | "1.6e10" => Timestamp::from_number(16e9),
            text if text.starts_with('"') && !text.contains('\\') => {
                Timestamp::from_text(text.trim_matches('"'))
            }
            number => number
                .parse()
                .map_or(Timestamp::Unreadable, Timestamp::from_number),
        };
        let time = serde_json::to_value(time).unwrap();
        return if damage.contains('\\') {
            Odd(time)
        } else {
            AsIs(time)
        };
    }
    match (kind, damage) {
        (_, "null") => Absent,
        (Integer, "0") => AsIs(json!(0)),
        (Float, "0") => AsIs(json!(0.0)),
        (Text, "0") => Odd(json!("0")),
        (Integer, "7") => AsIs(json!(7)),
        (Integer, "-7") => AsIs(json!(-7)),
        (Integer, "\"7\"" | "\" 7 \"" | "7.0" | "70e-1" | "\"7.0\"") => Odd(json!(7)),
        (Integer, "16e9" | "1.6e10") => Odd(json!(16_000_000_000_i64)),
        (Float, "7" | "7.0" | "70e-1") => AsIs(json!(7.0)),
        (Float, "-7") => AsIs(json!(-7.0)),
        (Float, "7.5") => AsIs(json!(7.5)),
        (Float, "16e9" | "1.6e10") => AsIs(json!(16e9)),
        // Large numbers are as exact as a double.
        (Float, json) if json.starts_with('9') => {
            AsIs(json!(serde_json::from_str::<f64>(json).unwrap()))
        }
        (Float, "\"7\"" | "\" 7 \"" | "\"7.0\"") => Odd(json!(7.0)),
        (Flag, "true") => AsIs(json!(true)),
        (Flag, "\"true\"") => Odd(json!(true)),
        (Flag, "\"FALSE \"") => Odd(json!(false)),
        (Text, "7") => Odd(json!("7")),
        (Text, "-7") => Odd(json!("-7")),
        (Text | Free, r#""a\ud83dz""#) => Odd(json!("a\u{fffd}z")),
        (Text | Free, r#""\ude00""#) => Odd(json!("\u{fffd}")),
        // A word with a replaced letter is lost, because it would pass for an unknown word.
        (Word, text) if text.contains('\\') => Lost,
        (Text | Word, text) if text.starts_with('"') => AsIs(serde_json::from_str(text).unwrap()),
        (List, "[]") => AsIs(json!([])),
        (List, "[null,null]") => Odd(json!([])),
        (List, list) if list.starts_with("[[") => Partly(json!([])),
        (Model | Map | FreeObject | Free, "{}") | (Model, r#"{"a":1}"#) => AsIs(json!({})),
        (Map, r#"{"a":1}"#) => Partly(json!({})),
        (FreeObject | Free, r#"{"a":1}"#) => AsIs(json!({"a": 1})),
        (Free, "1e400") => Partly(Value::Null),
        (Free, json) if !json.starts_with("[[") => AsIs(serde_json::from_str(json).unwrap()),
        _ => Lost,
    }
}

fn damages() -> Vec<String> {
    let deep = format!("{}{}", "[".repeat(300), "]".repeat(300));
    [
        "null",
        "true",
        "\"true\"",
        "\"FALSE \"",
        "0",
        "7",
        "-7",
        "\"7\"",
        "\" 7 \"",
        "7.0",
        "70e-1",
        "\"7.0\"",
        "7.5",
        "16e9",
        "1.6e10",
        "1e400",
        "9223372036854775808",
        "9223372036854775808.0",
        "9007199254740993.0",
        "\"seven\"",
        "\"\"",
        "\"007\"",
        "\"yes\"",
        r#""a\ud83dz""#,
        r#""\ude00""#,
        "[]",
        "[null,null]",
        "{}",
        r#"{"a":1}"#,
        &deep,
    ]
    .map(str::to_owned)
    .to_vec()
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Field(String),
    Element(usize),
    /// A key of a map, which is a customer's data.
    Entry(String),
}

/// All places in a specimen that hold a value. A free-form value is one place; its content is not searched.
fn places(value: &Value, here: &[Step], all: &mut Vec<(Vec<Step>, Kind)>) {
    let mut below = |step: Step, value: &Value| {
        let place = [here, &[step]].concat();
        let kind = kind_of(value);
        all.push((place.clone(), kind));
        if !matches!(kind, Kind::Free | Kind::FreeObject) {
            places(value, &place, all);
        }
    };
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                below(Step::Element(index), item);
            }
        }
        Value::Object(object) => {
            let is_map = kind_of(value) == Kind::Map;
            for (key, value) in object {
                let step = if is_map {
                    Step::Entry(key.clone())
                } else {
                    Step::Field(key.clone())
                };
                below(step, value);
            }
        }
        _ => {}
    }
}

fn places_of(row: &Value) -> Vec<(Vec<Step>, Kind)> {
    let mut all = Vec::new();
    places(row, &[], &mut all);
    all
}

/// The row with empty inner models.
fn without_models(row: &Value) -> Value {
    let mut row = row.clone();
    for value in row.as_object_mut().unwrap().values_mut() {
        let values = match value {
            Value::Array(items) => items.as_mut_slice(),
            other => std::slice::from_mut(other),
        };
        for value in values {
            if kind_of(value) == Kind::Model {
                *value = json!({});
            }
        }
    }
    row
}

/// A specimen as text, with `damage` in one place. `twice` adds another field with the same key before it.
fn damaged(value: &Value, place: &[Step], damage: &str, twice: Option<&str>) -> String {
    let Some((step, rest)) = place.split_first() else {
        return damage.to_owned();
    };
    let mut text = String::new();
    match (value, step) {
        (Value::Array(items), Step::Element(at)) => {
            for (index, item) in items.iter().enumerate() {
                let item = if index == *at {
                    damaged(item, rest, damage, twice)
                } else {
                    item.to_string()
                };
                let _ = write!(text, "{}{item}", if index == 0 { "" } else { "," });
            }
            format!("[{text}]")
        }
        (Value::Object(object), Step::Field(at) | Step::Entry(at)) => {
            for (key, value) in object {
                let comma = if text.is_empty() { "" } else { "," };
                if key == at {
                    if let Some(first) = twice.filter(|_| rest.is_empty()) {
                        let _ = write!(text, "{comma}{}:{first},", json!(key));
                        let _ = write!(
                            text,
                            "{}:{}",
                            json!(key),
                            damaged(value, rest, damage, twice)
                        );
                    } else {
                        let _ = write!(
                            text,
                            "{comma}{}:{}",
                            json!(key),
                            damaged(value, rest, damage, twice)
                        );
                    }
                } else {
                    let _ = write!(text, "{comma}{}:{value}", json!(key));
                }
            }
            format!("{{{text}}}")
        }
        _ => panic!("no such place"),
    }
}

/// A specimen with another value in one place, or without a value there.
fn changed(mut value: Value, place: &[Step], new: Option<Value>) -> Value {
    let Some((step, rest)) = place.split_first() else {
        panic!("no place");
    };
    if let (Value::Array(items), Step::Element(at)) = (&mut value, step) {
        match (rest, new) {
            ([], None) => {
                items.remove(*at);
            }
            ([], Some(new)) => items[*at] = new,
            (_, new) => items[*at] = changed(items[*at].take(), rest, new),
        }
        return value;
    }
    let (Value::Object(object), Step::Field(at) | Step::Entry(at)) = (&mut value, step) else {
        panic!("no such place");
    };
    match (rest, new) {
        ([], None) => {
            object.remove(at);
        }
        ([], Some(new)) => {
            object.insert(at.clone(), new);
        }
        (_, new) => object[at] = changed(object[at].take(), rest, new),
    }
    value
}

fn name_of(place: &[Step]) -> String {
    let fields = place.iter().filter_map(|step| match step {
        Step::Field(name) => Some(name.as_str()),
        _ => None,
    });
    fields.collect::<Vec<_>>().join(".")
}

/// The row that is read after this damage, and whether the field is counted as repaired and as lost.
fn expected(row: &Value, place: &[Step], kind: Kind, damage: &str) -> (Value, Option<bool>) {
    let in_a_list = !matches!(place.last(), Some(Step::Field(_)));
    match fate(kind, damage) {
        Fate::AsIs(value) => (changed(row.clone(), place, Some(value)), None),
        Fate::Odd(value) => (changed(row.clone(), place, Some(value)), Some(false)),
        Fate::Partly(value) => (changed(row.clone(), place, Some(value)), Some(true)),
        // A null in a list is not an element.
        Fate::Absent => (
            changed(row.clone(), place, None),
            in_a_list.then_some(false),
        ),
        Fate::Lost => (changed(row.clone(), place, None), Some(true)),
    }
}

fn check(
    what: &str,
    specimen: &Specimen,
    body: &str,
    expected: &Value,
    name: &str,
    repaired: Option<bool>,
) {
    let read = (specimen.read)(body);
    assert_eq!(read.malformed, 0, "{what}");
    assert_eq!(read.rows.len(), 2, "{what}");
    assert_eq!(&read.rows[0], expected, "{what}");
    assert_eq!(read.rows[1], json!({}), "{what}: the other row");
    let lost: &[&str] = if repaired == Some(true) { &[name] } else { &[] };
    assert_eq!(read.unreadable[0], lost, "{what}");
    assert!(read.unreadable[1].is_empty(), "{what}");
    let counted: Vec<_> = read
        .repaired
        .iter()
        .map(|field| (field.field.as_str(), field.lost, field.rows))
        .collect();
    let wanted: Vec<_> = repaired.map(|lost| (name, lost, 1)).into_iter().collect();
    assert_eq!(counted, wanted, "{what}");
}

#[test]
fn the_list_of_models_is_whole() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/models");
    let mut declared = BTreeSet::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for model in text.split("\nmodel! {").skip(1) {
            let head = model.lines().find(|line| {
                line.starts_with("    ") && line.ends_with(" {") || line.contains("{}")
            });
            declared.insert(head.unwrap().trim().split(' ').next().unwrap().to_owned());
        }
    }
    let listed: BTreeSet<_> = MODELS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(listed, declared);
}

#[test]
fn a_field_of_any_model_damaged_in_any_way_keeps_its_row_and_every_other_field() {
    let damages = damages();
    let mut cases = 0;
    for (model, specimen) in MODELS {
        let specimen = specimen();
        let mut check = |row: &Value, place: &[Step], kind, damage: &str| {
            let name = name_of(place);
            let (expected, repaired) = expected(row, place, kind, damage);
            let body = format!("[{},{{}}]", damaged(row, place, damage, None));
            let what = format!("{model}.{name} ({kind:?}, {place:?}) as {damage:.60}");
            check(&what, &specimen, &body, &expected, &name, repaired);
            cases += 1;
        };
        // Damages the model's own fields in every way. Its inner models are tested separately and are empty here.
        let own = without_models(&specimen.row);
        for (place, kind) in places_of(&own) {
            for damage in &damages {
                check(&own, &place, kind, damage);
            }
        }
        // Damages each inner field in one way, so that together they cover all ways.
        let deeper = places_of(&specimen.row).into_iter().filter(|(place, _)| {
            let fields = place.iter().filter(|step| matches!(step, Step::Field(_)));
            fields.count() > 1
        });
        for ((place, kind), damage) in deeper.zip(damages.iter().cycle()) {
            check(&specimen.row, &place, kind, damage);
        }
    }
    assert!(cases > 20_000, "{cases}");
}

#[test]
fn of_a_field_that_comes_twice_the_later_holds_whatever_the_earlier_was() {
    for (model, specimen) in MODELS {
        let specimen = specimen();
        let whole = without_models(&specimen.row);
        for (key, good) in whole.as_object().unwrap() {
            let place = [Step::Field(key.clone())];
            for earlier in [
                "null",
                "[7]",
                "{\"b\":[]}",
                "\"x\"",
                "1e400",
                &good.to_string(),
            ] {
                let row = damaged(&whole, &place, &good.to_string(), Some(earlier));
                let body = format!("[{row},{{}}]");
                let what = format!("{model}.{key} after {earlier}");
                check(&what, &specimen, &body, &whole, key, Some(false));
            }
            // If the later value cannot be read, the earlier one does not replace it.
            let (kind, bad) = (kind_of(good), "[[7]]");
            if !matches!(kind, Kind::Time | Kind::Free | Kind::List) {
                let row = damaged(&whole, &place, bad, Some(&good.to_string()));
                let without = changed(whole.clone(), &place, None);
                check(
                    model,
                    &specimen,
                    &format!("[{row},{{}}]"),
                    &without,
                    key,
                    Some(true),
                );
            }
        }
    }
}

#[test]
fn a_model_within_a_model_names_its_own_fields_and_the_outer_one_names_them_too() {
    let body = Bytes::from_static(
        br#"[{"id":1,"os":{"needsReboot":"perhaps","name":"W"},"volumes":[{"capacity":1.5},{"capacity":2}],"references":{"organization":{"id":[]}}}]"#,
    );
    let page: RawPage<Device> = read_page(&body, Fences::default()).unwrap();
    let device = &page.rows[0];
    let names = |unreadable: &Unreadable| unreadable.iter().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(
        names(&device.unreadable),
        [
            "os.needsReboot",
            "volumes.capacity",
            "references.organization.id"
        ]
    );
    assert_eq!(
        names(&device.os.as_ref().unwrap().unreadable),
        ["needsReboot"]
    );
    let volumes = device.volumes.as_ref().unwrap();
    assert_eq!(names(&volumes[0].unreadable), ["capacity"]);
    assert!(volumes[1].unreadable.is_empty());
    let references = device.references.as_ref().unwrap();
    assert_eq!(names(&references.unreadable), ["organization.id"]);
}

#[test]
fn the_wire_cannot_say_what_is_unreadable() {
    for names in [r#"["name"]"#, "7", r#""Jane Doe""#] {
        let body = format!(
            r#"[{{"deviceId":1,"$unreadable":{names}}},{{"deviceId":1.0,"$unreadable":{names}}}]"#
        );
        let page: RawPage<Volume> = read_page(&Bytes::from(body), Fences::default()).unwrap();
        assert_eq!(page.rows.len(), 2);
        assert!(page.rows.iter().all(|row| row.unreadable.is_empty()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn several_fields_damaged_at_once_are_each_repaired_for_themselves(
        model in 0..MODELS.len(),
        picks in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..8),
    ) {
        let specimen = MODELS[model].1();
        let damages = damages();
        let mut row = specimen.row.clone();
        let mut bad = Vec::new();
        let mut wanted = BTreeSet::new();
        let keys: Vec<_> = specimen.row.as_object().unwrap().keys().cloned().collect();
        prop_assume!(!keys.is_empty());
        let mut picked = BTreeSet::new();
        for (key, damage) in picks {
            let (key, damage) = (key.get(&keys), damage.get(&damages));
            if !picked.insert(key.clone()) {
                continue;
            }
            let place = [Step::Field(key.clone())];
            let kind = kind_of(&specimen.row[key]);
            let (_, repaired) = expected(&specimen.row, &place, kind, damage);
            let new = match fate(kind, damage) {
                Fate::AsIs(value) | Fate::Odd(value) | Fate::Partly(value) => Some(value),
                Fate::Absent | Fate::Lost => None,
            };
            row = changed(row, &place, new);
            bad.push((key.clone(), damage.clone()));
            wanted.extend(repaired.map(|lost| (key.clone(), lost)));
        }
        let mut fields: Vec<_> = specimen.row.as_object().unwrap().iter()
            .filter(|(key, _)| !picked.contains(*key))
            .map(|(key, value)| (key.clone(), value.to_string()))
            .collect();
        fields.extend(bad);
        let text: Vec<_> = fields.iter().map(|(key, value)| format!("{}:{value}", json!(key))).collect();
        let read = (specimen.read)(&format!("[{{{}}}]", text.join(",")));
        prop_assert_eq!(read.malformed, 0);
        prop_assert_eq!(&read.rows, &[row]);
        let counted: BTreeSet<_> = read.repaired.into_iter().map(|field| (field.field, field.lost)).collect();
        prop_assert_eq!(counted, wanted);
    }
}
