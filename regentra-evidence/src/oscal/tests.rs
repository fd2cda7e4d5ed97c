use std::collections::BTreeSet;

use time::Duration;

use super::*;
use crate::{
    device_inventory,
    disk_encryption::DiskEncryption,
    fixture::{NOW, digest_key, workstations},
    report::ReportState,
    rules::Rules,
};

fn inventory(status: Status) -> Signal {
    Signal {
        status,
        ..device_inventory::finish(&workstations(9))
    }
}

fn result(signal: &Signal, now: OffsetDateTime) -> Value {
    let document = AssessmentResults::new("Managed devices", now)
        .frameworks(Framework::ALL)
        .signal(signal)
        .build()
        .unwrap();
    document["assessment-results"]["results"][0].clone()
}

fn states(result: &Value) -> Vec<&str> {
    result["findings"]
        .as_array()
        .map_or_else(Vec::new, |findings| {
            findings
                .iter()
                .map(|finding| finding["target"]["status"]["state"].as_str().unwrap())
                .collect()
        })
}

#[test]
fn a_verdict_becomes_a_finding_and_no_verdict_none() {
    let table: [(Status, &[&str]); 5] = [
        (Status::Pass, &["satisfied", "satisfied"]),
        (Status::Warning, &["not-satisfied", "not-satisfied"]),
        (Status::Fail, &["not-satisfied", "not-satisfied"]),
        (Status::Unknown, &[]),
        (Status::NotApplicable, &[]),
    ];
    for (status, expected) in table {
        let signal = inventory(status);
        let result = result(&signal, NOW);
        assert_eq!(states(&result), expected, "{status}");
        assert_eq!(
            result["observations"].as_array().unwrap().len(),
            1,
            "{status}"
        );
        assert_eq!(
            result.get("findings").is_none(),
            expected.is_empty(),
            "{status}"
        );
        let observation = &result["observations"][0];
        assert_eq!(observation["methods"], json!(["TEST"]));
        assert_eq!(observation["collected"], "2026-11-23T06:30:00Z");
        assert_eq!(observation["expires"], "2026-11-30T06:30:00Z");
        assert_eq!(observation.get("remarks"), None);
        assert_eq!(
            observation["description"],
            format!(
                "device_inventory: {status}. 9 of 9 approved devices measured, 0 unmeasured, 0 stale, 0 not applicable."
            )
        );
        for (finding, control) in result["findings"]
            .as_array()
            .into_iter()
            .flatten()
            .zip(["IC-031", "IC-032"])
        {
            assert_eq!(finding["target"]["target-id"], control);
            assert_eq!(
                finding["related-observations"][0]["observation-uuid"],
                observation["uuid"]
            );
        }
    }
}

#[test]
fn an_expired_signal_is_an_observation_without_finding() {
    let signal = inventory(Status::Pass);
    let expired = result(&signal, signal.expires_at);
    assert!(states(&expired).is_empty());
    assert_eq!(
        expired["observations"][0]["remarks"],
        "Expired: nothing follows from it any more."
    );
    let just_before = result(&signal, signal.expires_at - Duration::NANOSECOND);
    assert_eq!(states(&just_before), ["satisfied", "satisfied"]);
}

#[test]
fn requirements_are_claimed_in_the_words_of_the_crosswalk() {
    let signal = inventory(Status::Pass);
    let result = result(&signal, NOW);
    let claims = Claim::all_of(&signal, Framework::ALL, NOW);
    let props: Vec<&Value> = result["findings"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|finding| finding["props"].as_array().unwrap())
        .collect();
    assert_eq!(props.len(), claims.len());
    for (prop, claim) in props.iter().zip(&claims) {
        assert_eq!(prop["value"], claim.link().requirement());
        assert_eq!(prop["class"], claim.link().framework().as_str());
        assert_eq!(prop["remarks"], claim.to_string());
    }
    // Nothing is claimed from what does not pass, or for frameworks nobody adopted.
    let warning = self::result(&inventory(Status::Warning), NOW);
    assert_eq!(warning["findings"][0].get("props"), None);
    let document = AssessmentResults::new("x", NOW)
        .signal(&signal)
        .build()
        .unwrap();
    let finding = &document["assessment-results"]["results"][0]["findings"][0];
    assert_eq!(finding.get("props"), None);
}

#[test]
fn remarks_say_why_and_what_is_not_shown() {
    let signal = inventory(Status::Pass);
    let remarks_of = |signal: &Signal, index: usize| {
        let result = result(signal, NOW);
        result["findings"][index]["target"]["status"]["remarks"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        remarks_of(&signal, 0),
        "The signal device_inventory is pass."
    );
    assert_eq!(
        remarks_of(&signal, 1),
        "The signal device_inventory is pass. It supports this control and does not evidence it by itself."
    );
    let partial = Signal {
        complete: false,
        ..device_inventory::finish(&workstations(0))
    };
    assert_eq!(
        remarks_of(&partial, 0),
        "The signal device_inventory is warning: no_devices. The answer behind it was partial."
    );
}

#[test]
fn figures_are_properties() {
    let disk = DiskEncryption::new(workstations(3)).finish(ReportState::answered());
    let result = result(&disk, NOW);
    let props = result["observations"][0]["props"].as_array().unwrap();
    let find = |name: &str, class: Option<&str>| {
        props
            .iter()
            .find(|prop| prop["name"] == name && prop.get("class").and_then(Value::as_str) == class)
            .map(|prop| prop["value"].as_str().unwrap())
    };
    assert_eq!(find("status", None), Some("unknown"));
    assert_eq!(find("complete", None), Some("true"));
    assert_eq!(find("reason", None), Some("coverage_below_half"));
    assert_eq!(find("unmeasured", Some("scope")), Some("3"));
    assert_eq!(find("unmeasured", Some("volumes")), Some("3"));
    assert_eq!(find("devices_fully_encrypted", None), Some("0"));
    // What was not measured has no figure.
    assert_eq!(find("encrypted_percent", None), None);
    assert!(props.iter().all(|prop| prop["ns"] == NAMESPACE));
}

#[test]
fn a_record_brings_its_rules_digest_and_place_in_the_chain() {
    let (signal, facts) = device_inventory::finish_with_digest(&workstations(9), &digest_key());
    let record = EvidenceRecord::new(signal, &Rules::default(), facts);
    let head = ChainHead::start("customer 42", record.signal.kind())
        .append(record.canonical().unwrap())
        .head();
    let document = AssessmentResults::new("x", NOW)
        .record(&record, head)
        .build()
        .unwrap();
    let text = document.to_string();
    for expected in [
        record.facts.hmac_sha256.to_string(),
        head.hash.to_string(),
        "\"rules-version\"".to_owned(),
    ] {
        assert!(text.contains(&expected), "{expected}");
    }
    assert_eq!(guard().check(&document), Ok(()));
}

#[test]
fn the_same_evidence_gives_the_same_document_and_ids_are_unique() {
    let (a, b) = (inventory(Status::Pass), inventory(Status::Fail));
    let build = |subject, now| {
        AssessmentResults::new(subject, now)
            .frameworks(Framework::ALL)
            .signal(&a)
            .signal(&b)
            .build()
            .unwrap()
    };
    let document = build("x", NOW);
    assert_eq!(document, build("x", NOW));
    let uuid = |document: &Value| document["assessment-results"]["uuid"].clone();
    assert_ne!(uuid(&document), uuid(&build("y", NOW)));
    assert_ne!(uuid(&document), uuid(&build("x", NOW + Duration::SECOND)));

    let mut seen = BTreeSet::new();
    let mut count = 0;
    collect(&document, &mut |uuid| {
        count += 1;
        seen.insert(uuid.to_owned());
    });
    assert_eq!((count, seen.len()), (9, 9));
    let controls = &document["assessment-results"]["results"][0]["reviewed-controls"];
    let included = &controls["control-selections"][0]["include-controls"];
    assert_eq!(
        included,
        &json!([{"control-id": "IC-031"}, {"control-id": "IC-032"}])
    );
}

fn collect(value: &Value, found: &mut impl FnMut(&str)) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                if key == "uuid" {
                    found(value.as_str().unwrap());
                }
                collect(value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        _ => {}
    }
}

#[test]
fn nothing_to_report_is_refused() {
    let signal = inventory(Status::Pass);
    assert_eq!(
        AssessmentResults::new("x", NOW).build(),
        Err(OscalError::Empty)
    );
    assert_eq!(
        AssessmentResults::new(" ", NOW).signal(&signal).build(),
        Err(OscalError::NoSubject)
    );
}

#[test]
fn start_and_end_span_what_was_collected() {
    let late = inventory(Status::Pass);
    let early = Signal {
        collected_at: NOW - Duration::HOUR,
        ..inventory(Status::Pass)
    };
    let document = AssessmentResults::new("x", NOW)
        .signal(&late)
        .signal(&early)
        .build()
        .unwrap();
    let result = &document["assessment-results"]["results"][0];
    assert_eq!(result["start"], "2026-11-23T05:30:00Z");
    assert_eq!(result["end"], "2026-11-23T06:30:00Z");
}

#[test]
fn ids_are_derived_from_the_projects_own_namespace() {
    // uuid5(NAMESPACE_URL, "urn:regentra:evidence"), computed elsewhere.
    assert_eq!(ids().to_string(), "61370012-f5bd-5dd7-9488-4bdb6bdc5711");
}
