//! What there really is in each NinjaOne, and how each of them answers: the input of the sync and of the model alike.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use regentra_sync::{
    Error, ErrorKind, Result,
    model::{
        AssetContent, CredentialId, DeviceId, DeviceList, LastContact, ListedDevice,
        ListedOrganization, MappingId, MspOrgId, OrganizationId, OrganizationList, RegionKey,
        Report, ReportOutcome, SweepCounts,
    },
    ninjaone::{
        Access, Assessment, AssessmentRequest, DeviceListRequest, NinjaOne, Redeemed, Redemption,
        Verdict,
    },
    ninjaone_client::ErrorKind as Vendor,
    regentra_evidence::{DeviceScope, Metadata, Signal, SignalKind, Status},
    store::conformance::world,
};
use secrecy::ExposeSecret as _;
use uuid::Uuid;

use crate::scripted::TIMED_OUT;

/// One NinjaOne tenant: what one credential of an MSP sees. All of them use the same ids for organizations and devices.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tenant(pub u8);

/// One organization in one of them.
pub type Org = (Tenant, i64);

impl Tenant {
    /// The first MSP has two regions; the others one each.
    pub const ALL: [Self; 4] = [Self(0), Self(1), Self(2), Self(3)];

    /// Which MSP's it is: 1, 2 or 3.
    pub fn msp(self) -> u8 {
        self.0.max(1)
    }

    pub fn region_name(self) -> &'static str {
        if self.0 == 0 { "eu" } else { "us" }
    }

    pub fn region(self) -> RegionKey {
        RegionKey::parse(self.region_name()).unwrap()
    }

    pub fn credential(self) -> CredentialId {
        CredentialId::of(msp_id(self.msp()), &self.region())
    }

    pub fn mapping(self, organization: i64) -> MappingId {
        MappingId::of(self.credential(), OrganizationId::new(organization))
    }

    /// The client id with which it is seen.
    pub fn client_id(self) -> String {
        format!("client {}", self.0)
    }

    pub fn of_client(client_id: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|tenant| tenant.client_id() == client_id)
            .unwrap()
    }
}

impl std::fmt::Debug for Tenant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.msp(), self.region_name())
    }
}

/// The MSPs' numbers.
pub const MSPS: [u8; 3] = [1, 2, 3];

pub fn msp_id(msp: u8) -> MspOrgId {
    MspOrgId::from_uuid(Uuid::from_u128(u128::from(msp)))
}

/// Organizations that may exist in a tenant.
pub const ORGANIZATIONS: std::ops::RangeInclusive<i64> = 1..=5;

/// Names of organizations and companies: few, so that they meet, and in several spellings.
pub const NAMES: [&str; 6] = [
    "Contoso", "Fabrikam", "Tailspin", "contoso ", "FABRIKAM", "Wingtip",
];

/// Serial numbers: few, so that they meet, in several spellings, one that identifies nothing.
pub const SERIALS: [&str; 6] = [
    "SN-10001",
    "SN-10002",
    "SN-10003",
    " sn-10001",
    "SN -10002",
    "To Be Filled By O.E.M.",
];

/// Host names that machines of several sources share.
pub const HOSTS: [&str; 3] = ["PC-ONE", "pc-one.", "PC-TWO"];

/// The number of the device that was added last.
pub const LAST: usize = usize::MAX;

/// What an organization is called before anybody renames it.
pub fn name_in_the_beginning(tenant: Tenant, organization: i64) -> &'static str {
    let place = usize::try_from(organization).unwrap() + usize::from(tenant.0) - 1;
    NAMES.iter().cycle().nth(place).unwrap()
}

/// A device in NinjaOne.
#[derive(Clone, Debug)]
pub struct Device {
    pub organization: i64,
    pub name: String,
    pub serial: Option<&'static str>,
    /// Whether its antivirus signatures are out of date, if that is known.
    pub out_of_date: Option<bool>,
}

/// What an organization's reports come to for one signal; the number stands for the aggregates behind a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    pub status: Status,
    pub number: u64,
}

/// What NinjaOne does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    OrganizationsTimeOut,
    OrganizationsTruncated,
    OrganizationsMalformed,
    OrganizationsEmpty,
    /// The filter is ignored: the whole fleet is sent for every organization.
    FilterIgnored,
    DevicesTimeOut(i64),
    DevicesTruncated(i64),
    DevicesMalformed(i64),
    DevicesEmpty(i64),
    ReportTimesOut(SignalKind),
    ReportNotAvailable(SignalKind),
}

/// One NinjaOne.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    pub organizations: BTreeMap<i64, &'static str>,
    pub devices: BTreeMap<i64, Device>,
    pub health: BTreeMap<(i64, SignalKind), Health>,
    pub faults: BTreeSet<Fault>,
    next_device: i64,
}

/// Rows of a list, and what was wrong with it.
#[derive(Clone, Debug)]
pub struct Listing<T> {
    pub rows: Vec<T>,
    pub truncated: bool,
    pub malformed: u64,
    pub foreign: u64,
}

impl<T> Listing<T> {
    fn of(rows: Vec<T>) -> Self {
        Self {
            rows,
            truncated: false,
            malformed: 0,
            foreign: 0,
        }
    }

    pub fn is_complete(&self) -> bool {
        !self.truncated && self.malformed == 0
    }

    fn spoilt(mut self, truncated: bool, malformed: bool, empty: bool) -> Self {
        if empty {
            self.rows.clear();
        }
        if truncated {
            self.truncated = self.rows.pop().is_some();
        }
        if malformed {
            self.malformed = u64::from(self.rows.pop().is_some());
        }
        self
    }
}

/// What a request that times out ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedOut;

/// What the reports of one organization say of one signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignalFacts {
    pub kind: SignalKind,
    pub status: Status,
    pub complete: bool,
    pub number: u64,
}

/// What the reports of one organization say.
#[derive(Clone, Debug)]
pub struct Reports {
    pub signals: Vec<SignalFacts>,
    pub outcomes: BTreeMap<Report, ReportOutcome>,
    pub foreign: u64,
    pub sightings: BTreeMap<i64, bool>,
}

impl Truth {
    /// Three organizations with two devices each.
    fn beginning(tenant: Tenant) -> Self {
        let mut truth = Self {
            next_device: 11,
            ..Self::default()
        };
        for (organization, serial) in (1..=3).zip(SERIALS) {
            let name = name_in_the_beginning(tenant, organization);
            truth.organizations.insert(organization, name);
            truth.add_device(organization, Some(serial));
            truth.add_device(organization, None);
        }
        truth
    }

    pub fn add_device(&mut self, organization: i64, serial: Option<&'static str>) {
        let id = self.next_device;
        self.next_device += 1;
        let device = Device {
            organization,
            name: format!("device-{id}"),
            serial,
            out_of_date: None,
        };
        self.devices.insert(id, device);
    }

    /// One of its devices, whatever number is asked for.
    pub fn device(&self, place: usize) -> Option<i64> {
        if place == LAST {
            return self.devices.keys().next_back().copied();
        }
        let count = self.devices.len().max(1);
        self.devices.keys().nth(place % count).copied()
    }

    /// Another device that looks the same.
    pub fn clone_device(&mut self, device: i64) {
        if let Some(device) = self.devices.get(&device).cloned() {
            let id = self.next_device;
            self.next_device += 1;
            self.devices.insert(id, device);
        }
    }

    fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    pub fn list_organizations(
        &self,
    ) -> std::result::Result<Listing<(i64, &'static str)>, TimedOut> {
        if self.has(Fault::OrganizationsTimeOut) {
            return Err(TimedOut);
        }
        let rows = self.organizations.iter().map(|(id, name)| (*id, *name));
        let listing = Listing::of(rows.collect());
        Ok(listing.spoilt(
            self.has(Fault::OrganizationsTruncated),
            self.has(Fault::OrganizationsMalformed),
            self.has(Fault::OrganizationsEmpty),
        ))
    }

    fn devices_of(&self, organization: i64) -> BTreeMap<i64, Device> {
        let exists = self.organizations.contains_key(&organization);
        let devices = self.devices.iter();
        let of = devices.filter(|(_, device)| exists && device.organization == organization);
        of.map(|(id, device)| (*id, device.clone())).collect()
    }

    pub fn list_devices(
        &self,
        organization: i64,
    ) -> std::result::Result<Listing<(i64, Device)>, TimedOut> {
        if self.has(Fault::DevicesTimeOut(organization)) {
            return Err(TimedOut);
        }
        let rows: Vec<_> = self.devices_of(organization).into_iter().collect();
        let others = self.devices.len() - rows.len();
        let mut listing = Listing::of(rows).spoilt(
            self.has(Fault::DevicesTruncated(organization)),
            self.has(Fault::DevicesMalformed(organization)),
            self.has(Fault::DevicesEmpty(organization)),
        );
        if self.has(Fault::FilterIgnored) {
            listing.foreign = others as u64;
        }
        Ok(listing)
    }

    pub fn reports(&self, organization: i64) -> std::result::Result<Reports, TimedOut> {
        let devices = self.list_devices(organization)?;
        let mut outcomes = BTreeMap::from([(Report::Devices, ReportOutcome::Answered)]);
        let judge = |kind| {
            let health = self.health.get(&(organization, kind));
            let health = health.copied().unwrap_or(Health {
                status: Status::Pass,
                number: 0,
            });
            let (mut status, mut complete) = (health.status, devices.is_complete());
            // An assessment may call what is not complete a pass: it has to close nothing.
            if devices.truncated && status == Status::Pass {
                status = Status::Warning;
            }
            if devices.rows.is_empty() {
                status = Status::Unknown;
            }
            if let Some(report) = report_of(kind) {
                let outcome = if self.has(Fault::ReportTimesOut(kind)) {
                    (status, complete) = (Status::Unknown, false);
                    TIMED_OUT
                } else if self.has(Fault::ReportNotAvailable(kind)) {
                    status = Status::Unknown;
                    ReportOutcome::NotAvailable
                } else {
                    ReportOutcome::Answered
                };
                outcomes.insert(report, outcome);
            }
            SignalFacts {
                kind,
                status,
                complete,
                number: health.number,
            }
        };
        let signals = SignalKind::ALL.map(judge).to_vec();
        let answered = outcomes.get(&Report::AntivirusStatus) == Some(&ReportOutcome::Answered);
        let rows = devices.rows.iter().filter(|_| answered);
        Ok(Reports {
            signals,
            outcomes,
            foreign: devices.foreign,
            sightings: rows
                .filter_map(|(id, device)| Some((*id, device.out_of_date?)))
                .collect(),
        })
    }
}

/// The report that a signal is judged from, beside the device list.
pub fn report_of(kind: SignalKind) -> Option<Report> {
    match kind {
        SignalKind::DiskEncryption => Some(Report::Volumes),
        SignalKind::AntivirusPosture => Some(Report::AntivirusStatus),
        SignalKind::PatchSla => Some(Report::OsPatches),
        SignalKind::BackupActivity => Some(Report::Activities),
        SignalKind::DeviceInventory => None,
    }
}

/// Whose data a signal was made from: a number that no other organization of any tenant has.
pub fn mark((tenant, organization): Org) -> u64 {
    1_000 * (u64::from(tenant.0) + 1) + organization.unsigned_abs()
}

pub fn scope_of(signal: &Signal) -> DeviceScope {
    match &signal.metadata {
        Metadata::DiskEncryption(metadata) => metadata.scope,
        Metadata::AntivirusPosture(metadata) => metadata.scope,
        Metadata::PatchSla(metadata) => metadata.scope,
        Metadata::BackupActivity(metadata) => metadata.scope,
        Metadata::DeviceInventory(metadata) => metadata.scope,
    }
}

fn marked(mut signal: Signal, mark: u64, number: u64) -> Signal {
    let scope = match &mut signal.metadata {
        Metadata::DiskEncryption(metadata) => &mut metadata.scope,
        Metadata::AntivirusPosture(metadata) => &mut metadata.scope,
        Metadata::PatchSla(metadata) => &mut metadata.scope,
        Metadata::BackupActivity(metadata) => &mut metadata.scope,
        Metadata::DeviceInventory(metadata) => &mut metadata.scope,
    };
    (scope.approved, scope.measured) = (mark, number);
    signal
}

/// Every NinjaOne there is, reached by client id.
#[derive(Clone, Debug)]
pub struct Truths(Arc<Mutex<BTreeMap<Tenant, Truth>>>);

impl Truths {
    pub fn beginning() -> Self {
        let all = Tenant::ALL.map(|tenant| (tenant, Truth::beginning(tenant)));
        Self(Arc::new(Mutex::new(all.into())))
    }

    pub fn all(&self) -> MutexGuard<'_, BTreeMap<Tenant, Truth>> {
        self.0.lock().unwrap()
    }

    async fn behind(&self, access: &Access) -> (Tenant, Truth) {
        // A real request suspends.
        tokio::task::yield_now().await;
        let tenant = Tenant::of_client(access.client_id.expose_secret());
        (tenant, self.all().get(&tenant).unwrap().clone())
    }
}

fn timed_out(TimedOut: TimedOut) -> Error {
    Error::new(
        ErrorKind::Ninjaone(Vendor::Timeout),
        "NinjaOne did not answer",
    )
}

/// Firmware and people put U+0000 into texts, which is no part of what is stored.
fn with_nul(text: &str) -> String {
    format!("{text}\0")
}

fn content(device: &Device) -> AssetContent {
    AssetContent {
        name: with_nul(&device.name).into(),
        host_name: Some(with_nul(&device.name).into()),
        serial_number: device.serial.map(|serial| with_nul(serial).into()),
        model: Some(with_nul("Model")),
        ..AssetContent::default()
    }
}

#[async_trait]
impl NinjaOne for Truths {
    async fn authenticate(&self, access: &Access) -> Result<()> {
        self.behind(access).await;
        Ok(())
    }

    async fn redeem(&self, _redemption: Redemption) -> Result<Redeemed> {
        panic!("no history has an authorization code")
    }

    async fn organizations(&self, access: &Access, _ceiling: usize) -> Result<OrganizationList> {
        let (_, truth) = self.behind(access).await;
        let listing = truth.list_organizations().map_err(timed_out)?;
        let rows = listing.rows.into_iter();
        Ok(OrganizationList {
            organizations: rows
                .map(|(id, name)| ListedOrganization {
                    id: OrganizationId::new(id),
                    name: with_nul(name).into(),
                })
                .collect(),
            truncated: listing.truncated,
            malformed_rows: listing.malformed,
            requests: 1,
        })
    }

    async fn devices(&self, access: &Access, request: DeviceListRequest<'_>) -> Result<DeviceList> {
        let organization = request.organization;
        let (_, truth) = self.behind(access).await;
        let listing = truth.list_devices(organization.get()).map_err(timed_out)?;
        let rows = listing.rows.iter();
        Ok(DeviceList {
            devices: rows
                .map(|(id, device)| ListedDevice {
                    id: DeviceId::new(*id),
                    content: content(device),
                    contact: LastContact::default(),
                })
                .collect(),
            truncated: listing.truncated,
            foreign_rows: listing.foreign,
            malformed_rows: listing.malformed,
            entra_device_ids_unsure: false,
            requests: 1,
        })
    }

    async fn assess(&self, access: &Access, request: AssessmentRequest<'_>) -> Result<Assessment> {
        let (tenant, truth) = self.behind(access).await;
        let organization = request.organization.get();
        let reports = truth.reports(organization).map_err(timed_out)?;
        let verdict = |facts: &SignalFacts| {
            let signal = world::signal(facts.kind, facts.status, request.now);
            let mut signal = marked(signal, mark((tenant, organization)), facts.number);
            signal.complete = facts.complete;
            Verdict {
                signal,
                facts: world::facts(),
            }
        };
        let sightings = reports.sightings.into_iter();
        let sightings = sightings
            .map(|(id, seen)| (DeviceId::new(id), seen))
            .collect();
        Ok(Assessment {
            customer: request.customer,
            organization: request.organization,
            verdicts: reports.signals.iter().map(verdict).collect(),
            reports: reports.outcomes,
            counts: SweepCounts {
                foreign_rows: reports.foreign,
                ..SweepCounts::default()
            },
            signatures_out_of_date: sightings,
            listed_devices: None,
            unlisted_devices: BTreeMap::new(),
            rows: BTreeMap::new(),
        })
    }
}
