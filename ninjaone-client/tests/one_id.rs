//! A page of many rows of one id costs no more than any other: decoding, comparing and delivering it.
//!
//! Processor time is a process's: this is one test in a binary of its own.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use cpu_time::ProcessTime;
use ninjaone_client::{
    Client, Credentials, Error, RateLimit, Region, Transport, TransportError,
    devices::DevicesParams, queries::VolumesParams,
};

/// What one page may take, in any build. It took minutes when every row was compared with every row before it.
const MOST: Duration = Duration::from_millis(500);

/// Answers the first request with a page, and every other one with an empty page.
#[derive(Debug)]
struct OnePage {
    page: Bytes,
    empty: &'static str,
}

#[async_trait]
impl Transport for OnePage {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let query = request.uri().query().unwrap_or_default();
        let body = if request.uri().path().starts_with("/ws/") {
            Bytes::from_static(br#"{"access_token":"t","expires_in":3600}"#)
        } else if query.contains("after=") || query.contains("cursor=") {
            Bytes::from_static(self.empty.as_bytes())
        } else {
            self.page.clone()
        };
        Ok(http::Response::new(body))
    }
}

fn client(page: String, empty: &'static str) -> Result<Client, Error> {
    let page = OnePage {
        page: page.into(),
        empty,
    };
    Client::builder(
        Region::Eu,
        Credentials::client_credentials("one id", "secret"),
    )
    .transport(Arc::new(page))
    .rate_limit(RateLimit::unlimited())
    .build()
}

/// An array of so many rows.
fn rows(count: usize, row: impl Fn(usize) -> String) -> String {
    let rows: Vec<_> = (0..count).map(row).collect();
    format!("[{}]", rows.join(","))
}

#[tokio::test]
async fn fifty_thousand_rows_of_one_id_cost_less_than_half_a_second() {
    type Row = fn(usize) -> String;
    // The same row, rows that all differ, and rows of two kinds in turn.
    let devices: [Row; 3] = [
        |_| r#"{"id":1,"organizationId":1,"systemName":"A"}"#.to_owned(),
        |row| format!(r#"{{"id":1,"organizationId":1,"systemName":"A {row}"}}"#),
        |row| {
            format!(
                r#"{{"id":1,"organizationId":1,"offline":{}}}"#,
                row % 2 == 0
            )
        },
    ];
    for (kind, row) in devices.into_iter().enumerate() {
        let client = client(rows(10_000, row), "[]").unwrap();
        let began = ProcessTime::now();
        let read = client
            .devices()
            .detailed(DevicesParams::default().page_size(1_000));
        let read = read.collect().await.unwrap();
        let took = began.elapsed();
        println!(
            "10,000 devices of one id, kind {kind}: {} kept, {took:?}",
            read.rows.len()
        );
        assert!(took < MOST, "kind {kind}: {took:?}");
    }
    for different in [false, true] {
        let row = move |row: usize| {
            let name = if different { row } else { 0 };
            format!(r#"{{"deviceId":1,"name":"C:","label":"{name}"}}"#)
        };
        let page = format!(
            r#"{{"cursor":{{"name":"c","offset":0,"count":50000}},"results":{}}}"#,
            rows(50_000, row)
        );
        let client = client(page, r#"{"results":[]}"#).unwrap();
        let began = ProcessTime::now();
        let read = client
            .queries()
            .volumes(VolumesParams::default().page_size(5_000));
        let read = read.collect().await.unwrap();
        let took = began.elapsed();
        println!("50,000 rows of one device, asked for 5,000: {took:?}");
        assert_eq!(read.rows.len(), 50_000);
        assert!(took < MOST, "{took:?}");
    }
}
