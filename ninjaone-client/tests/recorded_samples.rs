//! Answers as live tenants send them.
//!
//! `samples/` holds fixtures of our own that follow recorded answers in key order, key presence and number formats. Where the
//! recordings themselves lie beside the project, or in the folder that `NINJAONE_REFERENCE` names, they are read too.

#![expect(clippy::unwrap_used, reason = "a test, helpers included")]

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use ninjaone_client::{
    Client, Collected, Credentials, Error, ErrorKind, Pager, RateLimit, Region, RetryPolicy,
    Transport, TransportError,
    activities::ActivitiesParams,
    device::DeviceActivitiesParams,
    devices::DevicesParams,
    models::{ConversionStatus, DeviceType, HealthStatus, InstallStatus, NodeClass},
    organizations::OrganizationsParams,
    queries::{
        AntivirusStatusParams, DeviceHealthParams, OsPatchInstallsParams, OsPatchesParams,
        VolumesParams,
    },
};
use serde::de::DeserializeOwned;

/// Answers API requests in turn, and tokens by themselves unless the token endpoint is what is played. Behind the last answer
/// lies an empty page; a request for anything else gets that answer again.
#[derive(Debug)]
struct Player {
    answers: Mutex<VecDeque<(u16, String)>>,
    is_used_up: AtomicBool,
    plays_token: bool,
}

#[async_trait]
impl Transport for Player {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        if request.uri().path() == "/ws/oauth/token" && !self.plays_token {
            return Ok(http::Response::new(Bytes::from_static(
                br#"{"access_token":"t","expires_in":3600}"#,
            )));
        }
        let query = request.uri().query().unwrap_or_default();
        let goes_on = ["after=", "olderThan=", "cursor="]
            .iter()
            .any(|place| query.contains(place));
        let mut answers = self.answers.lock().unwrap();
        let (status, body) = if answers.len() > 1 {
            answers.pop_front().unwrap()
        } else if goes_on && self.is_used_up.load(Ordering::Relaxed) {
            (200, "[]".to_owned())
        } else {
            self.is_used_up.store(true, Ordering::Relaxed);
            answers.front().unwrap().clone()
        };
        Ok(http::Response::builder()
            .status(status)
            .body(Bytes::from(body))
            .unwrap())
    }
}

fn play(answers: impl IntoIterator<Item = (u16, String)>, plays_token: bool) -> Client {
    let player = Player {
        answers: Mutex::new(answers.into_iter().collect()),
        is_used_up: AtomicBool::default(),
        plays_token,
    };
    Client::builder(
        Region::Us,
        Credentials::client_credentials("samples", "secret"),
    )
    .transport(Arc::new(player))
    .rate_limit(RateLimit::unlimited())
    .retry(RetryPolicy::none())
    .build()
    .unwrap()
}

fn answering(body: &str) -> Client {
    play([(200, body.to_owned())], false)
}

async fn whole<T: DeserializeOwned + Send + 'static>(pager: Pager<T>) -> Vec<T> {
    let Collected {
        rows,
        malformed,
        repaired,
        completeness,
    } = pager.collect().await.unwrap();
    assert!(malformed.is_empty(), "{malformed:?}");
    assert!(repaired.is_empty(), "{repaired:?}");
    assert!(completeness.is_complete());
    rows
}

#[tokio::test]
async fn a_detailed_device_keeps_everything() {
    let client = answering(include_str!("samples/devices-detailed.json"));
    let rows = whole(client.devices().detailed(DevicesParams::default())).await;
    let server = &rows[0];
    assert_eq!(server.node_class, Some(NodeClass::WindowsServer));
    assert_eq!(
        server
            .last_contact
            .unwrap()
            .at()
            .unwrap()
            .unix_timestamp_nanos(),
        1_759_136_775_901_000_000
    );
    assert_eq!(server.os.as_ref().unwrap().needs_reboot, Some(false));
    assert_eq!(
        server
            .system
            .as_ref()
            .unwrap()
            .bios_serial_number
            .as_deref(),
        Some("0000-0001")
    );
    assert_eq!(
        server.memory.as_ref().unwrap().capacity,
        Some(68_913_397_760)
    );
    assert_eq!(
        server.processors.as_ref().unwrap()[0].num_logical_cores,
        Some(14)
    );
    assert_eq!(server.volumes.as_ref().unwrap()[0].node_id, server.id);
    assert!(
        server.volumes.as_ref().unwrap()[0]
            .bit_locker_status
            .is_none()
    );
    assert_eq!(server.last_logged_in_user.as_deref(), Some("SAMPLE\\user"));
    assert_eq!(
        (server.display_name.as_deref(), server.best_name()),
        (None, Some("SAMPLE-SRV-1"))
    );
    let host = &rows[1];
    assert_eq!(
        (host.device_type.clone(), host.cpu_mhz),
        (Some(DeviceType::VmHost), Some(2600))
    );
    assert!(host.os.is_none() && host.location_id.is_none());
}

#[tokio::test]
async fn a_report_of_one_page_has_no_cursor() {
    let client = answering(include_str!("samples/device-health.json"));
    let rows = whole(
        client
            .queries()
            .device_health(DeviceHealthParams::default()),
    )
    .await;
    assert_eq!(rows[0].health_status, Some(HealthStatus::NeedsAttention));
    assert_eq!(rows[0].pending_os_patches_count, Some(2));
    assert_eq!(
        rows[0].products_installation_statuses.as_ref().unwrap()["SAMPLE_AV"],
        InstallStatus::Installed
    );
}

#[tokio::test]
async fn a_report_of_two_pages_keeps_its_cursors_name() {
    let pages = [
        include_str!("samples/volumes-page-1.json"),
        include_str!("samples/volumes-page-2.json"),
    ];
    let client = play(pages.map(|page| (200, page.to_owned())), false);
    let rows = whole(
        client
            .queries()
            .volumes(VolumesParams::default().page_size(2).bitlocker()),
    )
    .await;
    let conversion = |row: usize| {
        rows[row]
            .bit_locker_status
            .clone()
            .and_then(|status| status.conversion_status)
    };
    assert_eq!(conversion(0), Some(ConversionStatus::FullyEncrypted));
    assert_eq!(conversion(1), None, "a Mac has no such thing");
    assert_eq!(
        conversion(2),
        Some(ConversionStatus::Unknown("SAMPLE_NEW_STATE".to_owned()))
    );
}

#[tokio::test]
async fn activities_of_types_nobody_lists() {
    let client = answering(include_str!("samples/activities.json"));
    let rows = whole(client.activities().list(ActivitiesParams::default())).await;
    assert_eq!(
        rows[0].activity_time.unwrap().at().unwrap().microsecond(),
        953_166
    );
    assert_eq!(
        rows[1].status_code.as_ref().unwrap().as_str(),
        "API_ACCESS_SAMPLE"
    );
}

/// The folder of the recordings, where there is one.
fn recordings() -> Option<PathBuf> {
    let folder = std::env::var_os("NINJAONE_REFERENCE").map_or_else(
        || {
            PathBuf::from(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../shared/reference"
            ))
        },
        PathBuf::from,
    );
    let samples = folder.join("samples");
    samples.is_dir().then_some(samples)
}

#[tokio::test]
async fn the_recordings_decode() {
    let Some(folder) = recordings() else {
        eprintln!(
            "skipped: no recordings beside the project (NINJAONE_REFERENCE names their folder)"
        );
        return;
    };
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    macro_rules! decode {
        ($($name:literal => $group:ident.$method:ident($($argument:expr),*) is $rows:literal;)*) => {$(
            let client = answering(&read($name));
            assert_eq!(whole(client.$group().$method($($argument),*)).await.len(), $rows, $name);
        )*};
    }
    decode! {
        "real/devices-detailed.windows_server.json" => devices.detailed(DevicesParams::default()) is 1;
        "real/devices.list.json" => devices.list(DevicesParams::default()) is 5;
        "real/organizations.json" => organizations.list(OrganizationsParams::default()) is 2;
        "real/queries.device-health.json" => queries.device_health(DeviceHealthParams::default()) is 1;
        "real/device-activities.actionset.json" =>
            devices.activities(5948.into(), DeviceActivitiesParams::default()) is 1;
        "handbuilt/queries.antivirus-status.confirmed-keys.json" =>
            queries.antivirus_status(AntivirusStatusParams::default()) is 3;
        "handbuilt/queries.volumes.confirmed-keys.json" => queries.volumes(VolumesParams::default()) is 2;
        "handbuilt/queries.os-patches.json" => queries.os_patches(OsPatchesParams::default()) is 2;
        "handbuilt/queries.os-patch-installs.json" => queries.os_patch_installs(OsPatchInstallsParams::default()) is 2;
    }
    let pages: Vec<serde_json::Value> =
        serde_json::from_str(&read("handbuilt/queries.cursor-constant-name.json")).unwrap();
    let client = play(pages.iter().map(|page| (200, page.to_string())), false);
    let report = client
        .queries()
        .os_patch_installs(OsPatchInstallsParams::default().page_size(2));
    assert_eq!(whole(report).await.len(), 5);
}

#[tokio::test]
async fn the_recorded_errors_say_what_to_do() {
    let Some(folder) = recordings() else {
        eprintln!(
            "skipped: no recordings beside the project (NINJAONE_REFERENCE names their folder)"
        );
        return;
    };
    let mut seen = 0;
    for file in std::fs::read_dir(folder.join("errors")).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let status = name
            .split('.')
            .find_map(|part| part.parse().ok())
            .unwrap_or(400);
        let body = std::fs::read_to_string(&path).unwrap();
        let error: Error = if name.starts_with("token.") {
            play([(status, body)], true)
                .authenticate()
                .await
                .unwrap_err()
        } else {
            // A renewed token does not help: the answer comes twice.
            let client = play([(status, body.clone()), (status, body)], false);
            client
                .devices()
                .list(DevicesParams::default())
                .collect()
                .await
                .unwrap_err()
        };
        let expected = match name.as_str() {
            "api.401.not_authenticated.json" | "token.401.invalid_client.json" => {
                ErrorKind::Unauthenticated
            }
            "api.403.user_context_required.json" => ErrorKind::UserContextRequired,
            "api.500.failure-npe.json" => ErrorKind::Server,
            "api.errorMessage-string.json" => ErrorKind::InvalidRequest,
            "throttle.200.html.txt" => ErrorKind::RateLimited { retry_after: None },
            "token.400.invalid_scope.json" => ErrorKind::ScopeNotGranted,
            "token.404.client-app-not-exist.json" => ErrorKind::WrongRegionOrClient,
            other => panic!("a recording nobody expected: {other}"),
        };
        assert_eq!(error.kind(), expected, "{name}: {error}");
        seen += 1;
    }
    assert!(seen >= 8, "{seen} recordings");
}
