//! The thresholds of the five signals, in one value that a host can make stricter but never weaker.
//!
//! [`Rules::default`] is the product's promise. Each setter accepts only values at least as strict as the promise, and refuses all others with
//! [`WeakerRule`]:
//!
//! | threshold | the promise | stricter is |
//! |---|---|---|
//! | `stale_after` | 30 days | longer |
//! | `disk_pass_percent` | 95 | higher |
//! | `disk_warning_percent` | 80 | higher |
//! | `signatures_fresh_for` | 7 days | shorter |
//! | `signatures_fail_after` | 30 days | shorter |
//! | `patches_fail_from` | 6 | lower |
//! | `backup_fail_percent` | 10 | lower |
//!
//! A stale device leaves the verdict, and its bad facts leave with it, so longer is the stricter direction for `stale_after`. If a device
//! is kept although its last contact is older than the lifetime of a row, all its rows are too old, whatever their times: it counts as
//! unmeasured (in backup activity as stale), and can only prevent a pass.
//!
//! The windows in which rows count have no setter, because neither direction is stricter. A shorter [`ROW_LIFETIME`] forgets missing
//! patches, a longer one believes disks that were encrypted long ago; a shorter [`ATTEMPTS_WINDOW`] or [`BACKUP_WINDOW`] forgets failures,
//! a longer one counts an old success.
//!
//! ```
//! use regentra_evidence::Rules;
//!
//! let strict = Rules::default().with_disk_pass_percent(100)?.with_patches_fail_from(1)?;
//! assert_eq!(strict.disk_pass_percent(), 100);
//!
//! let refused = Rules::default().with_disk_pass_percent(90).unwrap_err();
//! assert_eq!(
//!     refused.to_string(),
//!     "`disk_pass_percent` must lie between 95 (the promise) and 100 (the strictest), and is 90"
//! );
//! # Ok::<(), regentra_evidence::WeakerRule>(())
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::signal::SignalKind;

/// The version of the rules implemented here. It changes when a rule changes, so that evidence says which rule it was
/// judged by.
pub const RULES_VERSION: &str = "2026-12";

/// A row collected longer ago than this is too old to prove anything, whatever its device says: 30 days. Exactly 30 days old
/// counts.
pub const ROW_LIFETIME: Duration = Duration::days(30);

/// An install attempt longer ago than this is ignored: 45 days. Exactly 45 days old counts.
pub const ATTEMPTS_WINDOW: Duration = Duration::days(45);

/// A backup activity this long ago, or longer, is ignored: 7 days. Exactly 7 days old does not count.
pub const BACKUP_WINDOW: Duration = Duration::days(7);

/// The thresholds the signals are judged by; see the [module](self) for what is stricter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Thresholds", into = "Thresholds")]
pub struct Rules {
    pub(crate) stale_after: Duration,
    pub(crate) disk_pass_percent: u64,
    pub(crate) disk_warning_percent: u64,
    pub(crate) signatures_fresh_for: Duration,
    pub(crate) signatures_fail_after: Duration,
    pub(crate) patches_fail_from: u64,
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
            patches_fail_from: 6,
            backup_fail_percent: 10,
        }
    }
}

/// A threshold that is weaker than the promise, or beyond what the rule can mean: nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{rule}` must lie between {promise} (the promise) and {strictest} (the strictest), and is {asked}"
)]
pub struct WeakerRule {
    rule: &'static str,
    promise: String,
    strictest: String,
    asked: String,
}

impl WeakerRule {
    /// The threshold's name, such as `disk_pass_percent`.
    #[must_use]
    pub const fn rule(&self) -> &'static str {
        self.rule
    }
}

/// `asked`, when it lies between the promise and the strictest value, in whichever direction that is.
fn stricter<T: Ord + Copy>(
    rule: &'static str,
    promise: T,
    strictest: T,
    asked: T,
    text: impl Fn(T) -> String,
) -> Result<T, WeakerRule> {
    if (promise.min(strictest)..=promise.max(strictest)).contains(&asked) {
        Ok(asked)
    } else {
        Err(WeakerRule {
            rule,
            promise: text(promise),
            strictest: text(strictest),
            asked: text(asked),
        })
    }
}

fn stricter_number(
    rule: &'static str,
    promise: u64,
    strictest: u64,
    asked: u64,
) -> Result<u64, WeakerRule> {
    stricter(rule, promise, strictest, asked, |number| number.to_string())
}

fn stricter_duration(
    rule: &'static str,
    promise: Duration,
    strictest: Duration,
    asked: Duration,
) -> Result<Duration, WeakerRule> {
    stricter(rule, promise, strictest, asked, |duration| {
        format!("{duration}")
    })
}

/// How long a device can be kept in the verdict without contact: a hundred years, beyond which times end.
const NEVER_STALE: Duration = Duration::days(36_500);

impl Rules {
    /// How long after its last contact a device is stale.
    #[must_use]
    pub const fn stale_after(&self) -> Duration {
        self.stale_after
    }

    /// The share of encrypted volumes from which disk encryption passes, in percent.
    #[must_use]
    pub const fn disk_pass_percent(&self) -> u64 {
        self.disk_pass_percent
    }

    /// The share of encrypted volumes from which disk encryption warns, in percent.
    #[must_use]
    pub const fn disk_warning_percent(&self) -> u64 {
        self.disk_warning_percent
    }

    /// How long signatures that are out of date count as fresh.
    #[must_use]
    pub const fn signatures_fresh_for(&self) -> Duration {
        self.signatures_fresh_for
    }

    /// After how long signatures that are out of date are a failure.
    #[must_use]
    pub const fn signatures_fail_after(&self) -> Duration {
        self.signatures_fail_after
    }

    /// The number of missing patches that is a failure.
    #[must_use]
    pub const fn patches_fail_from(&self) -> u64 {
        self.patches_fail_from
    }

    /// The share of devices without a successful backup that is a failure, in percent.
    #[must_use]
    pub const fn backup_fail_percent(&self) -> u64 {
        self.backup_fail_percent
    }

    /// Keeps devices in the verdict for longer after their last contact: 30 days or more.
    ///
    /// # Errors
    ///
    /// [`WeakerRule`] for less than 30 days.
    pub fn with_stale_after(self, asked: Duration) -> Result<Self, WeakerRule> {
        let promise = Self::default().stale_after;
        Ok(Self {
            stale_after: stricter_duration("stale_after", promise, NEVER_STALE, asked)?,
            ..self
        })
    }

    /// Asks for more encrypted volumes before disk encryption passes: 95 to 100 percent.
    ///
    /// # Errors
    ///
    /// [`WeakerRule`] outside of that.
    pub fn with_disk_pass_percent(self, asked: u64) -> Result<Self, WeakerRule> {
        let promise = Self::default().disk_pass_percent;
        Ok(Self {
            disk_pass_percent: stricter_number("disk_pass_percent", promise, 100, asked)?,
            ..self
        })
    }

    /// Lets disk encryption fail earlier: 80 to 100 percent. From the share that passes on, nothing is left to warn of.
    ///
    /// # Errors
    ///
    /// [`WeakerRule`] outside of that.
    pub fn with_disk_warning_percent(self, asked: u64) -> Result<Self, WeakerRule> {
        let promise = Self::default().disk_warning_percent;
        Ok(Self {
            disk_warning_percent: stricter_number("disk_warning_percent", promise, 100, asked)?,
            ..self
        })
    }

    /// Lets out-of-date signatures age earlier: at once to 7 days.
    ///
    /// The bucket keeps its name, `aged_7_to_30`, whatever the threshold.
    ///
    /// # Errors
    ///
    /// [`WeakerRule`] outside of that.
    pub fn with_signatures_fresh_for(self, asked: Duration) -> Result<Self, WeakerRule> {
        let promise = Self::default().signatures_fresh_for;
        Ok(Self {
            signatures_fresh_for: stricter_duration(
                "signatures_fresh_for",
                promise,
                Duration::ZERO,
                asked,
            )?,
            ..self
        })
    }

    /// Lets out-of-date signatures fail earlier: at once to 30 days.
    ///
    /// The bucket keeps its name, `over_30`, whatever the threshold.
    ///
    /// # Errors
    ///
    /// [`WeakerRule`] outside of that.
    pub fn with_signatures_fail_after(self, asked: Duration) -> Result<Self, WeakerRule> {
        let promise = Self::default().signatures_fail_after;
        Ok(Self {
            signatures_fail_after: stricter_duration(
                "signatures_fail_after",
                promise,
                Duration::ZERO,
                asked,
            )?,
            ..self
        })
    }

    /// Fails on fewer missing patches: 1 to 6.
    ///
    /// # Errors
    ///
    /// [`WeakerRule`] outside of that.
    pub fn with_patches_fail_from(self, asked: u64) -> Result<Self, WeakerRule> {
        let promise = Self::default().patches_fail_from;
        Ok(Self {
            patches_fail_from: stricter_number("patches_fail_from", promise, 1, asked)?,
            ..self
        })
    }

    /// Fails on fewer devices without a successful backup: 0 (a single one) to 10 percent.
    ///
    /// # Errors
    ///
    /// [`WeakerRule`] outside of that.
    pub fn with_backup_fail_percent(self, asked: u64) -> Result<Self, WeakerRule> {
        let promise = Self::default().backup_fail_percent;
        Ok(Self {
            backup_fail_percent: stricter_number("backup_fail_percent", promise, 0, asked)?,
            ..self
        })
    }
}

/// The thresholds as a configuration file holds them: whole seconds, percent and counts; what is left out is the promise.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Thresholds {
    stale_after_seconds: i64,
    disk_pass_percent: u64,
    disk_warning_percent: u64,
    signatures_fresh_for_seconds: i64,
    signatures_fail_after_seconds: i64,
    patches_fail_from: u64,
    backup_fail_percent: u64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Rules::default().into()
    }
}

impl From<Rules> for Thresholds {
    fn from(rules: Rules) -> Self {
        Self {
            stale_after_seconds: rules.stale_after.whole_seconds(),
            disk_pass_percent: rules.disk_pass_percent,
            disk_warning_percent: rules.disk_warning_percent,
            signatures_fresh_for_seconds: rules.signatures_fresh_for.whole_seconds(),
            signatures_fail_after_seconds: rules.signatures_fail_after.whole_seconds(),
            patches_fail_from: rules.patches_fail_from,
            backup_fail_percent: rules.backup_fail_percent,
        }
    }
}

impl TryFrom<Thresholds> for Rules {
    type Error = WeakerRule;

    fn try_from(asked: Thresholds) -> Result<Self, WeakerRule> {
        Self::default()
            .with_stale_after(Duration::seconds(asked.stale_after_seconds))?
            .with_disk_pass_percent(asked.disk_pass_percent)?
            .with_disk_warning_percent(asked.disk_warning_percent)?
            .with_signatures_fresh_for(Duration::seconds(asked.signatures_fresh_for_seconds))?
            .with_signatures_fail_after(Duration::seconds(asked.signatures_fail_after_seconds))?
            .with_patches_fail_from(asked.patches_fail_from)?
            .with_backup_fail_percent(asked.backup_fail_percent)
    }
}

/// The rules a verdict was judged by, as an evidence record keeps them. Records of any version read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesUsed {
    /// [`RULES_VERSION`] at the time.
    pub version: String,
    /// Every threshold by name: seconds, percent or a count.
    pub thresholds: BTreeMap<String, i64>,
}

impl From<&Rules> for RulesUsed {
    fn from(rules: &Rules) -> Self {
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let used = Thresholds::from(*rules);
        let thresholds = [
            ("stale_after_seconds", used.stale_after_seconds),
            ("disk_pass_percent", count(used.disk_pass_percent)),
            ("disk_warning_percent", count(used.disk_warning_percent)),
            (
                "signatures_fresh_for_seconds",
                used.signatures_fresh_for_seconds,
            ),
            (
                "signatures_fail_after_seconds",
                used.signatures_fail_after_seconds,
            ),
            ("patches_fail_from", count(used.patches_fail_from)),
            ("backup_fail_percent", count(used.backup_fail_percent)),
        ];
        Self {
            version: RULES_VERSION.to_owned(),
            thresholds: thresholds
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        }
    }
}

/// From when to when the facts behind a verdict may date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactWindow {
    /// The oldest a fact may be.
    #[serde(with = "time::serde::rfc3339")]
    pub from: OffsetDateTime,
    /// The moment of judgement.
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
}

impl FactWindow {
    /// The window of a signal judged at `now`. The inventory is judged on the moment itself.
    #[must_use]
    pub fn of(kind: SignalKind, now: OffsetDateTime) -> Self {
        let length = match kind {
            SignalKind::DiskEncryption | SignalKind::AntivirusPosture => ROW_LIFETIME,
            SignalKind::PatchSla => ATTEMPTS_WINDOW,
            SignalKind::BackupActivity => BACKUP_WINDOW,
            SignalKind::DeviceInventory => Duration::ZERO,
        };
        Self {
            from: now.checked_sub(length).unwrap_or(now),
            until: now,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_threshold_may_be_stricter_and_never_weaker() {
        let days = Duration::days;
        let rules = Rules::default;
        assert!(rules().with_stale_after(days(30)).is_ok());
        assert!(rules().with_stale_after(days(36_500)).is_ok());
        assert!(
            rules()
                .with_stale_after(days(30) - Duration::NANOSECOND)
                .is_err()
        );
        assert!(
            rules()
                .with_stale_after(days(36_500) + Duration::NANOSECOND)
                .is_err()
        );

        for (percent, allowed) in [(94, false), (95, true), (100, true), (101, false)] {
            assert_eq!(
                rules().with_disk_pass_percent(percent).is_ok(),
                allowed,
                "{percent}"
            );
        }
        for (percent, allowed) in [(79, false), (80, true), (100, true), (101, false)] {
            assert_eq!(
                rules().with_disk_warning_percent(percent).is_ok(),
                allowed,
                "{percent}"
            );
        }
        for (age, allowed) in [
            (days(7), true),
            (days(7) + Duration::NANOSECOND, false),
            (Duration::ZERO, true),
            (-Duration::NANOSECOND, false),
        ] {
            assert_eq!(
                rules().with_signatures_fresh_for(age).is_ok(),
                allowed,
                "{age}"
            );
        }
        for (age, allowed) in [
            (days(30), true),
            (days(30) + Duration::NANOSECOND, false),
            (Duration::ZERO, true),
            (-Duration::NANOSECOND, false),
        ] {
            assert_eq!(
                rules().with_signatures_fail_after(age).is_ok(),
                allowed,
                "{age}"
            );
        }
        for (count, allowed) in [(0, false), (1, true), (6, true), (7, false)] {
            assert_eq!(
                rules().with_patches_fail_from(count).is_ok(),
                allowed,
                "{count}"
            );
        }
        for (percent, allowed) in [(0, true), (10, true), (11, false)] {
            assert_eq!(
                rules().with_backup_fail_percent(percent).is_ok(),
                allowed,
                "{percent}"
            );
        }
    }

    #[test]
    fn each_setter_sets_its_own_threshold() {
        let rules = Rules::default()
            .with_stale_after(Duration::days(60))
            .and_then(|rules| rules.with_disk_pass_percent(99))
            .and_then(|rules| rules.with_disk_warning_percent(90))
            .and_then(|rules| rules.with_signatures_fresh_for(Duration::days(1)))
            .and_then(|rules| rules.with_signatures_fail_after(Duration::days(14)))
            .and_then(|rules| rules.with_patches_fail_from(3))
            .and_then(|rules| rules.with_backup_fail_percent(5))
            .unwrap();
        assert_eq!(rules.stale_after(), Duration::days(60));
        assert_eq!(rules.disk_pass_percent(), 99);
        assert_eq!(rules.disk_warning_percent(), 90);
        assert_eq!(rules.signatures_fresh_for(), Duration::days(1));
        assert_eq!(rules.signatures_fail_after(), Duration::days(14));
        assert_eq!(rules.patches_fail_from(), 3);
        assert_eq!(rules.backup_fail_percent(), 5);
        let json = serde_json::to_value(rules).unwrap();
        assert_eq!(serde_json::from_value::<Rules>(json).unwrap(), rules);
    }

    #[test]
    fn a_refusal_names_the_threshold_and_what_is_allowed() {
        let refused = Rules::default()
            .with_stale_after(Duration::days(7))
            .unwrap_err();
        assert_eq!(refused.rule(), "stale_after");
        assert_eq!(
            refused.to_string(),
            "`stale_after` must lie between 30d (the promise) and 36500d (the strictest), and is 7d"
        );
    }

    #[test]
    fn a_configuration_file_says_only_what_is_stricter() {
        let rules: Rules = serde_json::from_value(json!({"patches_fail_from": 1})).unwrap();
        assert_eq!(rules, Rules::default().with_patches_fail_from(1).unwrap());
        for weaker in [
            json!({"patches_fail_from": 7}),
            json!({"stale_after_seconds": 0}),
            json!({"signatures_fresh_for_seconds": -1}),
            json!({"disk_pass_precent": 99}),
        ] {
            assert!(
                serde_json::from_value::<Rules>(weaker.clone()).is_err(),
                "{weaker}"
            );
        }
    }

    #[test]
    fn the_promise_as_it_stands_in_the_evidence() {
        assert_eq!(
            serde_json::to_value(RulesUsed::from(&Rules::default())).unwrap(),
            json!({"version": "2026-12", "thresholds": {
                "stale_after_seconds": 2_592_000, "disk_pass_percent": 95, "disk_warning_percent": 80,
                "signatures_fresh_for_seconds": 604_800, "signatures_fail_after_seconds": 2_592_000,
                "patches_fail_from": 6, "backup_fail_percent": 10}})
        );
    }

    #[test]
    fn each_signal_has_its_window() {
        let now = datetime!(2026-11-23 06:30 UTC);
        let table = [
            (SignalKind::DiskEncryption, datetime!(2026-10-24 06:30 UTC)),
            (
                SignalKind::AntivirusPosture,
                datetime!(2026-10-24 06:30 UTC),
            ),
            (SignalKind::PatchSla, datetime!(2026-10-09 06:30 UTC)),
            (SignalKind::BackupActivity, datetime!(2026-11-16 06:30 UTC)),
            (SignalKind::DeviceInventory, now),
        ];
        for (kind, from) in table {
            assert_eq!(
                FactWindow::of(kind, now),
                FactWindow { from, until: now },
                "{kind}"
            );
        }
    }
}
