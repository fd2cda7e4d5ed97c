//! What the client costs beside the two things one would write without it.
//!
//! ```sh
//! cargo run --release -p ninjaone-client --example compare -- \
//!     client|plain|value devices|volumes BASE_URL [PAGE_SIZE]
//! ```
//!
//! Client id and secret come from `NINJAONE_CLIENT_ID` and `NINJAONE_CLIENT_SECRET`. Prints rows, the sum of their device
//! ids, CPU seconds and the peak of resident memory, as Linux counts them. `plain` and `value` are happy paths: no limits, no
//! retries, no checks. Without a page size pages have the size that the client begins with: 1,000 devices, 5,000 volumes.

mod plain;

use std::time::Instant;

use ninjaone_client::{
    BaseUrl, Client, Credentials, DeviceId, RateLimit, devices::DevicesParams,
    queries::VolumesParams,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

type Failure = Box<dyn std::error::Error>;

/// Rows, and the sum of their device ids.
type Total = (usize, i64);

// One thread: the work is one request after the other.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [how, what, base, rest @ ..] = arguments.as_slice() else {
        return Err(
            "usage: compare client|plain|value devices|volumes BASE_URL [PAGE_SIZE]".into(),
        );
    };
    let usual = if what == "devices" { 1_000 } else { 5_000 };
    let size = rest.first().map_or(Ok(usual), |size| size.parse())?;
    let (id, secret) = (
        std::env::var("NINJAONE_CLIENT_ID")?,
        std::env::var("NINJAONE_CLIENT_SECRET")?,
    );
    let began = Instant::now();
    let (rows, sum) = match (how.as_str(), what.as_str()) {
        ("client", what) => with_client(what, base, size, &id, &secret).await?,
        ("plain", "devices") => {
            devices(base, size, &id, &secret, |row: &plain::Device| row.id).await?
        }
        ("plain", _) => {
            volumes(base, size, &id, &secret, |row: &plain::Volume| {
                row.device_id
            })
            .await?
        }
        ("value", "devices") => {
            devices(base, size, &id, &secret, |row: &Value| row["id"].as_i64()).await?
        }
        _ => {
            volumes(base, size, &id, &secret, |row: &Value| {
                row["deviceId"].as_i64()
            })
            .await?
        }
    };
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{how} {what}: n={rows} sum={sum} secs={seconds:.3} cpu={:.2} peak_kib={}",
        cpu_seconds()?,
        peak_kib()?
    );
    Ok(())
}

async fn with_client(
    what: &str,
    base: &str,
    size: u32,
    id: &str,
    secret: &str,
) -> Result<Total, Failure> {
    let client = Client::builder(
        BaseUrl::parse(base)?,
        Credentials::client_credentials(id, secret),
    )
    .rate_limit(RateLimit::unlimited())
    .build()?;
    let mut total = (0, 0);
    if what == "devices" {
        let mut pages = client
            .devices()
            .detailed(DevicesParams::default().page_size(size));
        while let Some(page) = pages.next_page().await? {
            add(
                &mut total,
                page.rows.iter().map(|row| row.id.map(DeviceId::get)),
            );
        }
    } else {
        let mut pages = client
            .queries()
            .volumes(VolumesParams::default().page_size(size).bitlocker());
        while let Some(page) = pages.next_page().await? {
            add(
                &mut total,
                page.rows.iter().map(|row| row.device_id.map(DeviceId::get)),
            );
        }
    }
    Ok(total)
}

fn add(total: &mut Total, ids: impl Iterator<Item = Option<i64>>) {
    for id in ids {
        total.0 += 1;
        total.1 += id.unwrap_or(0);
    }
}

async fn authorized(
    base: &str,
    id: &str,
    secret: &str,
) -> Result<(reqwest::Client, String), Failure> {
    #[derive(Deserialize)]
    struct Token {
        access_token: String,
    }
    let http = reqwest::Client::builder().no_proxy().build()?;
    let form = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("grant_type", "client_credentials"),
            ("client_id", id),
            ("client_secret", secret),
            ("scope", "monitoring"),
        ])
        .finish();
    let answer = http
        .post(format!("{base}/ws/oauth/token"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form)
        .send()
        .await?;
    let token: Token = serde_json::from_slice(&answer.error_for_status()?.bytes().await?)?;
    Ok((http, token.access_token))
}

async fn devices<T: DeserializeOwned>(
    base: &str,
    size: u32,
    id: &str,
    secret: &str,
    id_of: impl Fn(&T) -> Option<i64>,
) -> Result<Total, Failure> {
    let (http, token) = authorized(base, id, secret).await?;
    let (mut total, mut after) = ((0, 0), 0);
    loop {
        let url = format!("{base}/v2/devices-detailed?pageSize={size}&after={after}");
        let answer = http
            .get(url)
            .bearer_auth(&token)
            .send()
            .await?
            .error_for_status()?;
        let rows: Vec<T> = serde_json::from_slice(&answer.bytes().await?)?;
        add(&mut total, rows.iter().map(&id_of));
        after = rows.iter().filter_map(&id_of).max().unwrap_or(after);
        if rows.len() < usize::try_from(size)? {
            return Ok(total);
        }
    }
}

async fn volumes<T: DeserializeOwned>(
    base: &str,
    size: u32,
    id: &str,
    secret: &str,
    id_of: impl Fn(&T) -> Option<i64>,
) -> Result<Total, Failure> {
    #[derive(Deserialize)]
    struct Cursor {
        name: String,
        count: usize,
    }
    #[derive(Deserialize)]
    struct Report<T> {
        cursor: Option<Cursor>,
        results: Vec<T>,
    }
    let (http, token) = authorized(base, id, secret).await?;
    let (mut total, mut cursor) = ((0, 0), String::new());
    loop {
        let url = format!("{base}/v2/queries/volumes?include=bl&pageSize={size}{cursor}");
        let answer = http
            .get(url)
            .bearer_auth(&token)
            .send()
            .await?
            .error_for_status()?;
        let report: Report<T> = serde_json::from_slice(&answer.bytes().await?)?;
        add(&mut total, report.results.iter().map(&id_of));
        match report.cursor {
            Some(next) if total.0 < next.count => cursor = format!("&cursor={}", next.name),
            _ => return Ok(total),
        }
    }
}

/// User and system time of this process. Linux counts in hundredths of a second.
fn cpu_seconds() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The name of the program may hold spaces; behind its closing parenthesis all is numbers.
    let fields: Vec<_> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |field: usize| -> Result<f64, Failure> {
        Ok(fields.get(field).ok_or("no such field")?.parse()?)
    };
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}

/// The most memory that was resident at a time.
fn peak_kib() -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .ok_or("no VmHWM")?;
    Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse()?)
}
