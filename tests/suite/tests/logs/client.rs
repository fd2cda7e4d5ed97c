//! Nothing of a tenant is logged, at TRACE of every crate in the process. A file of its own: a subscriber is the process's.

use std::time::Duration;

use ninjaone_client::{
    BaseUrl, Client, Credentials, DeviceFilter, Error, OrganizationId, RateLimit, RetryPolicy,
    activities::ActivitiesParams,
    devices::{DeviceSearchParams, DevicesParams},
    organizations::OrganizationsParams,
    queries::{AntivirusStatusParams, VolumesParams},
};
use ninjaone_simulator::{Fault, Malformed, Preset, Tenant, front::tcp};
use regentra_harness::log::{Log, heard_whatever_other_threads_do};
use time::{OffsetDateTime, macros::datetime};

const NOW: OffsetDateTime = datetime!(2026-11-23 06:30 UTC);

async fn walk(client: &Client) -> Result<usize, Error> {
    let filter = DeviceFilter::organization(OrganizationId::new(1));
    let search = DeviceSearchParams::default().query("person@customer.example");
    let activities = ActivitiesParams::default()
        .page_size(10)
        .until(NOW - time::Duration::days(7));
    let mut rows = client
        .organizations()
        .list(OrganizationsParams::default())
        .collect()
        .await?
        .rows
        .len();
    rows += client
        .devices()
        .detailed(DevicesParams::default().page_size(7))
        .collect()
        .await?
        .rows
        .len();
    rows += client
        .queries()
        .volumes(VolumesParams::default().page_size(7).bitlocker())
        .collect()
        .await?
        .rows
        .len();
    let antivirus = AntivirusStatusParams::default().filter(filter);
    rows += client
        .queries()
        .antivirus_status(antivirus)
        .collect()
        .await?
        .rows
        .len();
    rows += client
        .activities()
        .list(activities)
        .collect()
        .await?
        .rows
        .len();
    rows += client
        .devices()
        .search(search)
        .await?
        .devices
        .map_or(0, |devices| devices.len());
    Ok(rows)
}

#[test]
fn nothing_of_a_tenant_is_logged_even_at_trace() {
    let log = Log::default();
    let _second = heard_whatever_other_threads_do();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .with_ansi(false)
        .finish();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (canaries, secrets) = tracing::subscriber::with_default(subscriber, || {
        runtime.block_on(async {
            let mut tenant = Tenant::builder(NOW)
                .preset(Preset::Mixed, 3, 30)
                .canaries()
                .build();
            tenant.fault(Fault::TokenDies.starting_at(4).once());
            tenant.fault(
                Fault::MalformedRow(Malformed::WrongType)
                    .starting_at(6)
                    .once(),
            );
            let canaries = tenant.canaries();
            let secrets = vec![
                tenant.client_secret().to_owned(),
                tenant.client_id().to_owned(),
            ];
            let server = tcp::serve(tenant).await.unwrap();
            let credentials = Credentials::client_credentials(&*secrets[1], &*secrets[0]);
            let client = Client::builder(BaseUrl::parse(&server.url()).unwrap(), credentials)
                .rate_limit(RateLimit::unlimited())
                .retry(
                    RetryPolicy::default()
                        .backoff(Duration::from_millis(1), Duration::from_millis(5)),
                )
                .build()
                .unwrap();
            assert!(walk(&client).await.unwrap() > 30);
            (canaries, secrets)
        })
    });
    let log = log.text();
    assert!(log.contains("ninjaone.attempt"), "the log was listened to");
    assert!(!canaries.is_empty());
    for canary in canaries
        .iter()
        .chain(&secrets)
        .map(String::as_str)
        .chain(["person@", "Bearer ", "org%20"])
    {
        assert!(!log.contains(canary), "logged: {canary}");
    }
}
