//! Walks over a scripted transport: every list is complete, or there is an error.

mod activity_log;
mod habits;
mod page_sizes;

use std::sync::{Arc, Mutex};

use futures_util::StreamExt as _;
use serde_json::{Value, json};

use crate::{
    ClientEvent, Completeness, Error, ErrorKind, RetryPolicy, TransportError, TransportErrorKind,
    activities::ActivitiesParams,
    devices::DevicesParams,
    queries::{AntivirusStatusParams, VolumesParams},
    scripted::{Answer, Scripted, answer, parameter, with_token},
};

fn page(rows: impl IntoIterator<Item = Value>) -> Answer {
    answer(
        200,
        serde_json::to_vec(&Value::Array(rows.into_iter().collect())).unwrap(),
    )
}

/// A list of devices 1..=n, in pages as NinjaOne sends them.
fn devices(count: i64) -> Arc<Scripted> {
    with_token(move |path| {
        let after = parameter(path, "after").map_or(0, |after| after.parse().unwrap());
        let size: i64 = parameter(path, "pageSize").unwrap().parse().unwrap();
        page((after + 1..=count.min(after + size)).map(|id| json!({"id": id})))
    })
}

async fn read(script: &Arc<Scripted>, size: u32) -> Result<(Vec<i64>, usize, Completeness), Error> {
    let params = DevicesParams::default().page_size(size);
    let read = script.client().devices().list(params).collect().await?;
    Ok((
        read.rows
            .iter()
            .filter_map(|row| row.id)
            .map(crate::DeviceId::get)
            .collect(),
        read.malformed.len(),
        read.completeness,
    ))
}

#[tokio::test(start_paused = true)]
async fn every_row_of_a_list_exactly_once() {
    for count in [0, 1, 9, 10, 11, 20, 95] {
        let script = devices(count);
        let (ids, malformed, completeness) = read(&script, 10).await.unwrap();
        assert_eq!(ids, (1..=count).collect::<Vec<_>>());
        assert_eq!((malformed, completeness), (0, Completeness::Complete));
        assert_eq!(
            script.asked().len(),
            usize::try_from(count).unwrap().div_ceil(10) + 1,
            "an empty page is the end"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn first_page_is_not_the_whole_list() {
    // Publicly known fault: clients waited for a Link header that never comes, and took the first 100 devices for all of them.
    let (ids, ..) = read(&devices(1115), 100).await.unwrap();
    assert_eq!(ids.len(), 1115);
}

#[tokio::test(start_paused = true)]
async fn exactly_the_ceiling_is_complete_and_one_more_is_not() {
    for (count, completeness) in [
        (100, Completeness::Complete),
        (101, Completeness::TruncatedAtCeiling { ceiling: 100 }),
    ] {
        let script = devices(count);
        let pager = script
            .client()
            .devices()
            .list(DevicesParams::default().page_size(50))
            .with_ceiling(100);
        let read = pager.collect().await.unwrap();
        assert_eq!((read.rows.len(), read.completeness), (100, completeness));
    }
    let script = devices(101);
    let pager = script
        .client()
        .devices()
        .list(DevicesParams::default().page_size(50))
        .with_ceiling(100);
    let rows: Vec<_> = pager.into_stream().collect().await;
    assert_eq!(rows.len(), 101);
    let error = rows.last().unwrap().as_ref().unwrap_err();
    assert_eq!(
        (error.kind(), error.is_retryable()),
        (ErrorKind::Truncated, false)
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_is_advanced_by_its_largest_id_whatever_the_order() {
    let script = with_token(|path| {
        let after = parameter(path, "after").map_or(0, |after| after.parse::<i64>().unwrap());
        page(
            (after + 1..=7.min(after + 3))
                .rev()
                .map(|id| json!({"id": id})),
        )
    });
    let (ids, ..) = read(&script, 3).await.unwrap();
    assert_eq!(ids, [3, 2, 1, 6, 5, 4, 7]);
}

#[tokio::test(start_paused = true)]
async fn a_row_sent_twice_is_delivered_once() {
    let script = with_token(|path| match parameter(path, "after").as_deref() {
        None => page([1, 2, 2, 3].map(|id| json!({"id": id}))),
        Some("3") => page([3, 4, 4, 5].map(|id| json!({"id": id}))),
        _ => page([]),
    });
    let (ids, ..) = read(&script, 4).await.unwrap();
    assert_eq!(ids, [1, 2, 3, 4, 5]);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_changed_between_two_pages_is_delivered_as_both() {
    // The newer row may be worse, or may be the one that counts: for example a device that was approved in between.
    let device = |id: i64, approval: &str| json!({"id": id, "approvalStatus": approval});
    let script = with_token(move |path| match parameter(path, "after").as_deref() {
        None => page([1, 2, 3].map(|id| device(id, "PENDING"))),
        Some("3") => page([
            device(2, "PENDING"),
            device(3, "APPROVED"),
            device(3, "APPROVED"),
            device(4, "APPROVED"),
        ]),
        // Both rows are known by now.
        Some("4") => page([
            device(4, "APPROVED"),
            device(4, "PENDING"),
            device(5, "APPROVED"),
        ]),
        _ => page([]),
    });
    let params = DevicesParams::default().page_size(3);
    let pager = script.client().devices().list(params);
    let read = pager.collect().await.unwrap();
    assert_eq!(read.completeness, Completeness::Complete);
    let rows = read.rows.iter().map(|row| {
        let approval = row.approval_status.as_ref().unwrap();
        (row.id.unwrap().get(), approval.as_str())
    });
    let expected = [
        (1, "PENDING"),
        (2, "PENDING"),
        (3, "PENDING"),
        (3, "APPROVED"),
        (4, "APPROVED"),
        (4, "PENDING"),
        (5, "APPROVED"),
    ];
    assert_eq!(rows.collect::<Vec<_>>(), expected);
}

/// If two rows with the same id differ, both are delivered, on one page or on two, because the list does not show which is current.
#[tokio::test(start_paused = true)]
async fn a_row_that_changed_and_lies_behind_the_position_is_delivered_too() {
    let script = with_token(|path| {
        page(match parameter(path, "after").as_deref() {
            None => vec![
                json!({"id": 1}),
                json!({"id": 2, "organizationId": 7}),
                json!({"id": 3}),
            ],
            Some("3") => vec![
                json!({"id": 2, "organizationId": 8}),
                json!({"id": 3}),
                json!({"id": 4}),
            ],
            _ => vec![],
        })
    });
    let params = DevicesParams::default().page_size(3);
    let read = script.client().devices().list(params).collect().await;
    let rows: Vec<_> = read
        .unwrap()
        .rows
        .into_iter()
        .map(|row| {
            (
                row.id.unwrap().get(),
                row.organization_id.map(crate::OrganizationId::get),
            )
        })
        .collect();
    assert_eq!(
        rows,
        [(1, None), (2, Some(7)), (3, None), (2, Some(8)), (4, None)]
    );
}

/// Rows cannot be compared with a page that was too large to be kept. They are then delivered twice rather than lost.
#[tokio::test(start_paused = true)]
async fn a_row_of_a_page_that_was_not_kept_is_delivered_again() {
    for (letters, expected) in [(10, vec![1, 2, 3]), (5 << 20, vec![1, 2, 2, 3])] {
        let script = with_token(move |path| {
            let name = "x".repeat(letters);
            page(match parameter(path, "after").as_deref() {
                None => vec![json!({"id": 1, "systemName": name}), json!({"id": 2})],
                Some("2") => vec![json!({"id": 2}), json!({"id": 3})],
                _ => vec![],
            })
        });
        let (ids, ..) = read(&script, 2).await.unwrap();
        assert_eq!(ids, expected, "{letters}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_repeats_its_rows_in_other_words_is_stalled() {
    for organizations in [[7, 7, 7], [7, 8, 9]] {
        let script = with_token(move |path| {
            let read = parameter(path, "after").is_some();
            let rows = (1..=3).zip(organizations);
            page(rows.map(|(id, organization)| {
                json!({"id": id, "organizationId": if read { organization } else { 1 }})
            }))
        });
        let error = read(&script, 3).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated);
        assert!(!error.is_retryable());
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_ignores_after_is_an_error_and_no_endless_loop() {
    let script = with_token(|_| page((1..=10).map(|id| json!({"id": id}))));
    assert_eq!(
        read(&script, 10).await.unwrap_err().kind(),
        ErrorKind::Truncated
    );
    assert_eq!(script.asked().len(), 2);
    // More rows than requested, twice: the server sends the whole list, or has its own page size.
    let script = with_token(|_| page((1..=25).map(|id| json!({"id": id}))));
    let error = read(&script, 10).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated);
    // Fewer rows than requested, twice: the server caps its pages at 100.
    let script = with_token(|_| page((1..=100).map(|id| json!({"id": id}))));
    let error = read(&script, 1000).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated);
}

#[tokio::test(start_paused = true)]
async fn a_list_is_whole_however_small_the_pages_are_that_come() {
    // A server that capped its pages sent one page of 1,115 devices, and the list was reported as complete.
    for cap in [7, 25, 128, 256, 999] {
        let script = with_token(move |path| {
            let after = parameter(path, "after").map_or(0, |after| after.parse::<i64>().unwrap());
            page((after + 1..=1115.min(after + cap)).map(|id| json!({"id": id})))
        });
        let (ids, ..) = read(&script, 1000).await.unwrap();
        assert_eq!(ids, (1..=1115).collect::<Vec<_>>(), "pages of {cap}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_id_out_of_all_proportion_skips_no_row() {
    let huge = i64::MAX - 1;
    let script = with_token(move |path| {
        let after = parameter(path, "after").map_or(0, |after| after.parse::<i64>().unwrap());
        let rows = (1..=30).filter(|id| *id > after).take(10);
        // The fifth device has another id than the one it is sorted by.
        page(rows.map(|id| json!({"id": if id == 5 { huge } else { id }})))
    });
    let (ids, ..) = read(&script, 10).await.unwrap();
    let expected: Vec<_> = (1..=30).map(|id| if id == 5 { huge } else { id }).collect();
    assert_eq!(ids, expected);
}

#[tokio::test(start_paused = true)]
async fn pages_in_no_order_at_all_are_read_whole() {
    let script = with_token(|path| {
        let after = parameter(path, "after").map_or(0, |after| after.parse::<i64>().unwrap());
        let mut ids: Vec<_> = (after + 1..=50.min(after + 7)).collect();
        ids.sort_by_key(|id| id * 37 % 11);
        page(ids.into_iter().map(|id| json!({"id": id})))
    });
    let (mut ids, ..) = read(&script, 7).await.unwrap();
    ids.sort_unstable();
    assert_eq!(ids, (1..=50).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn an_error_of_a_list_says_what_is_wrong_where_and_what_to_do() {
    let stalls = with_token(|_| page((1..=10).map(|id| json!({"id": id}))));
    let is_unsorted = with_token(|path| match parameter(path, "after") {
        None => page([5, 9].map(|id| json!({"id": id}))),
        _ => page([3, 12].map(|id| json!({"id": id}))),
    });
    for (script, what) in [(stalls, "does not move on"), (is_unsorted, "out of order")] {
        let error = read(&script, 10).await.unwrap_err();
        let text = error.to_string();
        for part in ["devices.list", what, "`after`", "NinjaOne's support"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        // Such a server would send the same page for ever.
        assert!(!text.contains("read it again") && !error.is_retryable());
    }
}

#[tokio::test(start_paused = true)]
async fn a_report_of_nine_trillion_rows_with_a_row_a_page_ends() {
    let mut row = 0;
    let endless = with_token(move |_| {
        row += 1;
        let body = json!({"cursor": {"name": "c", "count": 9e12}, "results": [{"deviceId": row}]});
        answer(200, body.to_string())
    });
    let client = endless.builder().most_pages(40).build().unwrap();
    let mut pager = client.queries().volumes(VolumesParams::default());
    let error = loop {
        match pager.next_page().await {
            Ok(page) => assert!(page.is_some(), "the report has no end"),
            Err(error) => break error,
        }
    };
    assert_eq!(
        (error.kind(), error.is_retryable(), endless.asked().len()),
        (ErrorKind::LimitExceeded, false, 40)
    );
    let text = error.to_string();
    for part in ["queries.volumes", "40 pages", "most_pages"] {
        assert!(text.contains(part), "{text}");
    }
    // Another call sends no request.
    assert!(pager.next_page().await.is_err());
    assert_eq!((endless.asked().len(), pager.completeness()), (40, None));
}

#[tokio::test(start_paused = true)]
async fn a_list_of_exactly_the_most_rows_is_whole_and_one_more_is_an_error() {
    for (rows, is_whole) in [(30, true), (31, false)] {
        let client = devices(rows).builder().most_rows(30).build().unwrap();
        let params = DevicesParams::default().page_size(10);
        let read = client.devices().list(params).collect().await;
        match read {
            Ok(read) => assert_eq!((is_whole, read.rows.len()), (true, 30)),
            Err(error) => {
                assert_eq!((is_whole, error.kind()), (false, ErrorKind::LimitExceeded));
                assert!(error.to_string().contains("most_rows"));
            }
        }
    }
    // A list in a single response has the same limit.
    let script = with_token(|_| page((1..=31).map(|id| json!({"id": id}))));
    let client = script.builder().most_rows(30).build().unwrap();
    let error = client.policies().list().collect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
}

#[tokio::test(start_paused = true)]
async fn null_where_rows_should_be_is_no_end() {
    for (body, is_fine) in [
        (r#"{"results":null}"#, false),
        (r#"{"results":null,"cursor":{"name":"c","count":5}}"#, false),
        (r#"{"results":null,"cursor":{"name":"c","count":0}}"#, true),
    ] {
        let script = with_token(move |_| answer(200, body));
        assert_eq!(volumes(&script).await.is_ok(), is_fine, "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_out_of_order_is_an_error() {
    let script = with_token(|path| match parameter(path, "after") {
        None => page([5, 9].map(|id| json!({"id": id}))),
        _ => page([3, 12].map(|id| json!({"id": id}))),
    });
    assert_eq!(
        read(&script, 2).await.unwrap_err().kind(),
        ErrorKind::Truncated
    );
}

#[tokio::test(start_paused = true)]
async fn malformed_rows_are_counted_and_paged_over() {
    let script = with_token(|path| match parameter(path, "after").as_deref() {
        None => page([
            json!({"id": 1}),
            json!({"id": 2, "offline": "yes"}),
            json!({"id": 3, "offline": 7}),
        ]),
        Some("3") => page([json!({"id": 4}), json!({"systemName": "x"})]),
        Some("4") => page([]),
        other => panic!("{other:?}"),
    });
    let pager = script
        .client()
        .devices()
        .list(DevicesParams::default().page_size(3));
    let read = pager.collect().await.unwrap();
    assert_eq!(read.rows.len(), 4);
    let named: Vec<_> = read
        .malformed
        .iter()
        .map(|row| (row.position, row.field.as_deref()))
        .collect();
    assert_eq!(named, [(4, Some("id"))]);
    assert_eq!(read.repaired.len(), 1);
    let offline = &read.repaired[0];
    assert_eq!(
        (&*offline.field, offline.lost, offline.rows),
        ("offline", true, 2)
    );
}

#[tokio::test(start_paused = true)]
async fn no_page_is_fetched_without_demand() {
    let script = devices(1000);
    let client = script.client();
    let mut pager = client
        .devices()
        .list(DevicesParams::default().page_size(10));
    assert!(script.sent().is_empty());
    pager.next_page().await.unwrap().unwrap();
    assert_eq!(
        (script.asked().len(), pager.position(), pager.completeness()),
        (1, Some(10), None)
    );
    let mut rows = std::pin::pin!(
        client
            .devices()
            .list(DevicesParams::default().page_size(10))
            .into_stream()
    );
    for _ in 0..10 {
        rows.next().await.unwrap().unwrap();
    }
    assert_eq!(script.asked().len(), 2);
    // A list is resumed from its position.
    let after = pager.position().unwrap();
    let rest = client
        .devices()
        .list(DevicesParams::default().page_size(10).after(after));
    assert_eq!(rest.collect().await.unwrap().rows.len(), 990);
}

#[tokio::test(start_paused = true)]
async fn a_pager_stands_where_it_stood_after_an_error_or_a_dropped_future() {
    let mut calls = 0;
    let script = with_token(move |path| {
        calls += 1;
        if calls % 2 == 0 {
            return answer(503, "");
        }
        let after = parameter(path, "after").map_or(0, |after| after.parse::<i64>().unwrap());
        page((after + 1..=6.min(after + 2)).map(|id| json!({"id": id})))
    });
    let client = script.builder().retry(RetryPolicy::none()).build().unwrap();
    let mut pager = client.devices().list(DevicesParams::default().page_size(2));
    let mut ids = Vec::new();
    loop {
        drop(pager.next_page());
        match pager.next_page().await {
            Ok(Some(page)) => ids.extend(page.rows.into_iter().map(|row| row.id.unwrap().get())),
            Ok(None) => break,
            Err(error) => assert!(error.is_retryable()),
        }
    }
    assert_eq!(ids, [1, 2, 3, 4, 5, 6]);
}

/// A report as NinjaOne implements it: one cursor name, and an offset that advances with every page sent.
#[derive(Clone)]
struct Report {
    rows: usize,
    offset: usize,
    expires_after: usize,
    served: usize,
    names: usize,
}

impl Report {
    fn of(rows: usize) -> Self {
        Self {
            rows,
            offset: 0,
            expires_after: usize::MAX,
            served: 0,
            names: 0,
        }
    }

    fn answer(&mut self, path: &str) -> Answer {
        let size: usize = parameter(path, "pageSize").unwrap().parse().unwrap();
        match parameter(path, "cursor") {
            None => {
                self.names += 1;
                self.offset = 0;
                self.served = 0;
            }
            Some(name)
                if name != format!("c-{}", self.names) || self.served >= self.expires_after =>
            {
                self.expires_after = usize::MAX;
                return answer(404, r#"{"resultCode":"FAILURE"}"#);
            }
            Some(_) => {}
        }
        self.served += 1;
        let here = self.offset..self.rows.min(self.offset + size);
        let rows: Vec<_> = here
            .clone()
            .map(|id| json!({"deviceId": id, "name": "C:"}))
            .collect();
        let mut body = json!({"results": rows});
        if self.rows > size {
            body["cursor"] = json!({"name": format!("c-{}", self.names), "offset": here.start, "count": self.rows, "expires": 1_787_901_861.0});
        }
        self.offset = here.end;
        answer(200, serde_json::to_vec(&body).unwrap())
    }
}

fn report(
    report: &Arc<Mutex<Report>>,
    mut fault: impl FnMut(&str, usize, &mut Report) -> Option<Answer> + Send + 'static,
) -> Arc<Scripted> {
    let report = Arc::clone(report);
    let mut requests = 0;
    with_token(move |path| {
        requests += 1;
        let mut report = report.lock().unwrap();
        fault(path, requests, &mut report).unwrap_or_else(|| report.answer(path))
    })
}

async fn volumes(script: &Arc<Scripted>) -> Result<Vec<i64>, Error> {
    let pager = script
        .client()
        .queries()
        .volumes(VolumesParams::default().page_size(10));
    let mut pager = std::pin::pin!(pager.into_stream());
    let mut ids = Vec::new();
    while let Some(row) = pager.next().await {
        ids.push(row?.device_id.unwrap().get());
    }
    Ok(ids)
}

fn whole(rows: i64) -> Vec<i64> {
    (0..rows).collect()
}

#[tokio::test(start_paused = true)]
async fn cursor_name_never_changes() {
    // Publicly known fault: clients looped for ever, or stopped after two pages, because the name stays the same.
    for rows in [0, 1, 10, 11, 20, 45] {
        let state = Arc::new(Mutex::new(Report::of(rows)));
        let script = report(&state, |_, _, _| None);
        assert_eq!(
            volumes(&script).await.unwrap(),
            whole(i64::try_from(rows).unwrap())
        );
        assert_eq!(
            script.asked().len(),
            // The only page has no cursor, so it is requested once more. A full last page has one.
            rows.div_ceil(10).max(1) + usize::from(rows == 10 || rows == 20),
            "{rows} rows"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn one_page_reports_and_bare_arrays_have_no_cursor() {
    for (body, requests) in [
        (r#"{"results":[{"deviceId":1}]}"#, 1),
        (r#"{"results":[{"deviceId":1}],"cursor":""}"#, 1),
        (r#"{"results":[{"deviceId":1}],"cursor":null}"#, 1),
        (
            r#"{"results":[{"deviceId":1}],"cursor":{"name":"","count":1}}"#,
            1,
        ),
        (r#"[{"deviceId":1}]"#, 1),
        // The walk follows the cursor, because the count may be that of the page.
        (
            r#"{"results":[{"deviceId":1}],"cursor":{"name":"c","offset":0,"count":1}}"#,
            2,
        ),
    ] {
        let script = with_token(move |path| match parameter(path, "cursor") {
            None => answer(200, body),
            Some(_) => answer(200, r#"{"results":[]}"#),
        });
        let read = script
            .client()
            .queries()
            .antivirus_status(AntivirusStatusParams::default())
            .collect()
            .await
            .unwrap();
        assert_eq!(
            (read.rows.len(), script.asked().len()),
            (1, requests),
            "{body}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_stalled_cursor_is_an_error_and_no_short_list() {
    let state = Arc::new(Mutex::new(Report::of(45)));
    let script = report(&state, |_, requests, report| {
        if requests > 3 {
            report.offset -= 10;
        }
        None
    });
    assert_eq!(
        volumes(&script).await.unwrap_err().kind(),
        ErrorKind::Truncated
    );
    // The same without an offset: the same page again and again.
    let script = with_token(|_| {
        let rows: Vec<_> = (0..10).map(|id| json!({"deviceId": id})).collect();
        answer(
            200,
            json!({"cursor": {"name": "c", "count": 40}, "results": rows}).to_string(),
        )
    });
    assert_eq!(
        volumes(&script).await.unwrap_err().kind(),
        ErrorKind::Truncated
    );
}

#[tokio::test(start_paused = true)]
async fn fewer_rows_than_announced_are_an_error() {
    let empty_end = with_token(|path| {
        match parameter(path, "cursor") {
        None => answer(200, json!({"cursor": {"name": "c", "offset": 0, "count": 12}, "results": (0..10).map(|id| json!({"deviceId": id})).collect::<Vec<_>>()}).to_string()),
        Some(_) => answer(200, r#"{"results":[],"cursor":{"name":"c","offset":10,"count":12}}"#),
    }
    });
    assert_eq!(
        volumes(&empty_end).await.unwrap_err().kind(),
        ErrorKind::Truncated
    );
    let no_cursor =
        with_token(|_| answer(200, r#"{"results":[{"deviceId":1}],"cursor":{"count":12}}"#));
    assert_eq!(
        volumes(&no_cursor).await.unwrap_err().kind(),
        ErrorKind::Truncated
    );
}

#[tokio::test(start_paused = true)]
async fn an_expired_cursor_restarts_the_report_once() {
    let state = Arc::new(Mutex::new(Report {
        expires_after: 2,
        ..Report::of(45)
    }));
    let script = report(&state, |_, _, _| None);
    assert_eq!(volumes(&script).await.unwrap(), whole(45), "each row once");
    assert_eq!(state.lock().unwrap().names, 2);

    let state = Arc::new(Mutex::new(Report::of(45)));
    let script = report(&state, |path, _, _| {
        parameter(path, "cursor").map(|_| answer(404, "{}"))
    });
    let error = volumes(&script).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.is_retryable(), script.asked().len()),
        (ErrorKind::Truncated, true, 4)
    );
}

#[tokio::test(start_paused = true)]
async fn a_report_that_changed_before_its_restart_is_an_error_unless_nobody_saw_a_row() {
    let changing = || {
        let state = Arc::new(Mutex::new(Report {
            expires_after: 2,
            ..Report::of(45)
        }));
        report(&state, |path, requests, report| {
            if requests > 3 && parameter(path, "cursor").is_none() {
                report.rows = 46;
                // A row was inserted at the beginning, so every later page differs.
                return Some(report.answer(path).map(|answer| {
                    answer.map(|body| {
                        bytes::Bytes::from(
                            String::from_utf8_lossy(&body).replace("\"C:\"", "\"D:\""),
                        )
                    })
                }));
            }
            None
        })
    };
    assert_eq!(
        volumes(&changing()).await.unwrap_err().kind(),
        ErrorKind::Truncated
    );
    let pager = changing()
        .client()
        .queries()
        .volumes(VolumesParams::default().page_size(10));
    assert_eq!(
        pager.collect().await.unwrap().rows.len(),
        46,
        "collect had shown nothing yet"
    );
}

#[tokio::test(start_paused = true)]
async fn a_page_lost_on_the_way_is_noticed_by_its_offset() {
    // The response is lost after the server's cursor advanced; a simple retry would skip a page.
    let state = Arc::new(Mutex::new(Report::of(45)));
    let script = report(&state, |path, requests, report| {
        (requests == 3).then(|| {
            report.answer(path).unwrap();
            Err(TransportError::new(TransportErrorKind::Incomplete))
        })
    });
    assert_eq!(volumes(&script).await.unwrap(), whole(45));
    assert_eq!(state.lock().unwrap().names, 2, "restarted");
}

#[tokio::test(start_paused = true)]
async fn a_report_not_licensed_is_not_available_and_not_an_expired_cursor() {
    for status in [403, 404] {
        let script = with_token(move |_| answer(status, "{}"));
        assert_eq!(
            volumes(&script).await.unwrap_err().kind(),
            ErrorKind::NotAvailable
        );
        assert_eq!(script.asked().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn pages_say_where_they_stand() {
    #[derive(Debug, Default)]
    struct Pages(Mutex<Vec<(usize, Option<usize>)>>);
    impl crate::ClientObserver for Pages {
        fn event(&self, event: &ClientEvent) {
            if let ClientEvent::Page { so_far, total, .. } = event {
                self.0.lock().unwrap().push((*so_far, *total));
            }
        }
    }
    let state = Arc::new(Mutex::new(Report::of(25)));
    let script = report(&state, |_, _, _| None);
    let recorder = Arc::new(Pages::default());
    let client = script.builder().observer(recorder.clone()).build().unwrap();
    let pager = client
        .queries()
        .volumes(VolumesParams::default().page_size(10));
    assert_eq!(pager.collect().await.unwrap().rows.len(), 25);
    assert_eq!(
        *recorder.0.lock().unwrap(),
        [(10, Some(25)), (20, Some(25)), (25, Some(25))]
    );
}

#[tokio::test(start_paused = true)]
async fn a_page_size_out_of_range_is_refused_before_it_is_sent() {
    let script = devices(1);
    for size in [0, 1001] {
        assert_eq!(
            read(&script, size).await.unwrap_err().kind(),
            ErrorKind::InvalidRequest
        );
    }
    assert!(script.sent().is_empty());
}

/// Faults of a server in a report.
#[derive(Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "any may come with any other")]
struct Manners {
    /// The maximum rows of a page.
    cap: Option<usize>,
    /// The first page has no cursor, for any number of rows.
    first_unnamed: bool,
    /// No page has a cursor.
    unnamed: bool,
    /// No page has a count.
    uncounted: bool,
    /// One page in the middle has no cursor.
    one_unnamed: bool,
    /// The page size is ignored: all rows in one page.
    whole: bool,
    /// The response to this request is lost after the server's cursor advanced.
    lost: Option<usize>,
}

/// Reads a report of `rows` rows from a server with these faults. Returns the result and the requests.
async fn ill_mannered(
    rows: usize,
    size: u32,
    manners: Manners,
) -> (Result<Vec<i64>, Error>, Vec<String>) {
    let (mut offset, mut answers) = (0_usize, 0);
    let script = with_token(move |path| {
        answers += 1;
        let mut size: usize = parameter(path, "pageSize").unwrap().parse().unwrap();
        size = size.min(manners.cap.unwrap_or(size));
        if manners.whole {
            size = usize::MAX;
        }
        if parameter(path, "cursor").is_none() {
            offset = 0;
        }
        let here = offset..rows.min(offset.saturating_add(size));
        offset = here.end;
        let mut body =
            json!({"results": here.clone().map(|id| json!({"deviceId": id})).collect::<Vec<_>>()});
        let fits = here == (0..rows) && !manners.uncounted;
        let unnamed = fits
            || manners.unnamed
            || (manners.first_unnamed && answers == 1)
            || (manners.one_unnamed && answers == 2);
        if !unnamed {
            body["cursor"] = json!({"name": "c"});
            if !manners.uncounted {
                body["cursor"]["offset"] = here.start.into();
                body["cursor"]["count"] = rows.into();
            }
        }
        if manners.lost == Some(answers) {
            return Err(TransportError::new(TransportErrorKind::Incomplete));
        }
        answer(200, body.to_string())
    });
    let pager = script
        .client()
        .queries()
        .volumes(VolumesParams::default().page_size(size));
    let mut pager = std::pin::pin!(pager.into_stream());
    let mut ids = Ok(Vec::new());
    while let Some(row) = pager.next().await {
        match (row, &mut ids) {
            (Ok(row), Ok(ids)) => ids.push(row.device_id.unwrap().get()),
            (Err(error), ids) => *ids = Err(error),
            _ => {}
        }
    }
    (ids, script.asked())
}

#[tokio::test(start_paused = true)]
async fn a_full_page_that_says_nothing_of_more_is_asked_for_once_more() {
    // The report fits exactly on the page, as on live tenants. The count on a page of one row less proves it.
    let (ids, asked) = ill_mannered(100, 100, Manners::default()).await;
    assert_eq!((ids.unwrap(), asked.len()), (whole(100), 2));
    assert_eq!(
        asked,
        [
            "/v2/queries/volumes?pageSize=100",
            "/v2/queries/volumes?pageSize=99"
        ]
    );
    // The cursor of the first page was lost. The second response has it, and the report is read to its end.
    let first_unnamed = Manners {
        first_unnamed: true,
        ..Manners::default()
    };
    let (ids, asked) = ill_mannered(1050, 100, first_unnamed).await;
    assert_eq!((ids.unwrap(), asked.len()), (whole(1050), 1 + 11));
    // No page has a cursor: it is unknown how many rows are missing.
    let unnamed = Manners {
        unnamed: true,
        ..Manners::default()
    };
    for rows in [100, 101, 250] {
        let (ids, asked) = ill_mannered(rows, 100, unnamed).await;
        assert_eq!(
            (ids.unwrap_err().kind(), asked.len()),
            (ErrorKind::Truncated, 2)
        );
    }
    // A server that ignores the page size sends everything again.
    let everything = Manners {
        whole: true,
        ..unnamed
    };
    for (rows, requests) in [(100, 3), (101, 2), (250, 2)] {
        let (ids, asked) = ill_mannered(rows, 100, everything).await;
        assert_eq!(
            (ids.unwrap().len(), asked.len()),
            (rows, requests),
            "{rows} rows at once"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cuts_at_any_number_without_a_word_is_found_out() {
    let unnamed = Manners {
        unnamed: true,
        ..Manners::default()
    };
    for cap in [2, 7, 25, 50, 99, 100, 128, 500, 699] {
        let capped = Manners {
            cap: Some(cap),
            ..unnamed
        };
        let (ids, _) = ill_mannered(700, 1000, capped).await;
        assert_eq!(ids.unwrap_err().kind(), ErrorKind::Truncated, "{cap}");
    }
    // A report that fits costs one more request, unless it has no rows or one.
    for (rows, requests) in [(0, 1), (1, 1), (2, 2), (99, 2), (100, 2), (999, 2)] {
        let (ids, asked) = ill_mannered(rows, 1000, Manners::default()).await;
        let expected = whole(i64::try_from(rows).unwrap());
        assert_eq!((ids.unwrap(), asked.len()), (expected, requests), "{rows}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_report_that_refuses_small_pages_is_whole_all_the_same() {
    // A report of ten rows or fewer cannot be requested with one row less, because some reports refuse pages that small.
    for rows in [2, 7, 10] {
        let script = with_token(move |path| {
            let size: usize = parameter(path, "pageSize").unwrap().parse().unwrap();
            if size < 10 {
                return answer(400, r#"{"resultCode":"INVALID"}"#);
            }
            let rows: Vec<_> = (0..rows).map(|id| json!({"deviceId": id})).collect();
            answer(200, json!({"results": rows}).to_string())
        });
        assert_eq!(volumes(&script).await.unwrap(), whole(rows));
        assert_eq!(script.asked().len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_smallest_page_of_the_servers_own_is_no_whole_report() {
    // The server sends ten rows for a page size of five, and ten again for nine. Only a size of eleven shows that there are more.
    for size in [5, 10] {
        let script = with_token(|path| {
            let size: i64 = parameter(path, "pageSize").unwrap().parse().unwrap();
            let rows: Vec<_> = (0..30.min(size.max(10)))
                .map(|id| json!({"deviceId": id}))
                .collect();
            answer(200, json!({"results": rows}).to_string())
        });
        let pager = script
            .client()
            .queries()
            .volumes(VolumesParams::default().page_size(size));
        let error = pager.collect().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated);
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_page_without_its_cursor_is_asked_for_again_after_a_restart_too() {
    // A later page is refused as expired. The report restarts, and its first page then has no cursor.
    let state = Arc::new(Mutex::new(Report::of(45)));
    let script = report(&state, |path, requests, report| match requests {
        4 => Some(answer(404, "{}")),
        5 => Some(report.answer(path).map(|answer| {
            answer.map(|body| {
                let mut body: Value = serde_json::from_slice(&body).unwrap();
                body.as_object_mut().unwrap().remove("cursor");
                bytes::Bytes::from(body.to_string())
            })
        })),
        _ => None,
    });
    assert_eq!(volumes(&script).await.unwrap(), whole(45));
}

#[tokio::test(start_paused = true)]
async fn a_list_is_whole_where_fewer_rows_come_than_were_asked_for() {
    for count in [0, 99, 100, 101, 250, 300] {
        let script = with_token(move |path| {
            let after = parameter(path, "after").map_or(0, |after| after.parse::<i64>().unwrap());
            page((after + 1..=count.min(after + 100)).map(|id| json!({"id": id})))
        });
        let (ids, ..) = read(&script, 1000).await.unwrap();
        assert_eq!(ids, (1..=count).collect::<Vec<_>>());

        let script = with_token(move |path| {
            let older: i64 =
                parameter(path, "olderThan").map_or(count + 1, |id| id.parse().unwrap());
            page(
                ((older - 100).max(1)..older)
                    .rev()
                    .map(|id| json!({"id": id, "activityTime": 1_700_000_000})),
            )
        });
        let pager = script
            .client()
            .activities()
            .list(ActivitiesParams::default());
        let read = pager.collect().await.unwrap();
        assert_eq!(read.rows.len(), usize::try_from(count).unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn small_pages_are_confirmed_too() {
    let (ids, asked) = ill_mannered(10, 10, Manners::default()).await;
    assert_eq!(ids.unwrap(), whole(10));
    assert_eq!(asked.last().unwrap(), "/v2/queries/volumes?pageSize=9");
    let unnamed = Manners {
        unnamed: true,
        ..Manners::default()
    };
    assert_eq!(
        ill_mannered(15, 10, unnamed).await.0.unwrap_err().kind(),
        ErrorKind::Truncated
    );
    let (ids, asked) = ill_mannered(1, 1, Manners::default()).await;
    assert_eq!((ids.unwrap(), asked.len()), (whole(1), 2));
    let (ids, _) = ill_mannered(2, 1, unnamed).await;
    assert_eq!(ids.unwrap_err().kind(), ErrorKind::Truncated);
}

#[tokio::test(start_paused = true)]
async fn a_cursor_without_a_count_is_followed_to_an_empty_page_however_short_the_pages() {
    let uncounted = Manners {
        uncounted: true,
        cap: Some(10),
        ..Manners::default()
    };
    for rows in [0, 1, 9, 10, 11, 45, 50] {
        for manners in [
            uncounted,
            Manners {
                cap: None,
                ..uncounted
            },
        ] {
            let (ids, asked) = ill_mannered(rows, 100, manners).await;
            assert_eq!(ids.unwrap(), whole(i64::try_from(rows).unwrap()));
            let pages = rows.div_ceil(manners.cap.unwrap_or(100));
            assert_eq!(asked.len(), pages + 1, "one empty page more, {rows} rows");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_without_its_cursor_is_no_end_while_rows_are_missing() {
    for uncounted in [false, true] {
        for cap in [None, Some(10)] {
            let manners = Manners {
                one_unnamed: true,
                uncounted,
                cap,
                ..Manners::default()
            };
            let (ids, _) = ill_mannered(250, 50, manners).await;
            assert_eq!(ids.unwrap(), whole(250), "{uncounted} {cap:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_page_asked_for_twice_may_hide_a_lost_one() {
    // The response with the last rows is lost after the cursor advanced, and no count shows that they are missing.
    let (mut requests, mut offset) = (0, 0);
    let script = with_token(move |path| {
        requests += 1;
        if parameter(path, "cursor").is_none() {
            offset = 0;
        }
        let rows: Vec<_> = (offset..25.min(offset + 10))
            .map(|id| json!({"deviceId": id}))
            .collect();
        offset += 10;
        if requests == 3 {
            return Err(TransportError::new(TransportErrorKind::Incomplete));
        }
        answer(
            200,
            json!({"cursor": {"name": "c"}, "results": rows}).to_string(),
        )
    });
    assert_eq!(volumes(&script).await.unwrap(), whole(25));
}

#[tokio::test(start_paused = true)]
async fn definitions_of_custom_fields_are_whole_or_an_error() {
    // Definitions are paged by a cursor that no live response was seen to contain, and by a count that may be that of the page.
    for (rows, count, complete) in [
        (1, None, true),
        (3, None, false),
        (3, Some(3), true),
        (10, Some(10), true),
        (10, None, false),
        (10, Some(30), false),
    ] {
        let script = with_token(move |path| {
            let size: usize = parameter(path, "pageSize").unwrap().parse().unwrap();
            let rows: Vec<_> = (0..rows.min(size)).map(|id| json!({"id": id})).collect();
            answer(
                200,
                json!({"page": 1, "pageSize": size, "count": count, "results": rows}).to_string(),
            )
        });
        let pager = script
            .client()
            .custom_fields()
            .list(crate::custom_fields::CustomFieldDefinitionsParams::default().page_size(10));
        let read = pager.collect().await;
        // A page of nine rows with a count of ten proves that the report has ten rows.
        assert_eq!(read.is_ok(), complete, "{rows} {count:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_beside_rows_is_an_error() {
    for body in [
        r#"{"results":null,"resultCode":"FAILURE","errorMessage":"timeout"}"#,
        r#"{"results":[],"error":"permission_denied"}"#,
        r#"{"errorMessage":"timeout","results":[{"deviceId":1},{"deviceId":2}]}"#,
        r#"{"results":[{"deviceId":1}],"errorMessage":{"code":"timeout","params":{}}}"#,
        r#"{"results":[{"deviceId":1}],"result":"FAILURE"}"#,
    ] {
        let script = with_token(move |_| answer(200, body));
        let error = volumes(&script).await.unwrap_err();
        assert_ne!(error.kind(), ErrorKind::Decode, "{body}");
        assert_eq!(error.status(), Some(200), "{body}");
    }
    // The same names inside a row, or without a value, are not an error.
    for body in [
        r#"{"results":[{"deviceId":1,"error":"x","resultCode":"FAILURE"}],"error":null,"errorMessage":null}"#,
        r#"[{"deviceId":1,"errorMessage":"x"}]"#,
    ] {
        let script = with_token(move |_| answer(200, body));
        assert_eq!(volumes(&script).await.unwrap(), [1], "{body}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]
    #[test]
    fn whatever_a_server_gets_wrong_a_report_is_whole_or_an_error(
        rows in 0_usize..320,
        size in proptest::prop_oneof![1_u32..30, 30_u32..400],
        cap in proptest::option::of(2_usize..400),
        lost in proptest::option::of(1_usize..6),
        flags in proptest::array::uniform5(proptest::bool::weighted(0.25)),
    ) {
        let [first_unnamed, unnamed, uncounted, one_unnamed, whole_at_once] = flags;
        let manners = Manners { cap, first_unnamed, unnamed, uncounted, one_unnamed, whole: whole_at_once, lost };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let (read, asked) = runtime.block_on(ill_mannered(rows, size, manners));
        match read {
            Ok(ids) => proptest::prop_assert_eq!(ids, whole(i64::try_from(rows).unwrap())),
            // The client does not read more than ten times the requested rows.
            Err(error) if rows > 10 * size as usize => proptest::prop_assert!(matches!(error.kind(), ErrorKind::Truncated | ErrorKind::LimitExceeded)),
            Err(error) => proptest::prop_assert_eq!(error.kind(), ErrorKind::Truncated),
        }
        let pages = rows / usize::try_from(size).unwrap().min(cap.unwrap_or(rows + 1)).max(1) + 1;
        proptest::prop_assert!(asked.len() <= 3 * pages + 6, "{} requests for {pages} pages", asked.len());
    }
}
