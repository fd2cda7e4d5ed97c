//! Rows as the wire sends them: serialised once when the tenant is built, and only read afterwards.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    sync::OnceLock,
};

use serde_json::{Map, Value};

use crate::wire;

/// One kind of rows, in the order the tenant sends them.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
    values: OnceLock<Vec<Value>>,
    by_organization: OnceLock<ByOrganization>,
}

/// Row numbers of each organization, rows of no known organization included in every one.
type ByOrganization = BTreeMap<i64, Vec<u32>>;

/// A row's text and what paging and filters need of it.
#[derive(Debug)]
pub(crate) struct Row {
    /// The row as JSON.
    pub(crate) text: Box<str>,
    /// The same without `bitLockerStatus`, where it has one.
    bare: Option<Box<str>>,
    /// `id`; a row without a readable one follows its predecessor.
    pub(crate) id: i64,
    /// Whether the row has a readable `id` of its own.
    pub(crate) keyed: bool,
    /// `deviceId`, or for a device row its `id`; absent in events of the console and in rows that are no object.
    pub(crate) device: Option<i64>,
}

impl Row {
    /// The text with or without the BitLocker object.
    pub(crate) fn text(&self, bitlocker: bool) -> &str {
        match &self.bare {
            Some(bare) if !bitlocker => bare,
            _ => &self.text,
        }
    }

    /// The row, parsed again.
    pub(crate) fn value(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }
}

impl Table {
    /// A table of rows in the order given.
    pub(crate) fn of(rows: &[Value]) -> Self {
        let mut table = Self::default();
        for row in rows {
            table.push(row);
        }
        table
    }

    /// A table in ascending order of `id`, as lists are sent.
    pub(crate) fn ascending(rows: &[Value]) -> Self {
        let mut table = Self::of(rows);
        table.rows.sort_by_key(|row| row.id);
        table
    }

    /// A table in descending order of `id`, as activities are sent.
    pub(crate) fn descending(rows: &[Value]) -> Self {
        let mut table = Self::of(rows);
        table.rows.sort_by_key(|row| std::cmp::Reverse(row.id));
        table
    }

    /// Adds a row at the end.
    pub(crate) fn push(&mut self, row: &Value) {
        let number = |key| row.get(key).and_then(Value::as_i64);
        let id = number("id");
        let bare = row
            .as_object()
            .filter(|fields| fields.contains_key("bitLockerStatus"))
            .map(|fields| {
                let mut fields: Map<String, Value> = fields.clone();
                fields.remove("bitLockerStatus");
                wire::text(&Value::Object(fields)).into_boxed_str()
            });
        self.rows.push(Row {
            text: wire::text(row).into_boxed_str(),
            bare,
            id: id.unwrap_or_else(|| self.rows.last().map_or(i64::MIN, |row| row.id)),
            keyed: id.is_some(),
            // A console event has an id of its own and no device.
            device: number("deviceId").or(if row.get("activityTime").is_some() {
                None
            } else {
                id
            }),
        });
        self.values = OnceLock::new();
        self.by_organization = OnceLock::new();
    }

    /// Forgets which rows belong to which organization, because a device has moved.
    pub(crate) fn forget_organizations(&mut self) {
        self.by_organization = OnceLock::new();
    }

    /// Every row.
    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Every row as a value, parsed from its text when first asked for.
    pub(crate) fn values(&self) -> &[Value] {
        self.values
            .get_or_init(|| self.rows.iter().map(Row::value).collect())
    }

    /// Changes the organization of a device's row; whether there is one.
    pub(crate) fn move_device(&mut self, id: i64, organization: i64) -> bool {
        let Some(row) = self.rows.iter_mut().find(|row| row.keyed && row.id == id) else {
            return false;
        };
        let mut value = row.value();
        if let Some(fields) = value.as_object_mut() {
            fields.insert("organizationId".to_owned(), organization.into());
        }
        row.text = wire::text(&value).into_boxed_str();
        self.values = OnceLock::new();
        self.by_organization = OnceLock::new();
        true
    }

    /// The row of an id.
    pub(crate) fn find(&self, id: i64) -> Option<&Row> {
        self.rows.iter().find(|row| row.keyed && row.id == id)
    }

    /// The numbers of the rows that a filter by organizations can admit: their own and those of devices nobody knows.
    pub(crate) fn of_organizations(
        &self,
        organizations: &[i64],
        devices: &Devices,
    ) -> Cow<'_, [u32]> {
        if let [organization] = organizations {
            return Cow::Borrowed(self.of_organization(*organization, devices));
        }
        let each = organizations
            .iter()
            .flat_map(|organization| self.of_organization(*organization, devices));
        let mut numbers: Vec<u32> = each.copied().collect();
        numbers.sort_unstable();
        numbers.dedup();
        Cow::Owned(numbers)
    }

    fn of_organization(&self, organization: i64, devices: &Devices) -> &[u32] {
        let index = self.by_organization.get_or_init(|| {
            let mut index: ByOrganization = devices
                .organizations()
                .into_iter()
                .map(|id| (id, Vec::new()))
                .collect();
            index.insert(NOWHERE, Vec::new());
            for (number, row) in (0_u32..).zip(&self.rows) {
                match row
                    .device
                    .and_then(|id| devices.get(id))
                    .and_then(|device| device.organization)
                {
                    Some(id) => index.entry(id).or_default().push(number),
                    None => index.values_mut().for_each(|rows| rows.push(number)),
                }
            }
            index
        });
        index
            .get(&organization)
            .or_else(|| index.get(&NOWHERE))
            .map_or(&[], Vec::as_slice)
    }
}

/// Stands for every organization without a device.
const NOWHERE: i64 = i64::MIN;

/// What filters need of each device.
#[derive(Debug, Default)]
pub(crate) struct Devices(HashMap<i64, Device>);

/// What a filter can ask of a device.
#[derive(Debug, Default)]
pub(crate) struct Device {
    pub(crate) organization: Option<i64>,
    pub(crate) location: Option<i64>,
    pub(crate) role: Option<i64>,
    pub(crate) class: String,
    pub(crate) status: String,
    pub(crate) offline: Option<bool>,
    pub(crate) created: Option<f64>,
    /// Its index in its organization, from 0.
    pub(crate) place: u32,
}

impl Devices {
    /// The devices of a list.
    pub(crate) fn of(devices: &Table) -> Self {
        let mut places: HashMap<Option<i64>, u32> = HashMap::new();
        let device = |row: &Row| {
            let mut device = Device::of(&row.value());
            let place = places.entry(device.organization).or_default();
            device.place = *place;
            *place += 1;
            (row.id, device)
        };
        let keyed = devices.rows().iter().filter(|row| row.keyed);
        Self(keyed.map(device).collect())
    }

    /// A device.
    pub(crate) fn get(&self, id: i64) -> Option<&Device> {
        self.0.get(&id)
    }

    fn organizations(&self) -> Vec<i64> {
        self.0
            .values()
            .filter_map(|device| device.organization)
            .collect()
    }
}

impl Device {
    fn of(row: &Value) -> Self {
        let number = |key| row.get(key).and_then(Value::as_i64);
        let word = |key| {
            row.get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        Self {
            organization: number("organizationId"),
            location: number("locationId"),
            role: number("nodeRoleId"),
            class: word("nodeClass"),
            status: word("approvalStatus"),
            offline: row.get("offline").and_then(Value::as_bool),
            created: row.get("created").and_then(Value::as_f64),
            place: 0,
        }
    }
}
