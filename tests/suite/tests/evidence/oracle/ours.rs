//! Ours, from the same rows: decoded as the client decodes them, turned into facts, judged by the evaluators.

use std::sync::Arc;

use ninjaone_client::{
    Unreadable,
    models::{Activity, AntivirusStatus, Device, OsPatch, SoftwarePatch, Volume},
};
use regentra_evidence::{
    AntivirusPosture, BackupActivity, DiskEncryption, Fleet, KindReports, KindsInUse, PatchSla,
    ReportState, SignatureHistory, SignaturesSeen, device_inventory,
};
use regentra_sync::ninjaone::facts::{
    self, antivirus_posture, backup_activity, disk_encryption,
    patch_sla::{self, PatchReport},
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{
    reading,
    tenant::{Kinds, Remembered, Report, State, Tenant},
};

/// The five signals of one customer, as our crates judge them.
pub(crate) fn ours(tenant: &Tenant) -> Value {
    let fleet = fleet(tenant);

    let mut disk = DiskEncryption::new(Arc::clone(&fleet));
    let volumes = read(&tenant.volumes, Ids::Texts, |row: Volume| {
        disk_encryption::volume(&row).map(|row| row.observe(&mut disk))
    });

    let mut antivirus = AntivirusPosture::new(Arc::clone(&fleet));
    let products = read(&tenant.antivirus, Ids::Texts, |row: AntivirusStatus| {
        antivirus_posture::product(&row).map(|fact| antivirus.observe(fact))
    });
    let history: Option<SignatureHistory> = tenant.signature_history.as_ref().map(|history| {
        history
            .iter()
            .map(|(device, remembered)| {
                let seen = match remembered {
                    Remembered::UpToDate => SignaturesSeen::UpToDate,
                    Remembered::OutOfDateSince(since) => SignaturesSeen::OutOfDateSince(*since),
                };
                (facts::device_key((*device).into()), seen)
            })
            .collect()
    });

    let mut patches = PatchSla::new(Arc::clone(&fleet)).kinds_in_use(kinds(tenant));
    let os = KindReports {
        pending: read(&tenant.os_patches, Ids::Texts, |row: OsPatch| {
            let facts = patch_sla::os_patch(&row, PatchReport::Pending);
            facts.map(|facts| facts.observe(&mut patches))
        }),
        installs: read(&tenant.os_patch_installs, Ids::Texts, |row: OsPatch| {
            let facts = patch_sla::os_patch(&row, PatchReport::Installs);
            facts.map(|facts| facts.observe(&mut patches))
        }),
    };
    let software = KindReports {
        pending: read(
            &tenant.software_patches,
            Ids::Texts,
            |row: SoftwarePatch| {
                let facts = patch_sla::software_patch(&row, PatchReport::Pending);
                facts.map(|facts| facts.observe(&mut patches))
            },
        ),
        installs: read(
            &tenant.software_patch_installs,
            Ids::Texts,
            |row: SoftwarePatch| {
                let facts = patch_sla::software_patch(&row, PatchReport::Installs);
                facts.map(|facts| facts.observe(&mut patches))
            },
        ),
    };

    let mut backups = BackupActivity::new(Arc::clone(&fleet));
    let activities = read(&tenant.activities, Ids::Numbers, |row: Activity| {
        backup_activity::backup(&row).map(|fact| fact.map(|fact| backups.observe(fact)))
    });

    serde_json::to_value([
        disk.finish(volumes),
        antivirus.finish(products, history.as_ref()),
        patches.finish(os, software),
        backups.finish(activities),
        device_inventory::finish(&fleet),
    ])
    .expect("signals are JSON")
}

/// The kinds of patches in use, in our words.
pub(crate) fn kinds(tenant: &Tenant) -> KindsInUse {
    match tenant.kinds {
        Kinds::Both => KindsInUse::Both,
        Kinds::OsOnly => KindsInUse::Os,
        Kinds::SoftwareOnly => KindsInUse::Software,
    }
}

fn fleet(tenant: &Tenant) -> Arc<Fleet> {
    let mut fleet = Fleet::builder(tenant.now);
    if tenant.truncated {
        fleet.truncated();
    }
    let mut malformed = tenant.devices.malformed > 0;
    for row in &tenant.devices.rows {
        let row: Option<Device> = decode(row, Ids::Numbers);
        let organization = row.as_ref().and_then(|row| row.organization_id);
        let is_own = organization.is_some_and(|of| of.get() == tenant.organization);
        malformed |= is_own
            && row
                .as_ref()
                .is_some_and(facts::device_inventory::is_approval_lost);
        match (
            row.map(|row| facts::device_inventory::device(&row)),
            organization,
        ) {
            (Some(Ok(fact)), Some(_)) => {
                if is_own {
                    fleet.observe(fact);
                }
            }
            _ => malformed = true,
        }
    }
    if malformed {
        fleet.malformed_rows();
    }
    fleet.build()
}

/// A row of the client's models, which says what of it could not be read.
trait Row: DeserializeOwned {
    fn unreadable(&mut self) -> &mut Unreadable;
}

macro_rules! rows {
    ($($row:ty),+) => {$(
        impl Row for $row {
            fn unreadable(&mut self) -> &mut Unreadable {
                &mut self.unreadable
            }
        }
    )+};
}

rows!(
    Device,
    Volume,
    AntivirusStatus,
    OsPatch,
    SoftwarePatch,
    Activity
);

/// A row as the client repairs and decodes it.
fn decode<R: Row>(row: &Value, ids: Ids) -> Option<R> {
    let (read, unreadable) = repaired(row, ids);
    let mut row: R = serde_json::from_value(read).ok()?;
    *row.unreadable() = Unreadable::of(unreadable.iter().map(String::as_str));
    Some(row)
}

/// A row as the client's repair hands it to the model: what has a lossless reading is read, what has none is left out and named.
/// Fields that no signal reads are left out; the whole way over the client has them all.
fn repaired(row: &Value, ids: Ids) -> (Value, Vec<String>) {
    let Some(object) = row.as_object() else {
        return (row.clone(), Vec::new());
    };
    let (mut read, mut unreadable) = (Map::new(), Vec::new());
    for (name, value) in object {
        let readable = match name.as_str() {
            "id" if ids == Ids::Numbers => whole(row, name),
            "deviceId" | "organizationId" | "capacity" => whole(row, name),
            "offline" => reading::flag(row, name).value().map(Value::from),
            // An object below names its own.
            "bitLockerStatus" => reading::object(row, name).value().map(|below| {
                let (below, its_own) = repaired(below, ids);
                unreadable.extend(its_own.iter().map(|below| format!("{name}.{below}")));
                below
            }),
            "timestamp" | "installedAt" | "activityTime" | "lastContact" => Some(value.clone()),
            name if TEXTS.contains(&name) => value.is_string().then(|| value.clone()),
            _ => continue,
        };
        match readable {
            Some(value) => drop(read.insert(name.clone(), value)),
            None if value.is_null() => {}
            None => unreadable.push(name.clone()),
        }
    }
    (Value::Object(read), unreadable)
}

/// What `id` is: devices and activities have numbers, patches texts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ids {
    Numbers,
    Texts,
}

const TEXTS: &[&str] = &[
    "id",
    "nodeClass",
    "approvalStatus",
    "name",
    "driveLetter",
    "serialNumber",
    "label",
    "deviceType",
    "conversionStatus",
    "protectionStatus",
    "productName",
    "productState",
    "definitionStatus",
    "severity",
    "impact",
    "status",
    "type",
    "statusCode",
    "activityResult",
];

fn whole(row: &Value, name: &str) -> Option<Value> {
    reading::whole(row, name).value().map(Value::from)
}

/// Reads a report row by row and says how it ended.
fn read<R: Row, Fate>(
    report: &Report,
    ids: Ids,
    mut observe: impl FnMut(R) -> Result<Fate, facts::Malformed>,
) -> ReportState {
    match report.state {
        State::Failed => ReportState::failed(),
        State::NotAvailable => ReportState::not_available(),
        State::Answered => {
            let mut malformed = report.malformed > 0;
            for row in &report.rows {
                malformed |= decode(row, ids).is_none_or(|row| observe(row).is_err());
            }
            if malformed {
                ReportState::with_malformed_rows()
            } else {
                ReportState::answered()
            }
        }
    }
}
