//! The result of reading one organization's reports: the input of a sweep.

use std::collections::{BTreeMap, BTreeSet};

use regentra_evidence::{DigestKey, FactsDigest, KindsInUse, Rules, Signal};
use time::OffsetDateTime;

use crate::{
    error::ErrorKind,
    model::{
        ComplianceOrgId, CustomFields, DeviceId, OrganizationId, Report, ReportOutcome,
        SignatureAges, SweepCounts,
    },
};

/// What to assess, and by which rules.
#[derive(Clone, Copy, Debug)]
pub struct AssessmentRequest<'a> {
    /// The customer that it is assessed for; a host that stores nothing may give any id.
    pub customer: ComplianceOrgId,
    /// Which organization.
    pub organization: OrganizationId,
    /// The time to judge by.
    pub now: OffsetDateTime,
    /// The thresholds.
    pub rules: &'a Rules,
    /// The custom fields that answer what NinjaOne cannot.
    pub custom_fields: &'a CustomFields,
    /// The kinds of patches that the customer uses the tenant for; both by default. Reports of others are not asked for.
    pub kinds_in_use: KindsInUse,
    /// The key of the facts digests.
    pub digest_key: &'a DigestKey,
    /// Since when devices' antivirus signatures have been out of date. Of a device that is out of date and not in it no age is
    /// reported; of none for a host that keeps no history (`None`).
    pub signature_ages: Option<&'a SignatureAges>,
}

/// One signal, and the keyed digest of the facts it was judged from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The signal.
    pub signal: Signal,
    /// The digest.
    pub facts: FactsDigest,
}

/// What one organization's reports say.
#[derive(Clone, Debug)]
pub struct Assessment {
    /// The customer that it is of, as it was asked for.
    pub customer: ComplianceOrgId,
    /// The organization that it is of, as it was asked for.
    pub organization: OrganizationId,
    /// The five signals.
    pub verdicts: Vec<Verdict>,
    /// How each report went.
    pub reports: BTreeMap<Report, ReportOutcome>,
    /// What was dropped and spent.
    pub counts: SweepCounts,
    /// Devices (NinjaOne ids) whose signatures were seen out of date (`true`) or up to date (`false`).
    pub signatures_out_of_date: BTreeMap<DeviceId, bool>,
    /// The devices (NinjaOne ids) of the organization; `None` when the list of them was cut short or had rows that did not decode.
    pub listed_devices: Option<BTreeSet<DeviceId>>,
    /// Devices (NinjaOne ids) that reports have rows of and the organization's device list does not name, with the number of
    /// those rows. They are counted as orphans; a sweep looks up which of them are devices of other organizations.
    pub unlisted_devices: BTreeMap<DeviceId, u64>,
    /// Rows of the organization's own devices, by report: what its next sweep will about cost.
    pub rows: BTreeMap<Report, u64>,
}

impl Assessment {
    /// The five signals, without the digests beside them.
    pub fn signals(&self) -> impl Iterator<Item = &Signal> {
        self.verdicts.iter().map(|verdict| &verdict.signal)
    }

    /// The reports that failed, and why.
    #[must_use]
    pub fn failed_reports(&self) -> BTreeMap<Report, ErrorKind> {
        let failed = self.reports.iter();
        failed
            .filter_map(|(report, outcome)| match outcome {
                ReportOutcome::Failed(error) => Some((*report, *error)),
                ReportOutcome::Answered | ReportOutcome::NotAvailable => None,
            })
            .collect()
    }

    /// Whether every report answered: what makes a first sweep end the dry run.
    #[must_use]
    pub fn answered(&self) -> bool {
        !self.reports.is_empty() && self.reports.values().all(|outcome| outcome.answered())
    }
}
