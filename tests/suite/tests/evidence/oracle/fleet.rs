//! The organization's devices (section 2), and the rows that belong to them.

use std::{cmp::Reverse, collections::BTreeMap};

use serde_json::Value;

use super::{
    one_rule::Scope,
    reading::{self, DAY, Field},
    tenant::{Report, State, Tenant},
};

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
    /// Absent, unreadable, or never seen before.
    Unknown,
}

impl Class {
    /// In scope of disk, antivirus and patches.
    fn in_scope(self) -> bool {
        matches!(self, Self::Workstation | Self::Server | Self::Unknown)
    }
}

/// One device of the organization.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "what the list says of a device, one by one"
)]
pub(crate) struct Device {
    pub(crate) id: i64,
    pub(crate) class: Class,
    /// The class is there and cannot be read. Open: whether the rows of such a device measure it, as those of a class we do not know
    /// do. An unreadable field is never better than before, and before the device may have been a switch or a Mac: its rows show
    /// what is bad of it, and nothing good.
    pub(crate) class_unreadable: bool,
    /// Windows has BitLocker; Mac and Linux have no encryption field in the API.
    pub(crate) bitlocker: bool,
    pub(crate) approved: bool,
    pub(crate) offline: Option<bool>,
    /// The last contact can be read. Without one, only what is of the last 30 days measures the device.
    pub(crate) contact: bool,
    pub(crate) stale: bool,
}

impl Device {
    /// In scope of disk, antivirus and patches: by its class, whatever its staleness.
    pub(crate) fn in_scope(&self) -> bool {
        self.class.in_scope()
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
    /// Rows of the device list were lost.
    pub(crate) malformed: bool,
}

impl Fleet {
    pub(crate) fn of(tenant: &Tenant) -> Self {
        let now = reading::microseconds(tenant.now);
        let mut malformed = tenant.devices.malformed > 0;
        let mut listed: BTreeMap<i64, Vec<&Value>> = BTreeMap::new();
        for row in &tenant.devices.rows {
            // Lost without an id or an organization. Open: whose such a row is when it still says so. Every customer of its answer
            // is touched, also where it names another.
            let (Some(id), Some(organization)) = (
                reading::whole(row, "id").value(),
                reading::whole(row, "organizationId").value(),
            ) else {
                malformed = true;
                continue;
            };
            // Nobody doubts whose it is: what it says is another customer's.
            if organization != tenant.organization {
                continue;
            }
            // An approval that is present and no text leaves the device approved, and counts as a lost row.
            malformed |= reading::text_field(row, "approvalStatus") == Field::Unreadable;
            listed.entry(id).or_default().push(row);
        }
        let devices = listed.into_iter().map(|(id, rows)| device(id, &rows, now));
        let (approved, others): (Vec<_>, Vec<_>) = devices.partition(|device| device.approved);
        Self {
            now,
            approved,
            not_approved: others.len(),
            truncated: tenant.truncated,
            malformed,
        }
    }

    /// Live: in scope of disk, antivirus and patches, and not stale.
    pub(crate) fn live(&self) -> impl Iterator<Item = &Device> {
        self.approved
            .iter()
            .filter(|device| device.in_scope() && !device.stale)
    }

    /// The scope of disk, antivirus and patches, given what became of the live devices.
    pub(crate) fn scope(&self, measured: usize, unmeasured: usize) -> Scope {
        // Class first, then staleness.
        let stale = |device: &&Device| device.in_scope() && device.stale;
        let outside = |device: &&Device| !device.in_scope();
        Scope {
            approved: self.approved.len(),
            measured,
            unmeasured,
            stale: self.approved.iter().filter(stale).count(),
            not_applicable: self.approved.iter().filter(outside).count(),
            not_approved: self.not_approved,
        }
    }

    /// The rows of one device.
    pub(crate) fn rows_of<'a>(device: &Device, rows: &[&'a Value]) -> Vec<&'a Value> {
        rows.iter()
            .filter(|row| device_of(row) == Some(device.id))
            .copied()
            .collect()
    }
}

/// The device a row is of.
pub(crate) fn device_of(row: &Value) -> Option<i64> {
    reading::whole(row, "deviceId").value()
}

/// The same device twice: the newest last contact, tie = approved before not, then offline. Open: a row whose contact cannot be read
/// beside one that has one. It may be the newest, and ties with it; and a device with such a row is not stale. Open: a device that does
/// not say whether it is offline stands between offline and online; and between classes, the one in scope of more signals wins,
/// then one that cannot be read, then the earlier name.
fn newest<'a>(rows: &[&'a Value], now: i64) -> &'a Value {
    let contact = |row: &Value| reading::time(row, "lastContact", now);
    let newest = rows.iter().filter_map(|row| contact(row)).max();
    rows.iter()
        .filter(|row| contact(row).is_none() || contact(row) == newest)
        .max_by_key(|row| {
            let offline = match reading::flag(row, "offline").value() {
                Some(true) => 2,
                None => 1,
                Some(false) => 0,
            };
            let name = reading::word(row, "nodeClass");
            (
                approved(row),
                offline,
                class(name.as_deref()).in_scope(),
                reading::text_field(row, "nodeClass") == Field::Unreadable,
                Reverse(name),
            )
        })
        .copied()
        .expect("at least one row")
}

/// `APPROVED` only. An absent approval is none; one that is there and cannot be read leaves the device approved.
fn approved(row: &Value) -> bool {
    match reading::text_field(row, "approvalStatus") {
        Field::Is(_) => reading::word(row, "approvalStatus").as_deref() == Some("APPROVED"),
        Field::Unreadable => true,
        Field::Absent => false,
    }
}

fn device(id: i64, rows: &[&Value], now: i64) -> Device {
    let row = newest(rows, now);
    let name = reading::word(row, "nodeClass");
    // None, once one of its rows has none.
    let contacts = rows
        .iter()
        .map(|row| reading::time(row, "lastContact", now));
    let contact = contacts
        .collect::<Option<Vec<i64>>>()
        .and_then(|all| all.into_iter().max());
    Device {
        id,
        class: class(name.as_deref()),
        class_unreadable: reading::text_field(row, "nodeClass") == Field::Unreadable,
        bitlocker: !matches!(
            name.as_deref(),
            Some("MAC" | "MAC_SERVER" | "LINUX_WORKSTATION" | "LINUX_SERVER")
        ),
        approved: approved(row),
        offline: reading::flag(row, "offline").value(),
        contact: contact.is_some(),
        // Exactly 30 days is fresh; no contact, or one that cannot be read, is not stale.
        stale: contact.is_some_and(|contact| now - contact > 30 * DAY),
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

/// The rows of a report that say which row they are, and whether some were lost. A report that did not answer has no rows at
/// all.
pub(crate) fn rows(report: &Report, is_lost: impl Fn(&Value) -> bool) -> (Vec<&Value>, bool) {
    if report.state != State::Answered {
        return (Vec::new(), false);
    }
    let (lost, rows): (Vec<_>, Vec<_>) = report.rows.iter().partition(|row| is_lost(row));
    (rows, report.malformed > 0 || !lost.is_empty())
}

/// A report row without a device is lost.
pub(crate) fn without_device(row: &Value) -> bool {
    device_of(row).is_none()
}
