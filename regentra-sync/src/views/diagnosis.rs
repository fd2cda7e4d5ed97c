//! Typed findings about what keeps an integration from working.
//!
//! [`Views::diagnose`](super::Views::diagnose) derives them from the store, without a request to NinjaOne. A host prints
//! [`meaning`](Finding::meaning) and [`next_step`](Finding::next_step), or its own text for [`as_str`](Finding::as_str). They contain ids
//! and numbers, but no names; a host that shows names looks them up.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use ninjaone_client::ErrorKind as Vendor;
use regentra_evidence::SignalKind;
use serde::Serialize;
use time::OffsetDateTime;

use super::connection_test::ConnectionTest;
use crate::{
    error::{Error, ErrorKind},
    model::{CompanyId, MappingId, RegionKey, Report, RunKind},
};

/// One finding, with its region, company and organizations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// The finding.
    #[serde(flatten)]
    pub finding: Finding,
    /// The region; `None` if the finding is not about a region.
    pub region: Option<RegionKey>,
    /// The company, if the diagnosis was requested for a company.
    pub company: Option<CompanyId>,
    /// The organizations that it concerns; empty if it is about the region as a whole.
    pub mappings: Vec<MappingId>,
}

impl Diagnosis {
    /// The diagnosis of a connection test; `None` if the test found no problem.
    ///
    /// ```
    /// use regentra_sync::{model::RegionKey, views::{ConnectionTest, Diagnosis, Finding}};
    /// let test = ConnectionTest {
    ///     organizations_visible: 0, nameless: 0, unreadable_rows: 0, truncated: false, warning: None,
    /// };
    /// let diagnosis = Diagnosis::of_test(&RegionKey::parse("eu")?, Ok(&test));
    /// assert_eq!(diagnosis.unwrap().finding, Finding::NoOrganizationVisible);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn of_test(region: &RegionKey, test: Result<&ConnectionTest, &Error>) -> Option<Self> {
        let finding = match test {
            Ok(test) if test.organizations_visible == 0 => Finding::NoOrganizationVisible,
            Ok(test) if test.unreadable_rows > 0 => Finding::OrganizationsUnreadable {
                rows: test.unreadable_rows,
            },
            Ok(_) => return None,
            Err(error) => Finding::of_error(error.kind(), None)?,
        };
        Some(Self::of_region(finding, region))
    }

    pub(crate) fn of_region(finding: Finding, region: &RegionKey) -> Self {
        Self {
            finding,
            region: Some(region.clone()),
            company: None,
            mappings: Vec::new(),
        }
    }
}

/// How severe the finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Severity {
    /// The connection or company does not work until a person acts.
    Blocking,
    /// Something does not work as it should.
    Attention,
    /// Nothing is wrong; the finding explains why something is not there yet.
    Information,
}

/// The finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Finding {
    /// No credentials were ever saved.
    NothingSaved,
    /// The region was disconnected.
    Disconnected,
    /// The stored credentials do not open with this host's keys.
    SecretsDoNotOpen,
    /// The region does not know the client id: either the region or the client id is wrong.
    WrongRegionOrClient,
    /// NinjaOne knows the client and refuses its secret.
    CredentialsRefused,
    /// The authorization ended, and an administrator has to grant it again.
    AuthorizationEnded,
    /// The credentials see no organization.
    NoOrganizationVisible,
    /// The organizations were never listed.
    NeverListed,
    /// Rows of the last list of organizations do not say which organization they are.
    OrganizationsUnreadable {
        /// How many.
        rows: u64,
    },
    /// The user who authorized the connection sees only a part of the tenant.
    PartialView,
    /// The organization has no readable name in NinjaOne.
    NoReadableName,
    /// Assets look like other assets, and no key decides whether they are the same machine. All are kept.
    AmbiguousAssets {
        /// How many.
        assets: u64,
    },
    /// Assets are probably old records of machines that were set up again.
    PossibleDuplicates {
        /// How many.
        assets: u64,
    },
    /// Many assets were missing from NinjaOne's list at once. They are held until the next complete list lacks them, too.
    AssetsHeld {
        /// How many.
        assets: u64,
    },
    /// Organizations are pending review.
    PendingReview,
    /// A person decided not to sync the customer's organization.
    Ignored,
    /// No organization is mapped to the company.
    NotMapped,
    /// NinjaOne no longer lists the organization.
    GoneFromNinjaone,
    /// The company was not promoted, so nothing is swept.
    NotPromoted,
    /// The first sweep has not succeeded yet. It is a dry run and opens no tickets.
    FirstSweepPending,
    /// In sweep after sweep, a report gets no answer, so the dry run does not end and no ticket is opened.
    DryRunCannotEnd {
        /// How many sweeps in a row did not end it.
        sweeps: u64,
        /// Which signals were incomplete in the last one.
        incomplete: BTreeSet<SignalKind>,
    },
    /// Little is left of the hour's request budget.
    BudgetLow {
        /// Requests spent in the last hour.
        spent: u32,
        /// Requests allowed in any hour.
        limit: u32,
    },
    /// The last run failed.
    LastRunFailed {
        /// What kind of run.
        kind: RunKind,
        /// The kind of error.
        error: ErrorKind,
    },
    /// Reports of the last evidence sweep failed, so their signals are incomplete and cannot pass.
    ReportsFailed {
        /// Which, and why.
        reports: BTreeMap<Report, ErrorKind>,
    },
    /// The clock of this process and the store's differ by more than five minutes.
    ClocksApart {
        /// By how many seconds this process's clock is ahead of the store's; negative when it is behind.
        seconds: i64,
    },
    /// A clock that ran ahead wrote rows whose time lies in the future. These rows are ignored.
    InTheFuture {
        /// What they are.
        rows: FutureRows,
        /// How many.
        count: u64,
    },
    /// No run has ended for two intervals.
    Overdue {
        /// What kind of run.
        kind: RunKind,
        /// When the last one ended; `None` when there never was one.
        #[serde(with = "time::serde::rfc3339::option")]
        last: Option<OffsetDateTime>,
    },
    /// Roots over evidence wait to be anchored: the sink does not take them.
    AnchorsWaiting {
        /// How many.
        roots: u64,
        /// Since when.
        #[serde(with = "time::serde::rfc3339")]
        since: OffsetDateTime,
        /// The kind of the sink's last error, such as `sink.unreadable` ([`SinkErrorKind::as_str`](crate::host::SinkErrorKind::as_str)), if
        /// that is known.
        error: Option<String>,
    },
    /// Heads of evidence chains are under no root, so they cannot be anchored.
    RootsNotMade {
        /// Since which tick, or since when making one failed.
        #[serde(with = "time::serde::rfc3339")]
        since: OffsetDateTime,
        /// The kind of error, such as `store.contention`, if that is known.
        error: Option<String>,
    },
}

/// A kind of row that a clock that ran ahead wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FutureRows {
    /// Signals that no later sweep has replaced.
    Signals,
    /// Records of runs.
    Runs,
    /// Leases that end later than twice their length from now.
    Leases,
    /// Requests of the budget.
    Requests,
    /// Ticks in which tickets were opened.
    TicketTicks,
    /// Heads of evidence chains that wait for a root.
    Heads,
    /// Roots over heads.
    Roots,
    /// Connections.
    Connections,
    /// Mappings.
    Mappings,
    /// Assets.
    Assets,
    /// Tickets.
    Tickets,
    /// Messages to the ticket system that are not delivered.
    Outbox,
    /// Rows of the MSP's audit trail.
    AuditRows,
}

impl FutureRows {
    const fn words(self) -> &'static str {
        match self {
            Self::Signals => "signals",
            Self::Runs => "records of runs",
            Self::Leases => "leases",
            Self::Requests => "requests of the budget",
            Self::TicketTicks => "ticks of the ticket cap",
            Self::Heads => "heads of evidence chains",
            Self::Roots => "roots over evidence",
            Self::Connections => "connections",
            Self::Mappings => "mappings",
            Self::Assets => "assets",
            Self::Tickets => "tickets",
            Self::Outbox => "messages to the ticket system",
            Self::AuditRows => "audit rows",
        }
    }
}

impl Finding {
    /// The finding that a kind of error is a sign of. An error that fits no other finding is a failed run of kind `run`.
    pub(crate) fn of_error(error: ErrorKind, run: Option<RunKind>) -> Option<Self> {
        match error {
            ErrorKind::Ninjaone(Vendor::WrongRegionOrClient) => Some(Self::WrongRegionOrClient),
            ErrorKind::Ninjaone(Vendor::Unauthenticated | Vendor::ScopeNotGranted) => {
                Some(Self::CredentialsRefused)
            }
            ErrorKind::Ninjaone(Vendor::AuthorizeAgain) => Some(Self::AuthorizationEnded),
            ErrorKind::Sealing => Some(Self::SecretsDoNotOpen),
            error => run.map(|kind| Self::LastRunFailed { kind, error }),
        }
    }

    /// A short, stable name, such as `wrong_region_or_client`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::NothingSaved => "nothing_saved",
            Self::Disconnected => "disconnected",
            Self::SecretsDoNotOpen => "secrets_do_not_open",
            Self::WrongRegionOrClient => "wrong_region_or_client",
            Self::CredentialsRefused => "credentials_refused",
            Self::AuthorizationEnded => "authorization_ended",
            Self::NoOrganizationVisible => "no_organization_visible",
            Self::NeverListed => "never_listed",
            Self::OrganizationsUnreadable { .. } => "organizations_unreadable",
            Self::PartialView => "partial_view",
            Self::NoReadableName => "no_readable_name",
            Self::AmbiguousAssets { .. } => "ambiguous_assets",
            Self::PossibleDuplicates { .. } => "possible_duplicates",
            Self::AssetsHeld { .. } => "assets_held",
            Self::PendingReview => "pending_review",
            Self::Ignored => "ignored",
            Self::NotMapped => "not_mapped",
            Self::GoneFromNinjaone => "gone_from_ninjaone",
            Self::NotPromoted => "not_promoted",
            Self::FirstSweepPending => "first_sweep_pending",
            Self::DryRunCannotEnd { .. } => "dry_run_cannot_end",
            Self::BudgetLow { .. } => "budget_low",
            Self::LastRunFailed { .. } => "last_run_failed",
            Self::ReportsFailed { .. } => "reports_failed",
            Self::ClocksApart { .. } => "clocks_apart",
            Self::InTheFuture { .. } => "in_the_future",
            Self::Overdue { .. } => "overdue",
            Self::AnchorsWaiting { .. } => "anchors_waiting",
            Self::RootsNotMade { .. } => "roots_not_made",
        }
    }

    /// How severe the finding is.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        match self {
            Self::NothingSaved
            | Self::Disconnected
            | Self::SecretsDoNotOpen
            | Self::WrongRegionOrClient
            | Self::CredentialsRefused
            | Self::AuthorizationEnded
            | Self::NoOrganizationVisible => Severity::Blocking,
            Self::NeverListed
            | Self::OrganizationsUnreadable { .. }
            | Self::PartialView
            | Self::NoReadableName
            | Self::AmbiguousAssets { .. }
            | Self::PossibleDuplicates { .. }
            | Self::AssetsHeld { .. }
            | Self::PendingReview
            | Self::NotMapped
            | Self::GoneFromNinjaone
            | Self::DryRunCannotEnd { .. }
            | Self::BudgetLow { .. }
            | Self::LastRunFailed { .. }
            | Self::ReportsFailed { .. }
            | Self::ClocksApart { .. }
            | Self::InTheFuture { .. }
            | Self::Overdue { .. }
            | Self::AnchorsWaiting { .. }
            | Self::RootsNotMade { .. } => Severity::Attention,
            Self::Ignored | Self::NotPromoted | Self::FirstSweepPending => Severity::Information,
        }
    }

    /// The meaning, as a sentence.
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "a sentence for each finding")]
    pub fn meaning(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::NothingSaved => "No NinjaOne credentials are saved yet.",
            Self::Disconnected => {
                "The region is disconnected: nothing is synced or swept, and signals age out."
            }
            Self::SecretsDoNotOpen => {
                "The saved credentials do not open with this host's keys, so NinjaOne cannot be asked."
            }
            Self::WrongRegionOrClient => {
                "NinjaOne does not know this client id in this region: either the region or the client id is wrong."
            }
            Self::CredentialsRefused => {
                "NinjaOne refuses the credentials: the secret was changed, or the client may not use the monitoring scope."
            }
            Self::AuthorizationEnded => {
                "The administrator's authorization has ended or was taken back."
            }
            Self::NoOrganizationVisible => "The credentials work, and see no organization.",
            Self::NeverListed => "The organizations of this region were never listed.",
            Self::OrganizationsUnreadable { rows } => {
                let (rows, of_them) = if *rows == 1 {
                    ("1 row".to_owned(), "its organization is")
                } else {
                    (format!("{rows} rows"), "their organizations are")
                };
                return format!(
                    "{rows} of NinjaOne's list of organizations could not be read: {of_them} not synced, and no other is called gone."
                )
                .into();
            }
            Self::PartialView => {
                "The user who authorized the connection sees only some organizations of the tenant: what it does not list is held."
            }
            Self::NoReadableName => "The organization has no readable name in NinjaOne.",
            Self::AmbiguousAssets { assets } => {
                return format!(
                    "{} like others, and no serial number, Entra device id or host name decides whether they are one machine: all are kept.",
                    if *assets == 1 { "1 asset looks".to_owned() } else { format!("{assets} assets look") }
                )
                .into();
            }
            Self::PossibleDuplicates { assets } => {
                return if *assets == 1 {
                    "1 asset is probably the old record of a machine that was set up anew; both records count.".into()
                } else {
                    format!(
                        "{assets} assets are probably old records of machines that were set up anew; both records of each count."
                    )
                    .into()
                };
            }
            Self::AssetsHeld { assets } => {
                return format!(
                    "{assets} assets were gone from NinjaOne's list at once; they are held until the next complete list says the same."
                )
                .into();
            }
            Self::PendingReview => {
                "Nobody has decided yet which company this is: nothing of it is synced."
            }
            Self::Ignored => {
                "It was decided that this customer's organization is not to be synced."
            }
            Self::NotMapped => "No NinjaOne organization is mapped to this company.",
            Self::GoneFromNinjaone => {
                "NinjaOne no longer lists the organization, or these credentials may not see it any more; its assets are held."
            }
            Self::NotPromoted => {
                "The company is not promoted to compliance: it has assets, and no sweep runs for it."
            }
            Self::FirstSweepPending => {
                "The first evidence sweep is a dry run: its signals land, and tickets are opened from the next one on."
            }
            Self::DryRunCannotEnd { sweeps, .. } => {
                return format!(
                    "In each of the last {sweeps} sweeps some report did not answer: the dry run goes on, and no ticket is opened."
                )
                .into();
            }
            Self::BudgetLow { spent, limit } => {
                return format!(
                    "{spent} of the {limit} requests that NinjaOne allows in an hour are spent: sweeps wait for the rest."
                )
                .into();
            }
            Self::LastRunFailed { kind, error } => {
                return format!("The last {} failed: {error}.", words(*kind)).into();
            }
            Self::ReportsFailed { reports } => {
                return format!(
                    "Reports of the last evidence sweep failed: {}. What they are for is unknown, or holds for a part only.",
                    list(reports)
                )
                .into();
            }
            Self::ClocksApart { seconds } => {
                let (minutes, where_to) = (
                    seconds.unsigned_abs() / 60,
                    if *seconds < 0 { "behind" } else { "ahead of" },
                );
                return format!(
                    "The clock of this machine is {minutes} minutes {where_to} the database's: sweeps that do not fit are refused."
                )
                .into();
            }
            Self::InTheFuture { rows, count } => {
                let rows = rows.words();
                return format!(
                    "A clock that ran ahead wrote {rows} ({count}) whose time lies in the future; they count as not there."
                )
                .into();
            }
            Self::Overdue { kind, last: None } => {
                return format!("There has never been any {}.", words(*kind)).into();
            }
            Self::Overdue { kind, .. } => {
                return format!("No {} has ended for two intervals.", words(*kind)).into();
            }
            Self::AnchorsWaiting { roots, error, .. } => {
                return anchors_waiting(*roots, error.as_deref()).into();
            }
            Self::RootsNotMade { error, .. } => {
                return format!(
                    "Evidence waits for a root over its heads and is not anchored outside{}. Sweeps go on.",
                    because(error.as_deref())
                )
                .into();
            }
        })
    }

    /// What to do next, as a sentence.
    #[must_use]
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::NothingSaved => {
                "Create an API client with the monitoring scope in NinjaOne (Administration > Apps > API), and connect it."
            }
            Self::Disconnected => "Connect the region again: its mappings are as they were.",
            Self::SecretsDoNotOpen => {
                "Give the host the key that sealed them, as the current or a retired one; or connect again with a new secret."
            }
            Self::WrongRegionOrClient => {
                "Compare the region with the address you sign in at, and the client id with the one in NinjaOne; then connect again."
            }
            Self::CredentialsRefused => {
                "Make a new secret for the client in NinjaOne, see that it has the monitoring scope, and connect again."
            }
            Self::AuthorizationEnded => {
                "Have an administrator of the NinjaOne tenant authorize it again."
            }
            Self::NoOrganizationVisible => {
                "In NinjaOne (Administration > Apps > API), give the client's user or role access to the organizations."
            }
            Self::NeverListed => "List the organizations.",
            Self::OrganizationsUnreadable { .. } => {
                "List the organizations again; if it stays so, ask NinjaOne's support, with the time."
            }
            Self::PartialView => {
                "Have a user authorize it who sees every organization, such as a system administrator."
            }
            Self::NoReadableName => "Give it a name in NinjaOne, or map it by its id.",
            Self::AmbiguousAssets { .. } => {
                "Look at these assets; where they are one machine, retire one of them in its source or mend its serial number."
            }
            Self::PossibleDuplicates { .. } => {
                "If the machine was set up anew, delete its old record in NinjaOne."
            }
            Self::AssetsHeld { .. } => {
                "If the devices were removed on purpose, wait for the next sync; else see why NinjaOne does not list them."
            }
            Self::PendingReview => {
                "Map it to a company, create one for it, or decide that it is not to be synced."
            }
            Self::Ignored => "If that was a mistake, map the organization.",
            Self::NotMapped => "Map one of the organizations that wait for review.",
            Self::GoneFromNinjaone => {
                "If the customer has left, take the mapping back; else give the client access to the organization."
            }
            Self::NotPromoted => "Promote the company, if it is to have compliance evidence.",
            Self::FirstSweepPending => {
                "Wait for the next sweep, or look at the signals after the first one."
            }
            Self::DryRunCannotEnd { .. } => {
                "See which signals are incomplete; if NinjaOne answers that report with an error each time, ask its support, with the time."
            }
            Self::BudgetLow { .. } => {
                "Wait; if it happens each day, see what else uses this client, or give other tools a client of their own."
            }
            Self::LastRunFailed { .. } => {
                "The next run tries again by itself; if it keeps failing, test the connection."
            }
            Self::ReportsFailed { .. } => {
                "The next sweep asks again; if NinjaOne answers a report with an error each time, ask its support, with the time."
            }
            Self::ClocksApart { .. } => {
                "Set the clocks of this machine and of the database's by a time server."
            }
            Self::InTheFuture { .. } => {
                "Set the clocks by a time server; the next sweeps, syncs and requests clear it by themselves, and what is never changed is there again when its time comes."
            }
            Self::Overdue { .. } => {
                "See that the process that runs the schedule is running, and look at its log."
            }
            Self::RootsNotMade { .. } => {
                "See that the process that plans the sweeps runs and has the sink of anchors, and look at its log. The next tick tries again."
            }
            Self::AnchorsWaiting { .. } => {
                "See that the file of anchors can be written and the time-stamping authority answers; one whose answers cannot be read is to be replaced. The log says which failed. The next tick tries again."
            }
        }
    }
}

fn list(reports: &BTreeMap<Report, ErrorKind>) -> String {
    let each = reports.iter();
    let each: Vec<_> = each
        .map(|(report, error)| format!("{} ({error})", report.as_str()))
        .collect();
    each.join(", ")
}

fn anchors_waiting(roots: u64, error: Option<&str>) -> String {
    format!(
        "{roots} roots over evidence are not anchored outside: the sink does not take them{}. Sweeps go on.",
        because(error)
    )
}

fn because(error: Option<&str>) -> String {
    error.map_or_else(String::new, |error| format!(" ({error})"))
}

const fn words(kind: RunKind) -> &'static str {
    match kind {
        RunKind::Discovery => "listing of organizations",
        RunKind::AssetSync => "asset sync",
        RunKind::EvidenceSweep => "evidence sweep",
    }
}
