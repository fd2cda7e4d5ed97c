use regentra_evidence::{
    ActivityKey, BackupActivity, BackupEvent, BackupFact, DeviceKey, Metadata, Reason, Signal,
    Status,
};
use time::Duration;

use crate::{ANSWERED, NOW, Naive, assert_ours, days_ago, naive, workstations};

fn activity(device: u64, number: i64, event: BackupEvent) -> BackupFact {
    BackupFact {
        device: DeviceKey::new(device),
        activity: ActivityKey::new(number),
        event,
        at: Some(days_ago(1)),
    }
}

fn judge(devices: u64, facts: &[BackupFact]) -> Signal {
    let mut backups = BackupActivity::new(workstations(devices));
    for fact in facts {
        let _ = backups.observe(*fact);
    }
    backups.finish(ANSWERED)
}

fn is_failure(fact: &BackupFact) -> bool {
    fact.event == BackupEvent::Failure
}

#[test]
fn no_failure_taken_for_a_backup() {
    let facts: [BackupFact; 0] = [];
    assert_eq!(naive(!facts.iter().any(is_failure)), Naive::Pass);
    assert_ours(
        &judge(3, &facts),
        Status::Unknown,
        [Reason::NoBackupActivity],
    );
}

#[test]
fn a_cancelled_run_taken_for_a_backup() {
    let facts = [activity(1, 1, BackupEvent::Cancelled)];
    assert_eq!(naive(!facts.iter().any(is_failure)), Naive::Pass);
    assert_ours(&judge(1, &facts), Status::Fail, [Reason::BackupsFailing]);
}

#[test]
fn a_restore_or_a_check_taken_for_a_backup() {
    let facts = [
        activity(1, 1, BackupEvent::RestoreCompleted),
        activity(2, 2, BackupEvent::IntegrityPassed),
    ];
    assert_eq!(
        naive(!facts.is_empty() && !facts.iter().any(is_failure)),
        Naive::Pass
    );
    assert_ours(
        &judge(2, &facts),
        Status::Unknown,
        [Reason::NoBackupActivity],
    );
}

#[test]
fn warnings_taken_for_a_clean_bill() {
    let facts = [activity(1, 1, BackupEvent::SuccessWithWarning)];
    assert_eq!(naive(!facts.iter().any(is_failure)), Naive::Pass);
    assert_ours(&judge(1, &facts), Status::Warning, [Reason::WarningsOnly]);
}

#[test]
fn one_failed_run_taken_for_a_device_without_backup() {
    let retried = BackupFact {
        at: Some(NOW),
        ..activity(1, 2, BackupEvent::Success)
    };
    let facts = [activity(1, 1, BackupEvent::Failure), retried];
    assert_eq!(naive(!facts.iter().any(is_failure)), Naive::Fail);
    assert_ours(&judge(1, &facts), Status::Pass, []);
}

#[test]
fn many_good_runs_of_one_device_that_hide_a_device_without_any() {
    let mut facts: Vec<_> = (1..=99)
        .map(|number| activity(1, number, BackupEvent::Success))
        .collect();
    facts.push(activity(2, 100, BackupEvent::Failure));
    let failures = facts.iter().filter(|fact| is_failure(fact)).count();
    assert_eq!(naive(failures * 10 < facts.len()), Naive::Pass);
    assert_ours(&judge(2, &facts), Status::Fail, [Reason::BackupsFailing]);
}

#[test]
fn a_success_of_last_week_kept_for_ever() {
    let facts = [BackupFact {
        at: Some(days_ago(7)),
        ..activity(1, 1, BackupEvent::Success)
    }];
    assert_eq!(
        naive(facts.iter().any(|fact| fact.event == BackupEvent::Success)),
        Naive::Pass
    );
    assert_ours(
        &judge(1, &facts),
        Status::Unknown,
        [Reason::NoBackupActivity],
    );
}

#[test]
fn a_success_in_the_future_taken_for_recent() {
    let facts = [BackupFact {
        at: Some(NOW + Duration::days(1)),
        ..activity(1, 1, BackupEvent::Success)
    }];
    let recent = |fact: &BackupFact| fact.at.is_some_and(|at| NOW - at < Duration::days(7));
    assert_eq!(naive(facts.iter().any(recent)), Naive::Pass);
    assert_ours(
        &judge(1, &facts),
        Status::Unknown,
        [Reason::NoBackupActivity],
    );
}

#[test]
fn computers_without_any_backup_that_nobody_sees() {
    // The promise counts devices that back up at all. What that hides is shown beside it.
    let facts = [activity(1, 1, BackupEvent::Success)];
    assert_eq!(naive(!facts.iter().any(is_failure)), Naive::Pass);
    let signal = judge(70, &facts);
    assert_ours(&signal, Status::Pass, []);
    assert!(
        matches!(&signal.metadata, Metadata::BackupActivity(own) if own.devices.without_any_backup == 69)
    );
}

#[test]
fn one_of_twelve_servers_backed_up() {
    let facts = [activity(1, 1, BackupEvent::Success)];
    assert_eq!(naive(!facts.iter().any(is_failure)), Naive::Pass);
    // A pass of the promise, which names what its denominator hides.
    let signal = judge(12, &facts);
    assert_ours(&signal, Status::Pass, [Reason::DevicesWithoutBackup]);
    assert!(
        matches!(&signal.metadata, Metadata::BackupActivity(own) if own.devices.without_any_backup == 11)
    );
}

#[test]
fn a_failure_without_a_time_left_out() {
    let facts = [BackupFact {
        at: None,
        ..activity(1, 1, BackupEvent::Failure)
    }];
    let dated = facts.iter().filter(|fact| fact.at.is_some());
    assert_eq!(naive(!dated.clone().any(is_failure)), Naive::Pass);
    assert_ours(
        &judge(1, &facts),
        Status::Fail,
        [Reason::BackupsFailing, Reason::UndatedRows],
    );
}
