//! Every pair of the simulated tenant's faults over a walk of 10,000 devices: all rows exactly once, or an error that says
//! so.

use std::{sync::Arc, time::Duration};

use ninjaone_client::{
    BaseUrl, Client, Credentials, DeviceId, Error, ErrorKind, Pager, RateLimit, RetryPolicy,
    devices::DevicesParams, queries::VolumesParams,
};
use ninjaone_simulator::{
    ErrorShape, Fault, FaultRule, Malformed, NotAvailable, RetryAfter, Tenant, Trickle,
    front::in_process,
};
use regentra_harness::in_process::InProcess;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use time::macros::datetime;

const DEVICES: i64 = 10_000;

fn faults() -> Vec<Fault> {
    vec![
        Fault::TooManyRequests(RetryAfter::Seconds(2)),
        Fault::TooManyRequests(RetryAfter::HttpDate(Duration::from_secs(3))),
        Fault::TooManyRequests(RetryAfter::Missing),
        Fault::ServiceUnavailable,
        Fault::Error {
            status: 500,
            shape: ErrorShape::ResultCode,
        },
        Fault::Error {
            status: 502,
            shape: ErrorShape::Html,
        },
        Fault::ThrottlePage,
        Fault::TokenDies,
        Fault::Slow(Duration::from_secs(5)),
        Fault::Slow(Duration::from_mins(10)),
        Fault::CutBody { after: 40 },
        Fault::CutBody { after: 20_000 },
        Fault::Trickle(Trickle {
            bytes: 16_384,
            pause: Duration::from_millis(100),
        }),
        Fault::ConnectionReset,
        Fault::FiltersIgnored,
        Fault::NotAvailable(NotAvailable::Forbidden),
        Fault::NotAvailable(NotAvailable::NotLicensed),
        Fault::NotAvailable(NotAvailable::ServerError),
        Fault::NotAvailable(NotAvailable::UserContext),
        Fault::StalledCursor,
        Fault::CountTooLarge { by: 7 },
        Fault::CursorExpired,
        Fault::CursorMissing,
        Fault::CountMissing,
        Fault::PageCapped { rows: 100 },
        Fault::ErrorBesideRows,
        Fault::BareArray,
        Fault::MalformedRow(Malformed::WrongType),
        Fault::MalformedRow(Malformed::NotAnObject),
        Fault::WrongContentType,
        Fault::EmptyBody,
    ]
}

/// 10,000 small rows, so that a walk takes milliseconds.
fn rows(what: &str) -> Vec<Value> {
    (1..=DEVICES)
        .map(|id| match what {
            "devices" => json!({"id": id, "organizationId": 1}),
            _ => json!({"deviceId": id, "name": "C:"}),
        })
        .collect()
}

fn tenant(what: &str) -> Tenant {
    let tenant = Tenant::builder(datetime!(2026-11-23 06:30 UTC))
        .client("pairs", "secret")
        .organizations(&[json!({"id": 1, "name": "One"})]);
    match what {
        "devices" => tenant.devices(&rows(what)).build(),
        _ => tenant.volumes(&rows(what)).build(),
    }
}

/// A new client, and with it a new token.
fn client(front: in_process::Front) -> Client {
    Client::builder(
        BaseUrl::parse(&front.url()).unwrap(),
        Credentials::client_credentials("pairs", "secret"),
    )
    .transport(Arc::new(InProcess::new(front)))
    // Reports of a few thousand rows take several pages.
    .largest_page(1_000)
    .rate_limit(RateLimit::unlimited())
    .retry(RetryPolicy::default().deadline(Duration::from_mins(15)))
    .build()
    .unwrap()
}

/// Ids in the order they came, and how many rows were malformed.
async fn read<T: DeserializeOwned + Send + 'static>(
    mut pager: Pager<T>,
    id_of: fn(&T) -> Option<i64>,
) -> Result<(Vec<i64>, usize), Error> {
    let (mut ids, mut malformed) = (Vec::new(), 0);
    while let Some(page) = pager.next_page().await? {
        // A row of a report that does not say whose it is stays a row: it is for the caller to count.
        malformed += page.malformed.len();
        for row in &page.rows {
            match id_of(row) {
                Some(id) => ids.push(id),
                None => malformed += 1,
            }
        }
    }
    assert!(
        pager
            .completeness()
            .is_some_and(ninjaone_client::Completeness::is_complete)
    );
    Ok((ids, malformed))
}

async fn walk(
    what: &str,
    rules: [FaultRule; 2],
    front: &in_process::Front,
) -> Result<(Vec<i64>, usize), Error> {
    {
        let mut tenant = front.tenant();
        tenant.clear_faults();
        tenant.clear_requests();
        tenant.faults(rules);
    }
    let client = client(front.clone());
    if what == "devices" {
        let pager = client.devices().detailed(DevicesParams::default());
        read(pager, |row| row.id.map(DeviceId::get)).await
    } else {
        let pager = client.queries().volumes(VolumesParams::default());
        read(pager, |row| row.device_id.map(DeviceId::get)).await
    }
}

fn judge(described: &str, result: &Result<(Vec<i64>, usize), Error>) {
    match result {
        Ok((ids, malformed)) => {
            let mut once = ids.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), ids.len(), "{described}: rows came twice");
            let all = usize::try_from(DEVICES).unwrap();
            assert_eq!(
                ids.len() + malformed,
                all,
                "{described}: a list that is short without a word"
            );
        }
        Err(error) => {
            assert!(error.to_string().len() > 40, "{described}: {error}");
            assert_ne!(error.kind(), ErrorKind::Config, "{described}: {error}");
        }
    }
}

/// Faults that lose a page of a report on its way, after which it is read from its beginning: once.
fn loses_the_place(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::CutBody { .. }
            | Fault::ConnectionReset
            | Fault::CursorExpired
            | Fault::EmptyBody
            | Fault::ErrorBesideRows
    ) || *fault == Fault::Slow(Duration::from_mins(10))
}

/// What a report that begins anew cannot be recognised by: its pages have other sizes than before.
fn resizes(fault: &Fault) -> bool {
    matches!(fault, Fault::PageCapped { .. })
}

fn passes(fault: &Fault) -> bool {
    // An empty body that comes once is a lost answer like any other.
    fault.is_survivable() || *fault == Fault::EmptyBody
}

async fn every_pair(what: &'static str) {
    let (faults, front) = (faults(), in_process::serve(tenant(what)));
    let mut survived = 0;
    for (number, one) in faults.iter().enumerate() {
        for other in &faults[number..] {
            // Each once, one after the other.
            let rules = [
                one.clone().starting_at(3).once(),
                other.clone().starting_at(6).once(),
            ];
            let result = walk(what, rules, &front).await;
            let described = format!("{what}: {one:?}, then {other:?}");
            judge(&described, &result);
            let is_lost =
                |one, other| loses_the_place(one) && (loses_the_place(other) || resizes(other));
            let is_lost = what == "volumes" && (is_lost(one, other) || is_lost(other, one));
            if passes(one) && passes(other) && !is_lost {
                let read = result.unwrap_or_else(|error| panic!("{described}: {error}"));
                assert_eq!(read.1, 0, "{described}");
                survived += 1;
            }
            // Again and again, out of step.
            let rules = [
                one.clone().starting_at(2).every(3),
                other.clone().starting_at(3).every(5),
            ];
            judge(
                &format!("{what}: {one:?} and {other:?}, lasting"),
                &walk(what, rules, &front).await,
            );
        }
    }
    assert!(survived > 100, "{survived} pairs of passing faults");
}

#[tokio::test(start_paused = true)]
async fn a_list_of_10_000_devices() {
    every_pair("devices").await;
}

#[tokio::test(start_paused = true)]
async fn a_report_of_10_000_rows() {
    every_pair("volumes").await;
}

#[tokio::test(start_paused = true)]
async fn without_a_fault_nothing_is_missing() {
    for what in ["devices", "volumes"] {
        let never = || Fault::EmptyBody.on("/v2/nothing");
        let (ids, malformed) = walk(what, [never(), never()], &in_process::serve(tenant(what)))
            .await
            .unwrap();
        assert_eq!((ids, malformed), ((1..=DEVICES).collect(), 0));
    }
}
