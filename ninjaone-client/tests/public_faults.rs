//! One test for each fault that clients of this API are publicly known for, named after what it stops.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test, helpers included"
)]

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use ninjaone_client::{
    Client, Credentials, DeviceFilter, DeviceId, ErrorKind, OrganizationId, RateLimit, Region,
    RetryPolicy, Scope, Scopes, Transport, TransportError,
    activities::ActivitiesParams,
    backup::BackupJobsParams,
    device::DeviceActivitiesParams,
    devices::DevicesParams,
    models::{ActivityStatus, ActivityType, BackupJobStatus, NodeClass},
    organizations::OrganizationsParams,
    queries::{OsPatchesParams, VolumesParams},
};
use serde_json::json;

/// Answers in turn, the last answer for ever; remembers what it was asked.
#[derive(Debug)]
struct Script {
    answers: Mutex<VecDeque<(u16, &'static str, String)>>,
    is_used_up: Mutex<bool>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Transport for Script {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let path = request.uri().path_and_query().unwrap().to_string();
        let is_token = path.starts_with("/ws/");
        let goes_on = ["after=", "olderThan=", "cursor="]
            .iter()
            .any(|place| path.contains(place));
        self.asked.lock().unwrap().push(path);
        let mut answers = self.answers.lock().unwrap();
        if is_token && !answers[0].1.starts_with("token") {
            return Ok(http::Response::new(Bytes::from_static(
                br#"{"access_token":"t","expires_in":3600}"#,
            )));
        }
        let mut is_used_up = self.is_used_up.lock().unwrap();
        let (status, content_type, body) = if answers.len() > 1 {
            answers.pop_front().unwrap()
        } else if *is_used_up && goes_on {
            // Behind the last page lies an empty one.
            (200, JSON, "[]".to_owned())
        } else {
            *is_used_up = true;
            answers[0].clone()
        };
        let answer = http::Response::builder()
            .status(status)
            .header("content-type", content_type);
        Ok(answer.body(Bytes::from(body)).unwrap())
    }
}

fn script(answers: impl IntoIterator<Item = (u16, &'static str, String)>) -> (Arc<Script>, Client) {
    let script = Arc::new(Script {
        answers: Mutex::new(answers.into_iter().collect()),
        is_used_up: Mutex::default(),
        asked: Mutex::default(),
    });
    let client = Client::builder(Region::Eu, Credentials::client_credentials("id", "secret"))
        .transport(script.clone())
        .rate_limit(RateLimit::unlimited())
        .retry(RetryPolicy::none())
        .build()
        .unwrap();
    (script, client)
}

const JSON: &str = "application/json";

fn ok(body: &serde_json::Value) -> (u16, &'static str, String) {
    (200, JSON, body.to_string())
}

#[test]
fn wrong_parameters_are_ignored_and_return_the_whole_fleet() {
    // Filters named organizationId, nodeClass, activityType or statusCode were sent for months and did nothing.
    let filter = DeviceFilter::organization(OrganizationId::new(7)).and_class(NodeClass::Mac);
    let devices = DevicesParams::default()
        .filter(filter)
        .request()
        .to_string();
    assert_eq!(
        devices,
        "/v2/devices?df=org%20%3D%207%20AND%20class%20%3D%20MAC&pageSize=1000"
    );
    let activities = ActivitiesParams::default()
        .r#type(ActivityType::NINJA_BACKUP)
        .statuses([
            ActivityStatus::NINJA_BACKUP_BACKUPJOB_FAILED,
            ActivityStatus::NINJA_BACKUP_BACKUPJOB_COMPLETED,
        ]);
    assert_eq!(
        activities.request().to_string(),
        "/v2/activities?type=NINJA_BACKUP\
         &status=in%20%28NINJA_BACKUP_BACKUPJOB_FAILED%2C%20NINJA_BACKUP_BACKUPJOB_COMPLETED%29&pageSize=1000"
    );
    // The log of one device really names it otherwise.
    let of_device = DeviceActivitiesParams::default()
        .activity_type(ActivityType::ACTION)
        .request(DeviceId::new(5));
    assert_eq!(
        of_device.to_string(),
        "/v2/device/5/activities?activityType=ACTION&pageSize=1000"
    );
}

#[tokio::test]
async fn the_first_page_is_taken_for_the_whole_list() {
    // There is no Link header and no default page size to rely on.
    let page = |ids: std::ops::RangeInclusive<i64>| ok(&ids.map(|id| json!({"id": id})).collect());
    let (script, client) = script([page(1..=1000), page(1001..=1115)]);
    let read = client
        .organizations()
        .list(OrganizationsParams::default())
        .collect()
        .await
        .unwrap();
    assert_eq!(read.rows.len(), 1115);
    assert!(read.completeness.is_complete());
    assert!(
        script.asked.lock().unwrap()[1..]
            .iter()
            .all(|path| path.contains("pageSize=1000"))
    );
}

fn report(rows: std::ops::Range<usize>, count: usize) -> (u16, &'static str, String) {
    let cursor =
        json!({"name": "c-1", "offset": rows.start, "count": count, "expires": 1_787_901_861.0});
    let rows: Vec<_> = rows
        .map(|row| json!({"id": "patch", "deviceId": row}))
        .collect();
    ok(&json!({"cursor": cursor, "results": rows}))
}

#[tokio::test]
async fn the_cursors_name_never_changes_and_stops_or_loops_the_walk() {
    let (script, client) = script([report(0..10, 25), report(10..20, 25), report(20..25, 25)]);
    let pager = client
        .queries()
        .volumes(VolumesParams::default().page_size(10));
    assert_eq!(pager.collect().await.unwrap().rows.len(), 25);
    let asked = script.asked.lock().unwrap();
    assert_eq!(asked.len(), 4);
    assert!(
        asked[3].ends_with("pageSize=10&cursor=c-1"),
        "the cursor is an object, its name is what travels"
    );
}

#[tokio::test]
async fn a_report_that_ends_early_is_a_short_list_without_a_word() {
    let (_, client) = script([
        report(0..10, 25),
        (200, JSON, r#"{"results":[]}"#.to_owned()),
    ]);
    let pager = client
        .queries()
        .volumes(VolumesParams::default().page_size(10));
    let error = pager.collect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated);
    assert!(error.is_retryable());
}

#[tokio::test]
async fn rows_keyed_by_their_patch_collapse_across_devices() {
    let (_, client) = script([report(0..5, 5)]);
    let read = client
        .queries()
        .os_patches(OsPatchesParams::default())
        .collect()
        .await
        .unwrap();
    assert_eq!(read.rows.len(), 5, "one patch on five devices is five rows");
}

#[tokio::test]
async fn an_error_looks_like_an_empty_and_healthy_list() {
    for body in [
        r#"{"resultCode":"FAILURE","errorMessage":"NullPointerException"}"#,
        r#"{"error":"not_authenticated"}"#,
        r#"{"result":"FAILURE"}"#,
        "{}",
        "",
    ] {
        let (_, client) = script([(200, JSON, body.to_owned())]);
        let listed = client
            .organizations()
            .list(OrganizationsParams::default())
            .collect()
            .await;
        assert!(listed.is_err(), "{body}");
        if !body.is_empty() && body != "{}" {
            let single = client.devices().get(DeviceId::new(1)).await;
            assert!(
                single.is_err(),
                "an error is no device without fields: {body}"
            );
        }
    }
}

#[tokio::test]
async fn the_token_endpoint_without_ws_vanished_twice() {
    let (script, client) = script([(200, JSON, "[]".to_owned())]);
    client.authenticate().await.unwrap();
    assert_eq!(*script.asked.lock().unwrap(), ["/ws/oauth/token"]);
}

#[tokio::test]
async fn a_scope_that_was_not_granted_fails_them_all() {
    let asked = Credentials::client_credentials("id", "secret");
    assert!(format!("{:?}", Scopes::default()).contains("Monitoring"));
    let more = asked.scopes(Scopes::default().with(Scope::OfflineAccess));
    let error = Client::builder(Region::Eu, more).build().unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::Config,
        "offline_access: one region refuses it, another ignores it"
    );
    let (_, client) = script([(400, "token", r#"{"error":"invalid_scope"}"#.to_owned())]);
    assert_eq!(
        client.authenticate().await.unwrap_err().kind(),
        ErrorKind::ScopeNotGranted
    );
}

#[tokio::test]
async fn a_wrong_region_looks_like_an_unknown_client() {
    let (_, client) = script([(
        404,
        "token",
        r#"{"resultCode":"Client app not exist","incidentId":"WEB-1"}"#.to_owned(),
    )]);
    let error = client.authenticate().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.incident_id()),
        (ErrorKind::WrongRegionOrClient, Some("WEB-1"))
    );
    assert!(error.to_string().contains("another region"), "{error}");
}

#[tokio::test]
async fn client_credentials_cannot_use_some_endpoints() {
    for (status, body, kind) in [
        (
            403,
            r#"{"resultCode":"user_context_required"}"#,
            ErrorKind::UserContextRequired,
        ),
        (
            500,
            r#"{"resultCode":"permission_denied"}"#,
            ErrorKind::NotAvailable,
        ),
        (
            500,
            r#"{"resultCode":"FAILURE","errorMessage":"NullPointerException"}"#,
            ErrorKind::Server,
        ),
    ] {
        let (_, client) = script([(status, JSON, body.to_owned())]);
        let error = client
            .backup()
            .jobs(BackupJobsParams::default())
            .collect()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{body}");
    }
}

#[tokio::test]
async fn a_400_is_taken_for_an_authentication_error() {
    let (_, client) = script([(
        400,
        JSON,
        r#"{"error":"invalid_header","error_code":1}"#.to_owned(),
    )]);
    let error = client
        .devices()
        .list(DevicesParams::default())
        .collect()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
}

#[tokio::test]
async fn html_pages_and_wrong_content_types() {
    let (_, client) = script([(
        200,
        "text/html",
        "<html>Too many requests</html>".to_owned(),
    )]);
    let error = client
        .devices()
        .list(DevicesParams::default())
        .collect()
        .await
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::RateLimited { .. }));
    for content_type in ["text/plain", "text/html", "application/octet-stream"] {
        let (_, client) = script([(200, content_type, "[]".to_owned())]);
        assert!(
            client
                .devices()
                .list(DevicesParams::default())
                .collect()
                .await
                .unwrap()
                .rows
                .is_empty()
        );
    }
}

#[tokio::test]
async fn backup_jobs_are_read_by_guessed_field_names_and_always_too_old() {
    let job = json!({"jobId": "u", "jobStatus": "COMPLETED", "jobStartTime": 1_787_800_000.5, "jobEndTime": 1_787_801_000.0});
    let (_, client) = script([ok(&json!({"results": [job]}))]);
    let read = client
        .backup()
        .jobs(BackupJobsParams::default())
        .collect()
        .await
        .unwrap();
    let job = &read.rows[0];
    assert_eq!(job.job_status, Some(BackupJobStatus::COMPLETED));
    assert_eq!(
        job.job_end_time.unwrap().at().unwrap().unix_timestamp(),
        1_787_801_000
    );
}

#[tokio::test]
async fn one_new_enum_value_loses_a_page() {
    let rows =
        json!([{"id": 1, "nodeClass": "QUANTUM_WORKSTATION"}, {"id": 2, "nodeClass": "MAC"}]);
    let (_, client) = script([ok(&rows)]);
    let read = client
        .devices()
        .list(DevicesParams::default())
        .collect()
        .await
        .unwrap();
    let classes: Vec<_> = read
        .rows
        .iter()
        .map(|device| device.node_class.as_ref().unwrap().as_str())
        .collect();
    assert_eq!(classes, ["QUANTUM_WORKSTATION", "MAC"]);
}

#[tokio::test]
async fn one_malformed_row_loses_a_page() {
    let rows =
        json!([{"id": 1}, {"id": 2, "offline": "jane@example.com"}, "jane@example.com", {"id": 3}]);
    let (_, client) = script([ok(&rows)]);
    let read = client
        .devices()
        .list(DevicesParams::default())
        .collect()
        .await
        .unwrap();
    // Neither the page is lost nor the row with an odd field: only what is no row.
    assert_eq!((read.rows.len(), read.malformed.len()), (3, 1));
    assert_eq!(
        (
            read.malformed[0].position,
            read.malformed[0].field.as_deref()
        ),
        (2, None)
    );
    let repaired = &read.repaired[0];
    assert_eq!(
        (&*repaired.field, repaired.lost, repaired.rows),
        ("offline", true, 1)
    );
    assert!(read.rows[1].unreadable.contains("offline"));
    assert!(!format!("{read:?}").contains("jane"));
}

#[tokio::test]
async fn one_odd_field_loses_the_row_with_all_that_it_says() {
    // A list with a null, a size in exponent form, half an emoji, a repeated key: all were seen, and each lost its row.
    let body = r#"{"results":[{"deviceId":1,"capacity":1.6e10,"name":"\ud83d C:","bitLockerStatus":{"protectionStatus":"UNPROTECTED"}},
        {"deviceId":1,"deviceId":2,"label":["x"],"bitLockerStatus":{"protectionStatus":"UNPROTECTED","lockStatus":7}}],
        "cursor":{"name":"c","offset":0}}"#;
    let (_, client) = script([(200, JSON, body.to_owned()), (200, JSON, "[]".to_owned())]);
    let read = client
        .queries()
        .volumes(VolumesParams::default())
        .collect()
        .await
        .unwrap();
    assert!(read.malformed.is_empty());
    let [one, two] = read.rows.as_slice() else {
        panic!("two rows");
    };
    assert_eq!(one.capacity, Some(16_000_000_000));
    assert_eq!(one.name.as_deref(), Some("\u{fffd} C:"));
    assert!(one.unreadable.is_empty());
    assert_eq!(two.device_id, Some(DeviceId::new(2)));
    assert!(two.unreadable.contains("label"));
    assert!(two.unreadable.contains("bitLockerStatus.lockStatus"));
    for volume in [one, two] {
        let status = volume.bit_locker_status.as_ref().unwrap();
        assert_eq!(
            status.protection_status,
            Some(ninjaone_client::models::ProtectionStatus::Unprotected)
        );
    }
}

#[tokio::test]
async fn an_activity_log_is_walked_the_wrong_way() {
    // `olderThan` and `newerThan` are swapped in the vendor's document: only a walk that goes back is believed.
    let page = |ids: Vec<i64>| {
        let activities: Vec<_> = ids
            .into_iter()
            .map(|id| json!({"id": id, "activityTime": 1_787_800_000}))
            .collect();
        ok(&json!({"lastActivityId": 99, "activities": activities}))
    };
    let (_, client) = script([
        page((90..100).rev().collect()),
        page((100..110).rev().collect()),
    ]);
    let pager = client
        .activities()
        .list(ActivitiesParams::default().page_size(10));
    assert_eq!(
        pager.collect().await.unwrap_err().kind(),
        ErrorKind::Truncated
    );
}
