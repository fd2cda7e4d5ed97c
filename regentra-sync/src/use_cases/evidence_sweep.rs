use std::collections::{BTreeMap, BTreeSet};

use ninjaone_client::Lane;
use regentra_evidence::SignalKind;
use serde::Serialize;
use time::{Duration, OffsetDateTime};

use super::integration::{Integration, LeaseGuard, RACES, superseded};
use crate::{
    error::{Error, ErrorKind, Result},
    host::Progress,
    model::{
        Actor, Asset, AssetStatus, AuditDetails, AuditRow, BUDGET_LOW_PERCENT, CLOCK_TOLERANCE,
        Credential, CredentialGuard, EventId, EvidenceRow, LeaseKey, Mapping, MspOrgId,
        OutboxAction, Report, RunKind, RunOutcome, RunReading, RunRecord, RunSubject,
        SettingsGuard, SignatureAges, SignatureRecords, StoredSettings, SweepCounts, SweepStrategy,
        SweptSignal, chain_start, is_ahead,
    },
    ninjaone::{Access, Assessment, AssessmentRequest},
    rules::{Sweep, TicketPlan, ticket_plan},
    schedule::SweepEvent,
    seal::Keyring,
    store::{
        AssetFilter, CommitOutcome, Precondition, StoreError, StoreErrorKind, StoredSignal,
        SweepCommit, SweepState, check_not_ahead,
    },
};

/// How often a sweep begins again because the settings of its connection were changed while it ran.
const CHANGES_OF_SETTINGS: usize = 3;

/// How a planned sweep ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SweepOutcome {
    /// It is in the customer's tenant.
    Committed(SweepReport),
    /// This event was committed before.
    AlreadyCommitted,
    /// What it relied on changed meanwhile: nothing was written.
    Superseded(Precondition),
    /// There is nothing to sweep any more.
    Skipped(SkipReason),
    /// Another run works on this customer: deliver the event again later.
    Busy,
}

/// Why there is nothing to sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SkipReason {
    /// The region was disconnected.
    Disconnected,
    /// The organization is not mapped any more, or the event names another one than its mapping does.
    NotMapped,
    /// The company is not this customer's, or was not promoted.
    NotPromoted,
    /// It is of a tick that lies in the future: a clock that ran ahead planned it.
    NotDue,
    /// It is more than one interval old, and a newer tick of its mapping was swept, which takes its place.
    Overtaken,
}

/// What one sweep wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SweepReport {
    /// The signals.
    pub signals: Vec<StoredSignal>,
    /// What was dropped and spent.
    pub counts: SweepCounts,
    /// Whether every report answered.
    pub answered: bool,
    /// The reports that failed, and why.
    pub failed_reports: BTreeMap<Report, ErrorKind>,
    /// Whether it was a dry run: signals land, tickets do not.
    pub dry_run: bool,
    /// Tickets opened.
    pub opened: usize,
    /// Tickets closed.
    pub closed: usize,
    /// Failing signals that went into the tick's digest, because its cap was reached.
    pub digested: bool,
    /// Rows of the customer's own devices, by report.
    pub rows: BTreeMap<Report, u64>,
}

/// What a sweep works on, as it was read before its reports.
pub(super) struct Subject {
    pub(super) credential: Credential,
    pub(super) settings: StoredSettings,
    mapping: Mapping,
    company: crate::model::CompanyId,
    /// Who asked for it.
    actor: Actor,
}

/// A sweep that may read its reports.
pub(super) struct Prepared {
    /// The event that its commit is made under.
    pub(super) event: SweepEvent,
    pub(super) subject: Subject,
    signature_history: SignatureRecords,
}

impl Prepared {
    /// The connection and the settings that its commit is refused without.
    pub(super) const fn guards(&self) -> (CredentialGuard, SettingsGuard) {
        let credential = &self.subject.credential;
        (
            credential.guard(),
            self.subject.settings.guard(credential.id),
        )
    }

    pub(super) fn ages(&self, keyring: &Keyring, now: OffsetDateTime) -> SignatureAges {
        let digester = keyring.device_digester(self.subject.credential.id);
        SignatureAges::new(self.signature_history.clone(), digester, now)
    }
}

/// What the reports of one customer said.
pub(super) struct Swept<'a> {
    pub(super) prepared: &'a Prepared,
    pub(super) assessment: Assessment,
    pub(super) ages: &'a SignatureAges,
    pub(super) now: OffsetDateTime,
    pub(super) strategy: SweepStrategy,
}

impl Integration {
    /// Handles one planned sweep: opens the MSP's credential, pulls the organization's reports, judges them, and commits into the
    /// customer's tenant. The same event may be handled again, at any time and anywhere.
    ///
    /// # Errors
    /// [`ErrorKind::Sealing`], [`ErrorKind::Ninjaone`] when not even the devices could be read, [`ErrorKind::Deadline`],
    /// [`ErrorKind::Store`], of the kind `Clock` when this process's clock does not fit the store's. The event can be delivered
    /// again.
    pub async fn sweep(&self, event: &SweepEvent) -> Result<SweepOutcome> {
        self.sweep_by(event, Actor::Schedule).await
    }

    /// The same, because a person asked for it.
    #[tracing::instrument(
        name = "regentra.sweep",
        skip_all,
        fields(
            event = %event.id,
            msp = %event.msp_credential_org_id,
            customer = %event.customer_compliance_org_id,
            mapping = %event.mapping_id
        )
    )]
    pub(super) async fn sweep_by(&self, event: &SweepEvent, actor: Actor) -> Result<SweepOutcome> {
        let msp = event.msp_credential_org_id;
        let key = LeaseKey::EvidenceSweep(event.customer_compliance_org_id);
        let Some(held) = self.lease(msp, key).await? else {
            return Ok(SweepOutcome::Busy);
        };
        let started_at = self.now();
        let mut swept = Box::pin(self.sweep_under_lease(event, actor, &held)).await;
        // What was judged by settings that were changed meanwhile is judged again by the new ones, not hours later.
        for _ in 0..CHANGES_OF_SETTINGS {
            if !matches!(swept, Ok(SweepOutcome::Superseded(Precondition::Settings))) {
                break;
            }
            tracing::info!("the settings of the connection were changed: sweeping again");
            swept = Box::pin(self.sweep_under_lease(event, actor, &held)).await;
        }
        let strategy = SweepStrategy::PerCustomer;
        self.record_sweep(event, held, started_at, &swept, strategy)
            .await?;
        swept
    }

    /// Releases a customer's lease, and keeps the record of its sweep.
    pub(super) async fn record_sweep(
        &self,
        event: &SweepEvent,
        held: LeaseGuard<'_>,
        started_at: OffsetDateTime,
        swept: &Result<SweepOutcome>,
        strategy: SweepStrategy,
    ) -> Result<()> {
        let ended = match swept {
            Ok(SweepOutcome::Committed(report)) => {
                let outcome = succeeded_if(report.answered, report.failed_reports.clone());
                let reading = RunReading::of_customer(strategy, report.rows.clone());
                Some((outcome, report.counts.requests, Some(reading)))
            }
            Ok(SweepOutcome::AlreadyCommitted) => {
                let outcome = self.outcome_of_committed(event).await?;
                outcome.map(|outcome| (outcome, 0, None))
            }
            // Nothing was done, so nothing is remembered: the last run is the one before.
            Ok(SweepOutcome::Superseded(_) | SweepOutcome::Skipped(_) | SweepOutcome::Busy) => None,
            Err(error) => Some((RunOutcome::failed(error.kind()), 0, None)),
        };
        let ended = match ended {
            Some((outcome, requests, reading)) => {
                let reading = self.with_rows_before(event, reading).await?;
                Some((outcome, requests, reading))
            }
            None => None,
        };
        let succeeded = matches!(
            swept,
            Ok(SweepOutcome::Committed(_) | SweepOutcome::AlreadyCommitted)
        );
        let record = ended.map(|(outcome, requests, reading)| RunRecord {
            subject: run_of(event),
            started_at,
            finished_at: self.now(),
            outcome,
            requests,
            reading,
        });
        let msp = event.msp_credential_org_id;
        self.release(msp, held, record.into_iter().collect())
            .await?;
        self.report_progress(&Progress::Done {
            kind: RunKind::EvidenceSweep,
            mapping: event.mapping_id,
            company: None,
            succeeded,
        });
        Ok(())
    }

    /// What a run read, with the rows that the last one read of the reports that did not answer this time.
    async fn with_rows_before(
        &self,
        event: &SweepEvent,
        reading: Option<RunReading>,
    ) -> Result<Option<RunReading>> {
        let before = self
            .last_run(event.msp_credential_org_id, run_of(event))
            .await?;
        let Some(before) = before.and_then(|run| run.reading) else {
            return Ok(reading);
        };
        let Some(mut reading) = reading else {
            return Ok(Some(before));
        };
        reading.keep_rows_of(before);
        Ok(Some(reading))
    }

    /// How the run that committed this event ended, where it left no record of that: it died in between.
    pub(super) async fn outcome_of_committed(
        &self,
        event: &SweepEvent,
    ) -> Result<Option<RunOutcome>> {
        let last = self
            .last_run(event.msp_credential_org_id, run_of(event))
            .await?;
        if last.is_some_and(|run| run.was_done_since(event.scheduled_at)) {
            return Ok(None);
        }
        let customer = event.customer_compliance_org_id;
        let current = self
            .inner
            .store
            .current_signals(customer, self.now())
            .await?;
        let mut written = current
            .iter()
            .filter(|stored| stored.event == event.id)
            .peekable();
        // Signals that are current no more are of a run that others have followed.
        if written.peek().is_none() {
            return Ok(None);
        }
        // Which reports failed died with the process.
        Ok(Some(succeeded_if(
            written.all(|stored| stored.signal.complete),
            BTreeMap::new(),
        )))
    }

    /// What a sweep begins with, or how it ended before it began.
    pub(super) async fn prepare_sweep(
        &self,
        event: &SweepEvent,
        actor: Actor,
    ) -> Result<std::result::Result<Prepared, SweepOutcome>> {
        let (event, state) = self.unless_swept_ahead(event).await?;
        if state.seen {
            return Ok(Err(SweepOutcome::AlreadyCommitted));
        }
        let subject = match self.subject_of(&event, actor).await? {
            Ok(subject) => subject,
            Err(reason) => return Ok(Err(SweepOutcome::Skipped(reason))),
        };
        // What would be refused in the end is not begun.
        if let Some(reason) = self.is_out_of_time(&event, &state).await? {
            return Ok(Err(SweepOutcome::Skipped(reason)));
        }
        Ok(Ok(Prepared {
            event,
            subject,
            signature_history: state.signature_history,
        }))
    }

    async fn sweep_under_lease(
        &self,
        event: &SweepEvent,
        actor: Actor,
        held: &LeaseGuard<'_>,
    ) -> Result<SweepOutcome> {
        let msp = event.msp_credential_org_id;
        let prepared = match self.prepare_sweep(event, actor).await? {
            Ok(prepared) => prepared,
            Err(ended) => return Ok(ended),
        };
        let Prepared { event, subject, .. } = &prepared;
        let settings = self.inner.policy.apply(&subject.settings.settings)?;
        let access = self.open(msp, &subject.credential, Lane::Sweep).await?;
        let keyring = self.keyring()?;
        let digest_key = keyring.digest_key();
        let now = self.now();
        let ages = prepared.ages(keyring, now);
        let request = AssessmentRequest {
            customer: event.customer_compliance_org_id,
            organization: event.external_org_id,
            now,
            rules: &self.inner.policy.rules,
            custom_fields: &settings.custom_fields,
            kinds_in_use: settings.kinds_in_use,
            digest_key: &digest_key,
            signature_ages: Some(&ages),
        };
        let assess = self.inner.ninjaone.assess(&access, request);
        let policy = &self.inner.policy;
        let deadline = if policy.sweep_deadline <= policy.event_deadline {
            ("sweep_deadline", policy.sweep_deadline)
        } else {
            ("event_deadline", policy.event_deadline)
        };
        let assess = self.within(deadline, assess);
        let assessment = self.with_lease(msp, held, assess).await?;
        let swept = Swept {
            prepared: &prepared,
            assessment,
            ages: &ages,
            now,
            strategy: SweepStrategy::PerCustomer,
        };
        let outcome = self.conclude_sweep(held, swept).await?;
        self.warn_of_low_budget(msp, &subject.credential, &access)
            .await?;
        Ok(outcome)
    }

    /// Commits what the reports of one customer said.
    pub(super) async fn conclude_sweep(
        &self,
        held: &LeaseGuard<'_>,
        mut swept: Swept<'_>,
    ) -> Result<SweepOutcome> {
        let event = &swept.prepared.event;
        check(&swept.assessment, event)?;
        self.tell_foreign_from_orphan(event, &mut swept.assessment)
            .await?;
        self.keep_those_with_assets(event, swept.ages, &mut swept.assessment)
            .await?;
        self.commit_sweep(held, &swept).await
    }

    /// Why the event is not of this time: by the store's clock and by what was swept last. An error where this process's clock
    /// does not fit either.
    async fn is_out_of_time(
        &self,
        event: &SweepEvent,
        state: &SweepState,
    ) -> Result<Option<SkipReason>> {
        let (now, store_time) = (self.now(), self.inner.store.store_time().await?);
        check_not_ahead(now, store_time)?;
        if is_ahead(event.scheduled_at, store_time) {
            return Ok(Some(SkipReason::NotDue));
        }
        let Some(last) = state.collected.values().max().copied() else {
            return Ok(None);
        };
        if now < last {
            let text = "the clock of this process is behind the last sweep of this customer";
            return Err(StoreError::new(StoreErrorKind::Clock, text).into());
        }
        let every = self.inner.policy.evidence_sweep.every;
        let next = event.scheduled_at.saturating_add(every);
        let is_overtaken = now > next && last >= next;
        Ok(is_overtaken.then_some(SkipReason::Overtaken))
    }

    /// The event, and what its sweep continues from. A tick that was swept by a clock that ran ahead, whose signals lie in the future
    /// now, is swept once more, under the event that comes after: what was found then is no evidence of now.
    ///
    /// Times alone do not tell: a customer whose sweeps start late in the interval has signals of minutes before the tick, all the same.
    async fn unless_swept_ahead(&self, event: &SweepEvent) -> Result<(SweepEvent, SweepState)> {
        let mut event = event.clone();
        let mut state = self.state_of(&event).await?;
        if !state.seen {
            return Ok((event, state));
        }
        let (customer, store) = (event.customer_compliance_org_id, &self.inner.store);
        // Expired ones, too: an event may be delivered days later.
        let mut present = store
            .current_signals(customer, OffsetDateTime::UNIX_EPOCH)
            .await?;
        present.retain(|stored| stored.mapping == event.mapping_id);
        let next = self.inner.policy.evidence_sweep.next(event.scheduled_at);
        let next = next.saturating_sub(CLOCK_TOLERANCE);
        // Evidence of a later tick takes the place of this one's.
        if present
            .iter()
            .any(|stored| stored.signal.collected_at >= next)
        {
            return Ok((event, state));
        }
        for _ in 0..RACES {
            if !state.seen || present.iter().any(|stored| stored.event == event.id) {
                break;
            }
            event.id = event.id.again();
            state = self.state_of(&event).await?;
        }
        Ok((event, state))
    }

    /// Whether the tick of this event was swept.
    pub(super) async fn is_swept(&self, event: &SweepEvent) -> Result<bool> {
        Ok(self.unless_swept_ahead(event).await?.1.seen)
    }

    async fn state_of(&self, event: &SweepEvent) -> Result<SweepState> {
        let (msp, customer) = (
            event.msp_credential_org_id,
            event.customer_compliance_org_id,
        );
        let store = &self.inner.store;
        Ok(store
            .sweep_state(
                msp,
                customer,
                event.mapping_id,
                event.id,
                event.scheduled_at,
            )
            .await?)
    }

    /// What there is to sweep, as it is now and not as it was planned.
    async fn subject_of(
        &self,
        event: &SweepEvent,
        actor: Actor,
    ) -> Result<std::result::Result<Subject, SkipReason>> {
        let (msp, store) = (event.msp_credential_org_id, &self.inner.store);
        let credential = store.credential(msp, event.credential()).await?;
        let Some(credential) = credential.filter(|credential| credential.is_active) else {
            return Ok(Err(SkipReason::Disconnected));
        };
        let settings = store.connection_settings(msp, credential.id).await?;
        let Some(settings) = settings else {
            return Ok(Err(SkipReason::Disconnected));
        };
        let mapping = store.mapping(msp, event.mapping_id).await?;
        // An event whose parts are of two customers would carry one's data into the other's tenant.
        let mapping = mapping.filter(|mapping| {
            mapping.credential == credential.id && mapping.external_org_id == event.external_org_id
        });
        let mapped =
            mapping.and_then(|mapping| mapping.state.company().map(|company| (mapping, company)));
        let Some((mapping, company)) = mapped else {
            return Ok(Err(SkipReason::NotMapped));
        };
        let promoted_to = store
            .company(msp, company)
            .await?
            .and_then(|company| company.converted_to);
        if promoted_to != Some(event.customer_compliance_org_id) {
            return Ok(Err(SkipReason::NotPromoted));
        }
        Ok(Ok(Subject {
            credential,
            settings,
            mapping,
            company,
            actor,
        }))
    }

    async fn commit_sweep(&self, held: &LeaseGuard<'_>, swept: &Swept<'_>) -> Result<SweepOutcome> {
        let event = &swept.prepared.event;
        let (msp, customer) = (
            event.msp_credential_org_id,
            event.customer_compliance_org_id,
        );
        for _ in 0..RACES {
            // Read again each time: another customer's sweep may have opened tickets in this tick.
            let state = self.state_of(event).await?;
            if state.seen {
                return Ok(SweepOutcome::AlreadyCommitted);
            }
            // A sweep that a person started while the reports were read for many: it knows more than they do.
            let is_behind = state.collected.values().any(|at| *at > swept.now);
            if swept.strategy != SweepStrategy::PerCustomer && is_behind {
                return Ok(SweepOutcome::Superseded(Precondition::EvidenceChain));
            }
            let (commit, report) = self.sweep_commit(held, swept, &state)?;
            match self.inner.store.commit_sweep(msp, customer, commit).await? {
                CommitOutcome::Committed => {
                    tracing::info!(
                        answered = report.answered,
                        dry_run = report.dry_run,
                        "swept"
                    );
                    return Ok(SweepOutcome::Committed(report));
                }
                CommitOutcome::AlreadyCommitted => return Ok(SweepOutcome::AlreadyCommitted),
                CommitOutcome::Superseded(Precondition::TicketTick | Precondition::Ticket) => {}
                CommitOutcome::Superseded(guard) => return Ok(SweepOutcome::Superseded(guard)),
            }
        }
        Err(superseded())
    }

    fn sweep_commit(
        &self,
        held: &LeaseGuard<'_>,
        swept_now: &Swept<'_>,
        state: &SweepState,
    ) -> Result<(SweepCommit, SweepReport)> {
        let Swept {
            prepared: Prepared { event, subject, .. },
            assessment,
            ages,
            now,
            strategy,
        } = swept_now;
        let now = *now;
        let policy = &self.inner.policy;
        let (customer, mapping) = (event.customer_compliance_org_id, event.mapping_id);
        let first_synced_at = subject.mapping.first_evidence_synced_at;
        let dry_run = first_synced_at.is_none();
        // A clock that ran ahead ended the dry run; when, the first sweep says that comes after it.
        let is_unstamped = first_synced_at.is_none_or(|at| is_ahead(at, now));
        let answered = assessment.answered();
        let tickets = ticket_plan(
            Sweep {
                msp: event.msp_credential_org_id,
                customer,
                mapping,
                company: subject.company,
                event: event.id,
                scheduled_at: event.scheduled_at,
                digest_due_at: event
                    .scheduled_at
                    .saturating_add(policy.evidence_sweep.every),
                passes_apart: policy.evidence_sweep.every / 2,
                now,
                written_at: self.now(),
                dry_run,
                tickets_per_tick: policy.tickets_per_tick,
            },
            state,
            assessment.verdicts.iter().map(|verdict| &verdict.signal),
        );
        let mut evidence = Vec::with_capacity(SignalKind::ALL.len());
        let mut swept = BTreeMap::new();
        for verdict in &assessment.verdicts {
            let (signal, kind) = (&verdict.signal, verdict.signal.kind());
            let continued = state.heads.get(&kind).copied();
            let continued = continued.unwrap_or_else(|| chain_start(customer, mapping, kind));
            let row = EvidenceRow::append(
                continued,
                mapping,
                event.id,
                signal,
                &policy.rules,
                verdict.facts.clone(),
                self.inner.head_signer.as_ref(),
            );
            let row = row.map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
            let chain_head = row.link.head();
            swept.insert(
                kind,
                SweptSignal {
                    status: signal.status,
                    complete: signal.complete,
                    chain_head,
                },
            );
            evidence.push(row);
        }
        let signals: Vec<_> = assessment
            .verdicts
            .iter()
            .map(|verdict| StoredSignal {
                mapping,
                event: event.id,
                signal: verdict.signal.clone(),
            })
            .collect();
        let details = AuditDetails::Swept {
            mapping,
            signals: swept,
            counts: assessment.counts.clone(),
            answered,
            dry_run,
            strategy: *strategy,
        };
        let report = report(&tickets, &signals, assessment, dry_run);
        let commit = SweepCommit {
            event: event.id,
            credential: subject.credential.guard(),
            settings: subject.settings.guard(subject.credential.id),
            mapping: subject.mapping.guard(),
            lease: held.lease,
            scheduled_at: event.scheduled_at,
            signals,
            evidence,
            audit: AuditRow::new(event.id, now, subject.actor, details),
            first_evidence_synced_at: (answered && is_unstamped).then_some(now),
            signatures: ages.changes(
                &assessment.signatures_out_of_date,
                assessment.listed_devices.as_ref(),
            ),
            tickets: tickets.tickets,
            outbox: tickets.outbox,
            tick: tickets.tick,
        };
        Ok((commit, report))
    }

    /// Rows of devices that the organization does not list are foreign where asset sync knows the device in another
    /// organization, and orphans where it is known nowhere. Only the store knows, and it is asked only if there are such rows.
    async fn tell_foreign_from_orphan(
        &self,
        event: &SweepEvent,
        assessment: &mut Assessment,
    ) -> Result<()> {
        if assessment.unlisted_devices.is_empty() {
            return Ok(());
        }
        let devices = assessment.unlisted_devices.keys();
        let filter = AssetFilter::Devices {
            credential: event.credential(),
            devices: devices.copied().collect(),
        };
        let known = self
            .inner
            .store
            .assets(event.msp_credential_org_id, filter)
            .await?;
        let elsewhere = known.iter().filter(|asset| {
            asset
                .mapping
                .is_some_and(|mapping| mapping != event.mapping_id)
        });
        for asset in elsewhere {
            let device = asset.device();
            let rows = device.and_then(|device| assessment.unlisted_devices.get(&device));
            let rows = rows.copied().unwrap_or(0);
            assessment.counts.orphan_rows = assessment.counts.orphan_rows.saturating_sub(rows);
            assessment.counts.foreign_rows += rows;
        }
        Ok(())
    }

    /// A device that one list lacks may be back in the next: while its asset counts, its signature history is kept. Asset sync is
    /// what decides that a device has left.
    async fn keep_those_with_assets(
        &self,
        event: &SweepEvent,
        ages: &SignatureAges,
        assessment: &mut Assessment,
    ) -> Result<()> {
        let Some(listed) = &mut assessment.listed_devices else {
            return Ok(());
        };
        if !ages.knows_others_than(listed) {
            return Ok(());
        }
        let filter = AssetFilter::Mapping(event.mapping_id);
        let assets = self
            .inner
            .store
            .assets(event.msp_credential_org_id, filter)
            .await?;
        let counts = assets
            .iter()
            .filter(|asset| asset.status == AssetStatus::Active);
        listed.extend(counts.filter_map(Asset::device));
        Ok(())
    }

    /// Says on the MSP's trail, at most once an hour, that little is left of the request budget.
    pub(super) async fn warn_of_low_budget(
        &self,
        msp: MspOrgId,
        credential: &Credential,
        access: &Access,
    ) -> Result<()> {
        let now = self.now();
        let usage = self.inner.store.budget_usage(&access.fingerprint).await?;
        let limit = crate::model::NINJAONE_WINDOWS[1].limit;
        if u64::from(usage.last_hour) * 100 < u64::from(limit) * BUDGET_LOW_PERCENT {
            return Ok(());
        }
        let hour = now.unix_timestamp() / Duration::HOUR.whole_seconds();
        let event = EventId::of_request("budget_low", &format!("{}/{hour}", credential.id));
        let (spent, limit) = (u64::from(usage.last_hour), u64::from(limit));
        let details = AuditDetails::BudgetLow {
            credential: credential.id,
            spent,
            limit,
        };
        let row = AuditRow::new(event, now, Actor::Schedule, details);
        let _ = self.inner.store.commit_audit(msp, event, vec![row]).await?;
        tracing::warn!(spent, limit, "little is left of the hour's request budget");
        Ok(())
    }
}

/// Whose record a sweep replaces.
pub(super) fn run_of(event: &SweepEvent) -> RunSubject {
    RunSubject::of_mapping(RunKind::EvidenceSweep, event.credential(), event.mapping_id)
}

fn succeeded_if(answered: bool, failed_reports: BTreeMap<Report, ErrorKind>) -> RunOutcome {
    if answered {
        RunOutcome::Succeeded
    } else {
        RunOutcome::Partial { failed_reports }
    }
}

/// What a sweep may commit: it is of the customer and the organization that it was asked for, and holds each signal once.
fn check(assessment: &Assessment, event: &SweepEvent) -> Result<()> {
    if assessment.customer != event.customer_compliance_org_id {
        let message =
            "an assessment is of another customer than it was asked for; nothing was written";
        return Err(Error::new(ErrorKind::Internal, message));
    }
    if assessment.organization != event.external_org_id {
        let message =
            "an assessment is of another organization than it was asked for; nothing was written";
        return Err(Error::new(ErrorKind::Internal, message));
    }
    let kinds: BTreeSet<_> = assessment
        .verdicts
        .iter()
        .map(|verdict| verdict.signal.kind())
        .collect();
    if kinds.len() == SignalKind::ALL.len() && assessment.verdicts.len() == kinds.len() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Internal,
        "an assessment must hold each of the five signals once",
    ))
}

fn report(
    tickets: &TicketPlan,
    signals: &[StoredSignal],
    assessment: &Assessment,
    dry_run: bool,
) -> SweepReport {
    let count =
        |is: fn(&OutboxAction) -> bool| tickets.outbox.iter().filter(|row| is(&row.action)).count();
    SweepReport {
        signals: signals.to_vec(),
        counts: assessment.counts.clone(),
        answered: assessment.answered(),
        failed_reports: assessment.failed_reports(),
        dry_run,
        opened: count(|action| matches!(action, OutboxAction::Open { .. })),
        closed: count(|action| matches!(action, OutboxAction::Close { .. })),
        digested: count(|action| matches!(action, OutboxAction::Digest { .. })) > 0,
        rows: assessment.rows.clone(),
    }
}
