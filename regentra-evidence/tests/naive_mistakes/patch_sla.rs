use std::collections::BTreeSet;

use regentra_evidence::{
    AttemptFact, DeviceKey, InstallOutcome, Metadata, PatchKey, PatchKind, PatchSeverity, PatchSla,
    PendingFact, Reason, ReportState, Signal, Status,
};

use crate::{ANSWERED, NOW, Naive, assert_ours, days_ago, naive, workstations};

fn pending(device: u64, patch: u128, severity: PatchSeverity) -> PendingFact {
    PendingFact {
        device: DeviceKey::new(device),
        kind: PatchKind::Os,
        patch: PatchKey::new(patch),
        definition_update: false,
        severity,
        rejected: false,
        collected_at: Some(days_ago(1)),
    }
}

fn attempt(device: u64, patch: u128, outcome: InstallOutcome) -> AttemptFact {
    AttemptFact {
        device: DeviceKey::new(device),
        kind: PatchKind::Os,
        patch: PatchKey::new(patch),
        definition_update: false,
        outcome,
        installed_at: Some(days_ago(2)),
    }
}

/// A row that says nothing but that the device was scanned.
fn scan(device: u64, kind: PatchKind) -> PendingFact {
    PendingFact {
        kind,
        definition_update: true,
        ..pending(device, 99, PatchSeverity::Low)
    }
}

/// All devices scanned for both kinds.
fn scanned(devices: u64) -> PatchSla {
    let mut patches = PatchSla::new(workstations(devices));
    for device in 1..=devices {
        for kind in [PatchKind::Os, PatchKind::Software] {
            let _ = patches.observe_pending(scan(device, kind));
        }
    }
    patches
}

fn judge(devices: u64, waiting: &[PendingFact], attempts: &[AttemptFact]) -> Signal {
    let mut patches = scanned(devices);
    for fact in waiting {
        let _ = patches.observe_pending(*fact);
    }
    for fact in attempts {
        let _ = patches.observe_attempt(*fact);
    }
    patches.finish(ANSWERED, ANSWERED)
}

fn is_severe(fact: &PendingFact) -> bool {
    matches!(
        fact.severity,
        PatchSeverity::Critical | PatchSeverity::Important
    )
}

#[test]
fn an_empty_list_taken_for_nothing_missing() {
    // It also is what a missing permission looks like.
    let waiting: [PendingFact; 0] = [];
    assert_eq!(naive(!waiting.iter().any(is_severe)), Naive::Pass);
    let signal = PatchSla::new(workstations(3)).finish(ANSWERED, ANSWERED);
    assert_ours(
        &signal,
        Status::Unknown,
        [Reason::NoPatchData, Reason::UnmeasuredDevices],
    );
}

#[test]
fn software_that_was_never_looked_at() {
    let mut patches = PatchSla::new(workstations(1));
    let _ = patches.observe_pending(scan(1, PatchKind::Os));
    let waiting: [PendingFact; 0] = [];
    assert_eq!(naive(!waiting.iter().any(is_severe)), Naive::Pass);
    assert_ours(
        &patches.finish(ANSWERED, ANSWERED),
        Status::Warning,
        [Reason::NoPatchData],
    );
}

#[test]
fn nothing_pending_and_the_last_installation_failed() {
    let waiting = [pending(1, 1, PatchSeverity::Low)];
    assert_eq!(naive(!waiting.iter().any(is_severe)), Naive::Pass);
    let signal = judge(1, &waiting, &[attempt(1, 2, InstallOutcome::Failed)]);
    assert_ours(&signal, Status::Fail, [Reason::InstallsFailed]);
}

#[test]
fn a_rejected_patch_taken_for_missing() {
    let waiting = [PendingFact {
        rejected: true,
        ..pending(1, 1, PatchSeverity::Critical)
    }];
    assert_eq!(naive(!waiting.iter().any(is_severe)), Naive::Fail);
    let signal = judge(10, &waiting, &[]);
    assert_ours(&signal, Status::Pass, [Reason::PatchesRejected]);
    assert!(!signal.reasons.contains(&Reason::PatchesMissing));
}

#[test]
fn a_severity_nobody_can_read_taken_for_low() {
    let waiting = [pending(1, 1, PatchSeverity::Unknown)];
    assert_eq!(naive(!waiting.iter().any(is_severe)), Naive::Pass);
    assert_ours(
        &judge(1, &waiting, &[]),
        Status::Warning,
        [Reason::SeverityUnknown],
    );
}

#[test]
fn one_patch_missing_on_six_devices_counted_once() {
    // A patch has the same id on every device.
    let waiting: Vec<_> = (1..=6)
        .map(|device| pending(device, 1, PatchSeverity::Critical))
        .collect();
    let distinct: BTreeSet<_> = waiting.iter().map(|fact| fact.patch).collect();
    assert_eq!(naive(distinct.len() < 6), Naive::Pass);
    assert_ours(
        &judge(6, &waiting, &[]),
        Status::Fail,
        [Reason::PatchesMissing],
    );
}

#[test]
fn a_failure_of_last_month_that_was_put_right_since() {
    let failure = AttemptFact {
        installed_at: Some(days_ago(30)),
        ..attempt(1, 1, InstallOutcome::Failed)
    };
    let attempts = [failure, attempt(1, 1, InstallOutcome::Installed)];
    let failed = |fact: &AttemptFact| fact.outcome == InstallOutcome::Failed;
    assert_eq!(naive(!attempts.iter().any(failed)), Naive::Fail);
    assert_ours(&judge(1, &[], &attempts), Status::Pass, []);
}

#[test]
fn a_success_of_another_patch_or_device_that_excuses_a_failure() {
    let newer = |fact: AttemptFact| AttemptFact {
        installed_at: Some(NOW),
        ..fact
    };
    let attempts = [
        attempt(1, 1, InstallOutcome::Failed),
        newer(attempt(1, 2, InstallOutcome::Installed)),
        newer(attempt(2, 1, InstallOutcome::Installed)),
    ];
    // The failed one is still listed: there is something to install, whatever else succeeded.
    let waiting = [pending(1, 1, PatchSeverity::Low)];
    let latest = attempts.iter().max_by_key(|fact| fact.installed_at);
    assert_eq!(
        naive(latest.is_some_and(|fact| fact.outcome == InstallOutcome::Installed)),
        Naive::Pass
    );
    assert_ours(
        &judge(2, &waiting, &attempts),
        Status::Fail,
        [Reason::InstallsFailed],
    );
}

#[test]
fn a_success_without_a_date_that_settles_what_is_pending() {
    let waiting = [pending(1, 1, PatchSeverity::Critical)];
    let attempts = [AttemptFact {
        installed_at: None,
        ..attempt(1, 1, InstallOutcome::Installed)
    }];
    let settled = |fact: &PendingFact| attempts.iter().any(|other| other.patch == fact.patch);
    assert_eq!(naive(waiting.iter().all(settled)), Naive::Pass);
    assert_ours(
        &judge(1, &waiting, &attempts),
        Status::Warning,
        [Reason::PatchesMissing],
    );
}

#[test]
fn definitions_of_defender_taken_for_patches() {
    let waiting = [PendingFact {
        definition_update: true,
        ..pending(1, 1, PatchSeverity::Critical)
    }];
    let attempts = [AttemptFact {
        definition_update: true,
        ..attempt(1, 2, InstallOutcome::Failed)
    }];
    assert_eq!(naive(!waiting.iter().any(is_severe)), Naive::Fail);
    assert_ours(&judge(1, &waiting, &attempts), Status::Pass, []);
}

#[test]
fn the_rows_that_arrived_before_a_report_broke_off() {
    let mut patches = scanned(1);
    let _ = patches.observe_pending(pending(1, 1, PatchSeverity::Low));
    let arrived = [pending(1, 1, PatchSeverity::Low)];
    assert_eq!(naive(!arrived.iter().any(is_severe)), Naive::Pass);
    let signal = patches.finish(ReportState::failed(), ANSWERED);
    assert_ours(&signal, Status::Unknown, [Reason::ReportFailed]);
    assert!(!signal.complete);
}

#[test]
fn the_same_row_in_two_pages_missing_twice() {
    let row = pending(1, 1, PatchSeverity::Critical);
    let waiting = [row; 6];
    assert_eq!(
        naive(waiting.iter().filter(|fact| is_severe(fact)).count() < 6),
        Naive::Fail
    );
    let signal = judge(1, &waiting, &[]);
    assert_ours(&signal, Status::Warning, [Reason::PatchesMissing]);
    assert!(
        matches!(&signal.metadata, Metadata::PatchSla(own) if own.os.unwrap().missing_critical == 1)
    );
}

#[test]
fn pending_patches_without_a_time_taken_for_none() {
    let row = PendingFact {
        collected_at: None,
        ..pending(1, 1, PatchSeverity::Critical)
    };
    let waiting = [row];
    let dated = waiting.iter().filter(|fact| fact.collected_at.is_some());
    assert_eq!(naive(!dated.clone().any(is_severe)), Naive::Pass);
    let signal = judge(1, &waiting, &[]);
    assert_ours(
        &signal,
        Status::Warning,
        [Reason::PatchesMissing, Reason::UndatedRows],
    );
}

#[test]
fn fifty_rejected_critical_patches() {
    let waiting: Vec<_> = (0..50)
        .map(|patch| PendingFact {
            rejected: true,
            ..pending(1, patch, PatchSeverity::Critical)
        })
        .collect();
    let missing = waiting.iter().filter(|fact| !fact.rejected);
    assert_eq!(naive(missing.count() == 0), Naive::Pass);
    let signal = judge(5, &waiting, &[]);
    assert_ours(&signal, Status::Warning, [Reason::PatchesRejected]);
}

#[test]
fn software_rows_on_99_devices_and_os_rows_on_one() {
    let mut patches = PatchSla::new(workstations(100));
    let mut measured = BTreeSet::new();
    for device in 1..=99 {
        let _ = patches.observe_pending(scan(device, PatchKind::Software));
        measured.insert(device);
    }
    let _ = patches.observe_pending(scan(100, PatchKind::Os));
    measured.insert(100);
    assert_eq!(naive(measured.len() == 100), Naive::Pass);
    assert_ours(
        &patches.finish(ANSWERED, ANSWERED),
        Status::Warning,
        [Reason::KindBelowHalf],
    );
}

#[test]
fn a_failed_installation_made_moot_by_a_later_update() {
    let failure = attempt(1, 1, InstallOutcome::Failed);
    let cumulative = AttemptFact {
        installed_at: Some(days_ago(1)),
        ..attempt(1, 2, InstallOutcome::Installed)
    };
    let attempts = [failure, cumulative];
    let fails = attempts
        .iter()
        .any(|fact| fact.outcome == InstallOutcome::Failed);
    assert_eq!(naive(!fails), Naive::Fail);
    let signal = judge(1, &[], &attempts);
    assert_ours(&signal, Status::Warning, [Reason::InstallsSuperseded]);
    assert!(!signal.reasons.contains(&Reason::InstallsFailed));
}
