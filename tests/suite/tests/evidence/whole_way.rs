//! Ours, the whole way: the rows served by the simulated tenant, read by the client page by page, collected and judged.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use ninjaone_client::{BaseUrl, Client, Credentials, ErrorKind, RateLimit, RetryPolicy};
use ninjaone_simulator::{ErrorShape, Fault, NotAvailable, front::in_process};
use regentra_evidence::{DigestKey, KeyId, Rules};
use regentra_harness::in_process::InProcess;
use regentra_sync::{
    model::{
        ComplianceOrgId, CredentialId, CustomFields, DeviceId, OrganizationId, SignatureAges,
        SignatureRecord, SignatureState,
    },
    ninjaone::{AssessmentRequest, read_reports},
    seal::{Keyring, MasterKey},
};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::{
    fleets::unreadable::TWICE,
    oracle::{
        ours::kinds,
        reading,
        tenant::{Remembered, Report, State, Tenant},
    },
};

/// What no JSON value can hold, put into a body on its way: half of a surrogate pair where the rows have U+FFFD, a key twice
/// where they have one that is marked, a byte order mark before every other body. Only lists are written so, and no token.
fn as_written(path: &str, body: Bytes) -> Bytes {
    if !path.starts_with("/v2/") {
        return body;
    }
    let Ok(text) = std::str::from_utf8(&body) else {
        return body;
    };
    let mark = if body.len().is_multiple_of(2) {
        "\u{FEFF}"
    } else {
        ""
    };
    let rows = text
        .replace(char::REPLACEMENT_CHARACTER, r"\ud83d")
        .replace(&format!("\"{TWICE}"), "\"");
    Bytes::from(format!("{mark}{rows}"))
}

/// What the wire can carry of a tenant: a row that did not decode is one, and a list cut short would need ten thousand devices.
pub(crate) fn as_served(tenant: &Tenant) -> Tenant {
    let mut served = tenant.clone();
    served.truncated = false;
    for report in served.reports_mut() {
        report
            .rows
            .extend((0..report.malformed).map(|_| json!("no row")));
        report.malformed = 0;
    }
    // A list is paged by id: the client delivers a row once.
    for report in [&mut served.devices, &mut served.activities] {
        let mut delivered = BTreeSet::new();
        report.rows.retain_mut(|row| {
            let id = reading::whole(row, "id").value();
            // The simulated tenant sorts by the number.
            if let Some(id) = id {
                row["id"] = json!(id);
            }
            id.is_none_or(|_| delivered.insert(row.to_string()))
        });
    }
    // Activities of eight days are asked for. An older one is none of them, whatever else of it cannot be read.
    let now = reading::microseconds(tenant.now);
    served.activities.rows.retain(|row| {
        let time = reading::time(row, "activityTime", now);
        time.is_none_or(|time| now - time <= 8 * reading::DAY)
    });
    if served.activities.state == State::Answered && breaks_off(&served.activities) {
        served.activities.state = State::Failed;
    }
    served
}

/// Activities come page by page, each back from the smallest id of the one before: from a page on which no row has an id there is no
/// way on, and nobody can tell what lies below. The report broke off half-way. The simulated tenant keeps a row without an id with the one
/// before it, and so the first at the bottom of the log, on a page of such rows.
fn breaks_off(activities: &Report) -> bool {
    let first = activities.rows.first();
    first.is_some_and(|row| reading::whole(row, "id").value().is_none())
}

/// A list goes on from the largest id: one of rows of which none has an id has no way on, and is an error.
fn has_no_way_on(devices: &Report) -> bool {
    let has_id = |row: &Value| reading::whole(row, "id").value().is_some();
    !devices.rows.is_empty() && !devices.rows.iter().any(has_id)
}

/// The five signals of one customer, from the device list to the last activity over the client; `null` where the list has no way on.
pub(crate) async fn ours(tenant: &Tenant) -> Value {
    let rows = |report: &Report| report.rows.clone();
    let mut simulated = ninjaone_simulator::Tenant::builder(tenant.now)
        .organizations(&[
            json!({ "id": tenant.organization, "name": "Ours" }),
            json!({ "id": tenant.organization + 1, "name": "Another" }),
        ])
        .devices(&rows(&tenant.devices))
        .volumes(&rows(&tenant.volumes))
        .antivirus_status(&rows(&tenant.antivirus))
        .os_patches(&rows(&tenant.os_patches))
        .os_patch_installs(&rows(&tenant.os_patch_installs))
        .software_patches(&rows(&tenant.software_patches))
        .software_patch_installs(&rows(&tenant.software_patch_installs))
        .activities(&rows(&tenant.activities))
        .build();
    // Every row comes, also those that a filter would have kept back: what to make of them is the rules' business.
    simulated.fault(Fault::FiltersIgnored);
    for (path, report) in [
        ("/v2/queries/volumes", &tenant.volumes),
        ("/v2/queries/antivirus-status", &tenant.antivirus),
        ("/v2/queries/os-patches", &tenant.os_patches),
        ("/v2/queries/os-patch-installs", &tenant.os_patch_installs),
        ("/v2/queries/software-patches", &tenant.software_patches),
        (
            "/v2/queries/software-patch-installs",
            &tenant.software_patch_installs,
        ),
        ("/v2/activities", &tenant.activities),
    ] {
        // What breaks off by itself needs no fault.
        let by_itself =
            path == "/v2/activities" && report.state == State::Failed && breaks_off(report);
        if let Some(fault) = fault(report.state).filter(|_| !by_itself) {
            simulated.fault(fault.on(path));
        }
    }
    let credentials =
        Credentials::client_credentials(simulated.client_id(), simulated.client_secret());
    let front = in_process::serve(simulated);
    let client = Client::builder(
        BaseUrl::parse(&front.url()).expect("a base URL"),
        credentials,
    )
    .rate_limit(RateLimit::unlimited())
    .retry(RetryPolicy::none())
    .transport(Arc::new(InProcess::new(front).rewrite_body(as_written)))
    .build()
    .expect("a client");
    let ages = tenant
        .signature_history
        .as_ref()
        .map(|history| kept(history, tenant.now));
    let request = AssessmentRequest {
        customer: ComplianceOrgId::from_uuid(Uuid::nil()),
        organization: OrganizationId::new(tenant.organization),
        now: tenant.now,
        rules: &Rules::default(),
        custom_fields: &CustomFields::default(),
        digest_key: &DigestKey::new(KeyId::new("test").expect("a key id"), &[7; 32])
            .expect("a key"),
        signature_ages: ages.as_ref(),
        kinds_in_use: kinds(tenant),
    };
    let collected = match read_reports(&client, request).await {
        Ok(collected) => collected,
        // Nothing is judged then, and the sweep fails with what to do.
        Err(error) if has_no_way_on(&tenant.devices) => {
            assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
            return Value::Null;
        }
        Err(error) => panic!("a device list: {error:?}"),
    };
    let signals: Vec<_> = collected.assessment.signals().collect();
    serde_json::to_value(signals).expect("signals are JSON")
}

/// The history as a store keeps it.
fn kept(history: &BTreeMap<i64, Remembered>, now: OffsetDateTime) -> SignatureAges {
    let key = |byte| MasterKey::from_bytes([byte; 32]);
    let keyring = Keyring::new(KeyId::new("test").expect("a key id"), key(1), key(2));
    let digester = keyring.device_digester(CredentialId::from_uuid(Uuid::from_u128(1)));
    let records = history.iter().map(|(device, remembered)| {
        let record = match *remembered {
            Remembered::UpToDate => SignatureRecord {
                state: SignatureState::UpToDate,
                since: now - Duration::days(90),
            },
            Remembered::OutOfDateSince(since) => SignatureRecord {
                state: SignatureState::OutOfDate,
                since,
            },
        };
        (digester.digest(DeviceId::new(*device)), record)
    });
    SignatureAges::new(records.collect(), digester, now)
}

fn fault(state: State) -> Option<Fault> {
    match state {
        State::Answered => None,
        State::Failed => Some(Fault::Error {
            status: 503,
            shape: ErrorShape::Empty,
        }),
        State::NotAvailable => Some(Fault::NotAvailable(NotAvailable::NotLicensed)),
    }
}
