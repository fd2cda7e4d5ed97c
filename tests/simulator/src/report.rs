//! The reports under `/v2/queries` and the backup jobs: rows behind a cursor that lives on the server.

use std::{borrow::Cow, collections::BTreeMap};

use serde::Deserialize;
use serde_json::{Value, json};
use time::{Date, OffsetDateTime, macros::format_description};

use crate::{
    answer::{Answer, ErrorShape},
    fault::{Changes, CursorHabit, Parameter},
    filter::{BadFilter, Filter},
    fleet::scale::Scale,
    numbers::Numbers,
    request::Request,
    seed::Dice,
    table::{Devices, Row, Table},
    wire,
};

/// A report: rows of many devices, paged by a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is the vendor's report of the same name")]
pub enum Report {
    AntivirusStatus,
    AntivirusThreats,
    BackupIntegrityCheckJobs,
    BackupJobs,
    BackupUsage,
    ComputerSystems,
    CustomFields,
    CustomFieldsDetailed,
    DeviceHealth,
    Disks,
    LoggedOnUsers,
    NetworkInterfaces,
    OperatingSystems,
    OsPatchInstalls,
    OsPatches,
    PolicyOverrides,
    Processors,
    RaidControllers,
    RaidDrives,
    ScopedCustomFields,
    ScopedCustomFieldsDetailed,
    Software,
    SoftwarePatchInstalls,
    SoftwarePatches,
    Volumes,
    WindowsServices,
}

impl Report {
    /// Every report.
    pub const ALL: [Self; 26] = [
        Self::AntivirusStatus,
        Self::AntivirusThreats,
        Self::BackupIntegrityCheckJobs,
        Self::BackupJobs,
        Self::BackupUsage,
        Self::ComputerSystems,
        Self::CustomFields,
        Self::CustomFieldsDetailed,
        Self::DeviceHealth,
        Self::Disks,
        Self::LoggedOnUsers,
        Self::NetworkInterfaces,
        Self::OperatingSystems,
        Self::OsPatchInstalls,
        Self::OsPatches,
        Self::PolicyOverrides,
        Self::Processors,
        Self::RaidControllers,
        Self::RaidDrives,
        Self::ScopedCustomFields,
        Self::ScopedCustomFieldsDetailed,
        Self::Software,
        Self::SoftwarePatchInstalls,
        Self::SoftwarePatches,
        Self::Volumes,
        Self::WindowsServices,
    ];

    /// The path it is asked at.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::AntivirusStatus => "/v2/queries/antivirus-status",
            Self::AntivirusThreats => "/v2/queries/antivirus-threats",
            Self::BackupIntegrityCheckJobs => "/v2/backup/integrity-check-jobs",
            Self::BackupJobs => "/v2/backup/jobs",
            Self::BackupUsage => "/v2/queries/backup/usage",
            Self::ComputerSystems => "/v2/queries/computer-systems",
            Self::CustomFields => "/v2/queries/custom-fields",
            Self::CustomFieldsDetailed => "/v2/queries/custom-fields-detailed",
            Self::DeviceHealth => "/v2/queries/device-health",
            Self::Disks => "/v2/queries/disks",
            Self::LoggedOnUsers => "/v2/queries/logged-on-users",
            Self::NetworkInterfaces => "/v2/queries/network-interfaces",
            Self::OperatingSystems => "/v2/queries/operating-systems",
            Self::OsPatchInstalls => "/v2/queries/os-patch-installs",
            Self::OsPatches => "/v2/queries/os-patches",
            Self::PolicyOverrides => "/v2/queries/policy-overrides",
            Self::Processors => "/v2/queries/processors",
            Self::RaidControllers => "/v2/queries/raid-controllers",
            Self::RaidDrives => "/v2/queries/raid-drives",
            Self::ScopedCustomFields => "/v2/queries/scoped-custom-fields",
            Self::ScopedCustomFieldsDetailed => "/v2/queries/scoped-custom-fields-detailed",
            Self::Software => "/v2/queries/software",
            Self::SoftwarePatchInstalls => "/v2/queries/software-patch-installs",
            Self::SoftwarePatches => "/v2/queries/software-patches",
            Self::Volumes => "/v2/queries/volumes",
            Self::WindowsServices => "/v2/queries/windows-services",
        }
    }

    /// The report of a path.
    pub(crate) fn at(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|report| report.path() == path)
    }

    /// The rows of an answer without `pageSize`: undeclared by the vendor for most reports, and small where anybody looked.
    const fn default_page(self) -> usize {
        match self {
            Self::BackupJobs | Self::BackupIntegrityCheckJobs => 10_000,
            Self::CustomFields
            | Self::CustomFieldsDetailed
            | Self::ScopedCustomFields
            | Self::ScopedCustomFieldsDetailed
            | Self::LoggedOnUsers
            | Self::PolicyOverrides
            | Self::WindowsServices => 1_000,
            _ => 100,
        }
    }

    /// Whether it knows `ts`.
    const fn monitored(self) -> bool {
        !matches!(
            self,
            Self::OsPatchInstalls
                | Self::SoftwarePatchInstalls
                | Self::LoggedOnUsers
                | Self::BackupUsage
                | Self::DeviceHealth
        )
    }

    /// `backup/usage` takes no device filter at all, and the scoped fields are not about devices.
    const fn filtered(self) -> bool {
        !matches!(
            self,
            Self::BackupUsage | Self::ScopedCustomFields | Self::ScopedCustomFieldsDetailed
        )
    }
}

/// The cursors that clients hold: state of the server, so that an answer that got lost has moved its cursor all the same.
#[derive(Debug, Default)]
pub(crate) struct Cursors {
    open: BTreeMap<String, Cursor>,
    opened: u64,
}

#[derive(Debug)]
struct Cursor {
    report: Report,
    rows: Numbers,
    bitlocker: bool,
    offset: usize,
    /// Pages sent so far.
    pages: u32,
    expires: f64,
}

/// The rows of a report.
#[derive(Clone, Copy)]
pub(crate) enum RowSource<'a> {
    /// They are there.
    Table(&'a Table),
    /// They are made when they are sent.
    Computed(&'a Scale, Report),
}

impl<'a> RowSource<'a> {
    fn text(self, number: u32, bitlocker: bool) -> Option<Cow<'a, str>> {
        match self {
            Self::Table(table) => table
                .rows()
                .get(usize::try_from(number).ok()?)
                .map(|row| row.text(bitlocker).into()),
            Self::Computed(fleet, report) => Some(fleet.text(report, number, bitlocker).into()),
        }
    }
}

/// What a report is asked against.
pub(crate) struct Source<'a> {
    pub(crate) held: RowSource<'a>,
    pub(crate) devices: &'a Devices,
    pub(crate) seed: u64,
    pub(crate) cursor_seconds: f64,
    pub(crate) cursor_on_one_page: bool,
}

impl Cursors {
    /// Cursors a client could still use.
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    /// Answers one page of a report.
    pub(crate) fn answer(
        &mut self,
        report: Report,
        request: &Request,
        source: &Source<'_>,
        changes: &Changes,
        now: OffsetDateTime,
    ) -> Answer {
        let now = wire::seconds(now);
        self.open.retain(|_, cursor| cursor.expires > now);
        let size = page_size(request, report.default_page(), changes);
        let name = if let Some(name) = request.parameter("cursor").filter(|name| !name.is_empty()) {
            if changes.cursor_expired {
                self.open.remove(name);
            }
            if self
                .open
                .get(name)
                .is_none_or(|cursor| cursor.report != report)
            {
                return Answer::error(
                    400,
                    ErrorShape::ResultCode,
                    "INVALID_CURSOR",
                    "Cursor not found or expired",
                );
            }
            name.to_owned()
        } else {
            let rows = match select(report, request, source, changes) {
                Ok(rows) => rows,
                Err(BadFilter) => return BadFilter::answer(),
            };
            let bitlocker = request
                .parameter("include")
                .is_some_and(|include| include.split(',').any(|part| part == "bl"));
            let whole = rows.len() <= size
                && changes.count_too_large == 0
                && !source.cursor_on_one_page
                && !changes.has(CursorHabit::PresentOnOnePage);
            if whole || changes.bare_array {
                return whole_report(&rows, bitlocker, source.held, changes);
            }
            self.opened += 1;
            let name = Dice::new(source.seed, (2 << 56) + self.opened).uuid();
            let expires = now + source.cursor_seconds;
            self.open.insert(
                name.clone(),
                Cursor {
                    report,
                    rows,
                    bitlocker,
                    offset: 0,
                    pages: 0,
                    expires,
                },
            );
            name
        };
        let name = if changes.has(CursorHabit::NameChanges) {
            self.renamed(&name, source.seed)
        } else {
            name
        };
        let asked = page_size_asked(request, report.default_page(), changes);
        self.page(&name, size, asked, source.held, changes)
    }

    /// Gives a cursor another name.
    fn renamed(&mut self, name: &str, seed: u64) -> String {
        self.opened += 1;
        let other = Dice::new(seed, (2 << 56) + self.opened).uuid();
        if let Some(cursor) = self.open.remove(name) {
            self.open.insert(other.clone(), cursor);
        }
        other
    }

    fn page(
        &mut self,
        name: &str,
        size: usize,
        asked: usize,
        held: RowSource<'_>,
        changes: &Changes,
    ) -> Answer {
        let Some(cursor) = self.open.get_mut(name) else {
            return Answer::not_found();
        };
        let offset = cursor.offset;
        let numbers = cursor.rows.skip(offset).take(size);
        let page: Vec<Cow<'_, str>> = numbers
            .filter_map(|number| held.text(number, cursor.bitlocker))
            .collect();
        let last = offset + page.len() >= cursor.rows.len();
        let state = Self::state(name, cursor, page.len(), asked, changes);
        if !changes.stalled_cursor {
            cursor.offset = offset + page.len();
            cursor.pages += 1;
        }
        let results = changes.rows(&page);
        if changes.cursor_missing || (last && changes.has(CursorHabit::AbsentOnLastPage)) {
            return Answer::json_text(format!(r#"{{"results":{results}}}"#));
        }
        Answer::json_text(format!(
            r#"{{"cursor":{},"results":{results}}}"#,
            wire::text(&state)
        ))
    }
}

impl Cursors {
    /// What a page says of the report it is of.
    fn state(name: &str, cursor: &Cursor, rows: usize, asked: usize, changes: &Changes) -> Value {
        let mut state = json!({ "name": name, "expires": cursor.expires });
        let Some(fields) = state.as_object_mut().filter(|_| !changes.count_missing) else {
            return state;
        };
        if !changes.has(CursorHabit::OffsetAbsent) {
            let shown = if changes.has(CursorHabit::OffsetAtEnd) {
                cursor.offset + rows
            } else {
                cursor.offset
            };
            fields.insert("offset".to_owned(), json!(shown));
        }
        let total = cursor.rows.len();
        let count = if changes.has(CursorHabit::CountOfPage) {
            rows
        } else if changes.has(CursorHabit::CountOfRequest) {
            asked
        } else if changes.has(CursorHabit::CountOfRest) {
            total.saturating_sub(cursor.offset)
        } else {
            total
        };
        let drift = i64::from(changes.drift().unwrap_or(0)) * i64::from(cursor.pages);
        let count = i64::try_from(count + changes.count_too_large).unwrap_or(i64::MAX) + drift;
        if !changes.has(CursorHabit::CountAbsent) {
            fields.insert("count".to_owned(), json!(count.max(0)));
        }
        state
    }
}

/// A report that fits on one page has no cursor at all (`samples/real/queries.device-health.json`).
fn whole_report(rows: &Numbers, bitlocker: bool, held: RowSource<'_>, changes: &Changes) -> Answer {
    let page: Vec<Cow<'_, str>> = rows
        .iter()
        .filter_map(|number| held.text(number, bitlocker))
        .collect();
    let results = changes.rows(&page);
    Answer::json_text(if changes.bare_array {
        results
    } else {
        format!(r#"{{"results":{results}}}"#)
    })
}

/// The rows of a page: as many as were asked for, within the vendor's bounds and those of the request's faults.
pub(crate) fn page_size(request: &Request, default: usize, changes: &Changes) -> usize {
    changes.capped(page_size_asked(request, default, changes))
}

/// The page size asked for, within the vendor's bounds.
pub(crate) fn page_size_asked(request: &Request, default: usize, changes: &Changes) -> usize {
    changes
        .parameter(Parameter::PageSize, "pageSize", request)
        .and_then(|size| size.parse().ok())
        .filter(|size| *size > 0)
        .unwrap_or(default)
        .min(10_000)
}

/// The device filter of a request, unless it is to be ignored.
pub(crate) fn device_filter(request: &Request, changes: &Changes) -> Result<Filter, BadFilter> {
    let text = changes.parameter(Parameter::DeviceFilter, "df", request);
    let mut filter = Filter::parse(text.unwrap_or(""))?;
    if let Some(half) = changes.half(request) {
        filter.halve(half);
    }
    Ok(if changes.matches_nothing(request) {
        Filter::nothing()
    } else {
        filter
    })
}

fn select(
    report: Report,
    request: &Request,
    source: &Source<'_>,
    changes: &Changes,
) -> Result<Numbers, BadFilter> {
    let filter = if report.filtered() {
        device_filter(request, changes)?
    } else {
        Filter::default()
    };
    let wanted = Wanted::of(report, request, changes);
    let table = match source.held {
        RowSource::Table(table) => table,
        RowSource::Computed(fleet, report) => {
            let rows = fleet.rows(report, &filter);
            if wanted.admits_all_since(fleet.oldest()) {
                return Ok(rows);
            }
            let admits = |number: &u32| wanted.admits(&fleet.text(report, *number, true));
            return Ok(rows.iter().filter(admits).collect());
        }
    };
    let admits = |row: &Row| {
        let device = row.device.and_then(|id| source.devices.get(id));
        filter.admits(row.device, device) && wanted.admits(&row.text)
    };
    let rows = table.rows();
    let candidates: Cow<'_, [u32]> = match filter.organizations() {
        Some(ids) => table.of_organizations(ids, source.devices),
        None => (0..u32::try_from(rows.len()).unwrap_or(u32::MAX)).collect(),
    };
    let row = |number: u32| {
        usize::try_from(number)
            .ok()
            .and_then(|number| rows.get(number))
    };
    Ok(candidates
        .iter()
        .copied()
        .filter(|number| row(*number).is_some_and(admits))
        .collect())
}

/// The parameters of single reports that the vendor declares, beside the device filter.
#[derive(Debug, Default)]
struct Wanted {
    words: Vec<(&'static str, String)>,
    installed_after: Option<f64>,
    installed_before: Option<f64>,
    monitored: Option<f64>,
}

/// What [`Wanted`] reads of a row.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Facts {
    status: Value,
    r#type: Value,
    severity: Value,
    impact: Value,
    product_state: Value,
    product_name: Value,
    product_identifier: Value,
    installed_at: Value,
    timestamp: Value,
}

impl Wanted {
    fn of(report: Report, request: &Request, changes: &Changes) -> Self {
        let names = [
            "status",
            "type",
            "severity",
            "impact",
            "productState",
            "productName",
            "productIdentifier",
        ];
        let word = |name| {
            let kind = if name == "status" {
                Parameter::Status
            } else {
                Parameter::Type
            };
            changes
                .parameter(kind, name, request)
                .map(|value| (name, value.to_owned()))
        };
        let installed = |name| {
            changes
                .parameter(Parameter::InstalledAfter, name, request)
                .and_then(moment)
        };
        Self {
            words: names.into_iter().filter_map(word).collect(),
            installed_after: installed("installedAfter"),
            installed_before: installed("installedBefore"),
            monitored: changes
                .parameter(Parameter::Monitored, "ts", request)
                .filter(|_| report.monitored())
                .and_then(moment),
        }
    }

    /// Whether rows of any content pass that have no time before this one.
    fn admits_all_since(&self, oldest: f64) -> bool {
        let is_earlier = |time: Option<f64>| time.is_none_or(|time| time <= oldest);
        self.words.is_empty()
            && self.installed_before.is_none()
            && is_earlier(self.installed_after)
            && is_earlier(self.monitored)
    }

    fn admits(&self, row: &str) -> bool {
        if self.admits_all_since(f64::NEG_INFINITY) {
            return true;
        }
        // A row that is no object cannot be filtered, and must be seen by tests of malformed rows.
        let Ok(facts) = serde_json::from_str::<Facts>(row) else {
            return true;
        };
        let word = |name: &str| match name {
            "status" => &facts.status,
            "type" => &facts.r#type,
            "severity" => &facts.severity,
            "impact" => &facts.impact,
            "productState" => &facts.product_state,
            "productName" => &facts.product_name,
            _ => &facts.product_identifier,
        };
        // Some installs have no time of their own; the time of collection stands in for it.
        let time = facts.installed_at.as_f64().or(facts.timestamp.as_f64());
        self.words.iter().all(|(name, wanted)| {
            word(name)
                .as_str()
                .is_some_and(|value| value.eq_ignore_ascii_case(wanted))
        }) && self
            .installed_after
            .is_none_or(|after| time.is_none_or(|time| time >= after))
            && self
                .installed_before
                .is_none_or(|before| time.is_none_or(|time| time <= before))
            && self.monitored.is_none_or(|since| {
                let collected = facts.timestamp.as_f64();
                collected.is_none_or(|collected| collected >= since)
            })
    }
}

/// A moment in a query: Unix seconds, or a day as `2026-11-23` or `20261123`.
pub(crate) fn moment(text: &str) -> Option<f64> {
    let day = |date: Date| wire::seconds(date.midnight().assume_utc());
    if let Ok(date) = Date::parse(text, format_description!("[year]-[month]-[day]")) {
        return Some(day(date));
    }
    if text.len() == 8
        && let Ok(date) = Date::parse(text, format_description!("[year][month][day]"))
    {
        return Some(day(date));
    }
    text.parse().ok()
}
