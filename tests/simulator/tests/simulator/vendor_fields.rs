//! Whatever the tenant answers has only fields that the vendor's document has, of the types it says.
//!
//! `data/vendor_fields.json` holds what is needed of that document: for each endpoint the shape of its answer, for each shape the
//! names and types of its fields. Where the document itself lies beside the project, or in the folder that `NINJAONE_REFERENCE`
//! names, the file is checked against it; `UPDATE_VENDOR_FIELDS=1` writes it anew.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use ninjaone_simulator::{Preset, Request, Tenant};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::{OffsetDateTime, macros::datetime};

const NOW: OffsetDateTime = datetime!(2026-11-23 06:30 UTC);

/// Fields that the document lacks and a recorded sample has, or that are there to be unknown.
const BESIDES: [(&str, &str, &str); 4] = [
    (
        "Volume",
        "nodeId",
        "samples/real/devices-detailed.windows_server.json",
    ),
    (
        "ActivitiesResponse",
        "lastNodeActivityId",
        "the document has it in the feed of one device",
    ),
    (
        "SoftwareLicenseRequest",
        "id",
        "a list of licenses is of no use without it",
    ),
    ("*", "unheardOfField", "a field of a later version"),
];

/// Endpoints of which the document has no shape, and the shape their rows follow.
const UNDESCRIBED: [(&str, &str); 4] = [
    ("/v2/noderole/list", r#"["NodeRole"]"#),
    (
        "/v2/software-license/licenses",
        r#"["SoftwareLicenseRequest"]"#,
    ),
    ("/v2/software-license/{licenseId}/assignments", r#"["any"]"#),
    (
        "/v2/custom-fields",
        r#"{"page":"integer","pageSize":"integer","count":"integer","results":["AttributePublicApiDTO"]}"#,
    ),
];

/// What is needed of the vendor's document.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct VendorFields {
    /// The shape of each endpoint's answer: a type or schema by name, `[shape]`, or an object of shapes (`*`: any key).
    paths: BTreeMap<String, Value>,
    /// The fields of each schema, those it inherits included.
    schemas: BTreeMap<String, BTreeMap<String, Value>>,
}

fn here(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn vendor_fields() -> VendorFields {
    serde_json::from_str(&fs::read_to_string(here("data/vendor_fields.json")).unwrap()).unwrap()
}

#[test]
fn every_typed_endpoint_answers_in_the_vendors_fields() {
    let fields = vendor_fields();
    let undescribed: BTreeMap<_, _> = UNDESCRIBED.into_iter().collect();
    let mut tenant = Tenant::preset(Preset::Mixed, 11, 240, NOW);
    let token = tenant.issue_token(NOW);
    let device = tenant
        .devices()
        .iter()
        .find(|row| row["deviceType"] == "AgentDevice")
        .unwrap()["id"]
        .to_string();
    let organization = tenant.organizations()[0]["id"].to_string();
    let location = tenant.locations()[0]["id"].to_string();
    let mut wrong = BTreeSet::new();
    let mut unanswered = Vec::new();
    for (path, shape) in &fields.paths {
        let id = match path.split('/').nth(2) {
            Some("device") => device.as_str(),
            Some("organization") => organization.as_str(),
            Some("user") if path.contains("technician") => "30",
            Some("user") => "33",
            _ => "1",
        };
        let target = path
            .replace("{id}", id)
            .replace("{locationId}", &location)
            .replace("{licenseId}", "1")
            .replace("{scan-group-id}", "1")
            .replace("{fieldName}", "assetTag");
        let separator = if target.contains('?') { '&' } else { '?' };
        let query = if path == "/v2/devices/search" {
            "q=a".to_owned()
        } else {
            "pageSize=10000&include=bl".to_owned()
        };
        let answer = tenant.answer(
            &Request::get(&format!("{target}{separator}{query}")).bearer(&token),
            NOW,
        );
        if answer.status != 200 {
            unanswered.push(format!("{path}: {}", answer.status));
            continue;
        }
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        let empty = match &body {
            Value::Array(rows) => rows.is_empty(),
            Value::Object(fields) => fields
                .values()
                .all(|value| value.as_array().is_some_and(Vec::is_empty)),
            _ => true,
        };
        assert!(!empty, "{path} has nothing to show");
        let shape = undescribed.get(path.as_str()).map_or_else(
            || shape.clone(),
            |shape| serde_json::from_str(shape).unwrap(),
        );
        check(&fields, path, &shape, &body, &mut wrong);
    }
    assert!(unanswered.is_empty(), "{unanswered:#?}");
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(
        fields.paths.len() > 80,
        "the file describes {} endpoints",
        fields.paths.len()
    );
}

#[test]
fn a_field_or_type_of_our_own_invention_is_noticed() {
    let fields = vendor_fields();
    let mut wrong = BTreeSet::new();
    let row = json!([{ "id": "seven", "hostname": "EXA", "os": { "version": 1 }, "deviceType": "AgentDevice" }]);
    check(
        &fields,
        "/v2/devices-detailed",
        &json!(["Device"]),
        &row,
        &mut wrong,
    );
    let at = |rest: &str| format!("/v2/devices-detailed[].{rest}");
    let expected = [
        at("hostname: unknown to the vendor"),
        at("id: not integer"),
        at("os.version: unknown to the vendor"),
    ];
    assert_eq!(wrong, BTreeSet::from(expected));
}

/// Compares a value with its shape and notes each field that the vendor does not have or gives another type.
fn check(
    fields: &VendorFields,
    at: &str,
    shape: &Value,
    value: &Value,
    wrong: &mut BTreeSet<String>,
) {
    if value.is_null() {
        return;
    }
    match shape {
        Value::Array(of) => match value.as_array() {
            Some(items) => items
                .iter()
                .for_each(|item| check(fields, &format!("{at}[]"), &of[0], item, wrong)),
            None => drop(wrong.insert(format!("{at}: no array"))),
        },
        Value::Object(known) => object(
            fields,
            at,
            "",
            |key| known.get(key).or(known.get("*")),
            value,
            wrong,
        ),
        Value::String(name) => {
            let holds = match name.as_str() {
                "any" => true,
                "integer" => value.is_i64() || value.is_u64(),
                "number" => value.is_number(),
                "string" => value.is_string(),
                "boolean" => value.is_boolean(),
                schema => {
                    // A device has the fields of its kind besides those of every device.
                    let kind = value
                        .get("deviceType")
                        .and_then(Value::as_str)
                        .filter(|_| schema == "Device");
                    let known = &fields.schemas[kind
                        .filter(|kind| fields.schemas.contains_key(*kind))
                        .unwrap_or(schema)];
                    object(fields, at, schema, |key| known.get(key), value, wrong);
                    true
                }
            };
            if !holds {
                wrong.insert(format!("{at}: not {name}"));
            }
        }
        other => panic!("{other} is no shape"),
    }
}

fn object<'a>(
    fields: &VendorFields,
    at: &str,
    schema: &str,
    known: impl Fn(&str) -> Option<&'a Value>,
    value: &Value,
    wrong: &mut BTreeSet<String>,
) {
    let Some(entries) = value.as_object() else {
        wrong.insert(format!("{at}: no object"));
        return;
    };
    for (key, value) in entries {
        let at = format!("{at}.{key}");
        match known(key) {
            Some(shape) => check(fields, &at, shape, value, wrong),
            None if BESIDES
                .iter()
                .any(|(of, name, _)| (*of == schema || *of == "*") && name == key) => {}
            None => drop(wrong.insert(format!("{at}: unknown to the vendor"))),
        }
    }
}

#[test]
fn what_is_kept_of_the_vendors_document_is_what_it_says() {
    let beside = here("../../../shared/reference");
    let reference = std::env::var_os("NINJAONE_REFERENCE").map_or(beside, PathBuf::from);
    let document = reference.join("ninjaone-openapi-2.0.9-draft.yaml");
    let (Ok(text), Ok(endpoints)) = (
        fs::read_to_string(&document),
        fs::read_to_string(document.with_file_name("endpoints.txt")),
    ) else {
        eprintln!("skipped: the vendor's document does not lie beside this project");
        return;
    };
    let document: Value = serde_saphyr::from_str(&text).unwrap();
    let mut derived = VendorFields::default();
    for line in endpoints.lines() {
        let Some(path) = line
            .strip_prefix("typed ")
            .and_then(|rest| rest.split(' ').next())
        else {
            continue;
        };
        let responses = document["paths"][path]["get"]["responses"]
            .as_object()
            .unwrap();
        let response = responses
            .get("200")
            .or_else(|| responses.values().next())
            .unwrap();
        let content = response["content"]
            .as_object()
            .and_then(|content| content.values().next());
        let schema = content.map_or(&Value::Null, |content| &content["schema"]);
        let shape = derive(&document, schema, &mut derived.schemas);
        derived.paths.insert(path.to_owned(), shape);
    }
    for kind in [
        "AgentDevice",
        "VMHost",
        "VMGuest",
        "MdmDevice",
        "CloudMonitorHTTP",
    ] {
        derive(
            &document,
            &json!({ "$ref": format!("#/components/schemas/{kind}") }),
            &mut derived.schemas,
        );
    }
    let file = here("data/vendor_fields.json");
    if std::env::var_os("UPDATE_VENDOR_FIELDS").is_some() {
        let mut text = serde_json::to_string_pretty(&derived).unwrap();
        text.push('\n');
        fs::write(&file, text).unwrap();
    }
    assert!(
        vendor_fields() == derived,
        "{} is out of date; see the head of this test",
        file.display()
    );
}

/// The shape of a schema of the document; named ones are collected.
fn derive(
    document: &Value,
    schema: &Value,
    named: &mut BTreeMap<String, BTreeMap<String, Value>>,
) -> Value {
    if let Some(name) = schema["$ref"]
        .as_str()
        .and_then(|reference| reference.rsplit('/').next())
    {
        let target = &document["components"]["schemas"][name];
        let described = ["properties", "allOf"]
            .iter()
            .any(|key| target.get(key).is_some());
        if !described {
            return derive(document, target, named);
        }
        if !named.contains_key(name) {
            named.insert(name.to_owned(), BTreeMap::new());
            let fields = fields(document, target, named);
            named.insert(name.to_owned(), fields);
        }
        return json!(name);
    }
    if let Some(items) = schema.get("items") {
        return json!([derive(document, items, named)]);
    }
    if schema.get("properties").is_some() || schema.get("allOf").is_some() {
        return json!(fields(document, schema, named));
    }
    match schema.get("additionalProperties") {
        Some(Value::Object(of)) if !of.is_empty() => {
            return json!({ "*": derive(document, &Value::Object(of.clone()), named) });
        }
        Some(_) => return json!({ "*": "any" }),
        None => {}
    }
    match schema["type"].as_str() {
        Some(kind @ ("integer" | "number" | "string" | "boolean")) => json!(kind),
        _ => json!("any"),
    }
}

fn fields(
    document: &Value,
    schema: &Value,
    named: &mut BTreeMap<String, BTreeMap<String, Value>>,
) -> BTreeMap<String, Value> {
    let mut known = BTreeMap::new();
    for part in schema["allOf"].as_array().into_iter().flatten() {
        match part["$ref"]
            .as_str()
            .and_then(|reference| reference.rsplit('/').next())
        {
            Some(name) => known.extend(fields(
                document,
                &document["components"]["schemas"][name],
                named,
            )),
            None => known.extend(fields(document, part, named)),
        }
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        known.insert(name.clone(), derive(document, property, named));
    }
    known
}
