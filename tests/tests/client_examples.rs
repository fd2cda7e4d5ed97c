//! The examples of the client's documentation, run against the simulated tenant.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "the examples print"
)]

use ninjaone_client::{BaseUrl, Client, Credentials, Error, RateLimit};
use ninjaone_simulator::{Preset, Tenant, front};
use time::macros::datetime;

/// Includes the example of every group, as the documentation does, and calls it.
macro_rules! examples {
    ($($group:ident)*) => {
        $(#[expect(unreachable_pub, reason = "written for readers")]
        mod $group {
            include!(concat!("../../ninjaone-client/src/api/examples/", stringify!($group), ".rs"));
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

#[test]
fn every_group_has_an_example() {
    for endpoint in ninjaone_client::endpoints() {
        let group = endpoint.operation.split('.').next().unwrap();
        assert!(GROUPS.contains(&group), "{group}");
    }
}
