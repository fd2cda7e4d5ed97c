use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;

use super::{
    Diagnosis, Finding, FutureRows, Views,
    asset_doubts::{AssetDoubt, Doubt, DoubtCounts},
    snapshot::MspSnapshot,
};
use crate::{
    error::{Error, ErrorKind, Result},
    model::{
        AuditDetails, BUDGET_LOW_PERCENT, BudgetUsage, CLOCK_TOLERANCE, CompanyId, ComplianceOrgId,
        Credential, Mapping, MappingId, MappingState, MspOrgId, NINJAONE_WINDOWS, PortalCompany,
        RunKind, RunOutcome, RunRecord, TenantView, is_ahead, is_readable, is_same_name,
    },
    schedule::Cadence,
    store::{AuditPage, RowsAhead},
};

/// After this many sweeps in a row that do not end a dry run, the diagnosis reports that it cannot end.
const SWEEPS_WITHOUT_END: u64 = 2;

/// At most this many waiting roots are counted.
const ROOTS: u32 = 1_000;

/// At most this many rows of a customer's trail are read to find its last sweeps.
const ROWS: u32 = 50;

/// The stored rows of one region.
struct RegionRecords<'a> {
    credential: &'a Credential,
    mappings: &'a [Mapping],
    runs: Vec<&'a RunRecord>,
    budget: BudgetUsage,
    /// The time by the clock of the process.
    now: OffsetDateTime,
    /// The time by the store's clock.
    store_time: OffsetDateTime,
    companies: &'a BTreeMap<CompanyId, PortalCompany>,
}

/// What only a process that handles events knows, besides the store. A process that only reads does not know it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Acting<'a> {
    /// Whether the secrets of a credential open with the keys of the process.
    pub(crate) opens: Option<&'a (dyn Fn(&Credential) -> bool + Sync)>,
    /// Whether the process has an anchor sink.
    pub(crate) anchors: bool,
}

impl Views {
    /// The problems of this MSP's integration, or of one company of it, as far as the store shows them. The worst come first. Each finding
    /// appears once per region, with the organizations that it concerns.
    ///
    /// Only a process with the keys can tell whether the saved credentials open: see
    /// [`Integration::diagnose`](crate::Integration::diagnose).
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use regentra_sync::{model::MspOrgId, store::MemoryStore, views::Views};
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// # let views = Views::new(Arc::new(MemoryStore::new()));
    /// let msp: MspOrgId = "6f0a8f0e-8a53-4a80-9a0c-4f4f0d6f1a11".parse()?;
    /// for diagnosis in views.diagnose(msp, None).await? {
    ///     assert_eq!(diagnosis.finding.as_str(), "nothing_saved");
    ///     println!("{} {}", diagnosis.finding.meaning(), diagnosis.finding.next_step());
    /// }
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such company; [`ErrorKind::Store`].
    #[tracing::instrument(name = "regentra.diagnose", skip_all, fields(%msp))]
    pub async fn diagnose(
        &self,
        msp: MspOrgId,
        company: Option<CompanyId>,
    ) -> Result<Vec<Diagnosis>> {
        self.diagnose_as(msp, company, Acting::default()).await
    }

    /// Like [`diagnose`](Self::diagnose), with what only the running process knows.
    pub(crate) async fn diagnose_as(
        &self,
        msp: MspOrgId,
        company: Option<CompanyId>,
        acting: Acting<'_>,
    ) -> Result<Vec<Diagnosis>> {
        let snapshot = self.snapshot(msp, company).await?;
        self.diagnose_snapshot(&snapshot, company, acting).await
    }

    /// The findings of a snapshot, and of rows that only the diagnosis reads: trails of dry runs, rows in the future, and waiting roots.
    pub(super) async fn diagnose_snapshot(
        &self,
        snapshot: &MspSnapshot,
        company: Option<CompanyId>,
        acting: Acting<'_>,
    ) -> Result<Vec<Diagnosis>> {
        let &MspSnapshot {
            msp,
            now,
            store_time,
            ..
        } = snapshot;
        let companies = &snapshot.companies;
        if company.is_some_and(|company| !companies.contains_key(&company)) {
            let message = "there is no such company: list the companies for their ids";
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        let mut found = Vec::new();
        if snapshot.connections.is_empty() {
            found.push(Diagnosis {
                finding: Finding::NothingSaved,
                region: None,
                company: None,
                mappings: Vec::new(),
            });
        }
        found.extend(self.of_clocks(snapshot).await?);
        let mut regions = Vec::new();
        for connection in &snapshot.connections {
            regions.push(RegionRecords {
                credential: &connection.credential,
                mappings: &connection.mappings,
                runs: connection.runs.iter().collect(),
                budget: connection.budget,
                now,
                store_time,
                companies,
            });
        }
        for region in &regions {
            let of_region = self.diagnose_region(region, company, &snapshot.doubts, acting);
            found.extend(of_region.await?);
        }
        if company.is_none() {
            found.extend(self.of_anchors(msp, store_time, acting).await?);
        }
        if let Some(company) = company {
            found.extend(why_not_mapped(&regions, company));
            for diagnosis in &mut found {
                diagnosis.company = Some(company);
            }
        }
        found.sort_by(|a, b| {
            let rank = |of: &Diagnosis| (of.finding.severity(), of.region.clone());
            (rank(a), &a.finding).cmp(&(rank(b), &b.finding))
        });
        Ok(found)
    }

    /// The findings about anchoring evidence.
    async fn of_anchors(
        &self,
        msp: MspOrgId,
        store_time: OffsetDateTime,
        acting: Acting<'_>,
    ) -> Result<Vec<Diagnosis>> {
        let store = &self.store;
        let failure = store.anchoring_failure(msp).await?;
        let failure = failure.filter(|failure| !is_ahead(failure.at, store_time));
        let (of_sink, of_roots) = match failure {
            Some(failure) if failure.is_of_sink() => (Some(failure), None),
            failure => (None, failure),
        };
        let mut found = Vec::new();
        let waiting = store.roots_waiting(msp, ROOTS).await?;
        if let Some(first) = waiting.first() {
            found.push(Finding::AnchorsWaiting {
                roots: waiting.len() as u64,
                since: first.made_at,
                error: of_sink.map(|failure| failure.error),
            });
        }
        // A root is made when the tick after its own is planned. Without a sink, no root is made.
        let is_wanted = acting.anchors || store.last_root(msp).await?.is_some();
        let long_ago = store_time.saturating_sub(self.policy.evidence_sweep.every * 2);
        let unmade = store.ticks_without_root(msp, long_ago, 1).await?;
        let since = unmade.first().copied().filter(|_| is_wanted);
        let since = since.or(of_roots.as_ref().map(|failure| failure.at));
        found.extend(since.map(|since| Finding::RootsNotMade {
            since,
            error: of_roots.map(|failure| failure.error),
        }));
        let of_no_region = |finding| Diagnosis {
            finding,
            region: None,
            company: None,
            mappings: Vec::new(),
        };
        Ok(found.into_iter().map(of_no_region).collect())
    }

    async fn diagnose_region(
        &self,
        seen: &RegionRecords<'_>,
        company: Option<CompanyId>,
        doubts: &[AssetDoubt],
        acting: Acting<'_>,
    ) -> Result<Vec<Diagnosis>> {
        let region = &seen.credential.region;
        if !seen.credential.is_active {
            return Ok(vec![Diagnosis::of_region(Finding::Disconnected, region)]);
        }
        let mut found = Vec::new();
        let mut add = |finding, mappings: Vec<MappingId>| {
            let of_region = Diagnosis::of_region(finding, region);
            found.push(Diagnosis {
                mappings,
                ..of_region
            });
        };
        if acting.opens.is_some_and(|opens| !opens(seen.credential)) {
            add(Finding::SecretsDoNotOpen, Vec::new());
        }
        for finding in self.of_whole_region(seen, company) {
            add(finding, Vec::new());
        }
        let (limit, usage) = (NINJAONE_WINDOWS[1].limit, seen.budget);
        if usage.ahead > 0 {
            let (rows, count) = (FutureRows::Requests, usage.ahead.into());
            add(Finding::InTheFuture { rows, count }, Vec::new());
        }
        let spent = usage.last_hour;
        if u64::from(spent) * 100 >= u64::from(limit) * BUDGET_LOW_PERCENT {
            add(Finding::BudgetLow { spent, limit }, Vec::new());
        }
        for (finding, mappings) in self.of_mappings(seen, company).await? {
            add(finding, mappings);
        }
        for (finding, mappings) in of_assets(seen, doubts) {
            add(finding, mappings);
        }
        Ok(found)
    }

    /// The findings about rows that clocks that ran ahead wrote, and about the clock of this process.
    async fn of_clocks(&self, snapshot: &MspSnapshot) -> Result<Vec<Diagnosis>> {
        let &MspSnapshot {
            msp,
            now,
            store_time,
            runs_ahead,
            ..
        } = snapshot;
        let store = &self.store;
        let of_no_region = |finding| Diagnosis {
            finding,
            region: None,
            company: None,
            mappings: Vec::new(),
        };
        let mut found = Vec::new();
        let apart = now - store_time;
        if apart.abs() > CLOCK_TOLERANCE {
            let seconds = apart.whole_seconds();
            found.push(of_no_region(Finding::ClocksApart { seconds }));
        }
        let mut add = |rows, count, mappings: BTreeSet<MappingId>| {
            if count > 0 {
                let mappings = mappings.into_iter().collect();
                found.push(Diagnosis {
                    mappings,
                    ..of_no_region(Finding::InTheFuture { rows, count })
                });
            }
        };
        add(FutureRows::Runs, runs_ahead, BTreeSet::new());
        let RowsAhead {
            leases,
            ticket_ticks,
            heads,
            roots,
            credentials,
            mappings,
            assets,
            tickets,
            outbox,
            audit,
        } = store.rows_ahead(msp).await?;
        for (rows, count) in [
            (FutureRows::Leases, leases),
            (FutureRows::TicketTicks, ticket_ticks),
            (FutureRows::Heads, heads),
            (FutureRows::Roots, roots),
            (FutureRows::Connections, credentials),
            (FutureRows::Mappings, mappings),
            (FutureRows::Assets, assets),
            (FutureRows::Tickets, tickets),
            (FutureRows::Outbox, outbox),
            (FutureRows::AuditRows, audit),
        ] {
            add(rows, count, BTreeSet::new());
        }
        let (mut signals, mut mappings) = (0, BTreeSet::new());
        for customer in snapshot
            .companies
            .values()
            .filter_map(|company| company.converted_to)
        {
            let ahead = store.signals_ahead(customer).await?;
            signals += ahead.len() as u64;
            mappings.extend(ahead.iter().map(|stored| stored.mapping));
        }
        add(FutureRows::Signals, signals, mappings);
        Ok(found)
    }

    /// The findings about the region as a whole.
    fn of_whole_region(
        &self,
        seen: &RegionRecords<'_>,
        company: Option<CompanyId>,
    ) -> Vec<Finding> {
        let mut found = BTreeSet::new();
        for run in seen.failures().filter(|run| run.subject.mapping.is_none()) {
            if let RunOutcome::Failed { error } = run.outcome {
                found.extend(Finding::of_error(error, Some(run.subject.kind)));
            }
        }
        let lost = seen.credential.lost_organizations;
        if lost > 0 {
            found.insert(Finding::OrganizationsUnreadable { rows: lost });
        }
        if seen.credential.view == TenantView::Part {
            found.insert(Finding::PartialView);
        }
        let is_listed = |mapping: &&Mapping| mapping.missing_since.is_none();
        // A row that could not be read is a visible organization, too.
        if lost == 0 && !seen.mappings.iter().any(|mapping| is_listed(&mapping)) {
            let listed = seen
                .runs
                .iter()
                .any(|run| run.subject.mapping.is_none() && !run.has_failed());
            if listed {
                found.insert(Finding::NoOrganizationVisible);
            } else if found.is_empty() {
                found.insert(Finding::NeverListed);
            }
        }
        let policy = &self.policy;
        let mapped = |of: &&Mapping| of.state.company().is_some();
        let promoted = |of: &&Mapping| seen.customer(of).is_some();
        if company.is_none() && seen.mappings.iter().any(|of| mapped(&of)) {
            found.extend(seen.overdue(RunKind::AssetSync, policy.asset_sync));
        }
        if company.is_none() && seen.mappings.iter().any(|of| promoted(&of)) {
            found.extend(seen.overdue(RunKind::EvidenceSweep, policy.evidence_sweep));
        }
        found.into_iter().collect()
    }

    /// The findings about organizations, each with all organizations that it concerns.
    async fn of_mappings(
        &self,
        seen: &RegionRecords<'_>,
        company: Option<CompanyId>,
    ) -> Result<BTreeMap<Finding, Vec<MappingId>>> {
        let mut found: BTreeMap<Finding, Vec<MappingId>> = BTreeMap::new();
        for mapping in seen.mappings {
            let mut add = |finding| found.entry(finding).or_default().push(mapping.id);
            let of = mapping.state.company();
            if company.is_some() && of != company {
                continue;
            }
            if mapping.state == MappingState::PendingReview && mapping.missing_since.is_none() {
                add(Finding::PendingReview);
            }
            if mapping.state != MappingState::Ignored && !is_readable(mapping.name.as_str()) {
                add(Finding::NoReadableName);
            }
            if of.is_none() {
                continue;
            }
            if mapping.missing_since.is_some() {
                add(Finding::GoneFromNinjaone);
            }
            let of_mapping = |run: &&RunRecord| run.subject.mapping == Some(mapping.id);
            for run in seen.failures().filter(of_mapping) {
                if let RunOutcome::Failed { error } = run.outcome
                    && let Some(finding) = Finding::of_error(error, Some(run.subject.kind))
                {
                    add(finding);
                }
            }
            let customer = seen.customer(mapping);
            let dry_run = match customer {
                Some(customer) if mapping.first_evidence_synced_at.is_none() => {
                    Some(self.dry_run(customer, mapping, seen.store_time).await?)
                }
                _ => None,
            };
            // The finding about the dry run already names the signals that lack their reports.
            if dry_run.is_none() {
                for run in seen.since_connected().filter(of_mapping) {
                    if let RunOutcome::Partial { failed_reports } = &run.outcome
                        && !failed_reports.is_empty()
                    {
                        let reports = failed_reports.clone();
                        add(Finding::ReportsFailed { reports });
                    }
                }
            }
            match dry_run {
                Some(finding) => add(finding),
                None if customer.is_none() => add(Finding::NotPromoted),
                None => {}
            }
        }
        Ok(found)
    }

    /// Why the dry run is not over: there was no sweep yet, or no sweep ends it.
    async fn dry_run(
        &self,
        customer: ComplianceOrgId,
        mapping: &Mapping,
        store_time: OffsetDateTime,
    ) -> Result<Finding> {
        let page = AuditPage::newest(ROWS);
        let trail = self.store.customer_audit(customer, page).await?;
        let (mut sweeps, mut incomplete) = (0, None);
        for row in trail
            .into_iter()
            .filter(|row| !is_ahead(row.at, store_time))
        {
            match row.details {
                AuditDetails::Swept {
                    mapping: swept,
                    signals,
                    answered: false,
                    dry_run: true,
                    ..
                } if swept == mapping.id => {
                    sweeps += 1;
                    let signals = signals.into_iter().filter(|(_, swept)| !swept.complete);
                    incomplete.get_or_insert(signals.map(|(kind, _)| kind).collect());
                }
                AuditDetails::Swept { mapping: swept, .. } if swept == mapping.id => break,
                _ => {}
            }
        }
        Ok(if sweeps < SWEEPS_WITHOUT_END {
            Finding::FirstSweepPending
        } else {
            Finding::DryRunCannotEnd {
                sweeps,
                incomplete: incomplete.unwrap_or_default(),
            }
        })
    }
}

impl<'a> RegionRecords<'a> {
    /// The customer that the mapping's company was promoted to.
    fn customer(&self, mapping: &Mapping) -> Option<ComplianceOrgId> {
        let company = self.companies.get(&mapping.state.company()?)?;
        company.converted_to
    }

    /// When the region was connected. If a clock that ran ahead stamped this time, it is unknown, and the epoch is returned.
    fn connected_at(&self) -> OffsetDateTime {
        let connected_at = self.credential.connected_at;
        if is_ahead(connected_at, self.store_time) {
            return OffsetDateTime::UNIX_EPOCH;
        }
        connected_at
    }

    /// Whether no run of this kind has ended for two intervals.
    fn overdue(&self, kind: RunKind, cadence: Cadence) -> Option<Finding> {
        let of_kind = self.runs.iter().filter(|run| run.subject.kind == kind);
        let last = of_kind.map(|run| run.finished_at).max();
        let connected_at = self.connected_at();
        let since: OffsetDateTime = last.map_or(connected_at, |last| last.max(connected_at));
        (self.now - since > cadence.every * 2).then_some(Finding::Overdue { kind, last })
    }

    /// Runs that failed since the region was connected, and that no later run has corrected.
    fn failures(&self) -> impl Iterator<Item = &'a RunRecord> {
        self.since_connected()
            .filter(|run| run.has_failed() && !run.is_overcome(&self.runs))
    }

    /// The last run of each subject that ended since the region was connected.
    fn since_connected(&self) -> impl Iterator<Item = &'a RunRecord> {
        let connected_at = self.connected_at();
        let runs = self.runs.iter().copied();
        runs.filter(move |run| run.finished_at >= connected_at)
    }
}

/// The findings about assets of a region's companies that a person should look at, each with the organizations of these companies.
fn of_assets(seen: &RegionRecords<'_>, doubts: &[AssetDoubt]) -> Vec<(Finding, Vec<MappingId>)> {
    let mut mapped: BTreeMap<CompanyId, Vec<MappingId>> = BTreeMap::new();
    for mapping in seen.mappings {
        if let Some(company) = mapping.state.company() {
            mapped.entry(company).or_default().push(mapping.id);
        }
    }
    let of_region: Vec<_> = doubts
        .iter()
        .filter(|of| mapped.contains_key(&of.asset.company))
        .collect();
    let DoubtCounts {
        ambiguous,
        possible_duplicates,
        held,
    } = DoubtCounts::of(of_region.iter().copied());
    let is_ambiguous: fn(&Doubt) -> bool = |doubt| matches!(doubt, Doubt::Ambiguous { .. });
    let is_duplicate: fn(&Doubt) -> bool = |doubt| matches!(doubt, Doubt::PossibleDuplicate { .. });
    let is_held: fn(&Doubt) -> bool = |doubt| matches!(doubt, Doubt::Held { .. });
    [
        (
            Finding::AmbiguousAssets { assets: ambiguous },
            ambiguous,
            is_ambiguous,
        ),
        (
            Finding::PossibleDuplicates {
                assets: possible_duplicates,
            },
            possible_duplicates,
            is_duplicate,
        ),
        (Finding::AssetsHeld { assets: held }, held, is_held),
    ]
    .into_iter()
    .filter(|(_, assets, _)| *assets > 0)
    .map(|(finding, _, is)| {
        let companies: BTreeSet<_> = of_region
            .iter()
            .filter(|of| is(&of.doubt))
            .map(|of| of.asset.company)
            .collect();
        let mappings = companies.iter().filter_map(|company| mapped.get(company));
        (finding, mappings.flatten().copied().collect())
    })
    .collect()
}

/// Why no organization is mapped to a company: its organization waits for a decision, was ignored, or is not known.
fn why_not_mapped(regions: &[RegionRecords<'_>], company: CompanyId) -> Vec<Diagnosis> {
    let mappings = || {
        let active = regions.iter().filter(|seen| seen.credential.is_active);
        active.flat_map(|seen| seen.mappings.iter().map(move |mapping| (seen, mapping)))
    };
    if mappings().any(|(_, mapping)| mapping.state.company() == Some(company)) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (seen, mapping) in mappings() {
        let name = seen.companies.get(&company).map(|company| &company.name);
        let is_namesake =
            name.is_some_and(|name| is_same_name(name.as_str(), mapping.name.as_str()));
        let finding = match mapping.state {
            MappingState::PendingReview if is_namesake || mapping.suggestion == Some(company) => {
                Finding::PendingReview
            }
            MappingState::Ignored if is_namesake => Finding::Ignored,
            _ => continue,
        };
        found.push(Diagnosis {
            mappings: vec![mapping.id],
            ..Diagnosis::of_region(finding, &seen.credential.region)
        });
    }
    if found.is_empty() {
        found.push(Diagnosis {
            finding: Finding::NotMapped,
            region: None,
            company: None,
            mappings: Vec::new(),
        });
    }
    found
}
