//! The activity log: old activities do not end the walk, and a filter that the server ignores costs pages.

use std::sync::Arc;

use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{
    Completeness, ErrorKind, Pager,
    activities::ActivitiesParams,
    models::ActivityStatus,
    scripted::{Scripted, answer, parameter, with_token},
};

fn at(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap()
}

async fn ids(pager: Pager<crate::models::Activity>) -> Vec<i64> {
    let read = pager.collect().await.unwrap();
    assert_eq!(read.completeness, Completeness::Complete);
    read.rows.iter().map(|row| row.id.unwrap().get()).collect()
}

/// The log of activities 1..=n, one per minute, newest first. Every seventh arrives an hour late.
fn log(count: i64) -> Arc<Scripted> {
    with_token(move |path| {
        let older: i64 = parameter(path, "olderThan").map_or(count + 1, |id| id.parse().unwrap());
        let size: i64 = parameter(path, "pageSize").unwrap().parse().unwrap();
        let activities: Vec<_> = ((older - size).max(1)..older)
            .rev()
            .map(|id| json!({"id": id, "activityTime": time_of(id)}))
            .collect();
        answer(
            200,
            json!({"lastActivityId": count, "activities": activities}).to_string(),
        )
    })
}

fn time_of(id: i64) -> i64 {
    let late = if id % 7 == 0 { 3600 } else { 0 };
    1_700_000_000 + id * 60 - late
}

#[tokio::test(start_paused = true)]
async fn an_activity_that_changed_between_two_pages_is_delivered_as_both() {
    let row = |id: i64, status: &str| json!({"id": id, "activityTime": time_of(id), "statusCode": status});
    let script = with_token(move |path| {
        let activities = match parameter(path, "olderThan").as_deref() {
            None => vec![row(9, "A"), row(8, "A")],
            Some("8") => vec![row(8, "A"), row(8, "B"), row(7, "A")],
            _ => Vec::new(),
        };
        let body = json!({"lastActivityId": 9, "activities": activities});
        answer(200, body.to_string())
    });
    let params = ActivitiesParams::default().page_size(10);
    let read = ids(script.client().activities().list(params)).await;
    assert_eq!(read, [9, 8, 8, 7]);
}

#[tokio::test(start_paused = true)]
async fn activities_walk_back_by_id_and_age_leaves_out_and_ends_nothing() {
    for (count, until) in [(0, 0), (5, 0), (100, 0), (250, 100), (250, 249), (250, 400)] {
        let script = log(count);
        let until_time = 1_700_000_000 + until * 60;
        let params = ActivitiesParams::default()
            .page_size(10)
            .until(at(until_time));
        let read = ids(script.client().activities().list(params)).await;
        let expected: Vec<_> = (1..=count)
            .rev()
            .filter(|id| time_of(*id) >= until_time)
            .collect();
        assert_eq!(read, expected, "{count} until {until}");
        assert_eq!(
            script.asked().len(),
            usize::try_from(count).unwrap().div_ceil(10) + 1
        );
    }
}

#[tokio::test(start_paused = true)]
async fn activities_walk_back_to_what_is_known() {
    let script = log(95);
    let pager = script
        .client()
        .activities()
        .list(ActivitiesParams::default().page_size(10).known(72));
    let read = pager.collect().await.unwrap();
    assert_eq!(
        read.rows
            .iter()
            .map(|row| row.id.unwrap().get())
            .collect::<Vec<_>>(),
        (73..=95).rev().collect::<Vec<_>>()
    );
    assert_eq!(script.asked().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn older_than_that_walks_forward_is_an_error() {
    // The vendor's document confuses olderThan and newerThan. On a server that followed the document, the walk would never end.
    let script = with_token(|path| {
        let from: i64 = parameter(path, "olderThan").map_or(0, |id| id.parse().unwrap());
        let rows: Vec<_> = (from + 1..=from + 10)
            .map(|id| json!({"id": id, "activityTime": 1_700_000_000}))
            .collect();
        answer(200, Value::Array(rows).to_string())
    });
    let pager = script
        .client()
        .activities()
        .list(ActivitiesParams::default().page_size(10));
    assert_eq!(
        pager.collect().await.unwrap_err().kind(),
        ErrorKind::Truncated
    );
    assert_eq!(script.asked().len(), 2);
}

/// A log in which a device that was offline for weeks has added 3,000 old activities on top of this week's activities and failures.
///
/// `honours`: whether the server leaves out what was not requested.
fn burst(honours: bool) -> Arc<Scripted> {
    with_token(move |path| {
        let older: i64 = parameter(path, "olderThan").map_or(i64::MAX, |id| id.parse().unwrap());
        let size: usize = parameter(path, "pageSize").unwrap().parse().unwrap();
        let after = parameter(path, "after").map(|after| after.parse::<i64>().unwrap());
        let statuses = parameter(path, "status");
        let rows: Vec<_> = (1..=4_000_i64)
            .rev()
            .filter(|id| *id < older)
            .map(|id| {
                let is_old = id > 1_000;
                let status = if id % 100 == 0 {
                    "NINJA_BACKUP_BACKUPJOB_FAILED"
                } else {
                    "SYSTEM_REBOOTED"
                };
                (id, if is_old { LAST_MONTH } else { THIS_WEEK }, status)
            })
            .filter(|(_, time, status)| {
                let is_asked_for = after.is_none_or(|after| *time >= after)
                    && statuses
                        .as_deref()
                        .is_none_or(|asked| asked.contains(status));
                !honours || is_asked_for
            })
            .take(size)
            .map(|(id, time, status)| json!({"id": id, "activityTime": time, "statusCode": status}))
            .collect();
        answer(200, json!({"activities": rows}).to_string())
    })
}

const LAST_MONTH: i64 = 1_700_000_000;
const THIS_WEEK: i64 = LAST_MONTH + 30 * 86_400;

fn failures_of_this_week() -> ActivitiesParams {
    ActivitiesParams::default()
        .statuses(ActivityStatus::NINJA_BACKUP_BACKUPJOB_FAILED)
        .after(at(THIS_WEEK - 3_600))
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_old_activities_hides_nothing_of_this_week() {
    for (honours, requests) in [(true, 2), (false, 5)] {
        let script = burst(honours);
        let pager = script.client().activities().list(failures_of_this_week());
        let read = pager.collect().await.unwrap();
        assert_eq!(read.completeness, Completeness::Complete);
        let failed = ActivityStatus::NINJA_BACKUP_BACKUPJOB_FAILED;
        let mut failures = Vec::new();
        for row in &read.rows {
            assert!(row.activity_time.unwrap().at().unwrap() >= at(THIS_WEEK - 3_600));
            if row.status_code == Some(failed.clone()) {
                failures.push(row.id.unwrap().get());
            }
        }
        assert_eq!(
            failures,
            (1..=10).rev().map(|id| id * 100).collect::<Vec<_>>()
        );
        assert_eq!(script.asked().len(), requests, "honours: {honours}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_ignores_what_was_asked_is_an_error_at_its_bound_and_never_whole() {
    let script = burst(false);
    let params = failures_of_this_week().most_not_asked_for(2_000_usize);
    let mut pager = script.client().activities().list(params.clone());
    let error = loop {
        match pager.next_page().await {
            Ok(page) => assert!(page.is_some(), "it is not whole"),
            Err(error) => break error,
        }
    };
    assert_eq!(
        (error.kind(), error.is_retryable(), pager.completeness()),
        (ErrorKind::LimitExceeded, false, None)
    );
    let text = error.to_string();
    for part in ["activities.list", "2000", "most_not_asked_for"] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(script.asked().len(), 3, "two pages are within the bound");
    assert!(pager.next_page().await.is_err());
    assert_eq!(script.asked().len(), 3, "asked again it costs no request");
    // A known activity ends the walk all the same.
    let known = params.known(3_500);
    let pager = script.client().activities().list(known);
    assert!(pager.collect().await.unwrap().completeness.is_complete());
}

#[tokio::test(start_paused = true)]
async fn a_log_that_honours_what_was_asked_has_no_bound() {
    let script = burst(true);
    let params = failures_of_this_week()
        .page_size(10)
        .most_not_asked_for(0_usize);
    let pager = script.client().activities().list(params);
    assert_eq!(ids(pager).await.len(), 10);
}

#[tokio::test(start_paused = true)]
async fn an_activity_without_a_time_or_a_code_is_delivered() {
    let rows = [
        json!({"id": 3}),
        json!({"id": 2, "activityTime": THIS_WEEK}),
        json!({"id": 1, "statusCode": "NINJA_BACKUP_BACKUPJOB_FAILED"}),
    ];
    let script = with_token(move |path| match parameter(path, "olderThan") {
        None => answer(200, Value::Array(rows.to_vec()).to_string()),
        Some(_) => answer(200, "[]"),
    });
    let params = failures_of_this_week().most_not_asked_for(0_usize);
    let pager = script.client().activities().list(params);
    assert_eq!(ids(pager).await, [3, 2, 1]);
}
