//! A signal in an operator's words: the verdict, the numbers behind it, why, and what was not measured.

use std::fmt::Write as _;

use regentra_evidence::{Metadata, Reason, Signal, SignalKind, Status};

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
                "{} of {measured} measured volumes encrypted ({percent}); {} in clear, {} suspended, {} in progress",
                m.volumes.encrypted,
                m.volumes.not_encrypted,
                m.volumes.suspended,
                m.volumes.in_progress
            )
        }
        Metadata::AntivirusPosture(m) => {
            let mut text = format!("{} devices protected, {} not", m.devices.on, m.devices.off);
            let _ = write!(
                text,
                "; signatures: {} fresh, {} 7 to 30 days old, {} older, {} out of date since an unknown day",
                m.signatures.fresh,
                m.signatures.aged_7_to_30,
                m.signatures.over_30,
                m.signatures.age_not_reported
            );
            text
        }
        Metadata::PatchSla(m) => format!(
            "{} critical and {} important patches missing on {} devices; {} failed installs on {}; {} rejected",
            m.os.missing_critical + m.software.missing_critical,
            m.os.missing_important + m.software.missing_important,
            m.devices_with_missing,
            m.os.failed_installs + m.software.failed_installs,
            m.devices_with_failed,
            m.os.rejected + m.software.rejected
        ),
        Metadata::BackupActivity(m) => format!(
            "{} of {} devices with backups succeeded in {} days ({} with warnings only); the last run failed on {}; integrity \
             checks: {} passed, {} failed",
            m.devices.with_success,
            m.devices.with_activity,
            m.window_days,
            m.devices.warnings_only,
            m.devices.latest_run_failed,
            m.integrity_checks.passed,
            m.integrity_checks.failed
        ),
        Metadata::DeviceInventory(m) => format!(
            "{} approved devices, {} offline, {} without contact for 30 days; {} waiting for approval or retired",
            m.devices.approved, m.devices.offline, m.devices.stale, m.scope.not_approved
        ),
    }
}

/// What was not measured, or left out; `None` when everything was.
#[must_use]
pub fn not_measured(signal: &Signal) -> Option<String> {
    let scope = signal.metadata.scope();
    let mut parts = Vec::new();
    let mut part = |count: u64, what: &str| {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    };
    if let Metadata::DiskEncryption(m) = &signal.metadata {
        part(
            m.volumes.unmeasured,
            "volumes do not say whether they are encrypted",
        );
    }
    part(scope.unmeasured, "devices have no row to judge by");
    part(scope.stale, "devices are stale");
    match &signal.metadata {
        Metadata::AntivirusPosture(m) => part(
            m.signatures.unmeasured,
            "products do not say how fresh they are",
        ),
        Metadata::PatchSla(m) => {
            part(
                m.os.severity_unknown + m.software.severity_unknown,
                "patches have no readable severity",
            );
        }
        Metadata::BackupActivity(m) => part(
            m.devices.without_any_backup,
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
        Reason::FleetDark => "no device in scope has reported for 30 days",
        Reason::InstallsFailed => "the latest installation of some patches failed",
        Reason::MalformedRows => "some rows did not decode, so the answer is partial",
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
        Reason::ProtectionOff => "some devices are not protected",
        Reason::ReportFailed => "the report failed or broke off",
        Reason::SeverityUnknown => "some pending patches have no readable severity",
        Reason::SignaturesAging => "some signatures are 7 to 30 days out of date",
        Reason::SignaturesOver30Days => "some signatures are more than 30 days out of date",
        Reason::SignaturesUnmeasured => "some products do not say how fresh their signatures are",
        Reason::Truncated => "the device list was cut at its ceiling, so the answer is partial",
        Reason::UnknownNodeClass => "some devices are of a class this version does not know",
        Reason::UnmeasuredDevices => "some devices could not be measured",
        Reason::UnmeasuredVolumes => "some volumes could not be measured",
        Reason::WarningsOnly => "some devices only have backups with warnings",
        _ => "see the signal's reason codes",
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
