//! Furnishing a tenant.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{
    canary::Canaries,
    fleet::{self, Plan, Rows},
    oauth::Oauth,
    preset::Preset,
    quota::Quota,
    report::{Cursors, Report},
    shape::{self, Burst, OddName, Shape},
    table::{Devices, Table},
    tenant::Tenant,
};

/// Builds a [`Tenant`].
///
/// Rows given replace those of the preset. A tenant without a preset and without rows is empty.
///
/// ```
/// use ninjaone_simulator::Tenant;
/// use serde_json::json;
/// use time::macros::datetime;
///
/// let tenant = Tenant::builder(datetime!(2026-11-23 06:30 UTC))
///     .devices(&[json!({ "id": 7, "organizationId": 2, "nodeClass": "MAC", "approvalStatus": "APPROVED" })])
///     .build();
/// assert_eq!(tenant.organizations().len(), 1, "organizations nobody described are made from the devices");
/// ```
#[derive(Debug)]
#[must_use]
pub struct TenantBuilder {
    now: OffsetDateTime,
    plan: Option<(Preset, usize)>,
    organization_count: Option<usize>,
    seed: u64,
    canaries: bool,
    oauth: Oauth,
    cursor_lifetime: Duration,
    cursor_on_one_page: bool,
    quota: Option<Quota>,
    organizations: Option<Vec<Value>>,
    locations: Option<Vec<Value>>,
    devices: Option<Vec<Value>>,
    users: Option<Vec<Value>>,
    activities: Option<Vec<Value>>,
    reports: BTreeMap<Report, Vec<Value>>,
    shapes: Vec<Shape>,
    odd_names: Vec<OddName>,
    bursts: Vec<Burst>,
}

impl TenantBuilder {
    pub(crate) fn new(now: OffsetDateTime) -> Self {
        Self {
            now,
            plan: None,
            organization_count: None,
            seed: 0,
            canaries: false,
            oauth: Oauth::new(),
            cursor_lifetime: Duration::from_hours(1),
            cursor_on_one_page: false,
            quota: None,
            organizations: None,
            locations: None,
            devices: None,
            users: None,
            activities: None,
            reports: BTreeMap::new(),
            shapes: Vec::new(),
            odd_names: Vec::new(),
            bursts: Vec::new(),
        }
    }

    /// A fleet made from a preset, a seed and a size.
    pub fn preset(self, preset: Preset, seed: u64, devices: usize) -> Self {
        Self {
            plan: Some((preset, devices)),
            seed,
            ..self
        }
    }

    /// How many organizations a preset's fleet has; without it [`Preset::organizations`].
    pub fn organization_count(self, organizations: usize) -> Self {
        Self {
            organization_count: Some(organizations),
            ..self
        }
    }

    /// Replaces every free text (host and user names, addresses, serials, volume names, patch titles, messages ...) by a canary;
    /// see [`Tenant::canaries`]. Words that a rule reads stay.
    pub fn canaries(self) -> Self {
        Self {
            canaries: true,
            ..self
        }
    }

    /// Client id and secret of the app, instead of those made from the seed.
    pub fn client(mut self, id: &str, secret: &str) -> Self {
        id.clone_into(&mut self.oauth.client_id);
        secret.clone_into(&mut self.oauth.client_secret);
        self
    }

    /// Makes the app a native one, which has no secret and proves itself by PKCE.
    pub fn public_client(mut self) -> Self {
        self.oauth.public = true;
        self
    }

    /// The scopes the app was granted; `monitoring` alone unless told otherwise.
    pub fn scopes(mut self, scopes: &[&str]) -> Self {
        self.oauth.scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        self
    }

    /// Adds a redirect URI of the app, beside `http://127.0.0.1/callback`.
    pub fn redirect_uri(mut self, uri: &str) -> Self {
        self.oauth.redirect_uris.push(uri.to_owned());
        self
    }

    /// How long access tokens live; an hour unless told otherwise.
    pub fn token_lifetime(mut self, lifetime: Duration) -> Self {
        self.oauth.token_lifetime = lifetime;
        self
    }

    /// Token answers without `scope`, as some tenants send them.
    pub fn silent_scope(mut self) -> Self {
        self.oauth.echo_scope = false;
        self
    }

    /// How long cursors live; an hour unless told otherwise.
    pub fn cursor_lifetime(self, lifetime: Duration) -> Self {
        Self {
            cursor_lifetime: lifetime,
            ..self
        }
    }

    /// Sends a cursor also with a report that fits on one page, as some answers do and others do not.
    pub fn cursor_on_one_page(self) -> Self {
        Self {
            cursor_on_one_page: true,
            ..self
        }
    }

    /// Enforces request limits with 429, counts them over sliding windows, and sends `X-RateLimit-Remaining`.
    pub fn enforce_limits(self, per_minute: usize, per_hour: usize) -> Self {
        Self {
            quota: Some(Quota::new(per_minute, per_hour)),
            ..self
        }
    }

    /// Organizations.
    pub fn organizations(self, rows: &[Value]) -> Self {
        Self {
            organizations: Some(rows.to_vec()),
            ..self
        }
    }

    /// Locations.
    pub fn locations(self, rows: &[Value]) -> Self {
        Self {
            locations: Some(rows.to_vec()),
            ..self
        }
    }

    /// Devices as `devices-detailed` sends them.
    pub fn devices(self, rows: &[Value]) -> Self {
        Self {
            devices: Some(rows.to_vec()),
            ..self
        }
    }

    /// Users.
    pub fn users(self, rows: &[Value]) -> Self {
        Self {
            users: Some(rows.to_vec()),
            ..self
        }
    }

    /// Activities; sent in descending order of id.
    pub fn activities(self, rows: &[Value]) -> Self {
        Self {
            activities: Some(rows.to_vec()),
            ..self
        }
    }

    /// The rows of a report, sent in the order given. A row may also be no object.
    pub fn report(mut self, report: Report, rows: &[Value]) -> Self {
        self.reports.insert(report, rows.to_vec());
        self
    }

    /// Volumes, with `bitLockerStatus` where there is one.
    pub fn volumes(self, rows: &[Value]) -> Self {
        self.report(Report::Volumes, rows)
    }

    /// Antivirus products.
    pub fn antivirus_status(self, rows: &[Value]) -> Self {
        self.report(Report::AntivirusStatus, rows)
    }

    /// Pending operating system patches.
    pub fn os_patches(self, rows: &[Value]) -> Self {
        self.report(Report::OsPatches, rows)
    }

    /// Attempts to install operating system patches.
    pub fn os_patch_installs(self, rows: &[Value]) -> Self {
        self.report(Report::OsPatchInstalls, rows)
    }

    /// Pending software patches.
    pub fn software_patches(self, rows: &[Value]) -> Self {
        self.report(Report::SoftwarePatches, rows)
    }

    /// Attempts to install software patches.
    pub fn software_patch_installs(self, rows: &[Value]) -> Self {
        self.report(Report::SoftwarePatchInstalls, rows)
    }

    /// Custom field values.
    pub fn custom_fields(self, rows: &[Value]) -> Self {
        self.report(Report::CustomFields, rows)
    }

    /// Puts a shape over the rows, those of a preset or those given. May be repeated.
    pub fn shape(mut self, shape: Shape) -> Self {
        self.shapes.push(shape);
        self
    }

    /// Gives the organizations after the first odd names made from the first one's name, in turn.
    pub fn odd_names(self, names: &[OddName]) -> Self {
        Self {
            odd_names: names.to_vec(),
            ..self
        }
    }

    /// Puts a burst of old activities on top of all others. May be repeated.
    pub fn burst(mut self, burst: Burst) -> Self {
        self.bursts.push(burst);
        self
    }

    /// The rows of the preset, or empty tables.
    fn furnished(&self) -> Rows {
        match self.plan {
            Some((preset, devices)) => {
                let organizations = self
                    .organization_count
                    .unwrap_or_else(|| preset.organizations());
                let plan = Plan {
                    preset,
                    seed: self.seed,
                    devices,
                    organizations,
                    now: self.now,
                };
                fleet::generate(&plan, self.canaries)
            }
            None => Rows {
                // The reports that repeat the device list are made on demand; the others are what was given, or empty.
                reports: fleet::FACTS.map(|report| (report, Table::default())).into(),
                canaries: self.canaries.then(Canaries::default),
                ..Rows::default()
            },
        }
    }

    /// The tenant.
    #[must_use]
    pub fn build(self) -> Tenant {
        let mut rows = self.furnished();
        let mut masked = |given: Vec<Value>| -> Vec<Value> {
            match &mut rows.canaries {
                Some(canaries) => given.iter().map(|row| canaries.replace(row)).collect(),
                None => given,
            }
        };
        let organizations = self.organizations.or_else(|| {
            let devices = self.devices.as_ref().filter(|_| self.plan.is_none())?;
            let ids: BTreeSet<i64> = devices
                .iter()
                .filter_map(|row| row.get("organizationId")?.as_i64())
                .collect();
            Some(
                ids.into_iter()
                    .map(|id| json!({ "id": id, "name": format!("Organization {id}") }))
                    .collect(),
            )
        });
        let organizations = organizations.map(&mut masked);
        let locations = self.locations.map(&mut masked);
        let devices = self.devices.map(&mut masked);
        let users = self.users.map(&mut masked);
        let activities = self.activities.map(&mut masked);
        let reports: Vec<_> = self
            .reports
            .into_iter()
            .map(|(report, given)| (report, masked(given)))
            .collect();
        let oauth = self.oauth.seeded(self.seed);
        let devices_index = Devices::of(&rows.devices);
        let mut tenant = Tenant {
            now: self.now,
            seed: self.seed,
            oauth,
            rows,
            devices: devices_index,
            cursors: Cursors::default(),
            cursor_lifetime: self.cursor_lifetime,
            cursor_on_one_page: self.cursor_on_one_page,
            quota: self.quota,
            faults: Vec::new(),
            log: Vec::new(),
        };
        if self.canaries {
            tenant.hold();
        }
        if let Some(given) = devices {
            tenant.set_devices(&given);
        }
        for (report, given) in reports {
            tenant.set_report(report, &given);
        }
        if let Some(given) = organizations {
            tenant.set_organizations(&given);
        }
        if let Some(given) = locations {
            tenant.rows.locations = Table::ascending(&given);
        }
        if let Some(given) = users {
            tenant.rows.users = Table::of(&given);
        }
        if let Some(given) = activities {
            tenant.set_activities(&given);
        }
        for shape in self.shapes {
            shape.put_over(&mut tenant);
        }
        for burst in &self.bursts {
            burst.put_on(&mut tenant);
        }
        if !self.odd_names.is_empty() {
            shape::rename(&mut tenant, &self.odd_names);
        }
        tenant
    }
}
