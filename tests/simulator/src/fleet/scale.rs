//! A fleet of any size whose rows are computed from (seed, device, number) when a page is asked for, and kept nowhere.
//!
//! Devices are numbered organization by organization, and every report holds its rows in the order of the devices, so that the rows
//! of an organization are a range.

mod text;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use serde_json::Value;
use text::Catalogue;

use super::{
    FIRST_DEVICE, Plan, Present,
    machine::{Machine, Placed},
    organizations,
};
use crate::{
    filter::Filter,
    numbers::Numbers,
    preset::{Character, Preset, Trouble},
    report::Report,
    seed::Dice,
    table::Device,
    wire,
};

/// Days of which the feed holds backup runs: one a day.
const BACKUP_DAYS: u32 = 8;

/// Of twenty devices, those that are backed up.
const BACKED_UP: [u32; 3] = [0, 7, 13];

/// The activity with the lowest id has about this one.
const FIRST_ACTIVITY: i64 = 347_000_000;

/// Ids of devices and of activities rise by about so much.
const STEP: i64 = 3;

/// The fleet of [`Preset::Scale`].
#[derive(Debug)]
pub(crate) struct Scale {
    seed: u64,
    devices: u32,
    organizations: u32,
    now: Present,
    catalogue: Catalogue,
    /// Devices that left the organization they were made in.
    moved: BTreeMap<u32, i64>,
    values: Values,
}

/// Rows as values, made when a test first looks at them.
#[derive(Debug, Default)]
struct Values {
    devices: OnceLock<Vec<Value>>,
    activities: OnceLock<Vec<Value>>,
    reports: BTreeMap<Report, OnceLock<Vec<Value>>>,
}

impl Scale {
    pub(super) fn new(plan: &Plan) -> Self {
        let number = |size| u32::try_from(size).unwrap_or(u32::MAX);
        Self {
            seed: plan.seed,
            // Every row has a number of 32 bits: 22 install attempts a device.
            devices: number(plan.devices).min(u32::MAX / 32),
            organizations: number(plan.organizations),
            now: Present::of(plan.now),
            catalogue: Catalogue::new(plan.seed),
            moved: BTreeMap::new(),
            values: Values {
                reports: super::FACTS.map(|report| (report, OnceLock::new())).into(),
                ..Values::default()
            },
        }
    }

    /// Devices of the fleet.
    pub(crate) fn devices(&self) -> u32 {
        if self.organizations == 0 {
            0
        } else {
            self.devices
        }
    }

    /// No row has a time before this, save those of devices that exist for longer.
    pub(crate) fn oldest(&self) -> f64 {
        self.now.days_ago(45.5)
    }

    /// Where the devices of the organization at a place begin.
    fn begin(&self, place: u32) -> u32 {
        let begin = u64::from(self.devices()) * u64::from(place.min(self.organizations))
            / u64::from(self.organizations.max(1));
        u32::try_from(begin).unwrap_or(u32::MAX)
    }

    /// The place of the organization that a device was made in.
    fn organization(&self, device: u32) -> u32 {
        let above = (u64::from(device) + 1) * u64::from(self.organizations);
        u32::try_from(above.saturating_sub(1) / u64::from(self.devices().max(1))).unwrap_or(0)
    }

    /// The index of a device in the organization it was made in.
    fn place(&self, device: u32) -> u32 {
        device - self.begin(self.organization(device))
    }

    fn id(&self, device: u32) -> i64 {
        let mut dice = Dice::new(self.seed, u64::from(device));
        FIRST_DEVICE + STEP * i64::from(device) + i64::from(dice.below(3))
    }

    /// The device of an id.
    fn find(&self, id: i64) -> Option<u32> {
        let device = u32::try_from((id - FIRST_DEVICE).div_euclid(STEP)).ok()?;
        (device < self.devices() && self.id(device) == id).then_some(device)
    }

    /// The first device whose id is greater.
    pub(crate) fn first_after(&self, id: i64) -> u32 {
        let near = id.saturating_sub(FIRST_DEVICE).div_euclid(STEP);
        match u32::try_from(near) {
            Ok(device) => device.saturating_add(u32::from(self.id(device) <= id)),
            Err(_) if near < 0 => 0,
            Err(_) => u32::MAX,
        }
    }

    fn organization_id(&self, device: u32) -> i64 {
        match self.moved.get(&device) {
            Some(id) => *id,
            None => organizations::id(index(self.organization(device))),
        }
    }

    /// Moves a device to another organization; whether there is such a device and it was elsewhere.
    pub(crate) fn move_device(&mut self, id: i64, organization: i64) -> bool {
        let Some(device) = self.find(id) else {
            return false;
        };
        let moves = self.organization_id(device) != organization;
        if moves {
            self.moved.insert(device, organization);
            self.values.devices = OnceLock::new();
        }
        moves
    }

    /// What a filter can ask of a device.
    fn device(&self, device: u32) -> Device {
        let machine = self.machine(device);
        let organization = self.organization_id(device);
        let place = if self.moved.is_empty() {
            self.place(device)
        } else {
            let own = self.devices_in(&[organization]);
            let before = own.iter().take_while(|other| *other < device).count();
            u32::try_from(before).unwrap_or(u32::MAX)
        };
        Device {
            organization: Some(organization),
            location: Some(machine.location),
            role: Some(super::devices::role_id(&machine)),
            class: machine.class.to_owned(),
            status: machine.approval.to_owned(),
            offline: machine.offline,
            created: Some(machine.created),
            place,
        }
    }

    /// The devices of organizations.
    fn devices_in(&self, organizations: &[i64]) -> Numbers {
        let wanted: BTreeSet<i64> = organizations.iter().copied().collect();
        let made_in = wanted.iter().filter_map(|id| {
            let place = u32::try_from(organizations::place(*id)?).ok()?;
            (place < self.organizations).then(|| self.begin(place)..self.begin(place + 1))
        });
        let mut numbers = Numbers::default();
        if self.moved.is_empty() {
            made_in.for_each(|range| numbers.push(range));
            return numbers;
        }
        let stayed = made_in
            .flatten()
            .filter(|device| !self.moved.contains_key(device));
        let arrived = self
            .moved
            .iter()
            .filter(|(_, id)| wanted.contains(id))
            .map(|(device, _)| *device);
        let all: BTreeSet<u32> = stayed.chain(arrived).collect();
        all.into_iter().collect()
    }

    /// The devices that a filter admits: those of an organization, or of a list of them, without looking at any other.
    pub(crate) fn admitted(&self, filter: &Filter) -> Numbers {
        let candidates = if let Some(organizations) = filter.organizations() {
            self.devices_in(organizations)
        } else {
            let mut all = Numbers::default();
            all.push(0..self.devices());
            all
        };
        if filter.is_of_organizations_alone() {
            return candidates;
        }
        let admits =
            |device: &u32| filter.admits(Some(self.id(*device)), Some(&self.device(*device)));
        candidates.iter().filter(admits).collect()
    }

    fn machine(&self, device: u32) -> Machine {
        let organization = self.organization(device);
        let place = self.place(device);
        Machine::placed(&Placed {
            seed: self.seed,
            number: device,
            id: self.id(device),
            organization: index(organization),
            place: index(place),
            is_offline: match self.character(device) {
                Character::Failing | Character::Troubled(Trouble::Offline) => {
                    place.is_multiple_of(2)
                }
                _ => place % 9 == 5,
            },
            collected: self.collected(device),
            now: self.now,
        })
    }

    fn character(&self, device: u32) -> Character {
        Preset::Scale.character(index(self.organization(device)))
    }

    /// When the device's agent last reported what it found.
    fn collected(&self, device: u32) -> f64 {
        let mut dice = Dice::new(self.seed, (u64::from(device) << 16) | 0xFFFF);
        let seconds = 20_000 + dice.below(20_000);
        self.now.ago(f64::from(seconds) + dice.fraction())
    }

    /// The number of a report's first row of a device, which is that of all rows before it.
    fn first_row(report: Report, device: u32) -> u32 {
        match report {
            Report::OsPatches => 18 * device,
            Report::OsPatchInstalls => 22 * device,
            Report::SoftwarePatches => 3 * device,
            Report::SoftwarePatchInstalls => 5 * device,
            Report::Volumes => 2 * device,
            // Every fifth device has a product that stood down beside the one that protects it.
            Report::AntivirusStatus => device + device / 5,
            _ => 0,
        }
    }

    /// The device of a row of a report, and the index of the row among the rows of that device.
    fn of_row(report: Report, row: u32) -> (u32, u32) {
        match report {
            Report::OsPatches => (row / 18, row % 18),
            Report::OsPatchInstalls => (row / 22, row % 22),
            Report::SoftwarePatches => (row / 3, row % 3),
            Report::SoftwarePatchInstalls => (row / 5, row % 5),
            Report::AntivirusStatus => (5 * (row / 6) + (row % 6).min(4), u32::from(row % 6 == 5)),
            _ => (row / 2, row % 2),
        }
    }

    /// The rows of a report whose devices a filter admits.
    pub(crate) fn rows(&self, report: Report, filter: &Filter) -> Numbers {
        let mut rows = Numbers::default();
        for range in self.admitted(filter).ranges() {
            rows.push(Self::first_row(report, range.start)..Self::first_row(report, range.end));
        }
        rows
    }

    /// Whether a device is backed up is decided by its number; these are the devices before one that are.
    fn backups_before(device: u32) -> u32 {
        let in_twenty = BACKED_UP.iter().filter(|place| **place < device % 20);
        3 * (device / 20) + u32::try_from(in_twenty.count()).unwrap_or(0)
    }

    fn backups(&self) -> u32 {
        Self::backups_before(self.devices())
    }

    /// The device of a backup, by the index of the backup.
    fn backed_up(backup: u32) -> u32 {
        let place = BACKED_UP.get(index(backup % 3)).copied().unwrap_or(0);
        20 * (backup / 3) + place
    }

    fn activities(&self) -> u32 {
        BACKUP_DAYS * self.backups()
    }

    fn activity_id(&self, activity: u32) -> i64 {
        let rank = i64::from(self.activities()) - 1 - i64::from(activity);
        let mut dice = Dice::new(self.seed, (1 << 57) | u64::from(activity));
        FIRST_ACTIVITY + STEP * rank + i64::from(dice.below(3))
    }

    /// The first activity, newest first, whose id is smaller.
    pub(crate) fn first_below(&self, id: i64) -> u32 {
        let count = i64::from(self.activities());
        let rank = id
            .saturating_sub(FIRST_ACTIVITY)
            .div_euclid(STEP)
            .min(count - 1);
        if rank < 0 {
            return self.activities();
        }
        let near = u32::try_from(count - 1 - rank).unwrap_or(u32::MAX);
        near + u32::from(self.activity_id(near) >= id)
    }

    /// The activities of devices, newest first, from one on: their numbers and ids.
    pub(crate) fn feed(&self, from: u32, devices: &Numbers) -> impl Iterator<Item = (u32, i64)> {
        let mut backups = Numbers::default();
        for range in devices.ranges() {
            backups.push(Self::backups_before(range.start)..Self::backups_before(range.end));
        }
        let all = self.backups().max(1);
        (from / all..BACKUP_DAYS).flat_map(move |day| {
            let first = from.saturating_sub(day * all);
            let of_day: Vec<u32> = backups
                .from(first)
                .map(|backup| day * all + backup)
                .collect();
            of_day
                .into_iter()
                .map(|activity| (activity, self.activity_id(activity)))
        })
    }

    /// The devices as `devices-detailed` shows them, as values.
    pub(crate) fn device_values(&self) -> &[Value] {
        let all = || (0..self.devices()).map(|device| self.device_value(device));
        self.values.devices.get_or_init(|| all().collect())
    }

    /// The rows of a report as values.
    pub(crate) fn report_values(&self, report: Report) -> &[Value] {
        let all = || {
            let rows = 0..Self::first_row(report, self.devices());
            rows.map(|row| value(&self.text(report, row, true)))
        };
        let kept = self.values.reports.get(&report);
        kept.map_or(&[], |kept| kept.get_or_init(|| all().collect()))
    }

    /// The activities as values.
    pub(crate) fn activity_values(&self) -> &[Value] {
        let all = || (0..self.activities()).map(|activity| value(&self.activity(activity)));
        self.values.activities.get_or_init(|| all().collect())
    }

    /// A device as `devices-detailed` shows it, or as `devices` does.
    pub(crate) fn device_text(&self, device: u32, is_detailed: bool) -> String {
        let row = self.device_value(device);
        if is_detailed {
            wire::text(&row)
        } else {
            wire::text(&super::summary(&row))
        }
    }

    pub(crate) fn device_value(&self, device: u32) -> Value {
        let machine = self.machine(device);
        let mut row = super::devices::row(&machine, self.now);
        if let Some(fields) = row.as_object_mut() {
            fields.insert(
                "organizationId".to_owned(),
                self.organization_id(device).into(),
            );
            fields.insert("volumes".to_owned(), self.volumes_of_detail(device));
        }
        row
    }
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
