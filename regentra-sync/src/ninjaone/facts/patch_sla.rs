//! Rows of the four patch reports: pending patches and install attempts, of the operating system and of software.
//!
//! | field that cannot be read | the row is |
//! |---|---|
//! | `deviceId`, `id`, `status` | lost; an install row without a status too |
//! | `severity`, `impact` | of unknown severity, unless its type makes it important |
//! | `type` | of no type: no definition update, unless it says that something was installed; a pending one hides no other |
//! | `installedAt` | an attempt without a time |
//! | `timestamp` | undated |

use ninjaone_client::{
    Unreadable,
    models::{self, OsPatch, SoftwarePatch},
};
use regentra_evidence::{
    AttemptFact, DeviceKey, InstallOutcome, PatchKey, PatchKind, PatchSeverity, PatchSla,
    PendingFact, RowFate,
};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Malformed, caseless, instant, opaque, present, row_device};

/// Which report a row comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PatchReport {
    /// What is pending now.
    Pending,
    /// What was attempted.
    Installs,
}

/// What one row of a patch report says: up to one pending fact and one attempt. An install row that says neither that something
/// failed nor that it was installed says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatchFacts {
    /// The patch waits, whatever was attempted.
    pub pending: Option<PendingFact>,
    /// Whether the row's type is absent or read; by one that is not it may be of a definition update.
    pub is_type_known: bool,
    /// The patch was attempted: rows that say `FAILED` or `INSTALLED`, whichever report they stand in.
    pub attempt: Option<AttemptFact>,
}

impl PatchFacts {
    /// Shows the facts to the evaluator.
    pub fn observe(self, patches: &mut PatchSla) -> RowFate {
        let mut list = |pending| {
            if self.is_type_known {
                patches.observe_pending(pending)
            } else {
                patches.observe_pending_in_doubt(pending)
            }
        };
        match (self.pending, self.attempt) {
            (Some(pending), Some(attempt)) => {
                let fate = list(pending);
                let attempted = patches.observe_attempt(attempt);
                if fate == RowFate::Used {
                    fate
                } else {
                    attempted
                }
            }
            (Some(pending), None) => list(pending),
            (None, Some(attempt)) => patches.observe_attempt(attempt),
            (None, None) => RowFate::NotJudged,
        }
    }
}

/// What one row of an operating system patch report says.
///
/// # Errors
///
/// [`Malformed`] for a row without a device or a patch, an install row without a status, and one whose status cannot be read.
pub fn os_patch(row: &OsPatch, report: PatchReport) -> Result<PatchFacts, Malformed> {
    Words {
        device: row_device(row.device_id)?,
        kind: PatchKind::Os,
        patch: patch_key(row.id.as_deref())?,
        severity: row.severity.as_ref().map(models::OsPatchSeverity::as_str),
        status: row.status.as_ref().map(models::PatchStatus::as_str),
        patch_type: row.r#type.as_ref().map(models::PatchType::as_str),
        installed_at: instant(row.installed_at),
        collected_at: instant(row.timestamp),
        severity_field: "severity",
        unreadable: &row.unreadable,
    }
    .read(report)
}

/// What one row of a software patch report says.
///
/// # Errors
///
/// [`Malformed`] for a row without a device or a patch, an install row without a status, and one whose status cannot be read.
pub fn software_patch(row: &SoftwarePatch, report: PatchReport) -> Result<PatchFacts, Malformed> {
    Words {
        device: row_device(row.device_id)?,
        kind: PatchKind::Software,
        patch: patch_key(row.id.as_deref())?,
        severity: row.impact.as_ref().map(models::PatchImpact::as_str),
        status: row.status.as_ref().map(models::PatchStatus::as_str),
        patch_type: row.r#type.as_ref().map(models::PatchType::as_str),
        installed_at: instant(row.installed_at),
        collected_at: instant(row.timestamp),
        severity_field: "impact",
        unreadable: &row.unreadable,
    }
    .read(report)
}

/// The words of a row of either kind.
struct Words<'a> {
    device: DeviceKey,
    kind: PatchKind,
    patch: PatchKey,
    severity: Option<&'a str>,
    status: Option<&'a str>,
    patch_type: Option<&'a str>,
    installed_at: Option<OffsetDateTime>,
    collected_at: Option<OffsetDateTime>,
    /// The field that holds the severity.
    severity_field: &'static str,
    unreadable: &'a Unreadable,
}

/// The patch's id, which all devices share. Nothing else will do: a product has many patches, and one number of the maker's
/// knowledge base may stand for several.
fn patch_key(id: Option<&str>) -> Result<PatchKey, Malformed> {
    let id = present(id).ok_or(Malformed { field: "id" })?;
    Ok(PatchKey::new(
        Uuid::try_parse(id).map_or_else(|_| opaque([id]), |uuid| uuid.as_u128()),
    ))
}

impl Words<'_> {
    fn read(&self, report: PatchReport) -> Result<PatchFacts, Malformed> {
        let status = self.status(report)?;
        let definition_update = self.is_type("DEFINITION_UPDATES");
        let pending = matches!(
            status,
            Status::Failed(PatchReport::Pending) | Status::Rejected | Status::Waiting
        )
        .then(|| PendingFact {
            device: self.device,
            kind: self.kind,
            patch: self.patch,
            definition_update,
            severity: self.severity(),
            rejected: matches!(status, Status::Rejected),
            collected_at: self.collected_at,
        });
        let outcome = match status {
            Status::Failed(_) => Some(InstallOutcome::Failed),
            Status::Installed => Some(InstallOutcome::Installed),
            Status::Rejected | Status::Waiting | Status::Neither => None,
        };
        // What may be a definition update makes no other patch's failure moot, nor its own.
        let is_type_known = self.patch_type.is_some() || !self.unreadable.contains("type");
        let may_be_update = outcome == Some(InstallOutcome::Installed) && !is_type_known;
        let attempt = outcome.map(|outcome| AttemptFact {
            device: self.device,
            kind: self.kind,
            patch: self.patch,
            definition_update: definition_update || may_be_update,
            outcome,
            installed_at: self.installed_at,
        });
        Ok(PatchFacts {
            pending,
            is_type_known,
            attempt,
        })
    }

    /// A status that is there and cannot be read may be any; an install row is nothing without one.
    fn status(&self, report: PatchReport) -> Result<Status, Malformed> {
        let word = present(self.status);
        let is_needed = report == PatchReport::Installs || self.unreadable.contains("status");
        if word.is_none() && is_needed {
            return Err(Malformed { field: "status" });
        }
        Ok(Status::of(word.unwrap_or_default(), report))
    }

    fn is_type(&self, word: &str) -> bool {
        self.patch_type.is_some_and(|own| caseless(own) == word)
    }

    /// Two vocabularies in any case; a word that neither has is judged by the patch's type. One that is there and cannot be read
    /// may have been critical, whatever the type.
    fn severity(&self) -> PatchSeverity {
        let is_any = |words: &[&str]| words.iter().any(|word| self.is_type(word));
        let word = present(self.severity);
        let is_lost = word.is_none() && self.unreadable.contains(self.severity_field);
        match caseless(word.unwrap_or_default()).as_ref() {
            "CRITICAL" => PatchSeverity::Critical,
            // Mac and Linux lists name security fixes `security`.
            "IMPORTANT" | "SECURITY" => PatchSeverity::Important,
            "MODERATE" | "LOW" | "OPTIONAL" | "RECOMMENDED" | "NONE" => PatchSeverity::Low,
            _ if is_any(&["SECURITY_UPDATES", "CRITICAL_UPDATES"]) => PatchSeverity::Important,
            _ if is_lost => PatchSeverity::Unknown,
            _ if is_any(&[
                "DRIVER_UPDATES",
                "FEATURE_UPDATES",
                "FEATURE_PACKS",
                "SERVICE_PACKS",
            ]) =>
            {
                PatchSeverity::Low
            }
            _ => PatchSeverity::Unknown,
        }
    }
}

/// Where a patch stands, as far as the verdict cares.
#[derive(Clone, Copy)]
enum Status {
    Failed(PatchReport),
    Installed,
    Rejected,
    /// `MANUAL`, `APPROVED`, `DELAYED`, `PENDING`, absent, or a word never seen before.
    Waiting,
    /// A row of the install report that is no attempt.
    Neither,
}

impl Status {
    fn of(word: &str, report: PatchReport) -> Self {
        match (caseless(word).as_ref(), report) {
            ("FAILED", _) => Self::Failed(report),
            ("INSTALLED", _) => Self::Installed,
            (_, PatchReport::Installs) => Self::Neither,
            ("REJECTED", PatchReport::Pending) => Self::Rejected,
            (_, PatchReport::Pending) => Self::Waiting,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn os(mut json: serde_json::Value, report: PatchReport) -> PatchFacts {
        json["deviceId"] = json!(1);
        os_patch(&serde_json::from_value(json).unwrap(), report).unwrap()
    }

    fn pending(json: serde_json::Value) -> PendingFact {
        os(json, PatchReport::Pending).pending.unwrap()
    }

    #[test]
    fn severities_of_both_vocabularies_are_read_in_any_case() {
        use PatchSeverity::{Critical, Important, Low, Unknown};
        let table = [
            (Some("CRITICAL"), None, Critical),
            (Some("critical"), Some("DRIVER_UPDATES"), Critical),
            (Some("IMPORTANT"), None, Important),
            (Some("security"), None, Important),
            (Some("MODERATE"), Some("SECURITY_UPDATES"), Low),
            (Some("LOW"), None, Low),
            (Some("Optional"), None, Low),
            (Some("recommended"), None, Low),
            (Some("NONE"), None, Low),
            (Some("UNSPECIFIED"), None, Unknown),
            (Some("unknown"), Some("UNKNOWN"), Unknown),
            (Some("unknown"), Some("UPDATE_ROLLUPS"), Unknown),
            (Some("unknown"), Some("REGULAR_UPDATES"), Unknown),
            (None, Some("SECURITY_UPDATES"), Important),
            (None, Some("CRITICAL_UPDATES"), Important),
            (Some(""), Some("DRIVER_UPDATES"), Low),
            (None, Some("FEATURE_UPDATES"), Low),
            (None, Some("FEATURE_PACKS"), Low),
            (None, Some("SERVICE_PACKS"), Low),
            (None, None, Unknown),
        ];
        for (severity, patch_type, expected) in table {
            let fact = pending(json!({"id": "a", "severity": severity, "type": patch_type}));
            assert_eq!(fact.severity, expected, "{severity:?} {patch_type:?}");
        }
    }

    #[test]
    fn a_status_says_what_is_pending_and_what_was_attempted() {
        use InstallOutcome::{Failed, Installed};
        use PatchReport::{Installs, Pending};
        // status, report -> pending (rejected?), attempt
        let table = [
            (Some("MANUAL"), Pending, Some(false), None),
            (Some("APPROVED"), Pending, Some(false), None),
            (Some("DELAYED"), Pending, Some(false), None),
            (Some("PENDING"), Pending, Some(false), None),
            (Some("LEVITATING"), Pending, Some(false), None),
            (None, Pending, Some(false), None),
            (Some("REJECTED"), Pending, Some(true), None),
            (Some("FAILED"), Pending, Some(false), Some(Failed)),
            (Some("INSTALLED"), Pending, None, Some(Installed)),
            (Some("failed"), Installs, None, Some(Failed)),
            (Some("installed"), Installs, None, Some(Installed)),
            (Some("APPROVED"), Installs, None, None),
            (Some("PENDING"), Installs, None, None),
            (Some("REJECTED"), Installs, None, None),
            (Some("  "), Pending, Some(false), None),
            (Some(" Rejected "), Pending, Some(true), None),
        ];
        for (status, report, rejected, outcome) in table {
            let facts = os(json!({"id": "a", "status": status}), report);
            assert_eq!(
                facts.pending.map(|fact| fact.rejected),
                rejected,
                "{status:?} {report:?}"
            );
            assert_eq!(
                facts.attempt.map(|fact| fact.outcome),
                outcome,
                "{status:?} {report:?}"
            );
        }
    }

    #[test]
    fn a_failed_row_is_used_when_either_half_of_it_is() {
        let now = time::macros::datetime!(2026-11-23 06:30 UTC);
        let mut fleet = regentra_evidence::Fleet::builder(now);
        let device = json!({
            "id": 1, "approvalStatus": "APPROVED", "nodeClass": "WINDOWS_WORKSTATION",
            "lastContact": now.unix_timestamp(),
        });
        let device = serde_json::from_value(device).unwrap();
        fleet.observe(crate::ninjaone::facts::device_inventory::device(&device).unwrap());
        let mut patches = PatchSla::new(fleet.build());
        let days = |days: i64| (now - time::Duration::days(days)).unix_timestamp();
        // days since it was collected, since it was attempted -> fate
        for (collected, attempted, fate) in [
            (1, 1, RowFate::Used),
            (1, 300, RowFate::Used),
            (300, 1, RowFate::Used),
            (300, 300, RowFate::Stale),
        ] {
            let row = json!({
                "id": "a", "status": "FAILED",
                "timestamp": days(collected), "installedAt": days(attempted),
            });
            let facts = os(row, PatchReport::Pending);
            assert!(facts.pending.is_some() && facts.attempt.is_some());
            assert_eq!(facts.observe(&mut patches), fate, "{collected} {attempted}");
        }
    }

    #[test]
    fn a_patch_is_known_by_its_id_on_every_device() {
        let uuid = "0c2a4a8e-0000-4000-8000-00000000000a";
        let key = pending(json!({"id": uuid, "kbNumber": "KB1"})).patch;
        assert_eq!(
            key,
            pending(json!({"id": uuid.to_uppercase(), "kbNumber": "KB2"})).patch
        );
        assert_ne!(key, pending(json!({"id": "b", "kbNumber": "KB1"})).patch);
    }

    #[test]
    fn definition_updates_are_recognised() {
        assert!(pending(json!({"id": "a", "type": "DEFINITION_UPDATES"})).definition_update);
        assert!(!pending(json!({"id": "a", "type": "SECURITY_UPDATES"})).definition_update);
    }

    #[test]
    fn an_install_row_without_a_state_is_lost() {
        use PatchReport::{Installs, Pending};

        let read = |json: serde_json::Value, unreadable: &[&str], report| {
            let row = OsPatch {
                unreadable: Unreadable::of(unreadable.iter().copied()),
                ..serde_json::from_value(json).unwrap()
            };
            os_patch(&row, report).map(|facts| (facts.pending.is_some(), facts.attempt.is_some()))
        };
        let row = json!({"id": "a", "deviceId": 1});
        let blank = json!({"id": "a", "deviceId": 1, "status": " "});
        let lost = Err(Malformed { field: "status" });
        for (json, unreadable, report, expected) in [
            (&row, &[][..], Installs, lost),
            (&blank, &[], Installs, lost),
            (&row, &["status"], Installs, lost),
            (&row, &["status"], Pending, lost),
            (&row, &[], Pending, Ok((true, false))),
            (&blank, &[], Pending, Ok((true, false))),
            (&row, &["kbNumber"], Pending, Ok((true, false))),
        ] {
            assert_eq!(
                read(json.clone(), unreadable, report),
                expected,
                "{json} {unreadable:?}"
            );
        }
        // An install row in another state says nothing.
        let facts = os(json!({"id": "a", "status": "PENDING"}), Installs);
        let fleet =
            regentra_evidence::Fleet::builder(time::macros::datetime!(2026-11-23 06:30 UTC));
        let mut patches = PatchSla::new(fleet.build());
        assert_eq!(facts.observe(&mut patches), RowFate::NotJudged);
    }

    #[test]
    fn a_severity_that_cannot_be_read_is_unknown_unless_the_type_says_more() {
        use PatchSeverity::{Critical, Important, Low, Unknown};
        // severity, type, what cannot be read -> severity
        let table = [
            (None, Some("DRIVER_UPDATES"), "severity", Unknown),
            (None, Some("DRIVER_UPDATES"), "impact", Low),
            (None, Some("SECURITY_UPDATES"), "severity", Important),
            (None, Some("CRITICAL_UPDATES"), "severity", Important),
            (None, None, "severity", Unknown),
            (None, None, "type", Unknown),
            (Some("LOW"), None, "type", Low),
            (Some("CRITICAL"), None, "severity", Critical),
        ];
        for (severity, patch_type, field, expected) in table {
            let json = json!({"id": "a", "deviceId": 1, "severity": severity, "type": patch_type});
            let row = OsPatch {
                unreadable: Unreadable::of([field]),
                ..serde_json::from_value(json).unwrap()
            };
            let facts = os_patch(&row, PatchReport::Pending).unwrap();
            let own = facts.pending.unwrap().severity;
            assert_eq!(own, expected, "{severity:?} {patch_type:?} {field}");
        }
        let json = json!({"id": "a", "deviceId": 1, "type": "FEATURE_PACKS"});
        let row = SoftwarePatch {
            unreadable: Unreadable::of(["impact"]),
            ..serde_json::from_value(json).unwrap()
        };
        let facts = software_patch(&row, PatchReport::Pending).unwrap();
        assert_eq!(facts.pending.unwrap().severity, Unknown);
    }

    #[test]
    fn what_may_be_a_definition_update_is_none_where_it_is_bad_and_one_where_it_is_good() {
        for (status, expected) in [("INSTALLED", true), ("FAILED", false)] {
            let json = json!({"id": "a", "deviceId": 1, "status": status});
            let row = OsPatch {
                unreadable: Unreadable::of(["type"]),
                ..serde_json::from_value(json.clone()).unwrap()
            };
            let attempt = os_patch(&row, PatchReport::Installs).unwrap().attempt;
            assert_eq!(attempt.unwrap().definition_update, expected, "{status}");
            let absent = os(json, PatchReport::Installs).attempt.unwrap();
            assert!(!absent.definition_update);
        }
        let row = OsPatch {
            unreadable: Unreadable::of(["type"]),
            ..serde_json::from_value(json!({"id": "a", "deviceId": 1})).unwrap()
        };
        let pending = os_patch(&row, PatchReport::Pending).unwrap().pending;
        assert!(!pending.unwrap().definition_update);
    }

    #[test]
    fn a_patch_without_device_or_identity_is_malformed() {
        // Two patches of one product must not be taken for one.
        let row = serde_json::from_value(json!({"deviceId": 1, "kbNumber": "KB1"})).unwrap();
        assert_eq!(
            os_patch(&row, PatchReport::Pending),
            Err(Malformed { field: "id" })
        );
        let row = serde_json::from_value(json!({"id": "a"})).unwrap();
        assert_eq!(
            software_patch(&row, PatchReport::Pending),
            Err(Malformed { field: "deviceId" })
        );
    }

    #[test]
    fn software_is_judged_by_its_impact() {
        let row = serde_json::from_value(
            json!({"deviceId": 1, "id": "a", "impact": "critical", "type": "PATCH"}),
        )
        .unwrap();
        let facts = software_patch(&row, PatchReport::Pending).unwrap();
        assert_eq!(facts.pending.unwrap().severity, PatchSeverity::Critical);
        assert_eq!(facts.pending.unwrap().kind, PatchKind::Software);
    }
}
