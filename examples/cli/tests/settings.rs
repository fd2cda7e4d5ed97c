//! `regentra settings` and `regentra frameworks`: shown, changed, audited, and in force for what is asked and swept next.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::simulated::{Person, mixed};

/// No report of NinjaOne's says whether the volumes of this organization are encrypted; custom fields do.
const UNMEASURED: usize = 3;

/// Connected, with the organization in this place mapped to a company of its own and promoted; its id.
async fn promoted(person: &Person, place: usize) -> String {
    person.does(&["connect"]).await.text();
    let organizations = person.does(&["organizations", "--json"]).await.rows();
    let organization = organizations[place]["id"].to_string();
    person
        .does(&["map", &organization, "--create"])
        .await
        .text();
    let companies = person.does(&["companies", "--json"]).await.rows();
    let company = companies[0]["id"].as_str().unwrap();
    person.does(&["promote", company]).await.text();
    organization
}

/// The verdicts, by the name of their signal, without what needs a history.
fn verdicts(signals: &[Value]) -> BTreeMap<String, Value> {
    let said = ["signal", "status", "complete", "reasons", "metadata"];
    let verdict = |signal: &Value| {
        let mut verdict: serde_json::Map<_, _> = said
            .iter()
            .map(|name| ((*name).to_owned(), signal[*name].clone()))
            .collect();
        if let Some(metadata) = verdict["metadata"].as_object_mut() {
            metadata.remove("age_basis");
        }
        let name = signal["signal"].as_str().unwrap().to_owned();
        (name, Value::Object(verdict))
    };
    let verdicts: BTreeMap<_, _> = signals.iter().map(verdict).collect();
    assert_eq!(verdicts.len(), 5);
    verdicts
}

#[tokio::test]
async fn settings_are_shown_and_changed_and_what_is_wrong_is_refused() {
    let person = Person::of(mixed().build()).await;
    person.does(&["connect"]).await.text();
    let shown = person.does(&["settings"]).await;
    assert!(shown.text().contains("version 1"), "{shown:?}");
    assert!(shown.text().contains("none is read"), "{shown:?}");

    let set = [
        "--json",
        "settings",
        "--custom-field",
        "disk_encrypted=fileVault=Yes=No",
        "--custom-field",
        "disk_encrypted=diskEncryption=Yes=No",
        "--entra-field",
        "entraDeviceId",
    ];
    let changed = person.does(&set).await.json();
    assert_eq!(
        (&changed["changed"], &changed["version"]),
        (&json!(true), &json!(2))
    );
    assert_eq!(changed["own"]["entra_device_id_field"], "entraDeviceId");
    assert_eq!(changed["own"], {
        let mut own = changed["applied"].clone();
        own.as_object_mut().unwrap().remove("kinds_in_use");
        own.as_object_mut().unwrap().remove("sweep_strategy");
        own
    });
    let again = person.does(&set).await.json();
    assert_eq!(again["changed"], false);
    // What is printed can be given back.
    let fields = changed["own"]["custom_fields"].to_string();
    let given = ["--json", "settings", "--custom-fields", &fields];
    assert_eq!(person.does(&given).await.json()["changed"], false);

    for (wrong, words) in [
        (
            &["--custom-field", "disk_encrypted=f"][..],
            "QUESTION=FIELD=YES,YES=NO,NO",
        ),
        (&["--custom-field", "firewall=f=on=off"], "not a question"),
        (&["--custom-field", "antivirus_on=a,b=on=off"], "no comma"),
        (
            &["--custom-field", "antivirus_on= =on=off"],
            "name the custom field",
        ),
        (&["--entra-field", "a\u{202e}b"], "no invisible character"),
        (&["--patch-kinds", "firmware"], "both, os, software"),
        (&["--by-policy", "scope"], "not a setting"),
        (
            &["--patch-kinds", "os", "--by-policy", "kinds_in_use"],
            "choose one",
        ),
        (
            &["--patch-kinds", "os", "--expected", "1"],
            "changed since they were shown",
        ),
        (
            &["--region", "eu", "--patch-kinds", "os"],
            "never connected",
        ),
    ] {
        let mut args = vec!["settings"];
        args.extend(wrong);
        let refused = person.does(&args).await;
        assert!(refused.message().contains(words), "{wrong:?}: {refused:?}");
    }
    let shown = person.does(&["--json", "settings"]).await.json();
    assert_eq!(shown["own"], changed["own"]);
    assert_eq!(shown["version"], 2);

    let none = [
        "--json",
        "settings",
        "--no-custom-fields",
        "--by-policy",
        "entra_device_id_field",
    ];
    let none = person.does(&none).await.json();
    assert_eq!(none["own"], json!({"custom_fields": []}));
    let audit = person.does(&["audit"]).await;
    assert!(
        audit.text().contains("NINJAONE_CONFIGURED") && audit.text().contains("fileVault"),
        "{audit:?}"
    );
}

/// The command that stores nothing and the sweep that stores go by the same settings.
#[tokio::test]
async fn regentra_evidence_and_the_sweep_go_by_the_settings_of_the_connection() {
    let mut person = Person::of(mixed().build()).await;
    let organization = promoted(&person, UNMEASURED).await;
    let evidence = ["--json", "evidence", "--org", &organization];
    let without = verdicts(&person.does(&evidence).await.rows());
    let set = [
        "settings",
        "--custom-field",
        "disk_encrypted=fileVault=Yes=No",
        "--custom-field",
        "disk_encrypted=diskEncryption=Yes=No",
        "--patch-kinds",
        "os",
    ];
    person.does(&set).await.text();
    person.now = "2026-11-23T06:45:00Z".to_owned();
    let asked = verdicts(&person.does(&evidence).await.rows());
    assert_ne!(
        asked["disk_encryption"], without["disk_encryption"],
        "the fields say something of this organization"
    );
    let patches = asked["patch_sla"]["reasons"].to_string();
    assert!(patches.contains("kind_not_in_use"), "{patches}");
    person.does(&["sweep"]).await.text();
    let standings = person.does(&["--json", "signals"]).await.rows();
    let stored = standings[0]["mappings"][0]["signals"].as_array().unwrap();
    assert_eq!(verdicts(stored), asked);
}

#[tokio::test]
async fn adopted_frameworks_are_shown_and_decided() {
    let person = Person::of(mixed().build()).await;
    promoted(&person, 0).await;
    let companies = person.does(&["--json", "frameworks"]).await.rows();
    assert_eq!(companies[0]["decided"], false);
    assert_eq!(companies[0]["frameworks"].as_array().unwrap().len(), 9);
    let company = companies[0]["company"].as_str().unwrap();

    let adopt = ["--json", "frameworks", company, "--adopt", "soc_2,pci_dss"];
    let adopted = person.does(&adopt).await.json();
    assert_eq!(adopted["changed"], true);
    assert_eq!(adopted["frameworks"], json!(["soc_2", "pci_dss"]));
    let requirements = adopted["requirements"].as_array().unwrap();
    assert!(!requirements.is_empty());
    for requirement in requirements {
        let framework = requirement["framework"].as_str().unwrap();
        assert!(["soc_2", "pci_dss"].contains(&framework), "{requirement}");
    }
    let text = person.does(&["frameworks", company]).await;
    assert!(
        text.text().contains("SOC 2, PCI DSS, version 2"),
        "{text:?}"
    );

    let stale = ["frameworks", company, "--none", "--expected", "1"];
    let stale = person.does(&stale).await;
    assert!(stale.message().contains("changed since they were shown"));
    let unknown = person
        .does(&["frameworks", company, "--adopt", "pci"])
        .await;
    assert!(unknown.message().contains("not a framework"), "{unknown:?}");
    let none = person
        .does(&["--json", "frameworks", company, "--none"])
        .await
        .json();
    assert_eq!(
        (&none["decided"], &none["requirements"]),
        (&json!(true), &json!([]))
    );
    let undecided = ["--json", "frameworks", company, "--undecide"];
    let undecided = person.does(&undecided).await.json();
    assert_eq!(undecided["decided"], false);
    let audit = person.does(&["--json", "audit"]).await.rows();
    let rows = audit
        .iter()
        .filter(|row| row["action"] == "NINJAONE_FRAMEWORKS_ADOPTED");
    assert_eq!(rows.count(), 3);
}
