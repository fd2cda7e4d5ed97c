//! What some fleets have and most have not: put over the rows of a tenant when it is built.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{fleet::Present, report::Report, seed::Dice, tenant::Tenant};

/// An oddity of live fleets, put over the approved computers of every organization.
///
/// | shape | what it does to the verdicts of a healthy organization |
/// |---|---|
/// | `UnopenablePartitions` | nothing |
/// | `NamelessProducts` | nothing |
/// | `JunkSerials`, `OneSerial` | nothing; they are about assets |
/// | `SupersededFailures` | patches warn: nothing is left to install |
/// | `RejectedFailures` | patches warn: the risk was accepted |
/// | `UsbOnlyLaptops` | disk encryption warns: their fixed disk was not measured |
///
/// None of them may lead from a failure to anything better, nor to a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shape {
    /// Every Windows computer has two of the vendors' recovery and diagnostic partitions, decrypted, without a drive letter, named
    /// by their GUID, with a label of any vendor in any language.
    UnopenablePartitions,
    /// Beside every antivirus product stand rows without a name (absent, `null`, blank), one on and one off.
    NamelessProducts,
    /// Every other Windows computer has a failed installation of a month ago that is not pending, and a later success.
    SupersededFailures,
    /// Every other Windows computer has a failed installation of a patch that is pending as rejected.
    RejectedFailures,
    /// Serial numbers are what boards and hypervisors report that have none; see [`Shape::JUNK`].
    JunkSerials,
    /// All Windows workstations of an organization have one serial number, as virtual desktops do; their names differ.
    OneSerial,
    /// Every fourth Windows workstation reports a USB stick and no disk.
    UsbOnlyLaptops,
}

impl Shape {
    /// Every shape.
    pub const ALL: [Self; 7] = [
        Self::UnopenablePartitions,
        Self::NamelessProducts,
        Self::SupersededFailures,
        Self::RejectedFailures,
        Self::JunkSerials,
        Self::OneSerial,
        Self::UsbOnlyLaptops,
    ];

    /// Serial numbers that identify nothing.
    pub const JUNK: [&str; 20] = [
        "To be filled by O.E.M.",
        "To Be Filled By O.E.M",
        "SystemSerialNumb",
        "System Serial Number",
        "Asset-1234567890",
        "None Provided",
        "None",
        "Default string",
        "Not Specified",
        "Not Applicable",
        "Not Available",
        "INVALID",
        "Unknown",
        "Virtual",
        "0",
        "00000000",
        "............",
        "123456789",
        "0123456789ABCDEF",
        "00000000-0000-0000-0000-000000000000",
    ];

    /// Labels of partitions that nobody can open.
    pub const PARTITIONS: [&str; 8] = [
        "WINRETOOLS",
        "Image",
        "DELLSUPPORT",
        "Wiederherstellung",
        "HP_TOOLS",
        "LENOVO_PART",
        "回復",
        "",
    ];

    pub(crate) fn put_over(self, tenant: &mut Tenant) {
        let now = Present::of(tenant.now());
        let computers: Vec<Computer> = Computer::all(tenant);
        match self {
            Self::UnopenablePartitions => {
                let of = |computer: &Computer| unopenable(computer);
                add(tenant, Report::Volumes, computers.iter().flat_map(of));
            }
            Self::NamelessProducts => nameless(tenant),
            Self::SupersededFailures => {
                let rows = computers
                    .iter()
                    .filter(|computer| computer.place.is_multiple_of(2))
                    .flat_map(|computer| {
                        let title = "2026-09 Cumulative Update";
                        [
                            patch(computer, title, "FAILED", Some(now.days_ago(28.0))),
                            patch(
                                computer,
                                "2026-10 Cumulative Update",
                                "INSTALLED",
                                Some(now.days_ago(6.0)),
                            ),
                        ]
                    });
                add(tenant, Report::OsPatchInstalls, rows);
            }
            Self::RejectedFailures => {
                let title = "2026-10 Preview of Cumulative Update";
                let every_other = || {
                    computers
                        .iter()
                        .filter(|computer| computer.place.is_multiple_of(2))
                };
                let tried = every_other()
                    .map(|computer| patch(computer, title, "FAILED", Some(now.days_ago(9.0))));
                add(tenant, Report::OsPatchInstalls, tried);
                let pending =
                    every_other().map(|computer| patch(computer, title, "REJECTED", None));
                add(tenant, Report::OsPatches, pending);
            }
            Self::JunkSerials => serials(tenant, |place, _| {
                Self::JUNK
                    .get(place % Self::JUNK.len())
                    .map(|junk| (*junk).to_owned())
            }),
            Self::OneSerial => serials(tenant, |_, row| {
                let workstation =
                    row.get("nodeClass").and_then(Value::as_str) == Some("WINDOWS_WORKSTATION");
                workstation.then(|| format!("VDI{:07}", number(row, "organizationId").unwrap_or(0)))
            }),
            Self::UsbOnlyLaptops => sticks(tenant, &computers),
        }
    }
}

/// A Windows computer that is approved.
struct Computer {
    id: i64,
    /// Its index among the computers of its organization.
    place: usize,
    is_workstation: bool,
    /// When it last reported: all its rows are as old as its last contact.
    collected: Value,
}

impl Computer {
    fn all(tenant: &Tenant) -> Vec<Self> {
        let mut places: BTreeMap<Option<i64>, usize> = BTreeMap::new();
        let word = |row: &Value, key: &str| {
            row.get(key)
                .and_then(Value::as_str)
                .unwrap_or("")
                .to_owned()
        };
        let mut all = Vec::new();
        for row in tenant.devices() {
            let class = word(row, "nodeClass");
            let (Some(id), true) = (
                number(row, "id"),
                class.starts_with("WINDOWS") && word(row, "approvalStatus") == "APPROVED",
            ) else {
                continue;
            };
            let place = places.entry(number(row, "organizationId")).or_default();
            all.push(Self {
                id,
                place: *place,
                is_workstation: class == "WINDOWS_WORKSTATION",
                collected: row.get("lastContact").cloned().unwrap_or(Value::Null),
            });
            *place += 1;
        }
        all
    }
}

fn number(row: &Value, key: &str) -> Option<i64> {
    row.get(key).and_then(Value::as_i64)
}

/// Adds rows to a report.
fn add(tenant: &mut Tenant, report: Report, rows: impl Iterator<Item = Value>) {
    let mut all = tenant.report(report).to_vec();
    for row in rows {
        let row = tenant.rows.masked(&row).into_owned();
        all.push(row);
    }
    tenant.set_report(report, &all);
}

fn unopenable(computer: &Computer) -> [Value; 2] {
    let mut dice = Dice::new(computer.id.unsigned_abs(), 0x9A27);
    let labels = Shape::PARTITIONS;
    [0, 1].map(|nth| {
        let label = labels
            .get((computer.place * 2 + nth) % labels.len())
            .copied()
            .unwrap_or_default();
        let mut row = json!({
            "name": format!("\\\\?\\Volume{{{}}}\\", dice.uuid()), "label": label, "deviceType": "Local Disk", "fileSystem": "NTFS",
            "capacity": 990_000_000_u64 + 16_000_000_000_u64 * u64::try_from(nth).unwrap_or(0), "freeSpace": 120_000_000,
            "deviceId": computer.id, "timestamp": computer.collected,
            "bitLockerStatus": {
                "conversionStatus": "FULLY_DECRYPTED", "encryptionMethod": "NONE", "protectionStatus": "UNPROTECTED",
                "lockStatus": "UNLOCKED", "initializedForProtection": false,
            },
        });
        // A blank letter is an absent one.
        if let (0, Some(fields)) = (computer.place % 3, row.as_object_mut()) {
            fields.insert("driveLetter".to_owned(), json!(""));
        }
        row
    })
}

/// Beside each product, as old as it: a row that is on and one that is off, and no name.
fn nameless(tenant: &mut Tenant) {
    let beside: Vec<Value> = tenant
        .antivirus_status()
        .iter()
        .enumerate()
        .flat_map(|(place, row)| {
            ["ON", "OFF"].map(|state| {
                let mut row = json!({
                    "deviceId": row.get("deviceId"), "productState": state, "definitionStatus": "Out-of-Date",
                    "timestamp": row.get("timestamp"),
                });
                if let Some(fields) = row.as_object_mut() {
                    match place % 3 {
                        0 => drop(fields.insert("productName".to_owned(), Value::Null)),
                        1 => drop(fields.insert("productName".to_owned(), json!("  "))),
                        _ => {}
                    }
                }
                row
            })
        })
        .collect();
    add(tenant, Report::AntivirusStatus, beside.into_iter());
}

fn patch(computer: &Computer, title: &str, status: &str, at: Option<f64>) -> Value {
    let purpose = title.bytes().map(u64::from).sum();
    let mut row = json!({
        "id": Dice::new(0x9A7C, purpose).uuid(), "name": title, "severity": "CRITICAL", "status": status,
        "type": "SECURITY_UPDATES", "kbNumber": "KB5079999", "deviceId": computer.id, "timestamp": computer.collected,
    });
    if let (Some(fields), Some(at)) = (row.as_object_mut(), at) {
        fields.insert("installedAt".to_owned(), json!(at));
    }
    row
}

/// Gives devices that have a `system` another serial number, or leaves it.
fn serials(tenant: &mut Tenant, serial: impl Fn(usize, &Value) -> Option<String>) {
    let mut rows = tenant.devices().to_vec();
    for (place, row) in rows.iter_mut().enumerate() {
        let Some(serial) = serial(place, row) else {
            continue;
        };
        let serial = tenant.rows.masked(&json!(serial)).into_owned();
        if let Some(system) = row.get_mut("system").and_then(Value::as_object_mut) {
            for field in ["serialNumber", "biosSerialNumber"] {
                system.insert(field.to_owned(), serial.clone());
            }
        }
    }
    tenant.set_devices(&rows);
}

fn sticks(tenant: &mut Tenant, computers: &[Computer]) {
    let laptops: BTreeMap<i64, &Computer> = computers
        .iter()
        .filter(|computer| computer.is_workstation && computer.place % 4 == 1)
        .map(|computer| (computer.id, computer))
        .collect();
    let others: Vec<Value> = tenant
        .volumes()
        .iter()
        .filter(|row| number(row, "deviceId").is_none_or(|id| !laptops.contains_key(&id)))
        .cloned()
        .collect();
    tenant.set_report(Report::Volumes, &others);
    let stick = |computer: &&Computer| {
        json!({
            "name": "E:", "driveLetter": "E:", "label": "STICK", "deviceType": "Removable Disk", "fileSystem": "exFAT",
            "capacity": 62_000_000_000_u64, "freeSpace": 61_000_000_000_u64, "serialNumber": "1A2B3C4D",
            "deviceId": computer.id, "timestamp": computer.collected,
        })
    };
    add(tenant, Report::Volumes, laptops.values().map(stick));
}

/// A device that was away uploads what happened meanwhile: activities with the newest ids and old times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Burst {
    device: i64,
    activities: u32,
    codes: Vec<String>,
    newest_days: u32,
    oldest_days: u32,
}

impl Burst {
    /// So many activities of a device, 21 to 60 days old: backups that failed and succeeded, and people who logged in.
    #[must_use]
    pub fn of(device: i64, activities: u32) -> Self {
        Self {
            device,
            activities,
            codes: [
                "NINJA_BACKUP_BACKUPJOB_FAILED",
                "NINJA_BACKUP_BACKUPJOB_COMPLETED",
                "USER_LOGGED_IN",
            ]
            .map(str::to_owned)
            .into(),
            newest_days: 21,
            oldest_days: 60,
        }
    }

    /// With these status codes in turn.
    #[must_use]
    pub fn codes(self, codes: &[&str]) -> Self {
        Self {
            codes: codes.iter().map(|code| (*code).to_owned()).collect(),
            ..self
        }
    }

    /// With times from so many days ago to so many.
    #[must_use]
    pub fn days_old(self, oldest: u32, newest: u32) -> Self {
        Self {
            newest_days: newest.min(oldest),
            oldest_days: oldest,
            ..self
        }
    }

    /// The activities on top of those that are there.
    pub(crate) fn put_on(&self, tenant: &mut Tenant) {
        let now = Present::of(tenant.now());
        let mut rows = tenant.activities().to_vec();
        let first = 1 + rows
            .iter()
            .filter_map(|row| number(row, "id"))
            .max()
            .unwrap_or(0);
        let span = f64::from(self.oldest_days - self.newest_days);
        for (nth, id) in (0..self.activities).zip(first..) {
            let back = span * f64::from(self.activities - 1 - nth) / f64::from(self.activities);
            let turn = usize::try_from(nth).unwrap_or(0) % self.codes.len().max(1);
            let code = self
                .codes
                .get(turn)
                .map_or("USER_LOGGED_IN", String::as_str);
            let kind = if code.starts_with("NINJA_BACKUP") {
                "NINJA_BACKUP"
            } else {
                "SYSTEM"
            };
            let row = json!({
                "id": id, "activityTime": now.days_ago(f64::from(self.newest_days) + back), "activityType": kind,
                "statusCode": code, "status": "Reported late", "message": format!("activity {id}"), "deviceId": self.device,
            });
            let row = tenant.rows.masked(&row).into_owned();
            rows.push(row);
        }
        tenant.set_activities(&rows);
    }
}

/// A name of an organization that a person would not expect, made from one that is in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OddName {
    /// No `name`.
    Absent,
    /// `null`.
    Null,
    /// White space.
    Blank,
    /// The number `7`.
    Number,
    /// An object.
    Object,
    /// The same in another case.
    OtherCase,
    /// The same in letters of full width, which NFKC folds to the usual ones.
    FullWidth,
    /// The same with a zero-width space inside.
    ZeroWidth,
    /// The same between white space.
    Padded,
    /// The same twice.
    Same,
    /// With the bytes that make a terminal write red.
    Red,
    /// With a line feed and a carriage return.
    NewLine,
    /// With U+202E, which turns the direction of what follows.
    RightToLeft,
    /// 10,000 characters.
    Long,
}

impl OddName {
    /// Every odd name.
    pub const ALL: [Self; 14] = [
        Self::Absent,
        Self::Null,
        Self::Blank,
        Self::Number,
        Self::Object,
        Self::OtherCase,
        Self::FullWidth,
        Self::ZeroWidth,
        Self::Padded,
        Self::Same,
        Self::Red,
        Self::NewLine,
        Self::RightToLeft,
        Self::Long,
    ];

    /// Whether the row still has a name that can be read.
    #[must_use]
    pub const fn is_readable(self) -> bool {
        !matches!(
            self,
            Self::Absent | Self::Null | Self::Blank | Self::Number | Self::Object
        )
    }

    /// Whether it folds to the name it was made from (Unicode NFKC, case, white space, zero-width characters).
    #[must_use]
    pub const fn folds_to_the_same(self) -> bool {
        matches!(
            self,
            Self::OtherCase | Self::FullWidth | Self::ZeroWidth | Self::Padded | Self::Same
        )
    }

    /// The name, or none where the field is left out.
    #[must_use]
    pub fn of(self, name: &str) -> Option<Value> {
        let (head, tail) = name
            .char_indices()
            .nth(3)
            .map_or((name, ""), |(at, _)| name.split_at(at));
        Some(match self {
            Self::Absent => return None,
            Self::Null => Value::Null,
            Self::Blank => json!(" \t"),
            Self::Number => json!(7),
            Self::Object => json!({ "text": name }),
            Self::OtherCase => json!(name.to_uppercase()),
            Self::FullWidth => json!(name.chars().map(full_width).collect::<String>()),
            Self::ZeroWidth => json!(format!("{head}\u{200b}{tail}")),
            Self::Padded => json!(format!("  {name}\u{a0}")),
            Self::Same => json!(name),
            Self::Red => json!(format!("{head}\u{1b}[31m{tail}\u{1b}[0m")),
            Self::NewLine => json!(format!("{head}\r\n{tail}")),
            Self::RightToLeft => json!(format!("{head}\u{202e}{tail}")),
            Self::Long => json!(name.chars().cycle().take(10_000).collect::<String>()),
        })
    }

    /// The row of an organization with this name, made from another's.
    #[must_use]
    pub fn put_on(self, row: &Value, name: &str) -> Value {
        let mut row = row.clone();
        if let Some(fields) = row.as_object_mut() {
            match self.of(name) {
                Some(name) => drop(fields.insert("name".to_owned(), name)),
                None => drop(fields.remove("name")),
            }
        }
        row
    }
}

/// The full-width form of a printable ASCII character.
fn full_width(letter: char) -> char {
    match letter {
        '!'..='~' => char::from_u32(u32::from(letter) + 0xfee0).unwrap_or(letter),
        ' ' => '\u{3000}',
        other => other,
    }
}

/// Gives the organizations after the first odd names made from the first one's, in turn.
pub(crate) fn rename(tenant: &mut Tenant, names: &[OddName]) {
    let mut rows = tenant.organizations().to_vec();
    let name = rows
        .first()
        .and_then(|row| row.get("name").and_then(Value::as_str))
        .unwrap_or("Alder Dental")
        .to_owned();
    for (row, odd) in rows.iter_mut().skip(1).zip(names.iter().cycle()) {
        *row = odd.put_on(row, &name);
    }
    tenant.set_organizations(&rows);
}

#[cfg(test)]
mod tests {
    use super::OddName;
    use crate::wire;

    #[test]
    fn odd_names_are_made_from_the_one_in_order() {
        let shown = |odd: OddName| odd.of("Alder Dental").map(|name| wire::text(&name));
        assert_eq!(shown(OddName::Absent), None);
        assert_eq!(shown(OddName::OtherCase).unwrap(), "\"ALDER DENTAL\"");
        assert_eq!(
            shown(OddName::FullWidth).unwrap(),
            "\"Ａｌｄｅｒ\u{3000}Ｄｅｎｔａｌ\""
        );
        assert_eq!(
            shown(OddName::ZeroWidth).unwrap(),
            "\"Ald\u{200b}er Dental\""
        );
        assert!(shown(OddName::Red).unwrap().contains("\\u001b[31m"));
        assert_eq!(shown(OddName::Long).unwrap().len(), 10_002);
    }
}
