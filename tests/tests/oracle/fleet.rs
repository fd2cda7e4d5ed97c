//! The organization's devices (section 2), and the rows that belong to them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde_json::Value;

use super::one_rule::Scope;
use super::reading::{self, DAY, Fields, Kind};
use super::tenant::{Report, State, Tenant};

/// What kind of thing a device is, by its node class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Workstation,
    Server,
    Mobile,
    Network,
    Virtualization,
    /// Known, and none of the above.
    Other,
    /// Absent, or never seen before.
    Unknown,
}

/// One device of the organization.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    pub(crate) id: i64,
    pub(crate) class: Class,
    /// Windows has BitLocker; Mac and Linux have no encryption field in the API.
    pub(crate) bitlocker: bool,
    pub(crate) approved: bool,
    pub(crate) offline: Option<bool>,
    pub(crate) stale: bool,
}

impl Device {
    /// In scope of disk, antivirus and patches: by its class, whatever its staleness.
    pub(crate) fn in_scope(&self) -> bool {
        matches!(
            self.class,
            Class::Workstation | Class::Server | Class::Unknown
        )
    }
}

/// The organization's devices, each once.
#[derive(Debug)]
pub(crate) struct Fleet {
    /// Microseconds since 1970.
    pub(crate) now: i64,
    pub(crate) approved: Vec<Device>,
    pub(crate) not_approved: usize,
    pub(crate) truncated: bool,
    pub(crate) malformed: bool,
}

const DEVICE: Fields = &[
    ("id", Kind::Key),
    ("organizationId", Kind::Key),
    ("nodeClass", Kind::Text),
    ("approvalStatus", Kind::Text),
    ("offline", Kind::Flag),
];

impl Fleet {
    pub(crate) fn of(tenant: &Tenant) -> Self {
        let now = reading::microseconds(tenant.now);
        let (rows, undecodable): (Vec<_>, Vec<_>) = tenant
            .devices
            .rows
            .iter()
            .partition(|row| reading::decodes(row, DEVICE));

        let mut listed: BTreeMap<i64, Vec<&Value>> = BTreeMap::new();
        for row in rows {
            if row["organizationId"].as_i64() == Some(tenant.organization) {
                listed
                    .entry(row["id"].as_i64().expect("a key"))
                    .or_default()
                    .push(row);
            }
        }
        // Open: the rules say nothing of a device listed twice. The newest contact wins (readable beats unreadable); on a
        // tie the approved row, then the one that says worse of itself.
        let devices = listed.into_iter().map(|(id, rows)| {
            let best = rows.into_iter().max_by_key(|row| {
                let offline = match row.get("offline").and_then(Value::as_bool) {
                    Some(true) => 2,
                    None => 1,
                    Some(false) => 0,
                };
                let class = class(reading::text(row, "nodeClass"));
                // Open: a tie between classes. One in scope of more signals wins, then the earlier name.
                let scope = matches!(class, Class::Workstation | Class::Server | Class::Unknown);
                let name = Reverse(reading::text(row, "nodeClass"));
                (
                    reading::time(row, "lastContact", now),
                    approved(row),
                    offline,
                    scope,
                    name,
                )
            });
            device(id, best.expect("at least one row"), now)
        });
        let (approved, others): (Vec<_>, Vec<_>) = devices.partition(|device| device.approved);
        Self {
            now,
            approved,
            not_approved: others.len(),
            truncated: tenant.truncated,
            malformed: tenant.devices.malformed > 0 || !undecodable.is_empty(),
        }
    }

    /// Live: in scope of disk, antivirus and patches, and not stale.
    pub(crate) fn live(&self) -> impl Iterator<Item = &Device> {
        self.approved
            .iter()
            .filter(|device| device.in_scope() && !device.stale)
    }

    /// The scope of disk, antivirus and patches, given what became of the live devices.
    pub(crate) fn scope(&self, measured: usize, unmeasured: usize, out: usize) -> Scope {
        Scope {
            approved: self.approved.len(),
            measured,
            unmeasured,
            // Class first, then staleness.
            stale: self
                .approved
                .iter()
                .filter(|device| device.in_scope() && device.stale)
                .count(),
            not_applicable: out
                + self
                    .approved
                    .iter()
                    .filter(|device| !device.in_scope())
                    .count(),
            not_approved: self.not_approved,
        }
    }

    /// The rows of one device. Only rows that decode have one.
    pub(crate) fn rows_of<'a>(device: &Device, rows: &[&'a Value]) -> Vec<&'a Value> {
        rows.iter()
            .filter(|row| row["deviceId"].as_i64() == Some(device.id))
            .copied()
            .collect()
    }
}

fn approved(row: &Value) -> bool {
    reading::text(row, "approvalStatus") == Some("APPROVED")
}

fn device(id: i64, row: &Value, now: i64) -> Device {
    let name = reading::text(row, "nodeClass");
    Device {
        id,
        class: class(name),
        bitlocker: !matches!(
            name,
            Some("MAC" | "MAC_SERVER" | "LINUX_WORKSTATION" | "LINUX_SERVER")
        ),
        approved: approved(row),
        offline: row.get("offline").and_then(Value::as_bool),
        // Exactly 30 days is fresh; no contact, or one that cannot be read, is not stale.
        stale: reading::time(row, "lastContact", now)
            .is_some_and(|contact| now - contact > 30 * DAY),
    }
}

fn class(name: Option<&str>) -> Class {
    let Some(name) = name else {
        return Class::Unknown;
    };
    match name {
        "WINDOWS_WORKSTATION" | "MAC" | "LINUX_WORKSTATION" => Class::Workstation,
        "WINDOWS_SERVER" | "MAC_SERVER" | "LINUX_SERVER" => Class::Server,
        "ANDROID" | "APPLE_IOS" | "APPLE_IPADOS" => Class::Mobile,
        "CLOUD_MONITOR_TARGET" | "MANAGED_DEVICE" | "UNMANAGED_DEVICE" => Class::Other,
        _ if name.starts_with("NMS_") => Class::Network,
        _ if name.starts_with("VMWARE_") || name.starts_with("HYPERV_") => Class::Virtualization,
        _ => Class::Unknown,
    }
}

/// The rows of a report that decode, and whether some did not. A report that did not answer has no rows at all.
pub(crate) fn rows(report: &Report, fields: Fields) -> (Vec<&Value>, bool) {
    if report.state != State::Answered {
        return (Vec::new(), false);
    }
    let (rows, undecodable): (Vec<_>, Vec<_>) = report
        .rows
        .iter()
        .partition(|row| reading::decodes(row, fields));
    (rows, report.malformed > 0 || !undecodable.is_empty())
}
