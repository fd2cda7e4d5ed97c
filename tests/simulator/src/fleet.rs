//! Fleets made from a preset, a seed and a size: rows as live tenants send them, with their oddities.

mod activities;
mod antivirus;
mod backups;
mod custom_fields;
pub(crate) mod derived;
mod devices;
mod machine;
mod organizations;
mod patches;
pub(crate) mod scale;
mod volumes;

use std::collections::BTreeMap;

pub(crate) use devices::summary;
use machine::Machine;
use scale::Scale;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{
    canary::Canaries,
    preset::{Character, Preset},
    report::Report,
    seed::Dice,
    table::Table,
    wire,
};

/// A field no version of the vendor's document knows; some rows carry it.
pub(crate) const UNHEARD_OF: &str = "unheardOfField";

/// Devices that rows still speak of and no list contains: their ids are below those of every device.
pub(crate) const FIRST_DEVICE: i64 = 400;

/// The reports that say more than the device list does.
pub(crate) const FACTS: [Report; 10] = [
    Report::AntivirusStatus,
    Report::BackupIntegrityCheckJobs,
    Report::BackupJobs,
    Report::CustomFields,
    Report::CustomFieldsDetailed,
    Report::OsPatchInstalls,
    Report::OsPatches,
    Report::SoftwarePatchInstalls,
    Report::SoftwarePatches,
    Report::Volumes,
];

/// What to make a fleet of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) preset: Preset,
    pub(crate) seed: u64,
    pub(crate) devices: usize,
    pub(crate) organizations: usize,
    pub(crate) now: OffsetDateTime,
}

/// Everything a tenant holds.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) organizations: Table,
    pub(crate) locations: Table,
    pub(crate) users: Table,
    /// As `devices-detailed` shows them.
    pub(crate) devices: Table,
    /// As `devices` shows them.
    pub(crate) summaries: Table,
    pub(crate) activities: Table,
    pub(crate) reports: BTreeMap<Report, Table>,
    pub(crate) canaries: Option<Canaries>,
    /// A fleet whose devices, facts and activities are in none of these tables, but made when they are asked for.
    pub(crate) computed: Option<Scale>,
}

/// The present of a fleet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Present(f64);

impl Present {
    pub(crate) fn of(now: OffsetDateTime) -> Self {
        Self(wire::seconds(now))
    }

    /// A time so many seconds ago, to the microsecond.
    pub(crate) fn ago(self, seconds: f64) -> f64 {
        ((self.0 - seconds) * 1e6).round() / 1e6
    }

    /// A time so many days ago.
    pub(crate) fn days_ago(self, days: f64) -> f64 {
        self.ago(days * 86_400.0)
    }
}

impl Rows {
    /// Adds a row of a report.
    pub(crate) fn report(&mut self, report: Report, row: &Value) {
        let row = self.masked(row);
        self.reports.entry(report).or_default().push(&row);
    }

    /// The row, with canaries if the tenant has them.
    pub(crate) fn masked<'a>(&mut self, row: &'a Value) -> std::borrow::Cow<'a, Value> {
        match &mut self.canaries {
            Some(canaries) => std::borrow::Cow::Owned(canaries.replace(row)),
            None => std::borrow::Cow::Borrowed(row),
        }
    }

    /// Adds a device to both lists of devices.
    pub(crate) fn device(&mut self, row: &Value) {
        let row = self.masked(row).into_owned();
        self.devices.push(&row);
        self.summaries.push(&summary(&row));
    }
}

/// Makes the fleet of a plan.
pub(crate) fn generate(plan: &Plan, canaries: bool) -> Rows {
    let now = Present::of(plan.now);
    let mut rows = Rows {
        canaries: canaries.then(Canaries::default),
        ..Rows::default()
    };
    if plan.preset == Preset::Scale {
        organizations::add(&mut rows, plan);
        rows.computed = Some(Scale::new(plan));
        return rows;
    }
    rows.reports
        .extend(FACTS.map(|report| (report, Table::default())));
    let characters: Vec<Character> = (0..plan.organizations)
        .map(|place| plan.preset.character(place))
        .collect();
    organizations::add(&mut rows, plan);
    let inhabited: Vec<(usize, Character)> = characters
        .into_iter()
        .enumerate()
        .filter(|(_, character)| *character != Character::Empty)
        .collect();
    let mut feed = activities::Feed::default();
    let mut made = 0;
    'fleet: for place in 0.. {
        for (organization, character) in &inhabited {
            if made == plan.devices {
                break 'fleet;
            }
            let machine = Machine::new(plan.seed, made, *organization, *character, place, now);
            devices::add(&mut rows, &machine, now);
            volumes::add(&mut rows, &machine);
            antivirus::add(&mut rows, &machine, now);
            patches::add(&mut rows, &machine);
            custom_fields::add(&mut rows, &machine);
            backups::add(&mut rows, &mut feed, &machine);
            feed.everyday(&machine, now);
            made += 1;
        }
        if inhabited.is_empty() {
            break;
        }
    }
    if made > 0 {
        add_strays(&mut rows, &mut feed, plan.seed, now);
    }
    feed.finish(&mut rows, plan.seed, now);
    rows
}

/// What live reports contain besides: rows of devices that no longer exist, each of which would turn a verdict for the worse if it
/// counted, and some rows twice, not beside each other.
fn add_strays(rows: &mut Rows, feed: &mut activities::Feed, seed: u64, now: Present) {
    let mut dice = Dice::new(seed, 0xDEAD);
    for gone in [17_i64, 23, 23, 91] {
        let timestamp = now.ago(3_600.0 * f64::from(1 + dice.below(20)) + dice.fraction());
        let patch = dice.uuid();
        rows.report(
            Report::Volumes,
            &json!({
                "name": "C:", "driveLetter": "C:", "label": "", "deviceType": "Local Disk", "fileSystem": "NTFS",
                "capacity": 255_000_000_000_u64, "freeSpace": 9_000_000_000_u64, "serialNumber": dice.hex(8), "deviceId": gone,
                "timestamp": timestamp,
                "bitLockerStatus": {
                    "conversionStatus": "FULLY_DECRYPTED", "encryptionMethod": "NONE", "protectionStatus": "UNPROTECTED",
                    "lockStatus": "UNLOCKED", "initializedForProtection": false,
                },
            }),
        );
        rows.report(
            Report::AntivirusStatus,
            &json!({
                "productName": "Windows Defender", "productState": "OFF", "definitionStatus": "Out-of-Date", "deviceId": gone,
                "timestamp": timestamp,
            }),
        );
        for report in [Report::OsPatches, Report::OsPatchInstalls] {
            let status = if report == Report::OsPatches {
                "MANUAL"
            } else {
                "FAILED"
            };
            rows.report(
                report,
                &json!({
                    "id": patch, "name": "2026-10 Cumulative Update", "severity": "CRITICAL", "status": status,
                    "type": "SECURITY_UPDATES", "kbNumber": "KB5070001", "deviceId": gone, "timestamp": timestamp,
                }),
            );
        }
        for report in [Report::SoftwarePatches, Report::SoftwarePatchInstalls] {
            let status = if report == Report::SoftwarePatches {
                "APPROVED"
            } else {
                "FAILED"
            };
            rows.report(
                report,
                &json!({
                    "id": patch, "productIdentifier": patch, "title": "Browser 131", "impact": "critical", "status": status,
                    "type": "PATCH", "deviceId": gone, "timestamp": timestamp,
                }),
            );
        }
        feed.backup_failed(gone, timestamp);
    }
    for (report, table) in &mut rows.reports {
        let twice: Vec<Value> = table
            .rows()
            .iter()
            .step_by(25)
            .take(40)
            .map(crate::table::Row::value)
            .collect();
        if matches!(report, Report::CustomFields | Report::CustomFieldsDetailed) {
            continue;
        }
        for row in &twice {
            table.push(row);
        }
    }
}
