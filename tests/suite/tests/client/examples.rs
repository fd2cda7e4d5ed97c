//! The examples of the client's documentation, run against the simulated tenant.

#![allow(clippy::print_stdout, reason = "the examples print")]

use ninjaone_client::{
    BaseUrl, Client, Credentials, DeviceFilter, Error, OrganizationId, RateLimit,
    devices::DevicesParams, models::ApprovalStatus,
};
use ninjaone_simulator::{Preset, Tenant, front};
use serde_json::json;
use time::macros::datetime;

/// Includes the example of every group, as the documentation does, and calls it.
macro_rules! examples {
    ($($group:ident)*) => {
        $(#[expect(unreachable_pub, reason = "written for readers")]
        mod $group {
            include!(concat!("../../../../ninjaone-client/src/api/examples/", stringify!($group), ".rs"));
        })*

        const GROUPS: &[&str] = &[$(stringify!($group)),*];

        async fn run(client: &Client, group: &str) -> Result<(), Error> {
            match group {
                $(stringify!($group) => $group::$group(client).await,)*
                _ => Ok(()),
            }
        }
    };
}

examples! { activities alerts backup contacts custom_fields devices groups jobs locations organizations policies queries roles software tags users vulnerabilities }

#[tokio::test(flavor = "multi_thread")]
async fn every_example_runs() {
    let tenant = Tenant::preset(Preset::Mixed, 5, 60, datetime!(2026-11-23 06:30 UTC));
    let credentials = Credentials::client_credentials(tenant.client_id(), tenant.client_secret());
    let server = front::tcp::serve(tenant).await.unwrap();
    let client = Client::builder(BaseUrl::parse(&server.url()).unwrap(), credentials)
        .rate_limit(RateLimit::unlimited())
        .build()
        .unwrap();
    for group in GROUPS {
        run(&client, group)
            .await
            .unwrap_or_else(|error| panic!("{group}: {error}"));
    }
}

/// What the front page of the crate shows.
async fn front_page(client: Client) -> Result<usize, Error> {
    let mut shown = 0;
    // from here
    let approved =
        DeviceFilter::organization(OrganizationId::new(7)).and_status(ApprovalStatus::Approved);
    let mut devices = client
        .devices()
        .detailed(DevicesParams::default().filter(approved));
    while let Some(page) = devices.next_page().await? {
        for device in page.rows {
            println!("{}", device.best_name().unwrap_or("?"));
            // to here
            shown += 1;
        }
    }
    Ok(shown)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_front_page_shows_runs() {
    let device = |id: i64, organization: i64| json!({"id": id, "organizationId": organization, "approvalStatus": "APPROVED", "systemName": "one"});
    let tenant = Tenant::builder(datetime!(2026-11-23 06:30 UTC))
        .organizations(&[
            json!({"id": 7, "name": "Seven"}),
            json!({"id": 8, "name": "Eight"}),
        ])
        .devices(&[device(1, 7), device(2, 8), device(3, 7)])
        .build();
    let credentials = Credentials::client_credentials(tenant.client_id(), tenant.client_secret());
    let server = front::tcp::serve(tenant).await.unwrap();
    let client = Client::builder(BaseUrl::parse(&server.url()).unwrap(), credentials);
    assert_eq!(front_page(client.build().unwrap()).await.unwrap(), 2);

    let letters = |text: &str| text.split_whitespace().collect::<String>();
    let (_, shown) = include_str!("examples.rs")
        .split_once("// from here")
        .unwrap();
    let (shown, _) = shown.split_once("// to here").unwrap();
    let readme = include_str!("../../../../ninjaone-client/README.md");
    assert!(
        letters(readme).contains(&letters(shown)),
        "the README shows something else"
    );
}

#[test]
fn every_group_has_an_example() {
    for endpoint in ninjaone_client::endpoints() {
        let group = endpoint.operation.split('.').next().unwrap();
        assert!(GROUPS.contains(&group), "{group}");
    }
}
