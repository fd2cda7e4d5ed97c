//! What has to add up in a signal, and what a pass says, read from the published numbers alone.

use regentra_evidence::{Guard, Metadata, PublicView, Signal, Status};

/// Everything that adds up, in every signal.
pub(crate) fn check_sums(signal: &Signal) {
    let scope = signal.metadata.scope();
    assert_eq!(
        scope.measured + scope.unmeasured + scope.stale + scope.not_applicable,
        scope.approved
    );
    match &signal.metadata {
        Metadata::DiskEncryption(m) => {
            let v = m.volumes;
            assert_eq!(
                v.encrypted + v.suspended + v.in_progress + v.not_encrypted + v.unmeasured,
                v.in_scope
            );
            assert_eq!(m.encrypted_percent.is_none(), v.in_scope == v.unmeasured);
            assert!(m.devices_fully_encrypted <= scope.measured);
        }
        Metadata::AntivirusPosture(m) => {
            let (d, s) = (m.devices, m.signatures);
            assert_eq!(
                (d.on + d.off, d.unmeasured),
                (scope.measured, scope.unmeasured)
            );
            assert_eq!(
                s.fresh + s.aged_7_to_30 + s.over_30 + s.age_not_reported + s.unmeasured,
                d.on
            );
            assert_eq!(m.vendors.values().sum::<u64>(), d.on);
            assert!(m.vendors.values().all(|count| *count > 0));
        }
        Metadata::PatchSla(m) => {
            let (os, software) = (m.os.unwrap(), m.software.unwrap());
            assert!(os.devices_measured <= scope.measured);
            assert!(software.devices_measured <= scope.measured);
            assert!(os.devices_measured + software.devices_measured >= scope.measured);
            // What is listed as pending counts also where its rows measure nothing.
            let live = scope.measured + scope.unmeasured;
            assert!(m.devices_with_missing <= live);
            assert!(m.devices_with_failed <= live);
        }
        Metadata::BackupActivity(m) => {
            let d = m.devices;
            assert_eq!(d.with_activity, scope.measured);
            assert_eq!(d.with_success + d.without_success, d.with_activity);
            assert!(d.warnings_only <= d.with_success);
            assert!(d.latest_run_failed <= d.with_activity);
            // One whose last contact is not known is live, and counted with the stale ones.
            assert!(d.without_any_backup <= scope.not_applicable + scope.stale);
        }
        Metadata::DeviceInventory(m) => {
            let f = m.by_family;
            assert_eq!(
                f.workstation + f.server + f.mobile + f.network + f.virtualization + f.other,
                scope.approved
            );
            assert_eq!(m.devices.approved, scope.approved);
        }
    }
}

/// What a pass says, read from the published numbers alone.
pub(crate) fn check_pass(signal: &Signal) {
    if signal.status != Status::Pass {
        return;
    }
    assert!(signal.complete);
    let scope = signal.metadata.scope();
    assert!(scope.measured > 0);
    match &signal.metadata {
        Metadata::DiskEncryption(m) => {
            assert!(m.volumes.encrypted * 100 >= m.volumes.in_scope * 95);
        }
        Metadata::AntivirusPosture(m) => {
            assert_eq!((m.devices.off, m.devices.unmeasured), (0, 0));
            assert_eq!(m.signatures.fresh, m.devices.on);
        }
        Metadata::PatchSla(m) => {
            assert_eq!(scope.unmeasured, 0);
            for counts in [m.os.unwrap(), m.software.unwrap()] {
                assert!(counts.devices_measured * 2 >= scope.measured);
                assert_eq!(
                    counts.missing_critical
                        + counts.missing_important
                        + counts.failed_installs
                        + counts.failed_superseded.unwrap()
                        + counts.severity_unknown,
                    0
                );
            }
        }
        Metadata::BackupActivity(m) => {
            assert_eq!((m.devices.without_success, m.devices.warnings_only), (0, 0));
        }
        Metadata::DeviceInventory(m) => {
            assert!((m.devices.offline + scope.unmeasured) * 2 < scope.approved);
        }
    }
    if !matches!(signal.metadata, Metadata::DeviceInventory(_)) {
        let in_scope = scope.measured + scope.unmeasured + scope.stale;
        assert!(scope.measured * 2 >= in_scope);
    }
}

/// The guard has nothing against any signal, nor against the public view of it.
pub(crate) fn check_clean(signal: &Signal) {
    assert_eq!(Guard::new().check(signal), Ok(()));
    assert_eq!(Guard::new().check(&PublicView::of(signal)), Ok(()));
}
