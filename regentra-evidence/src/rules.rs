//! The thresholds of the five signals, in one value.

use time::Duration;

/// The version of the rules implemented here. It changes when a rule changes, so that evidence says which rule it was
/// judged by.
pub const RULES_VERSION: &str = "2026-11";

/// The thresholds the signals are judged by. [`Rules::default`] is the product's promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    pub(crate) stale_after: Duration,
    pub(crate) disk_pass_percent: u64,
    pub(crate) disk_warning_percent: u64,
    pub(crate) signatures_fresh_for: Duration,
    pub(crate) signatures_fail_after: Duration,
    pub(crate) attempts_window: Duration,
    pub(crate) patches_fail_from: u64,
    pub(crate) backup_window: Duration,
    pub(crate) backup_fail_percent: u64,
}

impl Default for Rules {
    /// The product's promise.
    fn default() -> Self {
        Self {
            stale_after: Duration::days(30),
            disk_pass_percent: 95,
            disk_warning_percent: 80,
            signatures_fresh_for: Duration::days(7),
            signatures_fail_after: Duration::days(30),
            attempts_window: Duration::days(45),
            patches_fail_from: 6,
            backup_window: Duration::days(7),
            backup_fail_percent: 10,
        }
    }
}
