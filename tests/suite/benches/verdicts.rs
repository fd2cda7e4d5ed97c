//! One large customer, from the pages of the reports to five signals, beside the floor: decoding the same pages.
//!
//! ```console
//! $ cargo bench --package regentra-suite --bench verdicts
//! ```
//!
//! 10,000 devices as devices-detailed sends them, 20,000 volumes, 12,000 antivirus rows, 50,000 patch rows and 40,000 activities, in
//! pages of 1,000. Processor time is the process's own, the least of several rounds; heap is the peak beyond the pages themselves,
//! one page's bytes and rows included, as a client holds them.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot go on stops"
)]

use std::time::Duration;

use cpu_time::ProcessTime;
use ninjaone_client::models::{Activity, AntivirusStatus, Device, OsPatch, SoftwarePatch, Volume};
use ninjaone_simulator::{Preset, Report, Tenant};
use peak_alloc::PeakAlloc;
use regentra_evidence::{
    AntivirusPosture, BackupActivity, DiskEncryption, Fleet, PatchSla, ReportState, Signal,
    device_inventory,
};
use regentra_sync::ninjaone::facts::{
    antivirus_posture, backup_activity, device_inventory as devices, disk_encryption,
    patch_sla::{self, PatchReport},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use time::{OffsetDateTime, macros::datetime};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const NOW: OffsetDateTime = datetime!(2026-11-23 06:30 UTC);
const DEVICES: usize = 10_000;
const ROUNDS: usize = 7;

/// The reports as pages of JSON.
struct Pages {
    devices: Vec<Vec<u8>>,
    volumes: Vec<Vec<u8>>,
    antivirus: Vec<Vec<u8>>,
    os_pending: Vec<Vec<u8>>,
    os_installs: Vec<Vec<u8>>,
    software_pending: Vec<Vec<u8>>,
    software_installs: Vec<Vec<u8>>,
    activities: Vec<Vec<u8>>,
}

impl Pages {
    fn all(&self) -> [&Vec<Vec<u8>>; 8] {
        [
            &self.devices,
            &self.volumes,
            &self.antivirus,
            &self.os_pending,
            &self.os_installs,
            &self.software_pending,
            &self.software_installs,
            &self.activities,
        ]
    }

    fn bytes(&self) -> usize {
        self.all().into_iter().flatten().map(Vec::len).sum()
    }
}

/// Exactly so many rows: those of the tenant, and again with another identity until there are enough.
fn pages(rows: &[Value], count: usize, another: fn(&mut Value, usize)) -> Vec<Vec<u8>> {
    let rows: Vec<Value> = (0..count)
        .map(|index| {
            let mut row = rows[index % rows.len()].clone();
            let round = index / rows.len();
            if round > 0 {
                another(&mut row, round);
            }
            row
        })
        .collect();
    rows.chunks(1000)
        .map(|page| serde_json::to_vec(page).expect("rows are JSON"))
        .collect()
}

fn furnish() -> Pages {
    let tenant = Tenant::builder(NOW)
        .organization_count(1)
        .preset(Preset::Mixed, 7, DEVICES)
        .build();
    let new_id = |row: &mut Value, round: usize| {
        row["id"] = json!(format!("{}-{round}", row["id"]));
    };
    Pages {
        devices: pages(tenant.devices(), DEVICES, |_, _| ()),
        volumes: pages(tenant.report(Report::Volumes), 20_000, |row, round| {
            row["name"] = json!(format!(
                "{}:",
                char::from(b'D' + u8::try_from(round % 20).unwrap_or(0))
            ));
        }),
        antivirus: pages(tenant.report(Report::AntivirusStatus), 12_000, |_, _| ()),
        os_pending: pages(tenant.report(Report::OsPatches), 20_000, new_id),
        os_installs: pages(tenant.report(Report::OsPatchInstalls), 20_000, new_id),
        software_pending: pages(tenant.report(Report::SoftwarePatches), 5_000, new_id),
        software_installs: pages(tenant.report(Report::SoftwarePatchInstalls), 5_000, new_id),
        activities: pages(tenant.activities(), 40_000, |row, round| {
            row["id"] = json!(
                row["id"].as_i64().unwrap_or(0) + 10_000_000 * i64::try_from(round).unwrap_or(0)
            );
        }),
    }
}

/// A page as a client holds it while it is read, and its rows.
fn rows<T: DeserializeOwned>(page: &[u8]) -> Vec<T> {
    let body = page.to_vec();
    serde_json::from_slice(&body).expect("pages decode")
}

/// From pages to signals.
fn judge(pages: &Pages) -> Vec<Signal> {
    let mut fleet = Fleet::builder(NOW);
    for page in &pages.devices {
        for row in rows::<Device>(page) {
            fleet.observe(devices::device(&row).expect("devices have ids"));
        }
    }
    let fleet = fleet.build();
    let answered = ReportState::answered();

    let mut disk = DiskEncryption::new(fleet.clone());
    for page in &pages.volumes {
        for row in rows::<Volume>(page) {
            if let Ok(fact) = disk_encryption::volume(&row) {
                let _ = fact.observe(&mut disk);
            }
        }
    }
    let disk = disk.finish(answered);

    let mut antivirus = AntivirusPosture::new(fleet.clone());
    for page in &pages.antivirus {
        for row in rows::<AntivirusStatus>(page) {
            if let Ok(fact) = antivirus_posture::product(&row) {
                let _ = antivirus.observe(fact);
            }
        }
    }
    let antivirus = antivirus.finish(answered, None);

    let mut patches = PatchSla::new(fleet.clone());
    for (report, pages) in [
        (PatchReport::Pending, &pages.os_pending),
        (PatchReport::Installs, &pages.os_installs),
    ] {
        for page in pages {
            for row in rows::<OsPatch>(page) {
                if let Ok(facts) = patch_sla::os_patch(&row, report) {
                    let _ = facts.observe(&mut patches);
                }
            }
        }
    }
    for (report, pages) in [
        (PatchReport::Pending, &pages.software_pending),
        (PatchReport::Installs, &pages.software_installs),
    ] {
        for page in pages {
            for row in rows::<SoftwarePatch>(page) {
                if let Ok(facts) = patch_sla::software_patch(&row, report) {
                    let _ = facts.observe(&mut patches);
                }
            }
        }
    }
    let patches = patches.finish(answered, answered);

    let mut backups = BackupActivity::new(fleet.clone());
    for page in &pages.activities {
        for row in rows::<Activity>(page) {
            if let Ok(Some(fact)) = backup_activity::backup(&row) {
                let _ = backups.observe(fact);
            }
        }
    }
    let backups = backups.finish(answered);
    vec![
        disk,
        antivirus,
        patches,
        backups,
        device_inventory::finish(&fleet),
    ]
}

/// The floor: the same pages into the same models, and one field summed.
fn floor(pages: &Pages) -> i64 {
    fn sum<T: DeserializeOwned>(pages: &[Vec<u8>], field: fn(&T) -> Option<i64>) -> i64 {
        pages
            .iter()
            .flat_map(|page| rows::<T>(page))
            .filter_map(|row| field(&row))
            .sum()
    }
    let os = |row: &OsPatch| row.device_id.map(ninjaone_client::DeviceId::get);
    let software = |row: &SoftwarePatch| row.device_id.map(ninjaone_client::DeviceId::get);
    sum::<Device>(&pages.devices, |row| {
        row.id.map(ninjaone_client::DeviceId::get)
    }) + sum::<Volume>(&pages.volumes, |row| {
        row.device_id.map(ninjaone_client::DeviceId::get)
    }) + sum::<AntivirusStatus>(&pages.antivirus, |row| {
        row.device_id.map(ninjaone_client::DeviceId::get)
    }) + sum(&pages.os_pending, os)
        + sum(&pages.os_installs, os)
        + sum(&pages.software_pending, software)
        + sum(&pages.software_installs, software)
        + sum::<Activity>(&pages.activities, |row| {
            row.device_id.map(ninjaone_client::DeviceId::get)
        })
}

/// A lower floor that keeps nothing: one field of each row decoded, the rest skipped.
fn bare_floor(pages: &Pages) -> i64 {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Row {
        id: Option<serde::de::IgnoredAny>,
        device_id: Option<i64>,
    }
    pages
        .all()
        .into_iter()
        .flatten()
        .flat_map(|page| rows::<Row>(page))
        .filter_map(|row| row.id.and(row.device_id))
        .sum()
}

/// Processor time and peak heap of one round.
fn measure<T>(work: impl FnOnce() -> T) -> (T, Duration, usize) {
    HEAP.reset_peak_usage();
    let (before, start) = (HEAP.current_usage(), ProcessTime::now());
    let result = work();
    (
        result,
        start.elapsed(),
        HEAP.peak_usage().saturating_sub(before),
    )
}

fn main() {
    let pages = furnish();
    println!(
        "{:.1} MB of JSON in {} pages",
        megabytes(pages.bytes()),
        pages.all().into_iter().map(Vec::len).sum::<usize>()
    );
    let mut least = [Duration::MAX; 3];
    let mut peaks = [0; 3];
    let mut signals = Vec::new();
    for _ in 0..ROUNDS {
        let (own, time, peak) = measure(|| judge(&pages));
        (least[0], peaks[0], signals) = (least[0].min(time), peaks[0].max(peak), own);
        let (sum, time, peak) = measure(|| floor(&pages));
        assert_ne!(sum, 0);
        (least[1], peaks[1]) = (least[1].min(time), peaks[1].max(peak));
        let (sum, time, peak) = measure(|| bare_floor(&pages));
        assert_ne!(sum, 0);
        (least[2], peaks[2]) = (least[2].min(time), peaks[2].max(peak));
    }
    for (index, name) in [
        "pages to five signals",
        "floor: same models, one field summed",
        "bare floor: one field decoded",
    ]
    .into_iter()
    .enumerate()
    {
        println!(
            "{name:<38} {:>7.1} ms CPU  {:>5.2}x  {:>6.1} MiB peak heap",
            least[index].as_secs_f64() * 1000.0,
            least[0].as_secs_f64() / least[index].as_secs_f64(),
            mebibytes(peaks[index]),
        );
    }
    for signal in signals {
        println!(
            "{}: {} {:?}",
            signal.kind(),
            signal.status,
            signal.metadata.scope()
        );
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure to be read by people")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "a figure to be read by people")]
fn mebibytes(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
