//! Each preset reaches the verdicts its table promises, judged by the evaluators on the rows as they are sent.

use std::collections::BTreeSet;

use ninjaone_client::{
    OrganizationId,
    models::{Activity, AntivirusStatus, Device, OsPatch, SoftwarePatch, Volume},
};
use ninjaone_simulator::{Character, Preset, Tenant, Trouble};
use regentra_evidence::{
    AntivirusPosture, BackupActivity, DiskEncryption, Fleet, PatchSla, ReportState,
    Status::{self, Fail, NotApplicable, Pass, Unknown, Warning},
    device_inventory,
};
use regentra_sync::ninjaone::facts::{self, patch_sla::PatchReport};
use serde::de::DeserializeOwned;
use serde_json::Value;
use time::{OffsetDateTime, macros::datetime};

const NOW: OffsetDateTime = datetime!(2026-11-23 06:30 UTC);

fn read<T: DeserializeOwned>(rows: &[Value]) -> Vec<T> {
    rows.iter()
        .map(|row| serde_json::from_value(row.clone()).unwrap())
        .collect()
}

/// A tenant's rows, decoded once.
struct Decoded {
    devices: Vec<Device>,
    volumes: Vec<Volume>,
    products: Vec<AntivirusStatus>,
    os: [(PatchReport, Vec<OsPatch>); 2],
    software: [(PatchReport, Vec<SoftwarePatch>); 2],
    activities: Vec<Activity>,
}

impl Decoded {
    fn of(tenant: &Tenant) -> Self {
        Self {
            devices: read(tenant.devices()),
            volumes: read(tenant.volumes()),
            products: read(tenant.antivirus_status()),
            os: [
                (PatchReport::Pending, read(tenant.os_patches())),
                (PatchReport::Installs, read(tenant.os_patch_installs())),
            ],
            software: [
                (PatchReport::Pending, read(tenant.software_patches())),
                (
                    PatchReport::Installs,
                    read(tenant.software_patch_installs()),
                ),
            ],
            activities: read(tenant.activities()),
        }
    }

    /// Disk encryption, antivirus, patches, backup, inventory of one organization.
    fn verdicts(&self, organization: &Value) -> [Status; 5] {
        let organization = organization.as_i64();
        let mut fleet = Fleet::builder(NOW);
        for device in &self.devices {
            if device.organization_id.map(OrganizationId::get) == organization {
                fleet.observe(facts::device_inventory::device(device).unwrap());
            }
        }
        let fleet = fleet.build();
        let mut disks = DiskEncryption::new(fleet.clone());
        for row in &self.volumes {
            let _ = facts::disk_encryption::volume(row)
                .unwrap()
                .observe(&mut disks);
        }
        let mut antivirus = AntivirusPosture::new(fleet.clone());
        for row in &self.products {
            let _ = antivirus.observe(facts::antivirus_posture::product(row).unwrap());
        }
        let mut patches = PatchSla::new(fleet.clone());
        for (report, rows) in &self.os {
            for row in rows {
                let _ = facts::patch_sla::os_patch(row, *report)
                    .unwrap()
                    .observe(&mut patches);
            }
        }
        for (report, rows) in &self.software {
            for row in rows {
                let _ = facts::patch_sla::software_patch(row, *report)
                    .unwrap()
                    .observe(&mut patches);
            }
        }
        let mut backups = BackupActivity::new(fleet.clone());
        for row in &self.activities {
            if let Some(fact) = facts::backup_activity::backup(row).unwrap() {
                let _ = backups.observe(fact);
            }
        }
        let answered = ReportState::answered();
        [
            disks.finish(answered),
            antivirus.finish(answered, None),
            patches.finish(answered, answered),
            backups.finish(answered),
            device_inventory::finish(&fleet),
        ]
        .map(|signal| signal.status)
    }
}

/// The table of [`Preset`].
fn promised(character: Character) -> [Status; 5] {
    match character {
        Character::Healthy => [Pass; 5],
        Character::Failing => [Fail, Fail, Fail, Fail, Warning],
        Character::Warning => [Warning; 5],
        Character::Empty | Character::Dark => [Unknown, Unknown, Unknown, Unknown, Warning],
        Character::MacOnly => [Unknown, Pass, Pass, Unknown, Pass],
        Character::NetworkOnly => [NotApplicable, NotApplicable, NotApplicable, Unknown, Pass],
        Character::Troubled(trouble) => match trouble {
            Trouble::Disks => [Fail, Pass, Pass, Pass, Pass],
            Trouble::Antivirus => [Pass, Fail, Pass, Pass, Pass],
            Trouble::MissingPatches | Trouble::FailedInstalls => [Pass, Pass, Fail, Pass, Pass],
            Trouble::Backups => [Pass, Pass, Pass, Fail, Pass],
            Trouble::Offline => [Pass, Pass, Pass, Pass, Warning],
        },
    }
}

#[test]
fn presets_reach_what_they_promise_at_every_size() {
    let mut seen = BTreeSet::new();
    for seed in [1, 2] {
        for size in [1, 3, 13, 40, 144] {
            for preset in Preset::ALL {
                let tenant = Tenant::preset(preset, seed, size, NOW);
                let decoded = Decoded::of(&tenant);
                for (place, organization) in tenant.organizations().iter().enumerate() {
                    let id = &organization["id"];
                    let inhabited = tenant
                        .devices()
                        .iter()
                        .any(|row| &row["organizationId"] == id);
                    let character = if inhabited {
                        preset.character(place)
                    } else {
                        Character::Empty
                    };
                    let found = decoded.verdicts(id);
                    assert_eq!(
                        found,
                        promised(character),
                        "{preset} of {size}, seed {seed}, organization {place} ({character:?})"
                    );
                    seen.extend(found.map(|status| format!("{status:?}")));
                }
            }
        }
    }
    assert_eq!(seen.len(), 5, "all five outcomes are reached: {seen:?}");
}

#[test]
fn customers_of_a_large_fleet_pass_and_fail_as_they_promise() {
    for seed in [1, 2] {
        let tenant = Tenant::builder(NOW)
            .preset(Preset::Scale, seed, 600)
            .organization_count(30)
            .build();
        let decoded = Decoded::of(&tenant);
        for (place, organization) in tenant.organizations().iter().enumerate() {
            let character = Preset::Scale.character(place);
            assert_eq!(
                decoded.verdicts(&organization["id"]),
                promised(character),
                "seed {seed}, organization {place} ({character:?})"
            );
        }
    }
}

#[test]
fn canaries_change_no_verdict() {
    for preset in Preset::ALL.into_iter().chain([Preset::Scale]) {
        let plain = Tenant::preset(preset, 5, 48, NOW);
        let canary = Tenant::builder(NOW)
            .preset(preset, 5, 48)
            .canaries()
            .build();
        let (decoded, masked) = (Decoded::of(&plain), Decoded::of(&canary));
        for row in plain.organizations() {
            assert_eq!(
                decoded.verdicts(&row["id"]),
                masked.verdicts(&row["id"]),
                "{preset}"
            );
        }
    }
}
