//! Every field of every row, damaged in every way: what no signal reads changes nothing, and what one reads never makes a pass.

use std::collections::BTreeMap;

use ninjaone_simulator::{Damage, Fault, FaultRule, Harm, Report, Tenant};
use regentra_evidence::Status;
use serde_json::Value;

use crate::lies::{
    assets::listed,
    scene::{Bad, Scene, Signals, small},
    verdicts::{DEVICES, PATHS},
};

/// The fields that a rule reads, by endpoint; a field inside one of them counts as read.
fn is_read(path: &str, field: &str) -> bool {
    let read: &[&str] = match path {
        DEVICES => &[
            "id",
            "organizationId",
            "nodeClass",
            "approvalStatus",
            "offline",
            "lastContact",
        ],
        "/v2/queries/volumes" => &[
            "deviceId",
            "name",
            "driveLetter",
            "serialNumber",
            "label",
            "deviceType",
            "capacity",
            "timestamp",
            "bitLockerStatus",
        ],
        "/v2/queries/antivirus-status" => &[
            "deviceId",
            "productName",
            "productState",
            "definitionStatus",
            "timestamp",
        ],
        "/v2/activities" => &[
            "id",
            "deviceId",
            "activityTime",
            "statusCode",
            "activityResult",
        ],
        _ => &[
            "deviceId",
            "id",
            "status",
            "type",
            "severity",
            "impact",
            "timestamp",
            "installedAt",
        ],
    };
    // Of BitLocker's words two decide.
    if let Some(inner) = field.strip_prefix("bitLockerStatus.") {
        return inner.starts_with("conversionStatus") || inner.starts_with("protectionStatus");
    }
    read.iter().any(|read| {
        field
            .strip_prefix(read)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

/// The fields that an asset shows.
fn is_of_the_asset(field: &str) -> bool {
    [
        "id",
        "organizationId",
        "approvalStatus",
        "nodeClass",
        "displayName",
        "systemName",
        "dnsName",
        "netbiosName",
        "system",
        "os",
        "lastContact",
        "vendor",
        "model",
        "serviceTag",
    ]
    .iter()
    .any(|read| {
        field
            .strip_prefix(read)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

fn is_a_time(field: &str) -> bool {
    matches!(
        field,
        "timestamp" | "installedAt" | "activityTime" | "lastContact" | "created" | "lastUpdate"
    )
}

/// Whether this is damage: what is sent is no valid other value of the field. A patch of status `seven`, a volume of device 7, a
/// completed run without a result are nothing that anybody could tell from the truth.
fn is_damage(path: &str, field: &str, value: &Value, harm: &Harm) -> bool {
    // An absent approval is not approved, and most activities carry no result.
    let optional = matches!(field, "approvalStatus" | "activityResult");
    harm.changes(value)
        && match harm {
            Harm::Absent | Harm::Null => !optional,
            Harm::Word => !value.is_string(),
            Harm::Number => !value.is_number() && !is_a_time(field),
            Harm::Flag => !value.is_boolean(),
            Harm::NotANumber => value.is_number(),
            Harm::Zero | Harm::Negative | Harm::FarFuture => is_a_time(field),
            Harm::Long => value.is_string() && !is_read(path, field),
            _ => true,
        }
}

/// The rows that an endpoint sends, whole.
fn rows(tenant: &Tenant, path: &str) -> Vec<Value> {
    match path {
        DEVICES => tenant.devices().to_vec(),
        "/v2/activities" => tenant.activities().to_vec(),
        _ => Report::ALL
            .into_iter()
            .find(|report| report.path() == path)
            .map(|report| tenant.report(report).to_vec())
            .unwrap(),
    }
}

/// Calls for every damage to every field of every row, and gives what it says is wrong, by endpoint and field.
fn every_damage(
    only: impl Fn(&str, &str) -> bool,
    wrong: impl Fn(&str, &str, &dyn Fn() -> FaultRule) -> Option<String>,
) {
    let tenant = small(Bad::Everything).build();
    let mut tried = 0;
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in PATHS {
        for (place, row) in rows(&tenant, path).iter().enumerate() {
            // Those between are as the first in every field but its ids, and `offline` of one.
            if place != 0 && place != 3 {
                continue;
            }
            for field in Damage::fields(row) {
                if !only(path, &field) {
                    continue;
                }
                let value = row
                    .pointer(&format!("/{}", field.replace('.', "/")))
                    .unwrap();
                for harm in Harm::ALL {
                    if !is_damage(path, &field, value, &harm) {
                        continue;
                    }
                    tried += 1;
                    let damage = Damage::to(&field, harm.clone()).of_row(place);
                    let fault = || Fault::Damaged(damage.clone()).on(path);
                    if let Some(what) = wrong(path, &field, &fault) {
                        found
                            .entry(format!("{path} {field}"))
                            .or_default()
                            .push(format!("row {place}, {harm:?}: {what}"));
                    }
                }
            }
        }
    }
    assert!(tried > 500, "only {tried} damages were tried");
    let told: Vec<String> = found
        .iter()
        .map(|(field, cases)| format!("{field}: {} cases, such as {}", cases.len(), cases[0]))
        .collect();
    assert!(told.is_empty(), "of {tried} damages:\n{}", told.join("\n"));
}

/// What passes and did not.
fn passes(disturbed: &Signals, truth: &Signals) -> Option<String> {
    let wrong = truth.iter().find(|(kind, signal)| {
        signal.status != Status::Pass && disturbed[*kind].status == Status::Pass
    });
    wrong.map(|(kind, signal)| format!("{kind:?} was {:?} and passes", signal.status))
}

#[test]
fn damaging_a_field_that_a_signal_reads_never_makes_a_pass() {
    let scene = Scene::of(small(Bad::Everything).build());
    let truth = scene.truth();
    every_damage(is_read, |_, _, fault| {
        passes(&scene.judged([fault()])?, &truth)
    });
}

#[test]
fn damaging_a_field_never_makes_a_fleet_that_passes_fail() {
    // A row that cannot be read is unmeasured, lost or undated: none of them shows a failure.
    let scene = Scene::of(small(Bad::Nothing).build());
    // Except of a run whose result cannot be read: it is activity without a success.
    let is_read = |path: &str, field: &str| field != "activityResult" && is_read(path, field);
    every_damage(is_read, |_, _, fault| {
        let disturbed = scene.judged([fault()])?;
        let failed = disturbed
            .values()
            .find(|signal| signal.status == Status::Fail);
        failed.map(|signal| format!("{:?} fails: {:?}", signal.kind(), signal.reasons))
    });
}

#[test]
fn damaging_any_field_that_no_signal_reads_changes_neither_verdict_nor_asset() {
    let scene = Scene::of(small(Bad::Everything).build());
    let truth = scene.truth();
    let assets = listed(&scene, []).unwrap();
    every_damage(
        |path, field| !is_read(path, field),
        |path, field, fault| {
            let Some(disturbed) = scene.judged([fault()]) else {
                return Some("the device list is lost".to_owned());
            };
            if disturbed != truth {
                let kind = truth.keys().find(|kind| disturbed[*kind] != truth[*kind]);
                return Some(format!("{kind:?} changes"));
            }
            if path != DEVICES {
                return None;
            }
            let Some(found) = listed(&scene, [fault()]) else {
                return Some("the assets are lost".to_owned());
            };
            let same = if is_of_the_asset(field) {
                found.keys().eq(assets.keys())
            } else {
                found == assets
            };
            (!same).then(|| "the assets change".to_owned())
        },
    );
}

#[test]
fn a_value_written_in_another_form_is_the_same_value() {
    let tenant = small(Bad::Everything).build();
    let scene = Scene::of(small(Bad::Everything).build());
    let (truth, assets) = (scene.truth(), listed(&scene, []));
    for path in PATHS {
        for field in Damage::fields(&rows(&tenant, path)[0]) {
            for harm in Harm::ALL.into_iter().filter(Harm::is_lossless) {
                let described = format!("{path} {field} {harm:?}");
                let fault = || Fault::Damaged(Damage::to(&field, harm.clone())).on(path);
                let disturbed = scene.judged([fault()]);
                assert_eq!(disturbed.as_ref(), Some(&truth), "{described}");
                if path == DEVICES {
                    assert_eq!(listed(&scene, [fault()]), assets, "{described}");
                }
            }
        }
    }
}

#[test]
fn a_byte_order_mark_before_every_body_changes_nothing() {
    for bad in [Bad::Nothing, Bad::Everything] {
        let scene = Scene::of(small(bad).build());
        let truth = scene.truth();
        assert_eq!(scene.judged([Fault::ByteOrderMark.into()]), Some(truth));
    }
}
