//! Reads every row of one report, a page at a time, and prints how long it took: the benchmark against other clients.
//!
//! `fetch BASE_URL devices|volumes PAGE_SIZE`, credentials as for `regentra`. Without a rate limit: only for a simulator or a private
//! gateway.

#![deny(clippy::print_stderr, clippy::print_stdout)]

use std::{process::ExitCode, time::Instant};

use anyhow::bail;
use clap::{Parser, ValueEnum};
use ninjaone_client::{
    BaseUrl, Client, DeviceId, Pager, RateLimit, devices::DevicesParams, queries::VolumesParams,
};
use quickstart::{credentials, hardening, output};
use serde::de::DeserializeOwned;

/// Reads every row of a report and prints the number of rows, the sum of their device ids and the seconds it took.
#[derive(Debug, Parser)]
struct Cli {
    /// Such as <http://127.0.0.1:8080>.
    base_url: String,
    /// What to read.
    what: What,
    /// Rows per request.
    page_size: u32,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// devices-detailed, all fields kept
    Devices,
    /// the volumes report with BitLocker
    Volumes,
}

// One thread: the work is one request after the other.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    hardening::switch_core_dumps_off();
    match run(Cli::parse()).await.and_then(output::line) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if output::is_closed(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::note(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<String> {
    let client = Client::builder(BaseUrl::parse(&cli.base_url)?, credentials::read()?.into())
        .rate_limit(RateLimit::unlimited())
        .build()?;
    let start = Instant::now();
    let total = match cli.what {
        What::Devices => {
            let params = DevicesParams::default().page_size(cli.page_size);
            read(client.devices().detailed(params), |device| device.id).await?
        }
        What::Volumes => {
            let params = VolumesParams::default()
                .page_size(cli.page_size)
                .bitlocker();
            read(client.queries().volumes(params), |volume| volume.device_id).await?
        }
    };
    let secs = start.elapsed().as_secs_f64();
    Ok(serde_json::json!({"n": total.rows, "sum": total.sum, "secs": secs}).to_string())
}

struct Total {
    rows: u64,
    sum: i64,
}

async fn read<T: DeserializeOwned + Send + 'static>(
    mut pages: Pager<T>,
    id: impl Fn(&T) -> Option<DeviceId>,
) -> anyhow::Result<Total> {
    let mut total = Total { rows: 0, sum: 0 };
    while let Some(page) = pages.next_page().await? {
        if let Some(row) = page.malformed.first() {
            bail!(
                "row {} does not decode (field {})",
                row.position,
                row.field.as_deref().unwrap_or("unknown")
            );
        }
        for row in &page.rows {
            total.rows += 1;
            total.sum += id(row).map_or(0, DeviceId::get);
        }
    }
    Ok(total)
}
