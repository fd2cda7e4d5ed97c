//! What pulling one organization's reports yields: the sweep's input.

use std::collections::BTreeMap;

use regentra_evidence::Signal;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    audit::SweepCounts, evidence_chain::FactsDigest, mapping::ExternalOrgId,
    signature_history::SignatureAges,
};

/// One of the reports that a sweep asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the reports' own")]
pub enum Report {
    Devices,
    Volumes,
    AntivirusStatus,
    OsPatches,
    OsPatchInstalls,
    SoftwarePatches,
    SoftwarePatchInstalls,
    Activities,
    CustomFields,
}

/// What to assess.
#[derive(Clone, Copy, Debug)]
pub struct AssessmentRequest<'a> {
    /// Which organization.
    pub organization: ExternalOrgId,
    /// The time to judge by.
    pub now: OffsetDateTime,
    /// Since when devices' antivirus signatures have been out of date; `None` for a host without history.
    pub signature_ages: Option<&'a SignatureAges>,
}

/// How one report went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportOutcome {
    /// It was read to its end.
    Answered,
    /// The tenant cannot have it: not licensed, or no permission. Counts as answered.
    NotAvailable,
    /// It failed or broke off.
    Failed,
}

impl ReportOutcome {
    /// Whether NinjaOne gave a definite answer: a time-out or a server error is none.
    #[must_use]
    pub const fn answered(self) -> bool {
        matches!(self, Self::Answered | Self::NotAvailable)
    }
}

/// What one organization's reports say.
#[derive(Clone, Debug)]
pub struct Assessment {
    /// The five signals.
    pub signals: Vec<Signal>,
    /// How each report went.
    pub reports: BTreeMap<Report, ReportOutcome>,
    /// What was dropped and spent.
    pub counts: SweepCounts,
    /// Devices (NinjaOne ids) whose signatures were seen out of date (`true`) or up to date (`false`).
    pub signatures_out_of_date: BTreeMap<i64, bool>,
    /// A keyed digest over the facts behind each signal, where one was taken.
    pub facts: BTreeMap<regentra_evidence::SignalKind, FactsDigest>,
}

impl Assessment {
    /// Whether every report answered: what makes a first sweep end the dry run.
    #[must_use]
    pub fn answered(&self) -> bool {
        !self.reports.is_empty() && self.reports.values().all(|outcome| outcome.answered())
    }
}
