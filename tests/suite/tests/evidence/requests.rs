//! The requests of a sweep: the table in the README of `regentra-sync`, against what a simulated tenant was asked.

use std::fmt::Write as _;

use ninjaone_client::{BaseUrl, Client, Credentials, RateLimit};
use ninjaone_simulator::{Preset, Tenant, front};
use regentra_evidence::{DigestKey, KeyId, KindsInUse, Rules};
use regentra_sync::{
    model::{ComplianceOrgId, CustomFields, OrganizationId},
    ninjaone::{AssessmentRequest, read_reports},
};
use time::{OffsetDateTime, macros::datetime};

const NOW: OffsetDateTime = datetime!(2026-11-23 06:30 UTC);

const BEGIN: &str = "<!-- requests of a sweep: ";
const END: &str = "<!-- end of requests of a sweep -->";

/// Path -> what it is for, and whether it is among the requests that the promise names. The order is not of importance.
const PURPOSES: [(&str, &str, &str); 8] = [
    (
        "/v2/devices-detailed",
        "device inventory, and which devices are the customer's",
        "promised",
    ),
    ("/v2/queries/volumes", "disk encryption", "promised"),
    ("/v2/queries/antivirus-status", "antivirus", "promised"),
    (
        "/v2/queries/os-patches",
        "patch SLA: what is missing",
        "promised",
    ),
    (
        "/v2/queries/os-patch-installs",
        "patch SLA: what failed",
        "for failed installations",
    ),
    (
        "/v2/queries/software-patches",
        "patch SLA: what is missing",
        "promised",
    ),
    (
        "/v2/queries/software-patch-installs",
        "patch SLA: what failed",
        "for failed installations",
    ),
    ("/v2/activities", "backup activity", "promised"),
];

/// What is asked for one customer of 40 devices, each list of which fits a page.
async fn requests_table() -> String {
    let tenant = Tenant::builder(NOW)
        .preset(Preset::Healthy, 7, 40)
        .organization_count(1)
        .build();
    let organization = tenant.organizations()[0]["id"].as_i64().unwrap();
    let credentials = Credentials::client_credentials(tenant.client_id(), tenant.client_secret());
    let server = front::tcp::serve(tenant).await.unwrap();
    let client = Client::builder(BaseUrl::parse(&server.url()).unwrap(), credentials)
        .rate_limit(RateLimit::unlimited())
        .build()
        .unwrap();
    let digest_key = DigestKey::new(KeyId::new("test").unwrap(), &[7; 32]).unwrap();
    let request = AssessmentRequest {
        customer: ComplianceOrgId::from_uuid(uuid::Uuid::nil()),
        organization: OrganizationId::new(organization),
        now: NOW,
        rules: &Rules::default(),
        custom_fields: &CustomFields::default(),
        kinds_in_use: KindsInUse::default(),
        digest_key: &digest_key,
        signature_ages: None,
    };
    let collected = read_reports(&client, request).await.unwrap();
    assert!(collected.assessment.answered());

    let tenant = server.tenant();
    let asked: Vec<_> = tenant
        .requests()
        .iter()
        .filter(|request| request.method == "GET")
        .collect();
    let mut paths: Vec<&str> = asked.iter().map(|request| request.path.as_str()).collect();
    paths.dedup();
    let mut table =
        String::from("| request | parameters | for | | requests |\n|---|---|---|---|--:|\n");
    for path in &paths {
        let (_, purpose, promise) = PURPOSES.iter().find(|(of, ..)| of == path).unwrap();
        let of_path = || asked.iter().filter(|request| request.path == *path);
        let first = of_path().next().unwrap();
        let parameters: Vec<_> = first
            .query
            .iter()
            .map(|(name, _)| format!("`{name}`"))
            .collect();
        let (parameters, count) = (parameters.join(", "), of_path().count());
        writeln!(
            table,
            "| `{path}` | {parameters} | {purpose} | {promise} | {count} |"
        )
        .unwrap();
    }
    assert_eq!(paths.len(), PURPOSES.len(), "each list is read once");
    writeln!(table, "| | | | in all | {} |", asked.len()).unwrap();
    table
}

#[tokio::test]
async fn the_readme_says_what_a_sweep_asks_for() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../regentra-sync/README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let begin = readme.find(BEGIN).unwrap();
    let begin = begin + readme[begin..].find('\n').unwrap() + 1;
    let end = readme.find(END).unwrap();
    let table = requests_table().await;
    if readme[begin..end].trim() != table.trim() {
        if std::env::var_os("UPDATE_README").is_some() {
            let (before, after) = (&readme[..begin], &readme[end..]);
            std::fs::write(path, format!("{before}\n{table}\n{after}")).unwrap();
        }
        panic!(
            "the table of requests is out of date: UPDATE_README=1 cargo test -p regentra-suite --test evidence what_a_sweep_asks"
        );
    }
}
