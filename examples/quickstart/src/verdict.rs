//! A signal in an operator's words: the verdict, the numbers behind it, why, and what was not measured.

use std::fmt::Write as _;

use regentra_evidence::{
    Metadata, Reason, Signal, SignalKind, Status,
    patch_sla::{PatchCounts, PatchSlaMetadata},
};

use crate::format::{count, number};

/// The verdict as a word of fixed width.
#[must_use]
pub const fn word(status: Status) -> &'static str {
    match status {
        Status::Pass => "PASS",
        Status::Warning => "WARNING",
        Status::Fail => "FAIL",
        Status::Unknown => "UNKNOWN",
        Status::NotApplicable => "N/A",
    }
}

/// The signal's name as a person says it.
#[must_use]
pub const fn title(kind: SignalKind) -> &'static str {
    match kind {
        SignalKind::DiskEncryption => "Disk encryption",
        SignalKind::AntivirusPosture => "Antivirus",
        SignalKind::PatchSla => "Patches",
        SignalKind::BackupActivity => "Backups",
        SignalKind::DeviceInventory => "Device inventory",
    }
}

/// From the verdict that wants attention first to the one that wants none.
pub const WORST_FIRST: [Status; 5] = [
    Status::Fail,
    Status::Unknown,
    Status::Warning,
    Status::Pass,
    Status::NotApplicable,
];

/// How many of each verdict there are, the worst first: `2 fail, 1 warning, 2 pass`.
#[must_use]
pub fn tally(statuses: impl IntoIterator<Item = Status>) -> String {
    let statuses: Vec<_> = statuses.into_iter().collect();
    let of = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    let parts: Vec<_> = WORST_FIRST
        .into_iter()
        .map(|status| (status, of(status) as u64))
        .filter(|(_, n)| *n > 0)
        .map(|(status, n)| {
            let word = match status {
                Status::NotApplicable => "not applicable",
                status => status.as_str(),
            };
            format!("{} {word}", number(n))
        })
        .collect();
    parts.join(", ")
}

/// The one figure that says most, for a table.
#[must_use]
pub fn headline(signal: &Signal) -> String {
    if signal.status == Status::NotApplicable {
        return "no device in scope".to_owned();
    }
    if signal.metadata.scope().measured == 0 {
        return match signal.kind() {
            SignalKind::BackupActivity => "no device with backups".to_owned(),
            _ => "no device measured".to_owned(),
        };
    }
    match &signal.metadata {
        Metadata::DiskEncryption(m) => {
            let measured = m.volumes.in_scope - m.volumes.unmeasured;
            let [encrypted, all] = [m.volumes.encrypted, measured].map(number);
            format!("{encrypted} of {all} encrypted")
        }
        Metadata::AntivirusPosture(m) => {
            let measured = m.devices.on + m.devices.off;
            format!("{} of {} protected", number(m.devices.on), number(measured))
        }
        Metadata::PatchSla(m) => {
            let [missing, failed] = missing_and_failed(m);
            format!("{} missing, {} failed", number(missing), number(failed))
        }
        Metadata::BackupActivity(m) => {
            let [succeeded, all] = [m.devices.with_success, m.devices.with_activity].map(number);
            format!("{succeeded} of {all} succeeded")
        }
        Metadata::DeviceInventory(m) => {
            let [offline, all] = [m.devices.offline, m.devices.approved].map(number);
            format!("{offline} of {all} offline")
        }
    }
}

/// What was not measured, in a few words, for a table; empty when everything was.
#[must_use]
pub fn unmeasured(signal: &Signal) -> String {
    let scope = signal.metadata.scope();
    let parts = match &signal.metadata {
        Metadata::DiskEncryption(m) => vec![
            (m.volumes.unmeasured, "volume", "volumes"),
            (scope.unmeasured, "device", "devices"),
        ],
        Metadata::AntivirusPosture(m) => vec![
            (scope.unmeasured, "device", "devices"),
            (m.signatures.unmeasured, "signature", "signatures"),
        ],
        Metadata::PatchSla(m) => {
            let severity = both(m, |kind| kind.severity_unknown);
            vec![
                (scope.unmeasured, "device", "devices"),
                (severity, "severity", "severities"),
            ]
        }
        Metadata::BackupActivity(m) => vec![(
            m.devices.without_any_backup,
            "computer without any backup",
            "computers without any backup",
        )],
        Metadata::DeviceInventory(_) => vec![(scope.unmeasured, "device", "devices")],
    };
    let stale = (scope.stale, "stale device", "stale devices");
    let parts: Vec<_> = parts
        .into_iter()
        .chain([stale])
        .filter(|(n, ..)| *n > 0)
        .map(|(n, one, many)| count(n, one, many))
        .collect();
    parts.join(", ")
}

/// Critical and important patches missing, and failed installations, of both kinds together.
fn missing_and_failed(m: &PatchSlaMetadata) -> [u64; 2] {
    [
        both(m, |kind| kind.missing_critical + kind.missing_important),
        both(m, |kind| kind.failed_installs),
    ]
}

/// A figure over the kinds of patches in use.
fn both(m: &PatchSlaMetadata, of: fn(&PatchCounts) -> u64) -> u64 {
    m.os.iter().chain(&m.software).map(of).sum()
}

/// The numbers behind the verdict, in one sentence.
#[must_use]
pub fn numbers(signal: &Signal) -> String {
    match &signal.metadata {
        Metadata::DiskEncryption(m) => {
            let measured = m.volumes.in_scope - m.volumes.unmeasured;
            let percent = m
                .encrypted_percent
                .map_or_else(|| "no volume measured".to_owned(), |p| format!("{p} %"));
            format!(
                "{} of {} encrypted ({percent}); {} in clear, {} suspended, {} in progress",
                number(m.volumes.encrypted),
                count(measured, "measured volume", "measured volumes"),
                number(m.volumes.not_encrypted),
                number(m.volumes.suspended),
                number(m.volumes.in_progress)
            )
        }
        Metadata::AntivirusPosture(m) => format!(
            "{} protected, {} not; signatures: {} fresh, {} 7 to 30 days old, {} older, {} out of date since an unknown day",
            count(m.devices.on, "device", "devices"),
            number(m.devices.off),
            number(m.signatures.fresh),
            number(m.signatures.aged_7_to_30),
            number(m.signatures.over_30),
            number(m.signatures.age_not_reported)
        ),
        Metadata::PatchSla(m) => {
            let important = both(m, |kind| kind.missing_important);
            let [_, failed] = missing_and_failed(m);
            format!(
                "{} critical and {} missing on {}; {} on {}; {} rejected",
                number(both(m, |kind| kind.missing_critical)),
                count(important, "important patch", "important patches"),
                count(m.devices_with_missing, "device", "devices"),
                count(failed, "failed installation", "failed installations"),
                count(m.devices_with_failed, "device", "devices"),
                number(both(m, |kind| kind.rejected))
            )
        }
        Metadata::BackupActivity(m) => format!(
            "{} of {} with backups succeeded in {} ({} with warnings only); the last run failed on {}; integrity checks: {} \
             passed, {} failed",
            number(m.devices.with_success),
            count(m.devices.with_activity, "device", "devices"),
            count(m.window_days, "day", "days"),
            number(m.devices.warnings_only),
            number(m.devices.latest_run_failed),
            number(m.integrity_checks.passed),
            number(m.integrity_checks.failed)
        ),
        Metadata::DeviceInventory(m) => format!(
            "{}, {} offline, {} without contact for 30 days; {} waiting for approval or retired",
            count(m.devices.approved, "approved device", "approved devices"),
            number(m.devices.offline),
            number(m.devices.stale),
            number(m.scope.not_approved)
        ),
    }
}

/// What was not measured, or left out; `None` when everything was.
#[must_use]
pub fn not_measured(signal: &Signal) -> Option<String> {
    let scope = signal.metadata.scope();
    let mut parts = Vec::new();
    let mut part = |n: u64, one: &str, many: &str| {
        if n > 0 {
            parts.push(count(n, one, many));
        }
    };
    if let Metadata::DiskEncryption(m) = &signal.metadata {
        part(
            m.volumes.unmeasured,
            "volume does not say whether it is encrypted",
            "volumes do not say whether they are encrypted",
        );
    }
    part(
        scope.unmeasured,
        "device has no row to judge by",
        "devices have no row to judge by",
    );
    part(scope.stale, "device is stale", "devices are stale");
    match &signal.metadata {
        Metadata::AntivirusPosture(m) => part(
            m.signatures.unmeasured,
            "product does not say how fresh it is",
            "products do not say how fresh they are",
        ),
        Metadata::PatchSla(m) => part(
            both(m, |kind| kind.severity_unknown),
            "patch has no readable severity",
            "patches have no readable severity",
        ),
        Metadata::BackupActivity(m) => part(
            m.devices.without_any_backup,
            "computer has no backup activity at all",
            "computers have no backup activity at all",
        ),
        Metadata::DiskEncryption(_) | Metadata::DeviceInventory(_) => {}
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// A reason in words.
#[must_use]
pub const fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::AgeNotReported => {
            "signatures are out of date, and NinjaOne does not say since when"
        }
        Reason::BackupsFailing => "some devices have backup runs and not one success",
        Reason::BelowThreshold => "too few of the measured volumes are encrypted",
        Reason::CoverageBelowHalf => "fewer than half of the devices in scope could be measured",
        Reason::DevicesWithoutBackup => "some computers have no backup activity at all",
        Reason::FleetDark => "no device in scope has reported for 30 days",
        Reason::InstallsFailed => "the latest installation of some patches failed",
        Reason::InstallsSuperseded => {
            "some failed installations were rejected, or made moot by a later one"
        }
        Reason::KindBelowHalf => {
            "patches of one kind are reported for fewer than half of the devices"
        }
        Reason::KindNotInUse => "patches of one kind are left out by a setting",
        Reason::LatestRunsFailing => "the last backup run of some devices failed",
        Reason::MalformedRows => "some rows were lost, so the answer is partial",
        Reason::MostlyOffline => "half of the devices or more are offline",
        Reason::NoBackupActivity => {
            "no device shows a backup run; NinjaOne may not be what backs this customer up"
        }
        Reason::NoDevices => "no device is approved",
        Reason::NoPatchData => {
            "operating system or software patches are not reported for any device"
        }
        Reason::NotAvailable => {
            "this tenant cannot have the report: module not licensed, or permission missing"
        }
        Reason::PatchesMissing => "critical or important patches are missing",
        Reason::PatchesRejected => "some critical or important patches were rejected",
        Reason::ProtectionOff => "some devices are not protected",
        Reason::ReportFailed => "the report failed or broke off",
        Reason::SeverityUnknown => "some pending patches have no readable severity",
        Reason::SignaturesAging => "some signatures are 7 to 30 days out of date",
        Reason::SignaturesOver30Days => "some signatures are more than 30 days out of date",
        Reason::SignaturesUnmeasured => "some products do not say how fresh their signatures are",
        Reason::Truncated => "the device list was cut at its ceiling, so the answer is partial",
        Reason::UndatedRows => "some rows without a readable time, or too old, held something back",
        Reason::UnknownNodeClass => "some devices are of a class this version does not know",
        Reason::UnmeasuredDevices => "some devices could not be measured",
        Reason::UnmeasuredVolumes => "some volumes could not be measured",
        Reason::WarningsOnly => "some devices only have backups with warnings",
        _ => "see the signal's reason codes",
    }
}

/// A reason in a few words, for a table.
#[must_use]
pub const fn short_reason(reason: Reason) -> &'static str {
    match reason {
        Reason::AgeNotReported => "signatures out of date since an unknown day",
        Reason::BackupsFailing => "devices without one successful backup",
        Reason::BelowThreshold => "too few volumes encrypted",
        Reason::CoverageBelowHalf => "fewer than half of the devices measured",
        Reason::DevicesWithoutBackup => "computers without any backup",
        Reason::FleetDark => "no contact for 30 days",
        Reason::InstallsFailed => "installations failed",
        Reason::InstallsSuperseded => "failed installations made moot",
        Reason::KindBelowHalf => "patches of a kind seldom reported",
        Reason::KindNotInUse => "patches of a kind not in use",
        Reason::LatestRunsFailing => "last backup runs failed",
        Reason::MalformedRows => "rows lost",
        Reason::MostlyOffline => "half or more offline",
        Reason::NoBackupActivity => "no backup run seen",
        Reason::NoDevices => "no approved device",
        Reason::NoPatchData => "patches of a kind not reported",
        Reason::NotAvailable => "report not available: licence or permission",
        Reason::PatchesMissing => "patches missing",
        Reason::PatchesRejected => "patches rejected",
        Reason::ProtectionOff => "devices unprotected",
        Reason::ReportFailed => "report failed or broke off",
        Reason::SeverityUnknown => "patches of unknown severity",
        Reason::SignaturesAging => "signatures 7 to 30 days old",
        Reason::SignaturesOver30Days => "signatures over 30 days old",
        Reason::SignaturesUnmeasured => "signatures of unknown freshness",
        Reason::Truncated => "device list cut at its ceiling",
        Reason::UndatedRows => "rows without a usable time",
        Reason::UnknownNodeClass => "devices of an unknown class",
        Reason::UnmeasuredDevices => "devices not measured",
        Reason::UnmeasuredVolumes => "volumes not measured",
        Reason::WarningsOnly => "backups with warnings only",
        _ => "see the reason codes",
    }
}

/// The signals as an operator reads them.
#[must_use]
pub fn page<'a>(signals: impl IntoIterator<Item = &'a Signal>) -> String {
    let mut text = String::new();
    for signal in signals {
        let _ = writeln!(text, "{:<8} {}", word(signal.status), title(signal.kind()));
        let _ = writeln!(text, "         {}", numbers(signal));
        for (first, why) in signal.reasons.iter().enumerate() {
            let label = if first == 0 { "why:" } else { "" };
            let _ = writeln!(text, "         {label:<13} {} [{why}]", reason(*why));
        }
        if let Some(missing) = not_measured(signal) {
            let _ = writeln!(text, "         not measured: {missing}");
        }
        let controls: Vec<_> = signal
            .controls
            .iter()
            .map(|control| format!("{control} {}", control.name()))
            .collect();
        let _ = writeln!(text, "         evidence for: {}", controls.join(", "));
        text.push('\n');
    }
    text
}
