//! The client over real sockets: the same rows over every front, slow and broken answers are survived.

use std::{fmt::Write as _, time::Duration};

use ninjaone_client::{
    BaseUrl, Client, Credentials, DeviceFilter, ErrorKind, OrganizationId, RateLimit, RetryPolicy,
    activities::ActivitiesParams,
    devices::DevicesParams,
    organizations::OrganizationsParams,
    queries::{AntivirusStatusParams, VolumesParams},
};
use ninjaone_simulator::{
    Clock, Fault, Preset, Tenant, Trickle,
    front::{http, tcp},
};
use regentra_harness::client::builder_for;
use time::{OffsetDateTime, macros::datetime};

const NOW: OffsetDateTime = datetime!(2026-11-23 06:30 UTC);

fn client(url: &str, id: &str, secret: &str) -> Client {
    builder_for(url, id, secret)
        .timeout(Duration::from_secs(10))
        .build()
        .unwrap()
}

async fn rows(client: &Client) -> Result<[usize; 5], ninjaone_client::Error> {
    let filter = || DeviceFilter::organization(OrganizationId::new(1));
    Ok([
        client
            .organizations()
            .list(OrganizationsParams::default())
            .collect()
            .await?
            .rows
            .len(),
        client
            .devices()
            .detailed(DevicesParams::default().page_size(7))
            .collect()
            .await?
            .rows
            .len(),
        client
            .queries()
            .volumes(VolumesParams::default().page_size(7).bitlocker())
            .collect()
            .await?
            .rows
            .len(),
        client
            .queries()
            .antivirus_status(AntivirusStatusParams::default().filter(filter()))
            .collect()
            .await?
            .rows
            .len(),
        client
            .activities()
            .list(
                ActivitiesParams::default()
                    .page_size(10)
                    .until(NOW - time::Duration::days(7)),
            )
            .collect()
            .await?
            .rows
            .len(),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn both_framings_and_both_fronts_answer_alike() {
    let tenant = || Tenant::preset(Preset::Mixed, 5, 40, NOW);
    let (id, secret) = (
        tenant().client_id().to_owned(),
        tenant().client_secret().to_owned(),
    );
    let over_http = http::serve(tenant()).await;
    let expected = rows(&client(&over_http.url(), &id, &secret)).await.unwrap();
    assert_eq!(expected[1], 40);
    assert!(expected.iter().all(|rows| *rows > 0), "{expected:?}");
    for framing in [tcp::Framing::ContentLength, tcp::Framing::Chunked] {
        let server = tcp::serve_with(tenant(), Clock::running(NOW), framing, 0)
            .await
            .unwrap();
        assert_eq!(
            rows(&client(&server.url(), &id, &secret)).await.unwrap(),
            expected,
            "{framing:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_and_trickled_answers_are_survived_in_both_framings() {
    for framing in [tcp::Framing::ContentLength, tcp::Framing::Chunked] {
        let mut tenant = Tenant::preset(Preset::Mixed, 5, 40, NOW);
        let (id, secret) = (
            tenant.client_id().to_owned(),
            tenant.client_secret().to_owned(),
        );
        let clean = Tenant::preset(Preset::Mixed, 5, 40, NOW);
        let clean = tcp::serve_with(clean, Clock::running(NOW), framing, 0)
            .await
            .unwrap();
        let expected = rows(&client(&clean.url(), &id, &secret)).await.unwrap();
        tenant.faults([
            Fault::CutBody { after: 100 }.starting_at(3).once(),
            Fault::ConnectionReset.starting_at(6).once(),
            Fault::Trickle(Trickle {
                bytes: 512,
                pause: Duration::from_millis(1),
            })
            .starting_at(9)
            .once(),
            Fault::TokenDies.starting_at(11).once(),
        ]);
        let server = tcp::serve_with(tenant, Clock::running(NOW), framing, 0)
            .await
            .unwrap();
        assert_eq!(
            rows(&client(&server.url(), &id, &secret)).await.unwrap(),
            expected,
            "{framing:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_never_ends_is_a_timeout() {
    let mut tenant = Tenant::preset(Preset::Mixed, 5, 40, NOW);
    let (id, secret) = (
        tenant.client_id().to_owned(),
        tenant.client_secret().to_owned(),
    );
    tenant.fault(Fault::Trickle(Trickle {
        bytes: 1,
        pause: Duration::from_millis(50),
    }));
    let server = tcp::serve(tenant).await.unwrap();
    let client = Client::builder(
        BaseUrl::parse(&server.url()).unwrap(),
        Credentials::client_credentials(id, secret),
    )
    .rate_limit(RateLimit::unlimited())
    .retry(RetryPolicy::none())
    .timeout(Duration::from_millis(300))
    .build()
    .unwrap();
    let error = client
        .organizations()
        .list(OrganizationsParams::default())
        .collect()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listens() {
    let client = client("http://127.0.0.1:9", "id", "secret");
    let error = client.authenticate().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    let mut text = format!("{error} {error:?}");
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        let _ = write!(text, " {cause} {cause:?}");
        source = cause.source();
    }
    assert!(!text.contains("/ws/oauth"), "no URL in any text: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed() {
    // A server that redirects the token request would get the secret.
    let elsewhere = wiremock::MockServer::start().await;
    let server = wiremock::MockServer::start().await;
    wiremock::Mock::given(wiremock::matchers::any())
        .respond_with(
            wiremock::ResponseTemplate::new(307).insert_header("location", elsewhere.uri()),
        )
        .mount(&server)
        .await;
    let error = client(&server.uri(), "id", "secret")
        .authenticate()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(elsewhere.received_requests().await.unwrap().is_empty());
}
