//! Ours, from the same rows: decoded as the client decodes them, turned into facts, judged by the evaluators.

use std::sync::Arc;

use ninjaone_client::models::{Activity, AntivirusStatus, Device, OsPatch, SoftwarePatch, Volume};
use regentra_evidence::{
    AntivirusPosture, BackupActivity, DiskEncryption, Fleet, KindReports, PatchSla, ReportState,
    SignatureHistory, device_inventory,
};
use regentra_sync::facts::{self, antivirus_posture, backup_activity, disk_encryption, patch_sla};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::tenant::{Report, State, Tenant};

/// The five signals of one customer, as our crates judge them.
pub(crate) fn ours(tenant: &Tenant) -> Value {
    let fleet = fleet(tenant);

    let mut disk = DiskEncryption::new(Arc::clone(&fleet));
    let volumes = read(&tenant.volumes, |row: Volume| {
        disk_encryption::volume(&row).map(|volume| volume.observe(&mut disk))
    });

    let mut antivirus = AntivirusPosture::new(Arc::clone(&fleet));
    let products = read(&tenant.antivirus, |row: AntivirusStatus| {
        antivirus_posture::product(&row).map(|fact| antivirus.observe(fact))
    });
    let history: Option<SignatureHistory> = tenant.signature_history.as_ref().map(|history| {
        history
            .iter()
            .map(|(device, first_seen)| (facts::device_key((*device).into()), *first_seen))
            .collect()
    });

    let mut patches = PatchSla::new(Arc::clone(&fleet));
    let mut os = |report: &Report, which| {
        read(report, |row: OsPatch| {
            patch_sla::os_patch(&row, which).map(|facts| facts.observe(&mut patches))
        })
    };
    let os = KindReports {
        pending: os(&tenant.os_patches, patch_sla::PatchReport::Pending),
        installs: os(&tenant.os_patch_installs, patch_sla::PatchReport::Installs),
    };
    let mut software = |report: &Report, which| {
        read(report, |row: SoftwarePatch| {
            patch_sla::software_patch(&row, which).map(|facts| facts.observe(&mut patches))
        })
    };
    let software = KindReports {
        pending: software(&tenant.software_patches, patch_sla::PatchReport::Pending),
        installs: software(
            &tenant.software_patch_installs,
            patch_sla::PatchReport::Installs,
        ),
    };

    let mut backups = BackupActivity::new(Arc::clone(&fleet));
    let activities = read(&tenant.activities, |row: Activity| {
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

fn fleet(tenant: &Tenant) -> Arc<Fleet> {
    let mut fleet = Fleet::builder(tenant.now);
    if tenant.truncated {
        fleet.truncated();
    }
    let mut malformed = tenant.devices.malformed > 0;
    for row in &tenant.devices.rows {
        let row: Option<Device> = serde_json::from_value(row.clone()).ok();
        let organization = row.as_ref().and_then(|row| row.organization_id);
        malformed |= row
            .as_ref()
            .is_some_and(facts::device_inventory::is_approval_lost);
        match (
            row.map(|row| facts::device_inventory::device(&row)),
            organization,
        ) {
            (Some(Ok(fact)), Some(organization)) => {
                if organization.get() == tenant.organization {
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

/// Reads a report row by row and says how it ended.
fn read<Row: DeserializeOwned, Fate>(
    report: &Report,
    mut observe: impl FnMut(Row) -> Result<Fate, facts::Malformed>,
) -> ReportState {
    match report.state {
        State::Failed => ReportState::failed(),
        State::NotAvailable => ReportState::not_available(),
        State::Answered => {
            let mut malformed = report.malformed > 0;
            for row in &report.rows {
                malformed |=
                    serde_json::from_value(row.clone()).map_or(true, |row| observe(row).is_err());
            }
            if malformed {
                ReportState::with_malformed_rows()
            } else {
                ReportState::answered()
            }
        }
    }
}
