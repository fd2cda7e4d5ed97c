//! The tenant: its rows, its tokens, its cursors, and what it answers.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde_json::Value;
use time::OffsetDateTime;

use crate::{
    activities,
    answer::Answer,
    builder::TenantBuilder,
    endpoints,
    fault::{self, Changes, Damage, Fault, FaultRule},
    filter::{BadFilter, Filter},
    fleet::{self, Present, Rows},
    list,
    oauth::Oauth,
    preset::Preset,
    quota::Quota,
    report::{self, Cursors, Report, RowSource, Source},
    request::Request,
    table::{Devices, Table},
};

/// A simulated NinjaOne tenant.
///
/// It answers requests and does nothing else: no I/O, no clock, nothing shared. The same requests at the same times in the same
/// order give the same answers, byte for byte. The [`front`](crate::front)s put it behind a socket.
///
/// ```
/// use ninjaone_simulator::{Preset, Request, Tenant};
/// use time::macros::datetime;
///
/// let now = datetime!(2026-11-23 06:30 UTC);
/// let mut tenant = Tenant::preset(Preset::Healthy, 1, 30, now);
/// let token = tenant.issue_token(now);
/// let answer = tenant.answer(&Request::get("/v2/devices-detailed?pageSize=1000").bearer(&token), now);
/// assert_eq!(answer.status, 200);
/// let devices: Vec<serde_json::Value> = serde_json::from_slice(&answer.body).unwrap();
/// assert_eq!(devices.len(), 30);
/// ```
pub struct Tenant {
    pub(crate) now: OffsetDateTime,
    pub(crate) seed: u64,
    pub(crate) oauth: Oauth,
    pub(crate) rows: Rows,
    pub(crate) devices: Devices,
    pub(crate) cursors: Cursors,
    pub(crate) cursor_lifetime: std::time::Duration,
    pub(crate) cursor_on_one_page: bool,
    pub(crate) quota: Option<Quota>,
    pub(crate) faults: Vec<FaultRule>,
    pub(crate) log: Vec<LoggedRequest>,
}

/// A request the tenant has answered. No header, token or body is kept, and no query of the sign-in pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedRequest {
    /// When it came.
    pub at: OffsetDateTime,
    /// The method.
    pub method: String,
    /// The path, without a leading `/api`.
    pub path: String,
    /// The query, decoded.
    pub query: Vec<(String, String)>,
    /// The status answered.
    pub status: u16,
    /// The faults that struck it.
    pub faults: Vec<Fault>,
}

impl LoggedRequest {
    /// The first value of a query parameter.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

impl Tenant {
    /// A tenant with a fleet whose verdicts are known beforehand; see [`Preset`].
    ///
    /// `devices` is the size of the whole fleet; it is dealt to the organizations in turn.
    #[must_use]
    pub fn preset(preset: Preset, seed: u64, devices: usize, now: OffsetDateTime) -> Self {
        Self::builder(now).preset(preset, seed, devices).build()
    }

    /// A tenant to be furnished: other rows, scopes, lifetimes.
    pub fn builder(now: OffsetDateTime) -> TenantBuilder {
        TenantBuilder::new(now)
    }

    /// The time the fleet was made for.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        self.now
    }

    /// The client id of the app.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.oauth.client_id
    }

    /// The client secret of the app.
    #[must_use]
    pub fn client_secret(&self) -> &str {
        &self.oauth.client_secret
    }

    /// Organizations, in ascending order of id.
    #[must_use]
    pub fn organizations(&self) -> &[Value] {
        self.rows.organizations.values()
    }

    /// Locations, in ascending order of id.
    #[must_use]
    pub fn locations(&self) -> &[Value] {
        self.rows.locations.values()
    }

    /// Devices as `devices-detailed` sends them, in ascending order of id.
    #[must_use]
    pub fn devices(&self) -> &[Value] {
        match &self.rows.computed {
            Some(fleet) => fleet.device_values(),
            None => self.rows.devices.values(),
        }
    }

    /// Users.
    #[must_use]
    pub fn users(&self) -> &[Value] {
        self.rows.users.values()
    }

    /// Activities, newest first.
    #[must_use]
    pub fn activities(&self) -> &[Value] {
        match &self.rows.computed {
            Some(fleet) => fleet.activity_values(),
            None => self.rows.activities.values(),
        }
    }

    /// The rows of a report. Reports that only repeat the device list (`ComputerSystems`, `DeviceHealth` ...) are empty until they
    /// were asked for once.
    #[must_use]
    pub fn report(&self, report: Report) -> &[Value] {
        match (&self.rows.computed, self.rows.reports.get(&report)) {
            (_, Some(table)) => table.values(),
            (Some(fleet), None) => fleet.report_values(report),
            (None, None) => &[],
        }
    }

    /// Volumes, with `bitLockerStatus` where there is one.
    #[must_use]
    pub fn volumes(&self) -> &[Value] {
        self.report(Report::Volumes)
    }

    /// Antivirus products.
    #[must_use]
    pub fn antivirus_status(&self) -> &[Value] {
        self.report(Report::AntivirusStatus)
    }

    /// Pending operating system patches.
    #[must_use]
    pub fn os_patches(&self) -> &[Value] {
        self.report(Report::OsPatches)
    }

    /// Attempts to install operating system patches.
    #[must_use]
    pub fn os_patch_installs(&self) -> &[Value] {
        self.report(Report::OsPatchInstalls)
    }

    /// Pending software patches.
    #[must_use]
    pub fn software_patches(&self) -> &[Value] {
        self.report(Report::SoftwarePatches)
    }

    /// Attempts to install software patches.
    #[must_use]
    pub fn software_patch_installs(&self) -> &[Value] {
        self.report(Report::SoftwarePatchInstalls)
    }

    /// Custom field values.
    #[must_use]
    pub fn custom_fields(&self) -> &[Value] {
        self.report(Report::CustomFields)
    }

    /// Every canary in the fleet; empty unless the tenant was built with [`TenantBuilder::canaries`].
    #[must_use]
    pub fn canaries(&self) -> Vec<String> {
        self.rows
            .canaries
            .as_ref()
            .map(crate::canary::Canaries::all)
            .unwrap_or_default()
    }

    /// Replaces the organizations.
    pub fn set_organizations(&mut self, rows: &[Value]) {
        self.rows.organizations = Table::ascending(rows);
    }

    /// Replaces the devices, given as `devices-detailed` sends them. Cursors that are open end, and reports that only repeat the
    /// device list are made anew.
    pub fn set_devices(&mut self, rows: &[Value]) {
        self.hold();
        self.rows.devices = Table::ascending(rows);
        let summaries: Vec<Value> = self
            .rows
            .devices
            .rows()
            .iter()
            .map(|row| fleet::summary(&row.value()))
            .collect();
        self.rows.summaries = Table::of(&summaries);
        self.devices = Devices::of(&self.rows.devices);
        self.rows
            .reports
            .retain(|report, _| fleet::FACTS.contains(report));
        // What a row belongs to depends on its device.
        for table in self.rows.reports.values_mut() {
            table.forget_organizations();
        }
        self.rows.devices.forget_organizations();
        self.cursors = Cursors::default();
    }

    /// Replaces the activities, which are sent in descending order of id.
    pub fn set_activities(&mut self, rows: &[Value]) {
        self.hold();
        self.rows.activities = Table::descending(rows);
    }

    /// Replaces the rows of a report. Cursors that are open end.
    pub fn set_report(&mut self, report: Report, rows: &[Value]) {
        self.hold();
        self.rows.reports.insert(report, Table::of(rows));
        self.cursors = Cursors::default();
    }

    /// Moves a device to another organization; whether there is such a device and it was elsewhere. Its location stays. Cursors stay
    /// open: a report that was begun goes on with the rows that it began with.
    pub fn move_device(&mut self, device: i64, organization: i64) -> bool {
        if let Some(fleet) = &mut self.rows.computed {
            let moves = fleet.move_device(device, organization);
            if moves {
                self.rows.reports.clear();
            }
            return moves;
        }
        let now_in = self.devices.get(device).map(|known| known.organization);
        if now_in.is_none_or(|now_in| now_in == Some(organization)) {
            return false;
        }
        self.rows.devices.move_device(device, organization);
        self.rows.summaries.move_device(device, organization);
        self.devices = Devices::of(&self.rows.devices);
        // Reports that only repeat the device list are made anew, row by row as they were.
        self.rows
            .reports
            .retain(|report, _| fleet::FACTS.contains(report));
        for table in self.rows.reports.values_mut() {
            table.forget_organizations();
        }
        true
    }

    /// Makes every row of a computed fleet, and keeps them from then on.
    pub(crate) fn hold(&mut self) {
        let Some(fleet) = self.rows.computed.take() else {
            return;
        };
        for device in 0..fleet.devices() {
            self.rows.device(&fleet.device_value(device));
        }
        for report in fleet::FACTS {
            self.rows.reports.entry(report).or_default();
            for row in fleet.report_values(report) {
                self.rows.report(report, row);
            }
        }
        for row in fleet.activity_values() {
            let row = self.rows.masked(row).into_owned();
            self.rows.activities.push(&row);
        }
        self.devices = Devices::of(&self.rows.devices);
    }

    /// Switches a fault on.
    pub fn fault(&mut self, rule: impl Into<FaultRule>) -> &mut Self {
        self.faults.push(rule.into());
        self
    }

    /// Switches several faults on.
    pub fn faults(&mut self, rules: impl IntoIterator<Item = FaultRule>) -> &mut Self {
        self.faults.extend(rules);
        self
    }

    /// Switches every fault off.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// The faults switched on, each with how often it has struck.
    #[must_use]
    pub fn fault_rules(&self) -> &[FaultRule] {
        &self.faults
    }

    /// Every request answered so far.
    #[must_use]
    pub fn requests(&self) -> &[LoggedRequest] {
        &self.log
    }

    /// Forgets the requests answered so far.
    pub fn clear_requests(&mut self) {
        self.log.clear();
    }

    /// Cursors that are open.
    #[must_use]
    pub fn open_cursors(&self) -> usize {
        self.cursors.len()
    }

    /// An access token, as the token endpoint would issue it.
    pub fn issue_token(&mut self, now: OffsetDateTime) -> String {
        self.oauth.own_token(now)
    }

    /// Ends every access token; the next request with one is answered 401.
    pub fn revoke_tokens(&mut self) {
        self.oauth.revoke(None);
    }

    /// Ends every refresh token.
    pub fn revoke_refresh_tokens(&mut self) {
        self.oauth.revoke_refresh_tokens();
    }

    /// Changes the client secret, as an administrator who makes a new one does.
    pub fn set_client_secret(&mut self, secret: &str) {
        secret.clone_into(&mut self.oauth.client_secret);
    }

    /// Answers a request that arrives at `now`.
    pub fn answer(&mut self, request: &Request, now: OffsetDateTime) -> Answer {
        let counted: Vec<(Fault, u64)> = self
            .faults
            .iter_mut()
            .filter_map(|rule| {
                rule.strikes(request)
                    .then(|| (rule.fault().clone(), rule.fired()))
            })
            .collect();
        let changes = Changes::of(&counted);
        let struck: Vec<Fault> = counted.into_iter().map(|(fault, _)| fault).collect();
        for fault in &struck {
            if let Fault::DeviceMoves {
                device,
                organization,
            } = fault
            {
                self.move_device(*device, *organization);
            }
        }
        let mut answer = match struck
            .iter()
            .find_map(|fault| fault::instead(fault, request, now))
        {
            Some(answer) => {
                if struck.contains(&Fault::TokenDies) {
                    self.oauth.revoke(request.token());
                }
                answer
            }
            None => self.served(request, &changes, now),
        };
        let damages: Vec<&Damage> = struck
            .iter()
            .filter_map(|fault| match fault {
                Fault::Damaged(damage) => Some(damage),
                _ => None,
            })
            .collect();
        if !damages.is_empty() && answer.status == 200 {
            fault::apply(&damages, &mut answer);
        }
        for fault in &struck {
            fault::spoil(fault, &mut answer);
        }
        answer.set_header("date", &fault::http_date(now));
        answer.set_header("x-nj-request-id", &format!("sim-{:08}", self.log.len()));
        let sign_in = request.path().starts_with("/ws/") || request.path().starts_with("/oauth/");
        self.log.push(LoggedRequest {
            at: now,
            method: request.method().to_owned(),
            path: request.path().to_owned(),
            query: if sign_in {
                Vec::new()
            } else {
                request.query().to_vec()
            },
            status: answer.status,
            faults: struck,
        });
        answer
    }

    fn served(&mut self, request: &Request, changes: &Changes, now: OffsetDateTime) -> Answer {
        match (request.method(), request.path()) {
            ("POST", "/ws/oauth/token") => return self.oauth.token(request, now),
            ("GET", "/ws/oauth/authorize") => return self.oauth.authorize(request, now),
            // The short path once worked and then was gone, twice.
            (_, "/oauth/token" | "/oauth/authorize") => {
                return Answer::html(
                    404,
                    "<html><head><title>404 Not Found</title></head><body>nginx</body></html>",
                );
            }
            _ => {}
        }
        if let Some(refusal) = self.quota.as_mut().and_then(|quota| quota.admit(now)) {
            return refusal;
        }
        if !self.oauth.admits(request.token(), now) {
            return Answer::not_authenticated();
        }
        let mut answer = if request.method() == "GET" {
            self.read(request, changes, now)
        } else {
            Answer::error(
                403,
                crate::ErrorShape::ResultCode,
                "permission_denied",
                "The token's scope is monitoring",
            )
        };
        if let Some(quota) = &self.quota {
            answer.set_header("x-ratelimit-remaining", &quota.remaining(now).to_string());
        }
        answer
    }

    fn read(&mut self, request: &Request, changes: &Changes, now: OffsetDateTime) -> Answer {
        if let Some(report) = Report::at(request.path()) {
            self.fill(report);
            let empty = Table::default();
            let source = Source {
                held: match (&self.rows.computed, self.rows.reports.get(&report)) {
                    (_, Some(table)) => RowSource::Table(table),
                    (Some(fleet), None) => RowSource::Computed(fleet, report),
                    (None, None) => RowSource::Table(&empty),
                },
                devices: &self.devices,
                seed: self.seed,
                cursor_seconds: self.cursor_lifetime.as_secs_f64(),
                cursor_on_one_page: self.cursor_on_one_page,
            };
            return self.cursors.answer(report, request, &source, changes, now);
        }
        let everything = Filter::default();
        match request.path() {
            "/v2/organizations" => list::page(
                request,
                &self.rows.organizations,
                &self.devices,
                &everything,
                changes,
            ),
            "/v2/locations" => list::page(
                request,
                &self.rows.locations,
                &self.devices,
                &everything,
                changes,
            ),
            "/v2/devices" => self.devices_page(request, false, changes),
            "/v2/devices-detailed" => self.devices_page(request, true, changes),
            "/v2/activities" => match &self.rows.computed {
                Some(fleet) => activities::computed(request, fleet, changes),
                None => {
                    activities::answer(request, &self.rows.activities, &self.devices, None, changes)
                }
            },
            _ => endpoints::answer(self, request, changes, now),
        }
    }

    fn devices_page(&self, request: &Request, detailed: bool, changes: &Changes) -> Answer {
        match report::device_filter(request, changes) {
            Ok(filter) => {
                if let Some(fleet) = &self.rows.computed {
                    return list::computed(request, fleet, detailed, &filter, changes);
                }
                let table = if detailed {
                    &self.rows.devices
                } else {
                    &self.rows.summaries
                };
                list::page(request, table, &self.devices, &filter, changes)
            }
            Err(BadFilter) => BadFilter::answer(),
        }
    }

    /// Makes the rows of a report that only repeats the device list.
    pub(crate) fn fill(&mut self, report: Report) {
        let is_computed = self.rows.computed.is_some() && fleet::FACTS.contains(&report);
        if is_computed || self.rows.reports.contains_key(&report) {
            return;
        }
        let present = Present::of(self.now);
        let mut table = Table::default();
        let computed = self.rows.computed.as_ref().map(|fleet| {
            let mut devices = Table::default();
            (0..fleet.devices()).for_each(|device| devices.push(&fleet.device_value(device)));
            devices
        });
        if let Some(devices) = &computed {
            self.devices = Devices::of(devices);
        }
        let devices = computed.as_ref().unwrap_or(&self.rows.devices);
        for device in devices.rows().iter().filter(|row| row.keyed) {
            for row in fleet::derived::rows(report, device, self.seed, present) {
                let row = match &mut self.rows.canaries {
                    Some(canaries) => Cow::Owned(canaries.replace(&row)),
                    None => Cow::Borrowed(&row),
                };
                table.push(&row);
            }
        }
        self.rows.reports.insert(report, table);
    }

    fn device_count(&self) -> usize {
        let computed = self.rows.computed.as_ref();
        computed.map_or(self.rows.devices.rows().len(), |fleet| {
            usize::try_from(fleet.devices()).unwrap_or(usize::MAX)
        })
    }

    /// The number of requests answered, by path.
    #[must_use]
    pub fn requests_by_path(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for request in &self.log {
            *counts.entry(request.path.as_str()).or_default() += 1;
        }
        counts
    }
}

impl fmt::Debug for Tenant {
    /// Sizes, and no row.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenant")
            .field("now", &self.now)
            .field("seed", &self.seed)
            .field("devices", &self.device_count())
            .field("open_cursors", &self.cursors.len())
            .field("requests", &self.log.len())
            .finish_non_exhaustive()
    }
}
