//! A client in front of a tenant in the same process, and small fleets whose every failure hangs on one row.

use std::{collections::BTreeMap, future::Future, sync::Arc};

use ninjaone_client::{Client, ClientBuilder, Error};
use ninjaone_simulator::{Clock, FaultRule, Tenant, TenantBuilder, front::in_process};
use regentra_evidence::{DigestKey, KeyId, KindsInUse, Rules, Signal, SignalKind, Status};
use regentra_harness::{client::builder_for, in_process::InProcess};
use regentra_sync::{
    model::{ComplianceOrgId, CustomFields, OrganizationId},
    ninjaone::{AssessmentRequest, Evaluated, read_reports},
};
use serde_json::{Value, json};
use time::{OffsetDateTime, macros::datetime};
use tokio::runtime::Runtime;

pub(crate) const NOW: OffsetDateTime = datetime!(2026-11-23 06:30 UTC);

/// A runtime of paused time: pauses between retries cost nothing.
fn paused() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
}

pub(crate) fn run<F: Future>(future: F) -> F::Output {
    paused().block_on(future)
}

/// A tenant that is asked again and again, each time with other faults and by a client that knows nothing of the times before.
pub(crate) struct Scene {
    pub(crate) front: in_process::Front,
    /// Whose verdicts are asked for.
    pub(crate) organization: i64,
    runtime: Runtime,
}

impl Scene {
    /// A scene about the first organization of a tenant.
    pub(crate) fn of(tenant: Tenant) -> Self {
        let organization = tenant.organizations()[0]["id"].as_i64().unwrap();
        Self {
            front: in_process::serve_with(tenant, Clock::fixed(NOW)),
            organization,
            runtime: paused(),
        }
    }

    /// Runs a future over the tenant with these faults and no other.
    pub(crate) fn with<F: Future>(
        &self,
        faults: impl IntoIterator<Item = FaultRule>,
        future: F,
    ) -> F::Output {
        {
            let mut tenant = self.front.tenant();
            tenant.clear_faults();
            tenant.clear_requests();
            tenant.faults(faults);
        }
        self.runtime.block_on(future)
    }

    pub(crate) fn client(&self) -> Client {
        client(&self.front)
    }

    pub(crate) fn collected(
        &self,
        faults: impl IntoIterator<Item = FaultRule>,
    ) -> Result<Evaluated, Error> {
        self.with(faults, try_collect(self.client(), self.organization))
    }

    /// The five signals; none where the device list could not be read, which judges nothing.
    pub(crate) fn judged(&self, faults: impl IntoIterator<Item = FaultRule>) -> Option<Signals> {
        self.collected(faults)
            .ok()
            .map(|collected| by_kind(&collected))
    }

    /// The five signals of the tenant without a fault.
    pub(crate) fn truth(&self) -> Signals {
        self.judged([]).unwrap()
    }
}

/// A new client of a tenant, and with it a new token. Reports of a few thousand rows take several pages.
pub(crate) fn client(front: &in_process::Front) -> Client {
    builder(front).largest_page(1_000).build().unwrap()
}

/// Builds a client of a tenant.
pub(crate) fn builder(front: &in_process::Front) -> ClientBuilder {
    let builder = {
        let tenant = front.tenant();
        builder_for(&front.url(), tenant.client_id(), tenant.client_secret())
    };
    builder.transport(Arc::new(InProcess::new(front.clone())))
}

/// What one organization's reports say.
async fn try_collect(client: Client, organization: i64) -> Result<Evaluated, Error> {
    let digest_key = DigestKey::new(KeyId::new("test").unwrap(), &[7; 32]).unwrap();
    let request = AssessmentRequest {
        customer: ComplianceOrgId::from_uuid(uuid::Uuid::nil()),
        organization: OrganizationId::new(organization),
        now: NOW,
        rules: &Rules::default(),
        custom_fields: &CustomFields::default(),
        kinds_in_use: KindsInUse::default(),
        digest_key: &digest_key,
        signature_ages: None,
    };
    read_reports(&client, request).await
}

pub(crate) type Signals = BTreeMap<SignalKind, Signal>;

pub(crate) fn by_kind(collected: &Evaluated) -> Signals {
    collected
        .assessment
        .signals()
        .map(|signal| (signal.kind(), signal.clone()))
        .collect()
}

pub(crate) fn statuses(signals: &Signals) -> Vec<Status> {
    signals.values().map(|signal| signal.status).collect()
}

pub(crate) const HOUR: i64 = 3_600;
pub(crate) const DAY: i64 = 24 * HOUR;

/// A time so many seconds ago, as the vendor writes it.
pub(crate) fn ago(seconds: i64) -> Value {
    json!(f64::from(u32::try_from(NOW.unix_timestamp() - seconds).unwrap()) + 0.25)
}

/// What the one bad device of a small fleet fails at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    /// Nothing: every signal passes.
    Nothing,
    /// Everything: every signal is at its worst.
    Everything,
}

/// The organization of small fleets.
pub(crate) const OURS: i64 = 2;
/// The last device of a small fleet: the one that may be bad.
pub(crate) const LAST: i64 = 104;

/// Four computers, of which the last is bad or not. Every failure hangs on the row of one report.
#[expect(
    clippy::too_many_lines,
    reason = "the rows of one small tenant, report by report"
)]
pub(crate) fn small(bad: Bad) -> TenantBuilder {
    let ids = [101, 102, 103, LAST];
    let is_bad = |id: i64| bad == Bad::Everything && id == LAST;
    // Half offline is a warning, the worst that an inventory can be.
    let offline = |id: i64| bad == Bad::Everything && id >= 103;
    let devices: Vec<Value> = ids
        .iter()
        .map(|id| {
            json!({
                "id": id, "organizationId": OURS, "locationId": 3, "uid": format!("00000000-0000-4000-8000-000000000{id}"),
                "nodeClass": "WINDOWS_WORKSTATION", "nodeRoleId": 201, "approvalStatus": "APPROVED", "offline": offline(*id),
                "systemName": format!("PC-{id}"), "dnsName": format!("pc-{id}.example.com"), "displayName": format!("PC {id}"),
                "created": ago(400 * DAY), "lastContact": ago(HOUR), "lastUpdate": ago(HOUR), "tags": ["a", "b"],
                "macAddresses": ["00:15:5D:FF:8B:04"], "ipAddresses": ["10.0.0.1", "fe80::1"], "publicIP": "203.0.113.7",
                "notes": [{ "text": "handed over" }], "deviceType": "AgentDevice",
                "system": {
                    "name": format!("PC-{id}"), "manufacturer": "Dell Inc.", "model": "Latitude 5540",
                    "serialNumber": format!("9XK4{id}Q"), "biosSerialNumber": format!("9XK4{id}Q"), "totalPhysicalMemory": 17_179_869_184_u64,
                    "numberOfProcessors": 1, "virtualMachine": false, "domain": "EXAMPLE", "domainRole": "Member Workstation",
                },
                "os": { "name": "Windows 11 Professional Edition", "needsReboot": true, "buildNumber": "22631", "lastBootTime": ago(2 * DAY) },
                "memory": { "capacity": 17_179_869_184_u64 },
                "processors": [{ "name": "i7", "numCores": 7, "clockSpeed": 2_694_000_000_u64 }],
                "volumes": [{ "name": "C:", "capacity": 16_000_000_000_u64, "nodeId": id }],
                "lastLoggedInUser": "EXAMPLE\\auser",
                "maintenance": { "status": "PENDING", "start": ago(HOUR), "end": ago(-HOUR) },
            })
        })
        .collect();
    let volumes: Vec<Value> = ids
        .iter()
        .map(|id| {
            let (conversion, protection) = if is_bad(*id) {
                ("FULLY_DECRYPTED", "UNPROTECTED")
            } else {
                ("FULLY_ENCRYPTED", "PROTECTED")
            };
            json!({
                "deviceId": id, "name": "C:", "driveLetter": "C:", "label": "Windows", "deviceType": "Local Disk", "fileSystem": "NTFS",
                "capacity": 512_000_000_000_u64, "freeSpace": 16_000_000_000_u64, "serialNumber": "6C2F9D01", "autoMount": true,
                "compressed": false, "timestamp": ago(2 * HOUR),
                "bitLockerStatus": {
                    "conversionStatus": conversion, "encryptionMethod": "XTS_AES_128", "protectionStatus": protection,
                    "lockStatus": "UNLOCKED", "initializedForProtection": true,
                },
            })
        })
        .collect();
    let antivirus: Vec<Value> = ids
        .iter()
        .map(|id| {
            json!({
                "deviceId": id, "productName": "Windows Defender", "productState": if is_bad(*id) { "OFF" } else { "ON" },
                "definitionStatus": "Up-to-Date", "version": "4.18.24090.11", "timestamp": ago(2 * HOUR),
            })
        })
        .collect();
    let os = |id: i64, patch: &str, status: &str| {
        json!({
            "deviceId": id, "id": patch, "name": "2026-11 Cumulative Update", "severity": "CRITICAL", "status": status,
            "type": "SECURITY_UPDATES", "kbNumber": "KB5070311", "timestamp": ago(2 * HOUR),
        })
    };
    let software = |id: i64, patch: &str, status: &str| {
        json!({
            "deviceId": id, "id": patch, "productIdentifier": "p-1", "title": "Browser 131", "impact": "critical", "status": status,
            "type": "PATCH", "timestamp": ago(2 * HOUR),
        })
    };
    let at = |mut row: Value, seconds: i64| {
        row["installedAt"] = ago(seconds);
        row
    };
    let low = |mut row: Value, field: &str, word: &str| {
        row[field] = json!(word);
        row
    };
    // What is pending everywhere counts for nothing and shows that the device was scanned. The failed installation is recent,
    // and nothing was installed after it.
    let os_patches: Vec<Value> = ids
        .iter()
        .map(|id| low(os(*id, "os-low", "MANUAL"), "severity", "LOW"))
        .collect();
    let os_installs: Vec<Value> = ids
        .iter()
        .map(|id| {
            let state = if is_bad(*id) { "FAILED" } else { "INSTALLED" };
            at(os(*id, "os-1", state), 2 * DAY)
        })
        .collect();
    let software_patches: Vec<Value> = ids
        .iter()
        .map(|id| low(software(*id, "sw-low", "MANUAL"), "impact", "optional"))
        .collect();
    let software_installs: Vec<Value> = ids
        .iter()
        .map(|id| {
            let state = if is_bad(*id) { "FAILED" } else { "INSTALLED" };
            at(software(*id, "sw-1", state), 2 * DAY)
        })
        .collect();
    let activities: Vec<Value> = (1..)
        .zip(ids)
        .map(|(nth, id)| {
            let (code, result) = if is_bad(id) {
                ("NINJA_BACKUP_BACKUPJOB_FAILED", "FAILURE")
            } else {
                ("NINJA_BACKUP_BACKUPJOB_COMPLETED", "SUCCESS")
            };
            json!({
                "id": 9_000 + nth, "deviceId": id, "activityTime": ago(DAY), "activityType": "NINJA_BACKUP", "statusCode": code,
                "status": "Backup", "activityResult": result, "message": "Backup ended", "type": "Ninja Backup",
                "severity": "NONE", "priority": "NONE", "sourceName": "Daily", "seriesUid": "s-1",
                "data": { "message": { "code": "a", "params": { "start_date": 1_759_133_165_953_i64 } } },
            })
        })
        .collect();
    Tenant::builder(NOW)
        .organizations(&[
            json!({ "id": OURS, "name": "Alder Dental", "description": "Customer since 2019", "nodeApprovalMode": "AUTOMATIC" }),
        ])
        .devices(&devices)
        .volumes(&volumes)
        .antivirus_status(&antivirus)
        .os_patches(&os_patches)
        .os_patch_installs(&os_installs)
        .software_patches(&software_patches)
        .software_patch_installs(&software_installs)
        .activities(&activities)
}
