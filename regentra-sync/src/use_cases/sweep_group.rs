use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use ninjaone_client::Lane;
use time::OffsetDateTime;

use super::{
    evidence_sweep::{Prepared, SweepOutcome, Swept, run_of},
    integration::{Integration, LeaseGuard, busy},
};
use crate::{
    error::{Error, ErrorKind, Result},
    host::Progress,
    model::{
        Actor, AuditDetails, AuditRow, CredentialGuard, CredentialId, LeaseKey, MappingId,
        MspOrgId, OrganizationListHabit, Pass, Report, RunKind, RunOutcome, RunReading, RunRecord,
        RunSubject, SignatureAges,
    },
    ninjaone::{
        Assessment, AssessmentRequest, Checkpoint, GroupAssessment, GroupCounts, GroupMember,
        GroupRequest,
    },
    rules::KnownRuns,
    schedule::{SweepEvent, SweepGroup},
    store::{Precondition, RunSubjects},
};

/// So many requests may always be spent on reading again.
const READ_AGAIN: u64 = 64;

/// Ends a pass whose connection was disconnected or connected anew.
#[derive(Debug)]
pub(super) struct StillConnected<'a> {
    pub(super) integration: &'a Integration,
    pub(super) msp: MspOrgId,
    pub(super) connection: CredentialGuard,
}

#[async_trait]
impl Checkpoint for StillConnected<'_> {
    async fn check(&self) -> Result<()> {
        let id = self.connection.credential;
        let stored = self
            .integration
            .inner
            .store
            .credential(self.msp, id)
            .await?;
        if stored.is_some_and(|stored| stored.is_active && stored.guard() == self.connection) {
            return Ok(());
        }
        let message =
            "the region was disconnected or connected anew meanwhile: nothing more is read";
        Err(Error::new(ErrorKind::Superseded, message))
    }
}

/// The outcome of each sweep of a group.
pub(super) type GroupOutcomes = Vec<(SweepEvent, Result<SweepOutcome>)>;

impl Integration {
    /// Handles the sweeps of many customers in one pass: pulls their reports together, judges each customer by its own rows, and
    /// commits each into its own tenant. The same event may be handled again: what is committed is left out, and asked for no more.
    ///
    /// # Errors
    /// [`ErrorKind::Busy`] while another pass of this connection is under way, [`ErrorKind::Store`]. What a customer's sweep ends
    /// with, an error included, is in the answer.
    pub async fn sweep_group(&self, group: &SweepGroup) -> Result<GroupOutcomes> {
        self.sweep_group_by(group, Actor::Schedule).await
    }

    #[tracing::instrument(
        name = "regentra.sweep_group",
        skip_all,
        fields(
            event = %group.id,
            msp = %group.msp_credential_org_id,
            credential = %group.credential(),
            customers = group.sweeps.len(),
            strategy = group.strategy.as_str()
        )
    )]
    pub(super) async fn sweep_group_by(
        &self,
        group: &SweepGroup,
        actor: Actor,
    ) -> Result<GroupOutcomes> {
        let msp = group.msp_credential_org_id;
        let held = self
            .lease(msp, LeaseKey::SweepGroup(group.credential()))
            .await?;
        let held = held.ok_or_else(|| {
            busy("many customers of this connection are being swept already; wait for it")
        })?;
        let (outcomes, record) = Box::pin(self.sweep_group_under_lease(group, actor, &held)).await;
        self.release(msp, held, record.into_iter().collect())
            .await?;
        outcomes
    }

    async fn sweep_group_under_lease(
        &self,
        group: &SweepGroup,
        actor: Actor,
        held: &LeaseGuard<'_>,
    ) -> (Result<GroupOutcomes>, Option<RunRecord>) {
        let (msp, credential) = (group.msp_credential_org_id, group.credential());
        let started_at = self.now();
        let mut outcomes = Vec::with_capacity(group.sweeps.len());
        let mut prepared = Vec::new();
        for event in group.events() {
            match self.prepare_sweep(&event, actor).await {
                Ok(Ok(ready)) => prepared.push((event, ready)),
                Ok(Err(ended)) => outcomes.push((event, Ok(ended))),
                Err(error) => outcomes.push((event, Err(error))),
            }
        }
        if let Err(error) = self
            .record_committed(group, started_at, &mut outcomes)
            .await
        {
            return (Err(error), None);
        }
        self.report_progress(&Progress::Started {
            kind: RunKind::EvidenceSweep,
            subjects: prepared.len(),
        });
        let Some((_, first)) = prepared.first() else {
            return (Ok(outcomes), None);
        };
        // One pass is read by one connection's rights, and judged by one state of its settings. What changed between two of them is
        // read as it is now by the next attempt.
        let guards = first.guards();
        let (ready, others): (Vec<_>, Vec<_>) = prepared
            .into_iter()
            .partition(|(_, of)| of.guards() == guards);
        outcomes.extend(others.into_iter().map(|(event, of)| {
            let guard = if of.guards().0 == guards.0 {
                Precondition::Settings
            } else {
                Precondition::Credential
            };
            (event, Ok(SweepOutcome::Superseded(guard)))
        }));
        let work = self.sweep_prepared(group, &ready, actor);
        let (swept, reading, audited) = self.with_lease(msp, held, Box::pin(work)).await;
        let record = reading.map(|reading| RunRecord {
            subject: subject_of(credential),
            started_at,
            finished_at: self.now(),
            outcome: outcome_of(&swept),
            requests: reading.requests,
            reading: Some(reading.reading),
        });
        outcomes.extend(swept);
        (audited.map(|()| outcomes), record)
    }

    /// Keeps the records of sweeps that were committed by a run that died before it kept them.
    async fn record_committed(
        &self,
        group: &SweepGroup,
        started_at: OffsetDateTime,
        outcomes: &mut GroupOutcomes,
    ) -> Result<()> {
        let is_committed =
            |outcome: &Result<SweepOutcome>| matches!(outcome, Ok(SweepOutcome::AlreadyCommitted));
        if !outcomes.iter().any(|(_, outcome)| is_committed(outcome)) {
            return Ok(());
        }
        let msp = group.msp_credential_org_id;
        let subjects = sweeps_of(group.credential(), group.mappings());
        let runs = self.views().runs_of(msp, subjects).await?;
        let recorded: BTreeSet<_> = runs
            .iter()
            .filter(|run| run.was_done_since(group.scheduled_at))
            .map(|run| run.subject)
            .collect();
        for (event, outcome) in outcomes {
            if !is_committed(outcome) || recorded.contains(&run_of(event)) {
                continue;
            }
            if let Err(error) = self.record_one_committed(event, started_at).await {
                *outcome = Err(error);
            }
        }
        Ok(())
    }

    async fn record_one_committed(
        &self,
        event: &SweepEvent,
        started_at: OffsetDateTime,
    ) -> Result<()> {
        let msp = event.msp_credential_org_id;
        let key = LeaseKey::EvidenceSweep(event.customer_compliance_org_id);
        // Who works on the customer keeps a record of its own.
        let Some(held) = self.lease(msp, key).await? else {
            return Ok(());
        };
        let ended = self.outcome_of_committed(event).await?;
        let record = ended.map(|outcome| RunRecord {
            subject: run_of(event),
            started_at,
            finished_at: self.now(),
            outcome,
            requests: 0,
            reading: None,
        });
        self.release(msp, held, record.into_iter().collect()).await
    }

    async fn sweep_prepared(
        &self,
        group: &SweepGroup,
        prepared: &[(SweepEvent, Prepared)],
        actor: Actor,
    ) -> (GroupOutcomes, Option<GroupReading>, Result<()>) {
        let now = self.now();
        let mut read = match Box::pin(self.read_prepared(group, prepared, now)).await {
            Ok(read) => read,
            // The connection is another one: as when a commit is refused, nothing was done, so nothing is remembered.
            Err(error) if error.kind() == ErrorKind::Superseded => {
                let superseded = prepared.iter().map(|(event, _)| {
                    let outcome = SweepOutcome::Superseded(Precondition::Credential);
                    (event.clone(), Ok(outcome))
                });
                return (superseded.collect(), None, Ok(()));
            }
            Err(error) => {
                tracing::warn!(%error, "many customers were not read");
                let mut failed = Vec::with_capacity(prepared.len());
                for (event, _) in prepared {
                    let swept = Err(error.of_another());
                    let outcome = self.conclude_of_group(group, event, now, swept).await;
                    failed.push((event.clone(), outcome));
                }
                return (failed, Some(self.reading_before(group).await), Ok(()));
            }
        };
        let mut outcomes = Vec::with_capacity(prepared.len());
        let mut assessments = std::mem::take(&mut read.assessments).into_iter();
        for ((event, prepared), ages) in prepared.iter().zip(&read.ages) {
            let assessment = assessments.next().unwrap_or_else(|| Err(not_assessed()));
            let swept = assessment.map(|assessment| Swept {
                prepared,
                assessment,
                ages,
                now,
                strategy: group.strategy,
            });
            let outcome = self.conclude_of_group(group, event, now, swept).await;
            outcomes.push((event.clone(), outcome));
        }
        let audited = self.audit_group(group, &outcomes, &read, actor).await;
        (outcomes, Some(read.reading), audited)
    }

    /// What earlier passes have shown of the server, which is not forgotten when one fails.
    async fn reading_before(&self, group: &SweepGroup) -> GroupReading {
        let (msp, subject) = (group.msp_credential_org_id, subject_of(group.credential()));
        let before = self.last_run(msp, subject).await.unwrap_or_default();
        let (requests, reading) = before.map_or((0, None), |run| (run.requests, run.reading));
        match reading {
            Some(reading) => GroupReading { requests, reading },
            None => GroupReading::none(group),
        }
    }

    /// Reads and judges, and commits nothing.
    async fn read_prepared(
        &self,
        group: &SweepGroup,
        prepared: &[(SweepEvent, Prepared)],
        now: OffsetDateTime,
    ) -> Result<GroupRead> {
        let (msp, credential) = (group.msp_credential_org_id, group.credential());
        let Some((_, first)) = prepared.first() else {
            return Ok(GroupRead::none(group));
        };
        let connection = first.subject.credential.guard();
        let settings = self.inner.policy.apply(&first.subject.settings.settings)?;
        let access = self
            .open(msp, &first.subject.credential, Lane::Sweep)
            .await?;
        let keyring = self.keyring()?;
        let digest_key = keyring.digest_key();
        let ages: Vec<SignatureAges> = prepared
            .iter()
            .map(|(_, of)| of.ages(keyring, now))
            .collect();
        let subjects = sweeps_of(credential, group.mappings());
        let runs = self.views().runs_of(msp, subjects).await?;
        let known = KnownRuns::of(&runs, credential, RunKind::EvidenceSweep, now);
        let members: Vec<_> = prepared
            .iter()
            .zip(&ages)
            .map(|((event, _), ages)| GroupMember {
                request: AssessmentRequest {
                    customer: event.customer_compliance_org_id,
                    organization: event.external_org_id,
                    now,
                    rules: &self.inner.policy.rules,
                    custom_fields: &settings.custom_fields,
                    kinds_in_use: settings.kinds_in_use,
                    digest_key: &digest_key,
                    signature_ages: Some(ages),
                },
                rows_before: known.rows.get(&event.mapping_id),
            })
            .collect();
        let checkpoint = StillConnected {
            integration: self,
            msp,
            connection,
        };
        // At worst it costs as much as it would for each alone.
        let alone = 12 * members.len() as u64;
        let request = GroupRequest {
            members: &members,
            strategy: group.strategy,
            organization_list: &known.pass.organization_list,
            page_sizes: &known.pass.page_sizes,
            read_again: alone + READ_AGAIN,
            checkpoint: &checkpoint,
        };
        let assess = self.inner.ninjaone.assess_group(&access, request);
        let deadline = ("event_deadline", self.inner.policy.event_deadline);
        let GroupAssessment {
            assessments,
            counts,
        } = self.within_apart_from_waits(deadline, assess).await?;
        // What was read is not thrown away for a warning that could not be written.
        if let Err(error) = self
            .warn_of_low_budget(msp, &first.subject.credential, &access)
            .await
        {
            tracing::warn!(%error, "whether little is left of the request budget is not known");
        }
        let mut rows = BTreeMap::new();
        for assessment in assessments.iter().flatten() {
            for (report, of) in &assessment.rows {
                *rows.entry(*report).or_default() += of;
            }
        }
        // The record of a connection's passes is one: it adds up those of a tick.
        let before = runs.iter().find(|run| {
            run.subject == subject_of(credential) && run.started_at >= group.scheduled_at
        });
        let pass_before = before.and_then(|run| run.reading.as_ref()?.pass.as_ref());
        let reading = GroupReading {
            requests: counts.requests + before.map_or(0, |run| run.requests),
            reading: RunReading {
                strategy: group.strategy,
                rows,
                pass: Some(Pass {
                    organizations: members.len() as u64
                        + pass_before.map_or(0, |pass| pass.organizations),
                    page_sizes: counts.page_sizes.clone(),
                    organization_list: remembered(known.pass.organization_list.clone(), &counts),
                    tenant_devices: counts.tenant_devices.or(known.pass.tenant_devices),
                    read_again: counts.read_again + pass_before.map_or(0, |pass| pass.read_again),
                }),
            },
        };
        Ok(GroupRead {
            assessments,
            ages,
            counts,
            reading,
        })
    }

    /// Commits one customer's sweep, or remembers why there is none, under that customer's lease.
    async fn conclude_of_group(
        &self,
        group: &SweepGroup,
        event: &SweepEvent,
        started_at: OffsetDateTime,
        swept: Result<Swept<'_>>,
    ) -> Result<SweepOutcome> {
        let msp = event.msp_credential_org_id;
        let key = LeaseKey::EvidenceSweep(event.customer_compliance_org_id);
        let Some(held) = self.lease(msp, key).await? else {
            return Ok(SweepOutcome::Busy);
        };
        let outcome = match swept {
            Ok(swept) => self.conclude_sweep(&held, swept).await,
            Err(error) => Err(error),
        };
        self.record_sweep(event, held, started_at, &outcome, group.strategy)
            .await?;
        outcome
    }

    /// Says on the MSP's trail how many were swept, and at which cost.
    async fn audit_group(
        &self,
        group: &SweepGroup,
        outcomes: &GroupOutcomes,
        read: &GroupRead,
        actor: Actor,
    ) -> Result<()> {
        let committed = outcomes
            .iter()
            .filter(|(_, outcome)| matches!(outcome, Ok(SweepOutcome::Committed(_))));
        let committed = committed.count() as u64;
        let msp = group.msp_credential_org_id;
        let details = AuditDetails::GroupSwept {
            credential: group.credential(),
            strategy: group.strategy,
            reason: group.reason,
            costs: group.costs,
            customers: outcomes.len() as u64,
            committed,
            requests: read.counts.requests,
            read_again: read.counts.read_again,
            foreign_rows: read.counts.foreign_rows,
            orphan_rows: read.counts.orphan_rows,
        };
        // Delivered again, it has another number of customers left.
        let left = outcomes.first().map_or(group.id, |(first, _)| {
            group.id.for_mapping(first.mapping_id)
        });
        let row = AuditRow::new(left, self.now(), actor, details);
        let _ = self.inner.store.commit_audit(msp, left, vec![row]).await?;
        tracing::info!(
            customers = outcomes.len(),
            committed,
            requests = read.counts.requests,
            strategy = group.strategy.as_str(),
            reason = group.reason.as_words(),
            "swept many customers"
        );
        Ok(())
    }
}

fn not_assessed() -> Error {
    let message = "a pass holds no assessment of a customer that it was asked for; nothing was written of this customer";
    Error::new(ErrorKind::Internal, message)
}

/// The runs of a connection's passes, and of the sweeps of these organizations.
fn sweeps_of(
    credential: CredentialId,
    mappings: impl IntoIterator<Item = MappingId>,
) -> RunSubjects {
    RunSubjects::of(RunKind::EvidenceSweep, credential, mappings)
}

/// Whose record the passes of a connection replace.
const fn subject_of(credential: CredentialId) -> RunSubject {
    RunSubject::of_connection(RunKind::EvidenceSweep, credential)
}

/// What a pass read.
struct GroupRead {
    assessments: Vec<Result<Assessment>>,
    ages: Vec<SignatureAges>,
    counts: GroupCounts,
    reading: GroupReading,
}

impl GroupRead {
    fn none(group: &SweepGroup) -> Self {
        Self {
            assessments: Vec::new(),
            ages: Vec::new(),
            counts: GroupCounts::default(),
            reading: GroupReading::none(group),
        }
    }
}

/// What the record of a pass says.
struct GroupReading {
    requests: u64,
    reading: RunReading,
}

impl GroupReading {
    fn none(group: &SweepGroup) -> Self {
        Self {
            requests: 0,
            reading: RunReading::of_customer(group.strategy, BTreeMap::new()),
        }
    }
}

/// What is known now of lists of organizations.
fn remembered(
    mut known: BTreeMap<Report, OrganizationListHabit>,
    counts: &GroupCounts,
) -> BTreeMap<Report, OrganizationListHabit> {
    known.extend(
        counts
            .organization_list
            .iter()
            .map(|(of, habit)| (*of, *habit)),
    );
    known
}

fn outcome_of(swept: &GroupOutcomes) -> RunOutcome {
    let is_done = |outcome: &Result<SweepOutcome>| match outcome {
        Ok(SweepOutcome::Committed(report)) => report.answered,
        Ok(SweepOutcome::AlreadyCommitted | SweepOutcome::Skipped(_)) => true,
        Ok(SweepOutcome::Superseded(_) | SweepOutcome::Busy) | Err(_) => false,
    };
    if swept.iter().all(|(_, outcome)| is_done(outcome)) {
        return RunOutcome::Succeeded;
    }
    let mut errors = swept.iter().map(|(_, outcome)| outcome.as_ref().err());
    if let Some(Some(first)) = swept.first().map(|(_, outcome)| outcome.as_ref().err())
        && errors.all(|error| error.is_some())
    {
        return RunOutcome::failed(first.kind());
    }
    RunOutcome::PARTIAL
}
