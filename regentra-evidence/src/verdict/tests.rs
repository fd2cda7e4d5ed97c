use Grade::{Fail, Pass, Warning};

use super::*;
use crate::{
    device_inventory,
    fixture::{NOW, workstation},
};

fn scope(measured: u64, unmeasured: u64, stale: u64, not_applicable: u64) -> DeviceScope {
    DeviceScope {
        approved: measured + unmeasured + stale + not_applicable,
        measured,
        unmeasured,
        stale,
        not_applicable,
        not_approved: 0,
    }
}

const fn grades(best: Grade, measured: Grade, worst: Grade) -> Grades {
    Grades {
        best,
        worst,
        measured,
    }
}

#[test]
fn one_rule_decides() {
    let good = grades(Pass, Pass, Pass);
    let open = grades(Pass, Pass, Fail);
    let bad = grades(Fail, Fail, Fail);
    // measured, unmeasured, stale, not applicable; best, measured, worst -> status, reasons
    let table = [
        // 1. nothing approved at all
        (scope(0, 0, 0, 0), good, Status::Unknown, "no_devices"),
        (scope(0, 0, 0, 0), bad, Status::Unknown, "no_devices"),
        // 2. nothing in scope; all in scope stale
        (scope(0, 0, 0, 5), bad, Status::NotApplicable, ""),
        (scope(0, 0, 1, 5), good, Status::Unknown, "fleet_dark"),
        (scope(0, 0, 9, 0), bad, Status::Unknown, "fleet_dark"),
        // 3. best is fail, whatever is missing
        (scope(10, 0, 0, 0), bad, Status::Fail, ""),
        (
            scope(1, 9, 0, 0),
            bad,
            Status::Fail,
            "coverage_below_half unmeasured_devices",
        ),
        // 4. no device measured, or fewer than half of those in scope, stale ones included
        (
            scope(0, 1, 0, 0),
            open,
            Status::Unknown,
            "coverage_below_half unmeasured_devices",
        ),
        (
            scope(4, 5, 0, 0),
            open,
            Status::Unknown,
            "coverage_below_half unmeasured_devices",
        ),
        (
            scope(5, 5, 0, 0),
            open,
            Status::Warning,
            "unmeasured_devices",
        ),
        (scope(5, 0, 5, 9), good, Status::Pass, ""),
        (
            scope(5, 0, 6, 0),
            good,
            Status::Unknown,
            "coverage_below_half",
        ),
        // 5. worst is pass
        (scope(9, 1, 0, 0), good, Status::Pass, "unmeasured_devices"),
        (scope(1, 0, 0, 0), good, Status::Pass, ""),
        // 6. else the worse of measured and warning
        (
            scope(9, 1, 0, 0),
            open,
            Status::Warning,
            "unmeasured_devices",
        ),
        (
            scope(9, 0, 0, 0),
            grades(Warning, Warning, Warning),
            Status::Warning,
            "",
        ),
        (
            scope(9, 0, 0, 0),
            grades(Warning, Fail, Fail),
            Status::Fail,
            "",
        ),
        (
            scope(9, 0, 0, 0),
            grades(Pass, Fail, Fail),
            Status::Fail,
            "",
        ),
        (
            scope(9, 0, 0, 0),
            grades(Pass, Pass, Warning),
            Status::Warning,
            "",
        ),
    ];
    for (scope, grades, status, expected) in table {
        let mut reasons = BTreeSet::new();
        assert_eq!(
            decide(&scope, grades, &mut reasons),
            status,
            "{scope:?} {grades:?}"
        );
        let reasons: Vec<_> = reasons.into_iter().map(Reason::as_str).collect();
        assert_eq!(reasons.join(" "), expected, "{scope:?} {grades:?}");
    }
}

#[test]
fn a_partial_answer_never_passes_and_is_never_complete() {
    let metadata = device_inventory::finish(&Fleet::builder(NOW).build()).metadata;
    let answered = ReportState::answered();
    // truncated, malformed device rows, report, status -> status, complete, reasons
    let table = [
        (false, false, answered, Status::Pass, Status::Pass, true, ""),
        (
            true,
            false,
            answered,
            Status::Pass,
            Status::Warning,
            false,
            "truncated",
        ),
        (
            false,
            true,
            answered,
            Status::Pass,
            Status::Warning,
            false,
            "malformed_rows",
        ),
        (
            false,
            false,
            ReportState::with_malformed_rows(),
            Status::Pass,
            Status::Warning,
            false,
            "malformed_rows",
        ),
        (
            true,
            true,
            answered,
            Status::Fail,
            Status::Fail,
            false,
            "malformed_rows truncated",
        ),
        (
            true,
            false,
            answered,
            Status::Unknown,
            Status::Unknown,
            false,
            "truncated",
        ),
        (
            true,
            false,
            answered,
            Status::NotApplicable,
            Status::NotApplicable,
            false,
            "truncated",
        ),
        (
            false,
            false,
            ReportState::failed(),
            Status::Unknown,
            Status::Unknown,
            false,
            "report_failed",
        ),
        (
            false,
            false,
            ReportState::not_available(),
            Status::Unknown,
            Status::Unknown,
            true,
            "not_available",
        ),
    ];
    for (truncated, malformed, report, status, expected, complete, codes) in table {
        let mut fleet = Fleet::builder(NOW);
        fleet.observe(workstation(1));
        if truncated {
            fleet.truncated();
        }
        if malformed {
            fleet.malformed_rows();
        }
        let signal = conclude(
            &fleet.build(),
            report,
            status,
            BTreeSet::new(),
            metadata.clone(),
        );
        assert_eq!(signal.status, expected, "{codes}");
        assert_eq!(signal.complete, complete, "{codes}");
        assert_eq!(crate::fixture::reasons(&signal), codes);
    }
}

#[test]
fn a_signal_is_in_utc_and_lives_for_seven_days() {
    let east = time::UtcOffset::from_hms(5, 30, 0).unwrap();
    let signal = device_inventory::finish(&Fleet::builder(NOW.to_offset(east)).build());
    assert_eq!(signal.collected_at.offset(), time::UtcOffset::UTC);
    assert_eq!(signal.expires_at.offset(), time::UtcOffset::UTC);
    assert_eq!(signal.collected_at, NOW);
    assert_eq!(signal.expires_at, NOW + time::Duration::days(7));
    let just_before = signal.expires_at - time::Duration::NANOSECOND;
    assert!(!signal.is_expired(just_before));
    assert!(signal.is_expired(signal.expires_at));
    assert!(signal.is_expired(signal.expires_at + time::Duration::NANOSECOND));
}
