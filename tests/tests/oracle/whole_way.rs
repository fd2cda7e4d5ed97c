//! Ours, the whole way: the rows served by the simulated tenant, read by the client page by page, collected and judged.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use ninjaone_client::{
    BaseUrl, Client, Credentials, RateLimit, RetryPolicy, Transport, TransportError,
    TransportErrorKind,
};
use ninjaone_simulator::front::in_process;
use ninjaone_simulator::{ErrorShape, Fault, NotAvailable};
use regentra_evidence::{DigestKey, KeyId, Rules};
use regentra_sync::assessment::AssessmentRequest;
use regentra_sync::collect;
use regentra_sync::custom_fields::CustomFields;
use regentra_sync::mapping::ExternalOrgId;
use serde_json::{Value, json};

use crate::oracle::tenant::{Report, State, Tenant};

#[derive(Debug)]
struct InProcess(in_process::Front);

#[async_trait]
impl Transport for InProcess {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let broken = |_| TransportError::new(TransportErrorKind::Incomplete);
        self.0.call(request).await.map_err(broken)
    }
}

/// What the wire can carry of a tenant: a row that did not decode is one, a list cut short would need ten thousand devices, and
/// the history of signatures comes from a store.
pub(crate) fn as_served(tenant: &Tenant) -> Tenant {
    let mut served = tenant.clone();
    served.truncated = false;
    served.signature_history = None;
    for report in served.reports_mut() {
        report
            .rows
            .extend((0..report.malformed).map(|_| json!("no row")));
        report.malformed = 0;
    }
    // A list is paged by id: the client delivers each id once, and refuses an activity without one whatever its code.
    for report in [&mut served.devices, &mut served.activities] {
        let mut delivered = BTreeSet::new();
        report
            .rows
            .retain(|row| row["id"].as_i64().is_none_or(|id| delivered.insert(id)));
    }
    served
        .activities
        .rows
        .retain(|row| !row.is_object() || row["id"].is_i64());
    served
}

/// The five signals of one customer, from the device list to the last activity over the client.
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
        if let Some(fault) = fault(report.state) {
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
    .transport(Arc::new(InProcess(front)))
    .build()
    .expect("a client");
    let request = AssessmentRequest {
        organization: ExternalOrgId::new(tenant.organization),
        now: tenant.now,
        rules: &Rules::default(),
        custom_fields: &CustomFields::default(),
        kinds_in_use: regentra_evidence::KindsInUse::default(),
        digest_key: &DigestKey::new(KeyId::new("test").expect("a key id"), &[7; 32])
            .expect("a key"),
        signature_ages: None,
    };
    let collected = collect::organization(&client, request)
        .await
        .expect("a device list");
    let signals: Vec<_> = collected.assessment.signals().collect();
    serde_json::to_value(signals).expect("signals are JSON")
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
