//! Every combination of server behaviour and number of rows: each list is complete, or there is an error.

use std::{fmt::Write as _, ops::Range, sync::Arc};

use proptest::{
    option,
    prelude::{Just, Strategy, any, prop_oneof},
    prop_assert, prop_assert_eq, prop_assert_ne, proptest,
};
use serde_json::{Value, json};

use crate::{
    Client, Error, ErrorKind, Pager, RetryPolicy, TransportError, TransportErrorKind,
    activities::ActivitiesParams,
    devices::DevicesParams,
    queries::{AntivirusStatusParams, VolumesParams},
    scripted::{Answer, Scripted, answer, parameter, with_token},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Count {
    OfReport,
    OfPage,
    Absent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Offset {
    Before,
    After,
    Absent,
}

/// The cursor of a report's last page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    NoCursor,
    EmptyName,
    /// A cursor that leads to an empty page.
    Cursor,
}

/// How a server pages a report.
#[derive(Debug, Clone, Copy)]
struct Habits {
    rows: usize,
    /// The maximum rows of a page, for any requested size.
    cap: usize,
    /// Some pages have fewer rows.
    uneven: bool,
    count: Count,
    offset: Offset,
    last: Last,
    /// Every page has its own name, by which it can be requested again.
    changing: bool,
    /// The server refuses a cursor after its last page.
    closes: bool,
    /// The response to this request is lost after the cursor advanced.
    lost: Option<usize>,
}

impl Habits {
    fn of(rows: usize) -> Self {
        Self {
            rows,
            cap: 1000,
            uneven: false,
            count: Count::OfReport,
            offset: Offset::Before,
            last: Last::NoCursor,
            changing: false,
            closes: false,
            lost: None,
        }
    }

    /// The maximum rows of a page.
    fn page(&self, request: usize) -> usize {
        let less = if self.uneven { request % 4 } else { 0 };
        self.cap - less * (self.cap / 8)
    }
}

/// A server with this behaviour.
struct Server {
    habits: Habits,
    requests: usize,
    reports: usize,
    /// Position of the cursor; none if the cursor is closed.
    place: Option<usize>,
}

impl Server {
    fn of(habits: Habits) -> Arc<Scripted> {
        let mut server = Self {
            habits,
            requests: 0,
            reports: 0,
            place: None,
        };
        with_token(move |path| server.answer(path))
    }

    fn answer(&mut self, path: &str) -> Answer {
        self.requests += 1;
        let (rows, cap) = (self.habits.rows, self.habits.page(self.requests));
        let size: usize = parameter(path, "pageSize").unwrap().parse().unwrap();
        let Some(begin) = self.begin(parameter(path, "cursor").as_deref()) else {
            return answer(404, r#"{"resultCode":"FAILURE"}"#);
        };
        let page = begin..rows.min(begin + size.min(cap));
        let is_last = page.end == rows;
        self.place = Some(page.end);
        if is_last && self.habits.closes && self.habits.last != Last::Cursor {
            self.place = None;
        }
        if self.habits.lost == Some(self.requests) {
            return Err(TransportError::new(TransportErrorKind::Incomplete));
        }
        answer(200, self.body(page, is_last).to_string())
    }

    fn begin(&mut self, cursor: Option<&str>) -> Option<usize> {
        let Some(name) = cursor else {
            self.reports += 1;
            return Some(0);
        };
        let place = match name.split_once('@') {
            Some((_, place)) => place.parse().unwrap(),
            None => return self.place.filter(|_| name == self.name(0)),
        };
        (!self.habits.closes || self.place == Some(place)).then_some(place)
    }

    fn name(&self, place: usize) -> String {
        if self.habits.changing {
            format!("c-{}@{place}", self.reports)
        } else {
            format!("c-{}", self.reports)
        }
    }

    fn body(&self, page: Range<usize>, is_last: bool) -> Value {
        let rows: Vec<_> = page.clone().map(|id| json!({"deviceId": id})).collect();
        let mut body = json!({"results": rows});
        if is_last && self.habits.last == Last::NoCursor {
            return body;
        }
        let name = if is_last && self.habits.last == Last::EmptyName {
            String::new()
        } else {
            self.name(page.end)
        };
        body["cursor"] = json!({"name": name, "expires": 1_787_901_861.0});
        match self.habits.offset {
            Offset::Before => body["cursor"]["offset"] = page.start.into(),
            Offset::After => body["cursor"]["offset"] = page.end.into(),
            Offset::Absent => {}
        }
        match self.habits.count {
            Count::OfReport => body["cursor"]["count"] = self.habits.rows.into(),
            Count::OfPage => body["cursor"]["count"] = page.len().into(),
            Count::Absent => {}
        }
        body
    }
}

/// Reads a list page by page, and continues after retryable errors.
async fn read<T>(mut pager: Pager<T>, id: fn(&T) -> i64) -> Result<Vec<i64>, Error>
where
    T: serde::de::DeserializeOwned + Send + 'static,
{
    let (mut ids, mut errors) = (Vec::new(), 0);
    loop {
        match pager.next_page().await {
            Ok(Some(page)) => ids.extend(page.rows.iter().map(id)),
            Ok(None) => {
                assert!(pager.completeness().unwrap().is_complete());
                return Ok(ids);
            }
            Err(error) if error.is_retryable() && errors < 3 => errors += 1,
            Err(error) => return Err(error),
        }
    }
}

async fn volumes(client: &Client, size: u32) -> Result<Vec<i64>, Error> {
    let params = VolumesParams::default().page_size(size);
    let pager = client.queries().volumes(params);
    read(pager, |row| row.device_id.unwrap().get()).await
}

/// A list by id, ascending, of devices 1 to `rows`.
fn list(rows: usize, cap: usize, misreads: Misreads) -> Arc<Scripted> {
    with_token(move |path| {
        let size: usize = parameter(path, "pageSize").unwrap().parse().unwrap();
        let after = match parameter(path, "after") {
            Some(after) if misreads != Misreads::Ignored => after.parse::<usize>().unwrap(),
            _ => 0,
        };
        let begin = after + usize::from(misreads != Misreads::Inclusive || after == 0);
        let ids = (begin..=rows).take(size.min(cap));
        let ids: Vec<_> = ids.map(|id| json!({"id": id})).collect();
        answer(200, Value::Array(ids).to_string())
    })
}

/// The activity log, newest first.
fn log(rows: usize, cap: usize, misreads: Misreads) -> Arc<Scripted> {
    with_token(move |path| {
        let size: usize = parameter(path, "pageSize").unwrap().parse().unwrap();
        let end = match parameter(path, "olderThan") {
            Some(id) if misreads == Misreads::Inclusive => id.parse::<usize>().unwrap() + 1,
            Some(id) if misreads != Misreads::Ignored => id.parse().unwrap(),
            _ => rows + 1,
        };
        let ids = (1..end).rev().take(size.min(cap));
        let ids: Vec<_> = ids
            .map(|id| json!({"id": id, "activityTime": 1_700_000_000 + id}))
            .collect();
        answer(200, json!({"activities": ids}).to_string())
    })
}

/// How a server misreads the place from which a list continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Misreads {
    Nothing,
    /// It sends the row at the place again.
    Inclusive,
    /// It sends the beginning of the list again.
    Ignored,
}

fn misreads() -> impl Strategy<Value = Misreads> {
    prop_oneof![
        4 => Just(Misreads::Nothing),
        1 => Just(Misreads::Inclusive),
        1 => Just(Misreads::Ignored),
    ]
}

/// The rows of `pages` pages of a size, give or take a row, limited for tests.
fn rows_of(pages: usize, page: usize, more: i8) -> usize {
    (pages.min(4_000 / page) * page)
        .saturating_add_signed(more.into())
        .min(6_000)
}

fn any_size() -> impl Strategy<Value = usize> {
    prop_oneof![1..=12_usize, 13..=260_usize, 261..=2_000_usize]
}

fn habits() -> impl Strategy<Value = Habits> {
    let words = (
        prop_oneof![
            Just(Count::OfReport),
            Just(Count::OfPage),
            Just(Count::Absent)
        ],
        prop_oneof![
            Just(Offset::Before),
            Just(Offset::After),
            Just(Offset::Absent)
        ],
        prop_oneof![
            Just(Last::NoCursor),
            Just(Last::EmptyName),
            Just(Last::Cursor)
        ],
    );
    let lost = option::weighted(0.4, 1..8_usize);
    (any_size(), words, any::<[bool; 3]>(), lost).prop_map(
        |(cap, (count, offset, last), [changing, closes, uneven], lost)| Habits {
            rows: 0,
            cap,
            uneven,
            count,
            offset,
            last,
            changing,
            closes,
            lost,
        },
    )
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(work)
}

#[test]
fn a_last_page_that_comes_again_in_another_size_doubles_no_row() {
    let habits = Habits {
        rows: 76,
        cap: 24,
        uneven: true,
        count: Count::OfPage,
        offset: Offset::Absent,
        changing: true,
        ..Habits::of(0)
    };
    let client = Server::of(habits).client();
    let error = block_on(volumes(&client, 22)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated);
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(384))]

    #[test]
    fn whatever_the_habits_of_a_server_a_report_is_whole_or_an_error(
        habits in habits(),
        size in any_size(),
        (pages, more) in (0..14_usize, -1..=1_i8),
        keeps_trying in any::<bool>(),
        collects in any::<bool>(),
    ) {
        let page = size.min(habits.page(3));
        let habits = Habits { rows: rows_of(pages, page, more), ..habits };
        let script = Server::of(habits);
        let retry = if keeps_trying { RetryPolicy::default() } else { RetryPolicy::none() };
        let client = script.builder().retry(retry).build().unwrap();
        let size = u32::try_from(size).unwrap();
        let read = block_on(async {
            if collects && keeps_trying {
                let params = VolumesParams::default().page_size(size);
                let read = client.queries().volumes(params).collect().await?;
                return Ok(read.rows.iter().map(|row| row.device_id.unwrap().get()).collect());
            }
            volumes(&client, size).await
        });
        let expected: Vec<_> = (0..i64::try_from(habits.rows).unwrap()).collect();
        match read {
            Ok(ids) => prop_assert_eq!(ids, expected),
            Err(error) => {
                prop_assert_eq!(error.kind(), ErrorKind::Truncated);
                // A page that is requested by its name again, and has other rows, fits nowhere.
                let is_odd = habits.changing && habits.uneven;
                prop_assert!(habits.lost.is_some() || is_odd, "a report that can be read is read: {}", error);
            }
        }
        let pages = habits.rows.div_ceil(page);
        let asked = script.asked().len();
        let is_disturbed = habits.lost.is_some() || (habits.changing && habits.uneven);
        let (times, retries) = if is_disturbed { (2, 6) } else { (1, 0) };
        // A full last page whose cursor is no longer valid is read twice before it counts as the last.
        let times = times.max(1 + usize::from(habits.closes));
        prop_assert!(asked <= times * (pages + 2) + retries, "{} requests for {} pages", asked, pages);
    }

    #[test]
    fn whatever_the_size_of_its_pages_a_list_by_id_is_whole_or_an_error(
        cap in any_size(),
        size in 1..=1_000_usize,
        (pages, more) in (0..14_usize, -1..=1_i8),
        misreads in misreads(),
    ) {
        let page = size.min(cap);
        let rows = rows_of(pages, page, more);
        let script = list(rows, cap, misreads);
        let params = DevicesParams::default().page_size(u32::try_from(size).unwrap());
        let pager = script.client().devices().list(params);
        let read = block_on(read(pager, |row| row.id.unwrap().get()));
        match read {
            Ok(ids) => {
                prop_assert_eq!(ids, (1..=i64::try_from(rows).unwrap()).collect::<Vec<_>>());
                prop_assert_eq!(script.asked().len(), rows.div_ceil(page) + 1);
            }
            Err(error) => {
                prop_assert_eq!(error.kind(), ErrorKind::Truncated);
                prop_assert_ne!(misreads, Misreads::Nothing);
            }
        }
    }

    #[test]
    fn whatever_the_size_of_its_pages_the_activity_log_is_whole_or_an_error(
        cap in any_size(),
        size in 10..=1_000_usize,
        (pages, more) in (0..14_usize, -1..=1_i8),
        misreads in misreads(),
    ) {
        let page = size.min(cap);
        let rows = rows_of(pages, page, more);
        let script = log(rows, cap, misreads);
        let params = ActivitiesParams::default().page_size(u32::try_from(size).unwrap());
        let pager = script.client().activities().list(params);
        let read = block_on(read(pager, |row| row.id.unwrap().get()));
        match read {
            Ok(ids) => {
                prop_assert_eq!(ids, (1..=i64::try_from(rows).unwrap()).rev().collect::<Vec<_>>());
                prop_assert_eq!(script.asked().len(), rows.div_ceil(page) + 1);
            }
            Err(error) => {
                prop_assert_eq!(error.kind(), ErrorKind::Truncated);
                prop_assert_ne!(misreads, Misreads::Nothing);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_count_of_the_rows_of_a_page_ends_no_report() {
    // Past fault: the first 1,000 of 20,000 volumes were taken for all, because their page had a count of 1,000.
    for offset in [Offset::Before, Offset::After, Offset::Absent] {
        for last in [Last::NoCursor, Last::EmptyName, Last::Cursor] {
            let script = Server::of(Habits {
                count: Count::OfPage,
                offset,
                last,
                ..Habits::of(20_000)
            });
            let ids = volumes(&script.client(), 1000).await.unwrap();
            assert_eq!(ids, (0..20_000).collect::<Vec<_>>());
            assert_eq!(script.asked().len(), 21);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_count_means_is_learned_once_and_for_each_report() {
    // The client learns from one read of several pages. A page whose count equals its own number of rows shows nothing.
    let rows = |path: &str| {
        if parameter(path, "df").is_some() {
            5
        } else {
            25
        }
    };
    for (count, learned) in [(Count::OfReport, 1), (Count::OfPage, 2)] {
        let script = with_token(move |path| {
            let mut server = Server {
                habits: Habits {
                    count,
                    last: Last::Cursor,
                    changing: true,
                    ..Habits::of(rows(path))
                },
                requests: 0,
                reports: 0,
                place: None,
            };
            server.answer(path)
        });
        let client = script.client();
        let one_page = async |client: &Client| {
            let before = script.asked().len();
            let filter = crate::DeviceFilter::organization(crate::OrganizationId::new(1));
            let params = VolumesParams::default().page_size(10).filter(filter);
            let read = client.queries().volumes(params).collect().await.unwrap();
            assert_eq!(read.rows.len(), 5);
            script.asked().len() - before
        };
        assert_eq!(one_page(&client).await, 2, "nothing is known yet");
        assert_eq!(volumes(&client, 10).await.unwrap().len(), 25);
        assert_eq!(one_page(&client).await, learned, "{count:?}");
        let clone = client.in_lane(crate::Lane::Sweep);
        assert_eq!(one_page(&clone).await, learned, "{count:?}");
        // The count of one report proves nothing about another report.
        let before = script.asked().len();
        let filter = crate::DeviceFilter::organization(crate::OrganizationId::new(1));
        let params = AntivirusStatusParams::default().filter(filter);
        let read = client.queries().antivirus_status(params).collect().await;
        assert_eq!(read.unwrap().rows.len(), 5);
        assert_eq!(script.asked().len() - before, 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_count_that_changes_while_it_is_paged_ends_nothing() {
    // Rows are added and removed meanwhile. On a page in the middle, the count happens to equal the rows read so far.
    for counts in [[40, 15, 30, 30], [14, 20, 24, 30], [31, 15, 24, 29]] {
        let mut pages = [0..9, 9..15, 15..24, 24..30, 30..30]
            .into_iter()
            .zip(counts.into_iter().chain([30]));
        let script = with_token(move |_| {
            let (page, count) = pages.next().unwrap();
            let rows: Vec<_> = page.map(|id| json!({"deviceId": id})).collect();
            let body = json!({"cursor": {"name": "c", "count": count}, "results": rows});
            answer(200, body.to_string())
        });
        let read = volumes(&script.client(), 9).await.unwrap();
        assert_eq!(read.len(), 30, "{counts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_count_of_the_rows_left_is_no_total() {
    // The count is larger than the rows of the first page, like a total. Later it equals the rows of a page that others follow.
    let script = with_token(|path| {
        let (rows, cap) = match parameter(path, "df") {
            Some(_) => (10, 5),
            None => (35, 10),
        };
        let begin = parameter(path, "cursor").map_or(0, |place| place.parse::<usize>().unwrap());
        let page = begin..rows.min(begin + cap);
        let cursor = json!({"name": page.end.to_string(), "count": rows - page.end});
        let rows: Vec<_> = page.map(|id| json!({"deviceId": id})).collect();
        answer(200, json!({"cursor": cursor, "results": rows}).to_string())
    });
    let client = script.client();
    assert_eq!(volumes(&client, 10).await.unwrap().len(), 35);
    let filter = crate::DeviceFilter::organization(crate::OrganizationId::new(1));
    let params = VolumesParams::default().page_size(10).filter(filter);
    let read = client.queries().volumes(params).collect().await.unwrap();
    assert_eq!(read.rows.len(), 10);
}

/// Reads a report that sends the pages `before`, then refuses its cursor, and sends the pages `after` when it restarts.
async fn begun_anew(
    size: u32,
    before: &[(Range<usize>, Value)],
    after: &[(Range<usize>, Value)],
) -> Result<Vec<i64>, Error> {
    let body = |(page, cursor): &(Range<usize>, Value)| {
        let rows: Vec<_> = page.clone().map(|id| json!({"deviceId": id})).collect();
        let mut body = json!({"results": rows});
        if !cursor.is_null() {
            body["cursor"] = cursor.clone();
        }
        answer(200, body.to_string())
    };
    let mut answers: Vec<_> = before.iter().map(body).collect();
    answers.push(answer(404, r#"{"resultCode":"FAILURE"}"#));
    answers.extend(after.iter().map(body));
    let mut answers = answers.into_iter();
    let script = with_token(move |_| answers.next().unwrap());
    let params = VolumesParams::default().page_size(size);
    let mut pager = script.client().queries().volumes(params);
    let mut ids = Vec::new();
    while let Some(page) = pager.next_page().await? {
        ids.extend(page.rows.iter().map(|row| row.device_id.unwrap().get()));
    }
    Ok(ids)
}

#[tokio::test(start_paused = true)]
async fn a_report_that_is_shorter_after_it_began_anew_is_an_error() {
    let cursor = || json!({"name": "c", "count": 25});
    let pages = [(0..10, cursor()), (10..20, cursor())];
    // Of the twenty delivered rows, ten remain.
    let error = begun_anew(20, &pages, &[(0..10, json!({"name": "", "count": 10}))]).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Truncated);
}

#[tokio::test(start_paused = true)]
async fn a_cursor_that_is_missing_after_a_report_began_anew_is_no_end() {
    let named = [(0..10, json!({"name": "c"}))];
    let nameless = || (0..10, Value::Null);
    let error = begun_anew(100, &named, &[nameless(), nameless()]).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Truncated);
}

#[tokio::test(start_paused = true)]
async fn a_cursor_that_wraps_around_is_stalled_and_no_longer_list() {
    let mut answers = 0;
    let script = with_token(move |_| {
        answers += 1;
        let begin = answers % 3 * 10;
        let rows: Vec<_> = (begin..begin + 10)
            .map(|id| json!({"deviceId": id}))
            .collect();
        let body = json!({"cursor": {"name": "c"}, "results": rows});
        answer(200, body.to_string())
    });
    let pager = script
        .client()
        .queries()
        .volumes(VolumesParams::default().page_size(10));
    let error = pager.collect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated);
    assert!(error.to_string().contains("does not move on"));
    assert_eq!(script.asked().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_repeats_is_stalled_even_where_its_offset_moves_on() {
    let mut answers = 0;
    let script = with_token(move |_| {
        let rows: Vec<_> = (0..10).map(|id| json!({"deviceId": id})).collect();
        let cursor = json!({"name": "c", "offset": answers * 10, "count": 30});
        answers += 1;
        answer(200, json!({"cursor": cursor, "results": rows}).to_string())
    });
    let pager = script
        .client()
        .queries()
        .volumes(VolumesParams::default().page_size(10));
    let error = pager.collect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated);
}

const BEGIN: &str = "<!-- requests: ";
const END: &str = "<!-- end of requests -->";

/// The table of requests for lists by number of rows, with the page size that the client begins with.
async fn requests_table() -> String {
    const ROWS: [usize; 8] = [0, 1, 2, 1_000, 1_001, 5_000, 5_001, 20_000];
    let mut table = String::from("| |");
    for rows in ROWS {
        let thousands = rows / 1_000;
        let rest = rows % 1_000;
        if thousands > 0 {
            write!(table, " {thousands},{rest:03} |").unwrap();
        } else {
            write!(table, " {rest} |").unwrap();
        }
    }
    table.push_str("\n|---|");
    table.push_str(&"---:|".repeat(ROWS.len()));
    table.push('\n');
    let report = |rows, count, last| {
        Server::of(Habits {
            cap: 10_000,
            count,
            last,
            ..Habits::of(rows)
        })
    };
    let read = async |script: Arc<Scripted>| {
        let pager = script.client().queries().volumes(VolumesParams::default());
        pager.collect().await.unwrap().rows.len()
    };
    let mut line = |name: &str, requests: &[usize]| {
        write!(table, "| {name} |").unwrap();
        for requests in requests {
            write!(table, " {requests} |").unwrap();
        }
        table.push('\n');
    };
    let (mut by_id, mut backwards) = (Vec::new(), Vec::new());
    for rows in ROWS {
        let script = list(rows, rows.max(1), Misreads::Nothing);
        let pager = script.client().devices().list(DevicesParams::default());
        assert_eq!(pager.collect().await.unwrap().rows.len(), rows);
        by_id.push(script.asked().len());
        let script = log(rows, rows.max(1), Misreads::Nothing);
        let params = ActivitiesParams::default();
        let pager = script.client().activities().list(params);
        assert_eq!(pager.collect().await.unwrap().rows.len(), rows);
        backwards.push(script.asked().len());
    }
    line("list by id", &by_id);
    line("activity log", &backwards);
    for (name, count, last) in [
        (
            "report, `count` is a total, no cursor on the last page",
            Count::OfReport,
            Last::NoCursor,
        ),
        (
            "report, `count` is a total, a cursor on every page",
            Count::OfReport,
            Last::Cursor,
        ),
        (
            "report, `count` is that of the page or absent, no cursor on the last page",
            Count::OfPage,
            Last::NoCursor,
        ),
        (
            "report, `count` is that of the page or absent, a cursor on every page",
            Count::OfPage,
            Last::Cursor,
        ),
    ] {
        let mut requests = Vec::new();
        for rows in ROWS {
            let script = report(rows, count, last);
            assert_eq!(read(Arc::clone(&script)).await, rows);
            requests.push(script.asked().len());
            if count == Count::OfPage {
                let script = report(rows, Count::Absent, last);
                assert_eq!(read(Arc::clone(&script)).await, rows);
                assert_eq!(requests.last(), Some(&script.asked().len()));
            }
        }
        line(name, &requests);
    }
    table
}

#[tokio::test(start_paused = true)]
async fn the_readme_says_what_a_list_costs() {
    let readme = include_str!("../../../README.md");
    let begin = readme.find(BEGIN).unwrap();
    let begin = begin + readme.split_at(begin).1.find('\n').unwrap() + 1;
    let end = readme.find(END).unwrap();
    let (before, rest) = readme.split_at(begin);
    let (written, after) = rest.split_at(end - begin);
    let table = requests_table().await;
    if written.trim() != table.trim() {
        if std::env::var_os("UPDATE_README").is_some() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
            std::fs::write(path, format!("{before}\n{table}\n{after}")).unwrap();
        }
        panic!(
            "the table of requests is out of date: UPDATE_README=1 cargo test -p ninjaone-client --lib what_a_list_costs"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_without_a_cursor_that_is_smaller_than_a_whole_one_costs_one_request() {
    let server = Server {
        habits: Habits::of(0),
        requests: 0,
        reports: 0,
        place: None,
    };
    let server = Arc::new(std::sync::Mutex::new(server));
    let script = with_token({
        let server = Arc::clone(&server);
        move |path| server.lock().unwrap().answer(path)
    });
    let client = script.client();
    for (rows, requests) in [
        (20, 2),
        (19, 1),
        (20, 2),
        (7, 1),
        (21, 2),
        (20, 1),
        (999, 2),
        (998, 1),
    ] {
        server.lock().unwrap().habits.rows = rows;
        let before = script.asked().len();
        let read = client
            .queries()
            .volumes(VolumesParams::default().page_size(1000))
            .collect();
        assert_eq!(read.await.unwrap().rows.len(), rows);
        assert_eq!(script.asked().len() - before, requests, "{rows}");
    }
}

proptest! {
    /// What the client learned from small reports never truncates a larger one.
    #[test]
    fn a_server_that_cuts_without_a_word_is_found_out_after_any_reports_before(
        cap in 2_usize..60,
        reports in proptest::collection::vec(0_usize..120, 1..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let rows_there = Arc::new(std::sync::Mutex::new(0));
        let script = with_token({
            let rows_there = Arc::clone(&rows_there);
            move |path| {
                let size: usize = parameter(path, "pageSize").unwrap().parse().unwrap();
                let rows = *rows_there.lock().unwrap();
                // The server sends a cursor if the requested page is full, and none if its own limit cuts the page.
                let begin: usize = parameter(path, "cursor").map_or(0, |place| place.parse().unwrap());
                let end = rows.min(begin + size.min(cap));
                let rows_sent: Vec<_> = (begin..end).map(|id| json!({"deviceId": id})).collect();
                let mut body = json!({"results": rows_sent});
                if end < rows && size <= cap {
                    body["cursor"] = json!({"name": end.to_string(), "offset": begin});
                }
                answer(200, body.to_string())
            }
        });
        let client = script.client();
        for rows in reports {
            *rows_there.lock().unwrap() = rows;
            let read = client.queries().volumes(VolumesParams::default().page_size(1000)).collect();
            if let Ok(read) = runtime.block_on(read) {
                prop_assert_eq!(read.rows.len(), rows, "cap {}", cap);
            }
        }
    }
}
