//! From credentials to five verdicts, over real HTTP: what a customer's verdicts are, and what no fault may do to them.

use std::{collections::BTreeSet, mem::discriminant, time::Duration};

use ninjaone_client::{Client, ErrorKind as Vendor};
use ninjaone_simulator::{Fault, Malformed, NotAvailable, Preset, Tenant, front};
use regentra_evidence::{DigestKey, KeyId, KindsInUse, Reason, Rules, Signal, SignalKind, Status};
use regentra_harness::client::builder_for;
use regentra_sync::{
    ErrorKind,
    model::{
        ComplianceOrgId, CustomFieldSource, CustomFields, DeviceId, OrganizationId, Question,
        Report, ReportOutcome,
    },
    ninjaone::{AssessmentRequest, Evaluated, read_reports},
};
use serde_json::{Value, json};
use time::{OffsetDateTime, macros::datetime};

use crate::lies::scene::by_kind;

const NOW: OffsetDateTime = datetime!(2026-11-23 06:30 UTC);

/// A report that failed, for whatever reason.
const FAILED: ReportOutcome = ReportOutcome::Failed(ErrorKind::Unknown);

fn tenant(preset: Preset, devices: usize) -> Tenant {
    Tenant::preset(preset, 11, devices, NOW)
}

/// The nth organization of a tenant, counted from 0.
fn organization(tenant: &Tenant, nth: usize) -> i64 {
    tenant.organizations()[nth]["id"].as_i64().unwrap()
}

fn client(url: &str, tenant: (&str, &str)) -> Client {
    builder_for(url, tenant.0, tenant.1)
        // Reports of a few thousand rows take several pages.
        .largest_page(1_000)
        .timeout(Duration::from_secs(20))
        .build()
        .unwrap()
}

/// Asks one organization of the tenant over a raw socket, which can play every fault.
async fn try_collect(
    tenant: Tenant,
    organization: i64,
) -> Result<Evaluated, ninjaone_client::Error> {
    try_collect_with(tenant, organization, &CustomFields::default()).await
}

async fn try_collect_with(
    tenant: Tenant,
    organization: i64,
    custom_fields: &CustomFields,
) -> Result<Evaluated, ninjaone_client::Error> {
    let credentials = (
        tenant.client_id().to_owned(),
        tenant.client_secret().to_owned(),
    );
    let server = front::tcp::serve(tenant).await.unwrap();
    let client = client(&server.url(), (&credentials.0, &credentials.1));
    let digest_key = DigestKey::new(KeyId::new("test").unwrap(), &[7; 32]).unwrap();
    let request = AssessmentRequest {
        customer: ComplianceOrgId::from_uuid(uuid::Uuid::nil()),
        organization: OrganizationId::new(organization),
        now: NOW,
        rules: &Rules::default(),
        custom_fields,
        kinds_in_use: KindsInUse::default(),
        digest_key: &digest_key,
        signature_ages: None,
    };
    read_reports(&client, request).await
}

async fn collect(tenant: Tenant, organization: i64) -> Evaluated {
    try_collect(tenant, organization).await.unwrap()
}

async fn statuses(preset: Preset, nth: usize) -> Vec<Status> {
    let tenant = tenant(preset, 90);
    let organization = organization(&tenant, nth);
    collect(tenant, organization)
        .await
        .assessment
        .signals()
        .map(|signal| signal.status)
        .collect()
}

fn json_of(collected: &Evaluated) -> Vec<String> {
    collected
        .assessment
        .signals()
        .map(|signal| serde_json::to_string(signal).unwrap())
        .collect()
}

#[tokio::test]
async fn every_preset_ends_in_the_verdicts_it_was_made_for() {
    use Status::{Fail, NotApplicable, Pass, Unknown, Warning};
    let table = [
        (Preset::Healthy, 0, [Pass, Pass, Pass, Pass, Pass]),
        (Preset::Failing, 0, [Fail, Fail, Fail, Fail, Warning]),
        (
            Preset::Mixed,
            0,
            [Warning, Warning, Warning, Warning, Warning],
        ),
        (
            Preset::Empty,
            0,
            [Unknown, Unknown, Unknown, Unknown, Warning],
        ),
        (Preset::Empty, 1, [Pass, Pass, Pass, Pass, Pass]),
        (Preset::MacOnly, 0, [Unknown, Pass, Pass, Unknown, Pass]),
        (
            Preset::NetworkOnly,
            0,
            [NotApplicable, NotApplicable, NotApplicable, Unknown, Pass],
        ),
        (
            Preset::Dark,
            0,
            [Unknown, Unknown, Unknown, Unknown, Warning],
        ),
    ];
    for (preset, nth, expected) in table {
        assert_eq!(statuses(preset, nth).await, expected, "{preset} {nth}");
    }
}

/// A fleet whose every report takes several pages.
fn large() -> (Tenant, i64) {
    let tenant = Tenant::builder(NOW)
        .preset(Preset::Mixed, 5, 900)
        .organization_count(1)
        .build();
    let organization = organization(&tenant, 0);
    (tenant, organization)
}

#[tokio::test]
async fn several_pages_and_one_page_give_the_same_rows() {
    let (tenant, organization) = large();
    let volumes = tenant.volumes().len() as u64;
    assert!(
        volumes > 1000,
        "the fleet is too small for a second page: {volumes} volumes"
    );
    let collected = collect(tenant, organization).await;
    let tally = &collected.rows[&Report::Volumes];
    assert_eq!(tally.rows, volumes);
    assert!(tally.pages > 1);
    assert!(
        tally.orphan > 0,
        "the simulated tenant has rows of devices that are gone"
    );
    let sum = tally.used
        + tally.not_judged
        + tally.stale
        + tally.unreadable
        + tally.orphan
        + tally.foreign
        + tally.malformed;
    assert_eq!(sum, tally.rows);
}

#[tokio::test]
async fn with_every_survivable_fault_switched_on_the_signals_are_identical() {
    let third_of_mixed = || {
        let tenant = tenant(Preset::Mixed, 240);
        let organization = organization(&tenant, 2);
        (tenant, organization)
    };
    for make in [large, third_of_mixed] {
        let (tenant, organization) = make();
        let undisturbed = collect(tenant, organization).await;
        let (mut faulty, organization) = make();
        faulty.faults(Fault::all_survivable());
        let disturbed = collect(faulty, organization).await;
        assert!(disturbed.failures.is_empty(), "{:?}", disturbed.failures);
        assert_eq!(json_of(&disturbed), json_of(&undisturbed));
    }
}

#[tokio::test]
async fn each_survivable_fault_alone_leaves_the_signals_identical() {
    let (undisturbed, organization) = large();
    let undisturbed = json_of(&collect(undisturbed, organization).await);
    for rule in Fault::all_survivable() {
        let (mut faulty, _) = large();
        faulty.fault(rule.clone());
        let disturbed = collect(faulty, organization).await;
        assert_eq!(json_of(&disturbed), undisturbed, "{rule:?}");
    }
}

#[tokio::test]
async fn a_filter_that_is_ignored_changes_no_verdict_and_is_counted() {
    let undisturbed = tenant(Preset::Mixed, 240);
    let organization = organization(&undisturbed, 1);
    let honoured = collect(undisturbed, organization).await;
    let mut faulty = tenant(Preset::Mixed, 240);
    faulty.fault(Fault::FiltersIgnored);
    let ignored = collect(faulty, organization).await;
    assert_eq!(json_of(&ignored), json_of(&honoured));
    assert_eq!(honoured.assessment.counts.foreign_rows, 0);
    assert!(
        ignored.assessment.counts.foreign_rows > 100,
        "{:?}",
        ignored.assessment.counts
    );
}

#[tokio::test]
async fn a_report_cut_without_a_word_makes_its_signal_unknown_and_no_pass() {
    // A tenant where everything is well, but for what the reports leave out.
    let healthy = || {
        let tenant = Tenant::builder(NOW)
            .preset(Preset::Healthy, 5, 1200)
            .organization_count(1)
            .build();
        let organization = organization(&tenant, 0);
        (tenant, organization)
    };
    let (tenant, nth) = healthy();
    let whole = by_kind(&collect(tenant, nth).await);
    for fault in [
        vec![Fault::CursorMissing],
        vec![Fault::CursorMissing, Fault::PageCapped { rows: 100 }],
        vec![Fault::ErrorBesideRows],
    ] {
        // The largest reports of two signals, and the activity log, which has no cursor to lose.
        for (path, report, kind) in REPORTS {
            let told = match report {
                Report::Volumes | Report::OsPatchInstalls => true,
                Report::Activities => fault == [Fault::ErrorBesideRows],
                _ => false,
            };
            if !told {
                continue;
            }
            let (mut tenant, nth) = healthy();
            tenant.faults(fault.iter().map(|fault| fault.clone().on(path)));
            let collected = collect(tenant, nth).await;
            assert!(collected.failures.contains_key(&report), "{fault:?} {path}");
            for (of, signal) in &by_kind(&collected) {
                let expected = if *of == kind {
                    Status::Unknown
                } else {
                    whole[of].status
                };
                assert_eq!(signal.status, expected, "{fault:?} {path}");
            }
        }
    }
}

/// The reports whose failure makes one signal unknown.
const REPORTS: [(&str, Report, SignalKind); 7] = [
    (
        "/v2/queries/volumes",
        Report::Volumes,
        SignalKind::DiskEncryption,
    ),
    (
        "/v2/queries/antivirus-status",
        Report::AntivirusStatus,
        SignalKind::AntivirusPosture,
    ),
    (
        "/v2/queries/os-patches",
        Report::OsPatches,
        SignalKind::PatchSla,
    ),
    (
        "/v2/queries/os-patch-installs",
        Report::OsPatchInstalls,
        SignalKind::PatchSla,
    ),
    (
        "/v2/queries/software-patches",
        Report::SoftwarePatches,
        SignalKind::PatchSla,
    ),
    (
        "/v2/queries/software-patch-installs",
        Report::SoftwarePatchInstalls,
        SignalKind::PatchSla,
    ),
    (
        "/v2/activities",
        Report::Activities,
        SignalKind::BackupActivity,
    ),
];

/// Switches `fault` on for each report in turn: its signal must carry `reason` and be no pass, every other must be untouched.
async fn one_report_at_a_time(fault: Fault, outcome: ReportOutcome, reason: Reason) {
    let undisturbed = tenant(Preset::Healthy, 60);
    let organization = organization(&undisturbed, 0);
    let healthy = by_kind(&collect(undisturbed, organization).await);
    for (path, report, kind) in REPORTS {
        let mut faulty = tenant(Preset::Healthy, 60);
        faulty.fault(fault.clone().on(path));
        let collected = collect(faulty, organization).await;
        let found = collected.assessment.reports[&report];
        assert_eq!(
            discriminant(&found),
            discriminant(&outcome),
            "{fault:?} on {path}"
        );
        if let ReportOutcome::Failed(kind) = found {
            // The kind that is stored is that of the failure which the caller sees.
            let failure = collected.failures[&report].kind();
            assert_eq!(
                kind.as_str(),
                ErrorKind::Ninjaone(failure).as_str(),
                "{fault:?} on {path}"
            );
        }
        for (other, signal) in by_kind(&collected) {
            if other == kind {
                let expected = if outcome == ReportOutcome::Answered {
                    Status::Warning
                } else {
                    Status::Unknown
                };
                assert_eq!(signal.status, expected, "{fault:?} on {path}");
                assert!(
                    signal.reasons.contains(&reason),
                    "{fault:?} on {path}: {:?}",
                    signal.reasons
                );
                assert_eq!(
                    signal.complete,
                    outcome == ReportOutcome::NotAvailable,
                    "{fault:?} on {path}"
                );
            } else {
                assert_eq!(signal, healthy[&other], "{fault:?} on {path}");
            }
        }
    }
}

#[tokio::test]
async fn a_report_that_fails_makes_its_own_signal_unknown_and_leaves_the_others() {
    for fault in [
        Fault::ServiceUnavailable,
        Fault::ThrottlePage,
        Fault::EmptyBody,
        Fault::CutBody { after: 40 },
    ] {
        one_report_at_a_time(fault, FAILED, Reason::ReportFailed).await;
    }
}

#[tokio::test]
async fn a_report_that_is_not_licensed_is_not_available_and_counts_as_answered() {
    for shape in [
        NotAvailable::Forbidden,
        NotAvailable::NotLicensed,
        NotAvailable::ServerError,
        NotAvailable::UserContext,
    ] {
        let fault = Fault::NotAvailable(shape);
        one_report_at_a_time(fault, ReportOutcome::NotAvailable, Reason::NotAvailable).await;
    }
}

/// What the tenant cannot have it cannot have from the first page on. Rows that came before the refusal are of a report that broke off.
#[tokio::test]
async fn a_report_that_is_refused_after_its_first_page_broke_off() {
    for report in [Report::Volumes, Report::OsPatchInstalls] {
        let mut tenant = Tenant::builder(NOW)
            .preset(Preset::Healthy, 5, 1200)
            .organization_count(1)
            .build();
        let organization = organization(&tenant, 0);
        let (path, _, kind) = REPORTS
            .into_iter()
            .find(|(_, of, _)| *of == report)
            .unwrap();
        let refused = Fault::NotAvailable(NotAvailable::Forbidden);
        tenant.fault(refused.on(path).starting_at(2));
        let collected = collect(tenant, organization).await;
        assert_eq!(collected.rows[&report].pages, 1, "{path}");
        let forbidden = ReportOutcome::Failed(ErrorKind::Ninjaone(Vendor::NotAvailable));
        assert_eq!(collected.assessment.reports[&report], forbidden);
        let signal = &by_kind(&collected)[&kind];
        assert_eq!(signal.status, Status::Unknown, "{path}");
        assert!(signal.reasons.contains(&Reason::ReportFailed));
        assert!(!signal.reasons.contains(&Reason::NotAvailable));
        assert!(!signal.complete, "{path}");
    }
}

#[tokio::test]
async fn a_row_that_does_not_decode_is_counted_and_its_signal_never_passes() {
    for how in [Malformed::WrongType, Malformed::NotAnObject] {
        let fault = Fault::MalformedRow(how);
        one_report_at_a_time(fault, ReportOutcome::Answered, Reason::MalformedRows).await;
    }
}

#[tokio::test]
async fn a_report_shorter_than_it_announced_is_a_failure_not_a_short_list() {
    for fault in [Fault::CountTooLarge { by: 3 }, Fault::StalledCursor] {
        let (mut faulty, organization) = large();
        faulty.fault(fault.clone().on("/v2/queries/volumes"));
        let collected = collect(faulty, organization).await;
        let disk = &by_kind(&collected)[&SignalKind::DiskEncryption];
        assert_eq!(disk.status, Status::Unknown, "{fault:?}");
        assert!(disk.reasons.contains(&Reason::ReportFailed), "{fault:?}");
    }
}

#[tokio::test]
async fn without_the_device_list_nothing_is_judged() {
    for fault in [
        Fault::ServiceUnavailable,
        Fault::CutBody { after: 40 },
        Fault::NotAvailable(NotAvailable::Forbidden),
    ] {
        let mut tenant = tenant(Preset::Healthy, 60);
        let organization = organization(&tenant, 0);
        tenant.fault(fault.on("/v2/devices-detailed"));
        let error = try_collect(tenant, organization).await.unwrap_err();
        assert!(!error.to_string().is_empty());
    }
}

fn device(id: i64) -> Value {
    json!({"id": id, "organizationId": 1, "nodeClass": "NMS_SWITCH", "approvalStatus": "APPROVED", "offline": false,
        "lastContact": NOW.unix_timestamp()})
}

async fn collected_of(devices: &[Value]) -> Evaluated {
    let tenant = Tenant::builder(NOW)
        .organizations(&[json!({"id": 1, "name": "One"})])
        .devices(devices)
        .build();
    collect(tenant, 1).await
}

async fn inventory_of(devices: &[Value]) -> Signal {
    by_kind(&collected_of(devices).await)
        .remove(&SignalKind::DeviceInventory)
        .unwrap()
}

#[tokio::test]
async fn only_a_list_that_is_whole_says_which_devices_there_are() {
    let listed = |collected: Evaluated| collected.assessment.listed_devices;
    let devices = [device(1), device(7)];
    assert_eq!(
        listed(collected_of(&devices).await),
        Some(BTreeSet::from([1, 7].map(DeviceId::new)))
    );
    assert_eq!(listed(collected_of(&[]).await), None);

    let mut malformed = device(9);
    malformed["organizationId"] = Value::Null;
    let mut tenant = Tenant::builder(NOW)
        .organizations(&[json!({"id": 1, "name": "One"})])
        .devices(&[device(1), malformed])
        .build();
    tenant.fault(Fault::FiltersIgnored);
    assert_eq!(listed(collect(tenant, 1).await), None);

    let too_many: Vec<_> = (1..=10_001).map(device).collect();
    assert_eq!(listed(collected_of(&too_many).await), None);
}

#[tokio::test]
async fn ten_thousand_devices_are_complete_and_one_more_is_truncated() {
    let mut devices: Vec<_> = (1..=10_000).map(device).collect();
    let complete = inventory_of(&devices).await;
    assert_eq!((complete.status, complete.complete), (Status::Pass, true));
    assert_eq!(complete.metadata.scope().approved, 10_000);

    devices.push(device(10_001));
    let truncated = inventory_of(&devices).await;
    assert_eq!(
        (truncated.status, truncated.complete),
        (Status::Warning, false)
    );
    assert!(truncated.reasons.contains(&Reason::Truncated));
    assert_eq!(truncated.metadata.scope().approved, 10_000);
}

#[tokio::test]
async fn a_device_of_another_organization_is_dropped_and_one_without_an_organization_is_malformed()
{
    let mut foreign = device(2);
    foreign["organizationId"] = json!(2);
    let signal = inventory_of(&[device(1), foreign]).await;
    assert_eq!(signal.metadata.scope().approved, 1);
    assert!(signal.complete);

    let mut nobodys = device(2);
    nobodys["organizationId"] = Value::Null;
    let mut tenant = Tenant::builder(NOW)
        .organizations(&[json!({"id": 1, "name": "One"})])
        .devices(&[device(1), nobodys])
        .build();
    tenant.fault(Fault::FiltersIgnored);
    let signal = by_kind(&collect(tenant, 1).await)
        .remove(&SignalKind::DeviceInventory)
        .unwrap();
    assert_eq!(signal.metadata.scope().approved, 1);
    assert!(signal.reasons.contains(&Reason::MalformedRows));
    assert_ne!(signal.status, Status::Pass);
}

#[tokio::test]
async fn a_device_listed_twice_is_judged_by_its_newest_row_whichever_comes_first() {
    let row = |organization: i64, approval: &str, hours_ago: i64| {
        let mut row = device(1);
        row["nodeClass"] = json!("WINDOWS_WORKSTATION");
        row["organizationId"] = json!(organization);
        row["approvalStatus"] = json!(approval);
        row["lastContact"] = json!(NOW.unix_timestamp() - hours_ago * 3600);
        row
    };
    let antivirus = |state: &str| {
        json!({"deviceId": 1, "productName": "Windows Defender", "productState": state,
            "definitionStatus": "Up-to-Date", "timestamp": NOW.unix_timestamp()})
    };
    // A row that is older, of another organization, or not yet approved must not hide the one that counts.
    for other in [
        row(1, "PENDING", 9),
        row(1, "PENDING", 1),
        row(2, "APPROVED", 1),
    ] {
        for first in [true, false] {
            let newest = row(1, "APPROVED", 0);
            let devices = if first {
                [other.clone(), newest]
            } else {
                [newest, other.clone()]
            };
            let mut tenant = Tenant::builder(NOW)
                .organizations(&[
                    json!({"id": 1, "name": "One"}),
                    json!({"id": 2, "name": "Two"}),
                ])
                .devices(&devices)
                .antivirus_status(&[antivirus("OFF")])
                .build();
            tenant.fault(Fault::FiltersIgnored);
            let signals = by_kind(&collect(tenant, 1).await);
            assert_eq!(
                signals[&SignalKind::AntivirusPosture].status,
                Status::Fail,
                "{other}"
            );
        }
    }
}

/// Two Macs, whose disks NinjaOne says nothing about, and a custom field that does for what `values` says.
async fn macs_with_a_custom_field(values: &[Value], fault: Option<Fault>) -> Evaluated {
    let devices: Vec<_> = (1..=2)
        .map(|id| {
            let mut row = device(id);
            row["nodeClass"] = json!("MAC");
            row
        })
        .collect();
    let volumes: Vec<_> = (1..=2)
        .map(|id| json!({"deviceId": id, "name": "/", "timestamp": NOW.unix_timestamp()}))
        .collect();
    let rows: Vec<_> = (1..)
        .zip(values)
        .map(|(id, value)| json!({"deviceId": id, "fields": {"filevault": value}}))
        .collect();
    let mut tenant = Tenant::builder(NOW)
        .organizations(&[json!({"id": 1, "name": "One"})])
        .devices(&devices)
        .volumes(&volumes)
        .custom_fields(&rows)
        .build();
    if let Some(fault) = fault {
        tenant.fault(fault.on("/v2/queries/custom-fields"));
    }
    let filevault = CustomFieldSource::new("filevault", ["on"], ["off"]).unwrap();
    let fields = CustomFields::default().answer(Question::DiskEncrypted, filevault);
    try_collect_with(tenant, 1, &fields).await.unwrap()
}

#[tokio::test]
async fn a_custom_field_answers_for_disks_that_ninjaone_cannot_see() {
    let table = [
        ([json!("on"), json!("On")], Status::Pass),
        ([json!("on"), json!("off")], Status::Fail),
        ([json!("on"), json!("perhaps")], Status::Warning),
        ([json!("perhaps"), json!(null)], Status::Unknown),
    ];
    for (values, expected) in table {
        let disk = by_kind(&macs_with_a_custom_field(&values, None).await)
            .remove(&SignalKind::DiskEncryption)
            .unwrap();
        assert_eq!(disk.status, expected, "{values:?}");
    }
}

#[tokio::test]
async fn custom_fields_that_cannot_be_read_make_the_disks_unknown_and_leave_the_others() {
    let values = [json!("on"), json!("on")];
    let answered = by_kind(&macs_with_a_custom_field(&values, None).await);
    let collected = macs_with_a_custom_field(&values, Some(Fault::ServiceUnavailable)).await;
    assert_eq!(
        collected.assessment.reports[&Report::CustomFields],
        ReportOutcome::Failed(ErrorKind::Ninjaone(Vendor::Server))
    );
    for (kind, signal) in by_kind(&collected) {
        if kind == SignalKind::DiskEncryption {
            assert_eq!(signal.status, Status::Unknown);
            assert!(signal.reasons.contains(&Reason::ReportFailed));
        } else {
            assert_eq!(signal, answered[&kind]);
        }
    }
}
