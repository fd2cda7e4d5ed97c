//! `fetch` reads what there is.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ninjaone_simulator::{Preset, Tenant, front};
use serde_json::Value;
use time::{OffsetDateTime, macros::datetime};

const NOW: OffsetDateTime = datetime!(2026-11-23 06:30 UTC);

#[tokio::test(flavor = "multi_thread")]
async fn fetch_reads_every_row_whatever_the_page_size() {
    let tenant = Tenant::preset(Preset::Mixed, 3, 250, NOW);
    let devices = tenant.devices().len();
    let sum: i64 = tenant
        .devices()
        .iter()
        .map(|row| row["id"].as_i64().unwrap())
        .sum();
    let volumes = tenant.volumes().len();
    let volume_sum: i64 = tenant
        .volumes()
        .iter()
        .map(|row| row["deviceId"].as_i64().unwrap())
        .sum();
    let id = tenant.client_id().to_owned();
    let secret = tenant.client_secret().to_owned();
    let server = front::tcp::serve(tenant).await.unwrap();
    let url = server.url();
    for (what, n, sum) in [("devices", devices, sum), ("volumes", volumes, volume_sum)] {
        for page_size in ["7", "1000"] {
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_fetch"));
            command
                .args([url.as_str(), what, page_size])
                .env("NINJAONE_CLIENT_ID", &id)
                .env("NINJAONE_CLIENT_SECRET", &secret)
                .env("RUST_LOG", "off")
                .stdin(std::process::Stdio::null());
            let output = tokio::task::spawn_blocking(move || command.output().unwrap())
                .await
                .unwrap();
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            let line: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(
                (line["n"].as_u64(), line["sum"].as_i64()),
                (Some(n as u64), Some(sum)),
                "{what} {page_size}"
            );
            assert!(line["secs"].as_f64().unwrap() > 0.0);
        }
    }
}
