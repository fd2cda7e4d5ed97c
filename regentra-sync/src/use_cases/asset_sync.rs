use std::collections::{BTreeMap, BTreeSet};

use ninjaone_client::Lane;
use serde::Serialize;
use time::OffsetDateTime;

use super::{
    integration::{Integration, LeaseGuard, RACES, busy, superseded},
    sweep_group::StillConnected,
};
use crate::{
    error::{Error, ErrorKind, Result},
    host::{DEVICE_CEILING, ORGANIZATION_CEILING, Progress},
    model::{
        Actor, Asset, AssetId, AuditDetails, AuditRow, CompanyId, Credential, CredentialId,
        DeviceList, EventId, LeaseKey, Mapping, MappingId, MspOrgId, OrganizationId,
        OrganizationListHabit, Pass, RegionKey, Report, RunKind, RunOutcome, RunReading, RunRecord,
        RunSubject, SettingsGuard, StrategyChoice, SweepStrategy, SyncCounts, TenantView,
    },
    ninjaone::{Access, DeviceListRequest, DeviceLists, DeviceListsRequest},
    rules::{GROUP_DEVICES, GROUP_ORGANIZATIONS, KnownRuns, SyncPlan, SyncTarget, sync_plan},
    schedule::{RequestedSyncEvent, SyncEvent},
    store::{AssetCommit, AssetFilter, CommitOutcome, Precondition, RunSubjects},
};

/// What became of one organization in an asset sync.
#[derive(Debug)]
pub struct MappingSync {
    /// Which mapping.
    pub mapping: MappingId,
    /// Whose assets.
    pub company: CompanyId,
    /// How it ended.
    pub outcome: Result<SyncOutcome>,
}

/// How the sync of one organization ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[non_exhaustive]
pub enum SyncOutcome {
    /// What was listed is what is stored.
    Synced {
        /// What was done.
        counts: SyncCounts,
        /// The device list was cut at its ceiling; nothing was retired.
        truncated: bool,
        /// The list was empty while assets exist; they are held.
        suspect_empty: bool,
        /// More than a fifth of the assets, and at least five, were gone at once; they are held until the next complete list
        /// says the same.
        suspect_shrunk: bool,
        /// The connection sees a part of the tenant only; what it does not list is held.
        partial_view: bool,
        /// Whether any row was written.
        changed: bool,
    },
    /// NinjaOne no longer lists the organization; its assets are held.
    Missing,
    /// The connection sees a part of the tenant only, and not this organization; its assets are held.
    OutOfView,
    /// The organization was decided upon again, the region disconnected, or its settings changed, while it was pulled: nothing was
    /// written.
    Superseded,
}

/// Which of a region's mapped organizations are synced.
enum Selection {
    All,
    /// All but those that were synced already.
    AllBut(BTreeSet<MappingId>),
    Company(CompanyId),
    Mapping(MappingId),
}

impl Selection {
    fn has(&self, mapping: MappingId, company: CompanyId) -> bool {
        match self {
            Self::All => true,
            Self::AllBut(done) => !done.contains(&mapping),
            Self::Company(wanted) => *wanted == company,
            Self::Mapping(wanted) => *wanted == mapping,
        }
    }
}

/// A region whose assets are synced.
#[derive(Clone, Debug)]
pub struct SyncAssets {
    /// The region.
    pub region: RegionKey,
    /// Who asks.
    pub actor: Actor,
    /// Names the request: sent twice, it is done once.
    pub event: EventId,
}

/// A company whose assets are synced.
#[derive(Clone, Debug)]
pub struct SyncCompany {
    /// The company.
    pub company: CompanyId,
    /// Who asks.
    pub actor: Actor,
    /// Names the request: sent twice, it is done once.
    pub event: EventId,
}

impl Integration {
    /// Syncs the assets of every mapped organization of a region: one list of organizations, then one walk of devices each.
    /// An organization that fails does not keep the others from being synced.
    ///
    /// # Errors
    /// When no organization could be synced at all: [`ErrorKind::NotConnected`], [`ErrorKind::Sealing`], or
    /// [`ErrorKind::Ninjaone`] from the list of organizations; [`ErrorKind::Store`].
    #[tracing::instrument(name = "regentra.sync_assets", skip_all, fields(%msp, region = %request.region))]
    pub async fn sync_assets(
        &self,
        msp: MspOrgId,
        request: SyncAssets,
    ) -> Result<Vec<MappingSync>> {
        let SyncAssets {
            region,
            actor,
            event,
        } = request;
        let credential = CredentialId::of(msp, &region);
        self.sync_on_demand(msp, credential, Selection::All, actor, event)
            .await
    }

    /// Syncs the assets of one company, in whichever regions its organizations are. A person waits for it, so it goes before
    /// the schedule's requests, and beside a sync of the whole region. A region that fails does not keep the others from being
    /// synced.
    ///
    /// # Errors
    /// When no organization could be synced at all, as [`Self::sync_assets`]; [`ErrorKind::NotFound`] when there is no such
    /// company or no organization is mapped to it.
    #[tracing::instrument(name = "regentra.sync_company", skip_all, fields(%msp, company = %request.company))]
    pub async fn sync_company(
        &self,
        msp: MspOrgId,
        request: SyncCompany,
    ) -> Result<Vec<MappingSync>> {
        let SyncCompany {
            company,
            actor,
            event,
        } = request;
        let (mut synced, mut unreached, mut first_error) = (Vec::new(), Vec::new(), None);
        for credential in self.inner.store.credentials(msp).await? {
            if !credential.is_active {
                continue;
            }
            let wanted = Selection::Company(company);
            let synced_here = self.sync_on_demand(msp, credential.id, wanted, actor, event);
            match synced_here.await {
                Ok(synced_here) => synced.extend(synced_here),
                Err(error) => {
                    let mapped = self.mapped(msp, credential.id).await?;
                    let unreached_here = mapped.into_iter().filter(|(_, of)| *of == company);
                    unreached.extend(unreached_here.map(|(mapping, company)| MappingSync {
                        mapping: mapping.id,
                        company,
                        outcome: Err(error.of_another()),
                    }));
                    first_error = first_error.or(Some(error));
                }
            }
        }
        if synced.is_empty()
            && let Some(error) = first_error
        {
            return Err(error);
        }
        synced.extend(unreached);
        if synced.is_empty() {
            let message =
                "no organization of a connected region is mapped to this company: map one first";
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        Ok(synced)
    }

    /// Syncs the assets of a region as a planned event says. Organizations that were synced since it was to start are left out: an
    /// event that is delivered again spends its requests on those that are left.
    ///
    /// # Errors
    /// As [`Self::sync_assets`]; [`ErrorKind::Busy`] while another run syncs the region.
    pub async fn sync(&self, event: &SyncEvent) -> Result<Vec<MappingSync>> {
        let (msp, credential) = (event.msp_org_id, event.credential());
        let held = self.lease(msp, LeaseKey::RegionSync(credential)).await?;
        let held =
            held.ok_or_else(|| busy("this region's assets are being synced already; wait for it"))?;
        let started_at = self.now();
        let runs = self.views().runs(msp).await?;
        let since = runs.iter().filter(|run| {
            let subject = run.subject;
            subject.kind == RunKind::AssetSync
                && subject.credential == credential
                && run.was_done_since(event.starts_at)
        });
        let wanted = Selection::AllBut(since.filter_map(|run| run.subject.mapping).collect());
        let sync = self.sync_region(
            msp,
            credential,
            wanted,
            Actor::Schedule,
            event.id,
            Lane::Sweep,
        );
        let deadline = ("event_deadline", self.inner.policy.event_deadline);
        let sync = self.within(deadline, Box::pin(sync));
        let synced = self.with_lease(msp, &held, sync).await;
        let reading = synced
            .as_ref()
            .ok()
            .and_then(|(_, reading)| reading.clone());
        let synced = synced.map(|(synced, _)| synced);
        let outcome = match &synced {
            Ok(synced) if synced.iter().all(|synced| synced.outcome.is_ok()) => {
                RunOutcome::Succeeded
            }
            Ok(_) => RunOutcome::PARTIAL,
            Err(error) => failed(error),
        };
        let mut record = self.of_region(msp, credential, started_at, outcome).await?;
        if let Some((requests, reading)) = reading {
            record.requests = requests;
            record.reading = Some(reading);
        }
        self.release(msp, held, vec![record]).await?;
        synced
    }

    /// Syncs the one organization that a person asked for; nothing where it is not mapped any more.
    pub(super) async fn sync_requested(
        &self,
        event: &RequestedSyncEvent,
    ) -> Result<Vec<MappingSync>> {
        let (msp, credential) = (event.msp_org_id, event.credential());
        let wanted = Selection::Mapping(event.mapping_id);
        self.sync_on_demand(msp, credential, wanted, event.actor, event.id)
            .await
    }

    /// A sync that a person waits for runs beside the schedule's: one that was broken off keeps nobody waiting. What keeps a whole
    /// region from being synced is remembered for the operator's card, unless the schedule's sync is at work, which finds it too.
    async fn sync_on_demand(
        &self,
        msp: MspOrgId,
        credential: CredentialId,
        wanted: Selection,
        actor: Actor,
        event: EventId,
    ) -> Result<Vec<MappingSync>> {
        let started_at = self.now();
        let lane = Lane::Interactive;
        let deadline = ("event_deadline", self.inner.policy.event_deadline);
        let sync = self.sync_region(msp, credential, wanted, actor, event, lane);
        let synced = self.within(deadline, Box::pin(sync)).await;
        let synced = synced.map(|(synced, _)| synced);
        if let Err(error) = &synced
            && matches!(
                error.kind(),
                ErrorKind::Ninjaone(_) | ErrorKind::Sealing | ErrorKind::Deadline
            )
            && let Some(held) = self.lease(msp, LeaseKey::RegionSync(credential)).await?
        {
            let failed = failed(error);
            let record = self.of_region(msp, credential, started_at, failed).await?;
            self.release(msp, held, vec![record]).await?;
        }
        synced
    }

    /// The record of a region's sync. What earlier ones have shown of the server is not forgotten by one that read nothing together.
    async fn of_region(
        &self,
        msp: MspOrgId,
        credential: CredentialId,
        started_at: OffsetDateTime,
        outcome: RunOutcome,
    ) -> Result<RunRecord> {
        let (kind, finished_at) = (RunKind::AssetSync, self.now());
        let subject = RunSubject::of_connection(kind, credential);
        let subjects = RunSubjects::of(kind, credential, []);
        let runs = self.views().runs_of(msp, subjects).await?;
        let known = KnownRuns::of(&runs, credential, kind, finished_at);
        let before = runs.into_iter().find(|run| run.subject == subject);
        let reading = before.and_then(|run| run.reading);
        Ok(RunRecord {
            subject,
            started_at,
            finished_at,
            outcome,
            requests: 0,
            reading: reading.map(|reading| RunReading {
                pass: reading.pass.is_some().then_some(known.pass),
                ..reading
            }),
        })
    }

    async fn sync_region(
        &self,
        msp: MspOrgId,
        credential: CredentialId,
        wanted: Selection,
        actor: Actor,
        event: EventId,
        lane: Lane,
    ) -> Result<(Vec<MappingSync>, Option<(u64, RunReading)>)> {
        let credential = self.connected(msp, credential).await?;
        let mapped = self.mapped(msp, credential.id).await?;
        // With nothing mapped the list is asked for all the same: what is new is seen, and a connection that fails is noticed.
        let is_of_region = matches!(wanted, Selection::All | Selection::AllBut(_));
        let is_first_look = mapped.is_empty() && is_of_region;
        let targets: Vec<_> = mapped
            .into_iter()
            .filter(|(mapping, company)| wanted.has(mapping.id, *company))
            .collect();
        if targets.is_empty() && !is_first_look {
            return Ok((Vec::new(), None));
        }
        let access = self.open(msp, &credential, lane).await?;
        let list = self
            .inner
            .ninjaone
            .organizations(&access, ORGANIZATION_CEILING)
            .await?
            .strip_nul();
        let of_region = event.for_credential(credential.id);
        self.apply_listing(msp, &credential, &list, actor, of_region)
            .await?;
        let listed: BTreeSet<_> = list
            .organizations
            .iter()
            .map(|organization| organization.id)
            .collect();

        self.report_progress(&Progress::Started {
            kind: RunKind::AssetSync,
            subjects: targets.len(),
        });
        let is_missing =
            |mapping: &Mapping| list.is_complete() && !listed.contains(&mapping.external_org_id);
        let run = RegionRun {
            msp,
            credential: &credential,
            access: &access,
            actor,
            event,
        };
        let there = targets.iter().filter(|(mapping, _)| !is_missing(mapping));
        let there: Vec<_> = there.map(|(mapping, _)| mapping.clone()).collect();
        let passes = self.passes(run, there).await?;
        let mut synced = Vec::with_capacity(targets.len());
        let mut outcomes = BTreeMap::new();
        let (mut requests, mut reading) = (list.requests, None);
        for mut pass in passes {
            // What one pass has shown of the server the next need not find out again.
            if let Some(RunReading {
                pass: Some(before), ..
            }) = &reading
            {
                let shown = before.organization_list.iter();
                pass.habits.extend(shown.map(|(of, habit)| (*of, *habit)));
            }
            if let [mapping] = pass.mappings.as_slice() {
                let outcome = Box::pin(self.sync_mapping(run, mapping.clone())).await;
                outcomes.insert(mapping.id, outcome);
                continue;
            }
            let (of_pass, cost, read) = Box::pin(self.sync_together(run, pass)).await?;
            requests += cost;
            reading = Some(read);
            outcomes.extend(of_pass);
        }
        for (mapping, company) in targets {
            let id = mapping.id;
            let outcome = match outcomes.remove(&id) {
                Some(outcome) => outcome,
                None if credential.view == TenantView::Part => Ok(SyncOutcome::OutOfView),
                None => Ok(SyncOutcome::Missing),
            };
            if let Err(error) = &outcome {
                tracing::warn!(mapping = %id, %error, "an organization's assets were not synced");
            }
            let succeeded = matches!(outcome, Ok(SyncOutcome::Synced { .. }));
            self.report_progress(&Progress::Done {
                kind: RunKind::AssetSync,
                mapping: id,
                company: Some(company),
                succeeded,
            });
            synced.push(MappingSync {
                mapping: id,
                company,
                outcome,
            });
        }
        Ok((synced, reading.map(|reading| (requests, reading))))
    }

    /// Which of these organizations are read together.
    async fn passes(&self, run: RegionRun<'_>, mappings: Vec<Mapping>) -> Result<Vec<SyncPass>> {
        let each_alone = |mappings: Vec<Mapping>| {
            let alone = mappings.into_iter().map(|mapping| SyncPass {
                mappings: vec![mapping],
                ..SyncPass::default()
            });
            alone.collect()
        };
        if mappings.len() < 2 {
            return Ok(each_alone(mappings));
        }
        let store = &self.inner.store;
        let settings = store
            .connection_settings(run.msp, run.credential.id)
            .await?;
        // Settings that cannot be read fail each organization by itself, and say so.
        let applied = self
            .inner
            .policy
            .apply(&settings.unwrap_or_default().settings);
        let choice = applied.map_or(StrategyChoice::PerCustomer, |of| of.sweep_strategy);
        let is_few = match choice {
            StrategyChoice::PerCustomer => true,
            _ => choice.fixed().is_none() && mappings.len() < FEWEST_TOGETHER,
        };
        if is_few {
            return Ok(each_alone(mappings));
        }
        let runs = self.views().runs(run.msp).await?;
        let (id, now) = (run.credential.id, self.now());
        let known = KnownRuns::of(&runs, id, RunKind::AssetSync, now);
        let habits = known.pass.organization_list;
        let habit = habits.get(&Report::Devices).copied().unwrap_or_default();
        let mut passes: Vec<SyncPass> = Vec::new();
        let mut devices_of_last = 0;
        for mapping in mappings {
            let rows = known.rows.get(&mapping.id);
            let devices = rows.and_then(|rows| rows.get(&Report::Devices)).copied();
            let expected = devices.unwrap_or(USUAL_DEVICES);
            let fits = passes.last().is_some_and(|last| {
                last.mappings.len() < GROUP_ORGANIZATIONS
                    && expected.saturating_add(devices_of_last) <= GROUP_DEVICES
            });
            if !fits {
                devices_of_last = 0;
                passes.push(SyncPass {
                    habits: habits.clone(),
                    ..SyncPass::default()
                });
            }
            devices_of_last = expected.saturating_add(devices_of_last);
            if let Some(last) = passes.last_mut() {
                last.before.push(rows.cloned());
                last.mappings.push(mapping);
            }
        }
        let is_wasteful = habit == OrganizationListHabit::Ignored && passes.len() > 1;
        if is_wasteful || !habit.is_usable() {
            let all = passes.into_iter().flat_map(|pass| pass.mappings);
            return Ok(each_alone(all.collect()));
        }
        Ok(passes)
    }

    /// Syncs organizations whose devices are listed in one pass. Each is written by itself, under its own lease.
    async fn sync_together(
        &self,
        run: RegionRun<'_>,
        pass: SyncPass,
    ) -> Result<(Vec<(MappingId, Result<SyncOutcome>)>, u64, RunReading)> {
        let (msp, credential) = (run.msp, run.credential);
        let started_at = self.now();
        let mappings = pass.mappings.iter().map(|mapping| mapping.id);
        let subjects = RunSubjects::of(RunKind::AssetSync, credential.id, mappings);
        let runs = self.views().runs_of(msp, subjects).await?;
        let last: BTreeMap<_, _> = runs.into_iter().map(|run| (run.subject, run)).collect();
        let store = &self.inner.store;
        let settings = store.connection_settings(msp, credential.id).await?;
        let settings = settings.unwrap_or_default();
        let applied = self.inner.policy.apply(&settings.settings)?;
        let organizations = pass.mappings.iter().zip(pass.before);
        let organizations: Vec<_> = organizations
            .map(|(mapping, before)| (mapping.external_org_id, before))
            .collect();
        let checkpoint = StillConnected {
            integration: self,
            msp,
            connection: credential.guard(),
        };
        let request = DeviceListsRequest {
            organizations: &organizations,
            ceiling: DEVICE_CEILING,
            entra_device_id_field: applied.entra_device_id_field.as_ref(),
            organization_list: &pass.habits,
            checkpoint: &checkpoint,
        };
        let read = self.inner.ninjaone.device_lists(run.access, request).await;
        let DeviceLists { mut lists, counts } = read?;
        let devices = lists.values().flatten();
        let devices = devices.map(|list| list.devices.len() as u64);
        let reading = RunReading {
            strategy: SweepStrategy::Group,
            rows: BTreeMap::from([(Report::Devices, devices.sum())]),
            pass: Some(Pass {
                organizations: organizations.len() as u64,
                page_sizes: counts.page_sizes,
                organization_list: counts.organization_list,
                tenant_devices: counts.tenant_devices,
                read_again: counts.read_again,
            }),
        };
        let mut outcomes = Vec::with_capacity(pass.mappings.len());
        for mapping in pass.mappings {
            let read = lists.remove(&mapping.external_org_id);
            let read = read.unwrap_or_else(|| Err(not_listed()));
            let listed = read.map(|list| ListedDevices {
                list: list.strip_nul(),
                settings: settings.guard(credential.id),
            });
            let id = mapping.id;
            let before = last.get(&run_of(credential.id, id));
            let outcome = self.write_listed(run, mapping, listed, before, started_at);
            outcomes.push((id, outcome.await));
        }
        Ok((outcomes, counts.requests, reading))
    }

    /// Writes the devices of one organization that were listed with those of others.
    async fn write_listed(
        &self,
        run: RegionRun<'_>,
        mapping: Mapping,
        listed: Result<ListedDevices>,
        last: Option<&RunRecord>,
        started_at: OffsetDateTime,
    ) -> Result<SyncOutcome> {
        let key = LeaseKey::AssetSync(mapping.id);
        let held = self.lease(run.msp, key).await?;
        let held = held.ok_or_else(being_synced)?;
        // A sync of this organization alone that ended since the list was read knows more than the list does. It is known by its record
        // and not by its time, which a clock that was set back makes older.
        let subject = run_of(mapping.credential, mapping.id);
        let now_last = self.last_run(run.msp, subject).await?;
        let was_synced = |now_last: &RunRecord| Some(now_last) != last && !now_last.has_failed();
        if now_last.as_ref().is_some_and(was_synced) {
            self.release(run.msp, held, Vec::new()).await?;
            return Ok(SyncOutcome::Superseded);
        }
        self.conclude_sync(run, &mapping, held, listed, started_at)
            .await
    }

    /// The mapped organizations, with the company of each.
    async fn mapped(
        &self,
        msp: MspOrgId,
        credential: CredentialId,
    ) -> Result<Vec<(Mapping, CompanyId)>> {
        let mappings = self.inner.store.mappings(msp, credential).await?;
        let mapped = mappings
            .into_iter()
            .filter_map(|mapping| mapping.state.company().map(|company| (mapping, company)));
        Ok(mapped.collect())
    }

    async fn sync_mapping(&self, run: RegionRun<'_>, mapping: Mapping) -> Result<SyncOutcome> {
        let RegionRun {
            msp,
            credential,
            access,
            ..
        } = run;
        let held = self.lease(msp, LeaseKey::AssetSync(mapping.id)).await?;
        let held = held.ok_or_else(being_synced)?;
        let started_at = self.now();
        let organization = mapping.external_org_id;
        let listed = self.list_devices(msp, credential, access, organization);
        let listed = self.with_lease(msp, &held, listed).await;
        self.conclude_sync(run, &mapping, held, listed, started_at)
            .await
    }

    /// Writes the devices of one organization, and keeps the record of its sync.
    async fn conclude_sync(
        &self,
        run: RegionRun<'_>,
        mapping: &Mapping,
        held: LeaseGuard<'_>,
        listed: Result<ListedDevices>,
        started_at: OffsetDateTime,
    ) -> Result<SyncOutcome> {
        let RegionRun {
            msp,
            credential,
            actor,
            event,
            ..
        } = run;
        let list = listed.as_ref().ok().map(|listed| &listed.list);
        let (listed, reading) = match self.reading_of(msp, credential.id, mapping.id, list).await {
            Ok(reading) => (listed, reading),
            Err(error) => (Err(error), None),
        };
        let requests = listed.as_ref().map_or(0, |listed| listed.list.requests);
        let synced = match listed {
            Ok(listed) => {
                self.write_assets(msp, credential, mapping, &held, &listed, actor, event)
                    .await
            }
            Err(error) => Err(error),
        };
        let outcome = match &synced {
            Ok(SyncOutcome::Synced {
                counts,
                truncated,
                suspect_empty,
                suspect_shrunk,
                ..
            }) => {
                let is_partial =
                    *truncated || *suspect_empty || *suspect_shrunk || counts.malformed_rows > 0;
                Some(if is_partial {
                    RunOutcome::PARTIAL
                } else {
                    RunOutcome::Succeeded
                })
            }
            // Nothing was done, so nothing is remembered: the last run is the one before.
            Ok(SyncOutcome::Missing | SyncOutcome::OutOfView | SyncOutcome::Superseded) => None,
            Err(error) => Some(failed(error)),
        };
        let subject = run_of(credential.id, mapping.id);
        let finished_at = self.now();
        let record = outcome.map(|outcome| RunRecord {
            subject,
            started_at,
            finished_at,
            outcome,
            requests,
            reading,
        });
        self.release(msp, held, record.into_iter().collect())
            .await?;
        synced
    }

    /// How many rows a list was made of. A list that failed or is not whole says nothing of what it lacks: what is known of that stays.
    async fn reading_of(
        &self,
        msp: MspOrgId,
        credential: CredentialId,
        mapping: MappingId,
        list: Option<&DeviceList>,
    ) -> Result<Option<RunReading>> {
        let mut rows = BTreeMap::new();
        if let Some(list) = list.filter(|list| !list.truncated && list.malformed_rows == 0) {
            rows.insert(Report::Devices, list.devices.len() as u64);
            if !list.entra_device_ids_unsure {
                let devices = list.devices.iter();
                let ids = devices.filter(|device| device.content.entra_device_id.is_some());
                let ids = ids.count() as u64;
                if ids > 0 {
                    rows.insert(Report::CustomFields, ids);
                }
                return Ok(Some(RunReading::of_customer(
                    SweepStrategy::PerCustomer,
                    rows,
                )));
            }
        }
        let before = self.last_run(msp, run_of(credential, mapping)).await?;
        let before = before.and_then(|run| run.reading);
        if before.is_none() && rows.is_empty() {
            return Ok(None);
        }
        let mut reading = RunReading::of_customer(SweepStrategy::PerCustomer, rows);
        if let Some(before) = before {
            reading.keep_rows_of(before);
        }
        Ok(Some(reading))
    }

    /// The devices of one organization, by the settings that the connection has now.
    async fn list_devices(
        &self,
        msp: MspOrgId,
        credential: &Credential,
        access: &Access,
        organization: OrganizationId,
    ) -> Result<ListedDevices> {
        let store = &self.inner.store;
        let settings = store.connection_settings(msp, credential.id).await?;
        let settings = settings.unwrap_or_default();
        let applied = self.inner.policy.apply(&settings.settings)?;
        let request = DeviceListRequest {
            organization,
            ceiling: DEVICE_CEILING,
            entra_device_id_field: applied.entra_device_id_field.as_ref(),
        };
        let list = self.inner.ninjaone.devices(access, request).await?;
        Ok(ListedDevices {
            list: list.strip_nul(),
            settings: settings.guard(credential.id),
        })
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of one run, which nothing else keeps together"
    )]
    async fn write_assets(
        &self,
        msp: MspOrgId,
        credential: &Credential,
        mapping: &Mapping,
        held: &LeaseGuard<'_>,
        listed: &ListedDevices,
        actor: Actor,
        event: EventId,
    ) -> Result<SyncOutcome> {
        let list = &listed.list;
        let Some(company) = mapping.state.company() else {
            return Ok(SyncOutcome::Superseded);
        };
        let target = SyncTarget {
            credential: credential.id,
            mapping: mapping.id,
            company,
            partial_view: credential.view == TenantView::Part,
        };
        let mut event = event.for_mapping(mapping.id);
        for _ in 0..RACES {
            let now = self.now();
            let existing = self.concerned_assets(msp, target, list).await?;
            let SyncPlan {
                writes,
                counts,
                suspect_empty,
                suspect_shrunk,
            } = sync_plan(target, list, existing, now);
            let changed = !writes.is_empty();
            let synced = SyncOutcome::Synced {
                counts,
                truncated: list.truncated,
                suspect_empty,
                suspect_shrunk,
                partial_view: target.partial_view,
                changed,
            };
            let has_news = changed
                || list.truncated
                || suspect_empty
                || suspect_shrunk
                || counts.foreign_rows + counts.malformed_rows > 0;
            if !has_news {
                return Ok(synced);
            }
            let details = AuditDetails::Synced {
                mapping: mapping.id,
                counts,
                truncated_any: list.truncated,
                suspect_empty,
                suspect_shrunk,
                partial_view: target.partial_view,
            };
            let commit = AssetCommit {
                event,
                credential: Some(credential.guard()),
                settings: Some(listed.settings),
                mapping: Some(mapping.guard()),
                lease: Some(held.lease),
                writes,
                audit: vec![AuditRow::new(event, now, actor, details)],
            };
            match self.inner.store.commit_assets(msp, commit).await? {
                // The event was delivered before, and the devices have changed since: what has changed is written as well.
                CommitOutcome::AlreadyCommitted if changed => event = event.again(),
                CommitOutcome::Committed | CommitOutcome::AlreadyCommitted => return Ok(synced),
                // Another source, or the sync of the organization that a device left, wrote one of the rows.
                CommitOutcome::Superseded(Precondition::Asset) => {}
                CommitOutcome::Superseded(guard) => {
                    tracing::info!(mapping = %mapping.id, ?guard, "superseded");
                    return Ok(SyncOutcome::Superseded);
                }
            }
        }
        Err(superseded())
    }

    /// The company's assets, the listed devices' assets, and all assets of the companies those are in.
    async fn concerned_assets(
        &self,
        msp: MspOrgId,
        target: SyncTarget,
        list: &DeviceList,
    ) -> Result<Vec<Asset>> {
        let store = &self.inner.store;
        let mut concerned: BTreeMap<AssetId, Asset> = BTreeMap::new();
        let of_company = store
            .assets(msp, AssetFilter::Company(target.company))
            .await?;
        let known: BTreeSet<_> = of_company.iter().map(|asset| asset.id).collect();
        concerned.extend(of_company.into_iter().map(|asset| (asset.id, asset)));
        let elsewhere: Vec<_> = list
            .devices
            .iter()
            .map(|device| device.id)
            .filter(|device| !known.contains(&AssetId::of_device(target.credential, *device)))
            .collect();
        if !elsewhere.is_empty() {
            let filter = AssetFilter::Devices {
                credential: target.credential,
                devices: elsewhere,
            };
            let moved = store.assets(msp, filter).await?;
            let companies: BTreeSet<_> = moved.iter().map(|asset| asset.company).collect();
            for company in companies {
                let left = store.assets(msp, AssetFilter::Company(company)).await?;
                concerned.extend(left.into_iter().map(|asset| (asset.id, asset)));
            }
            concerned.extend(moved.into_iter().map(|asset| (asset.id, asset)));
        }
        Ok(concerned.into_values().collect())
    }
}

/// What the organizations of a region are synced with.
#[derive(Clone, Copy)]
struct RegionRun<'a> {
    msp: MspOrgId,
    credential: &'a Credential,
    access: &'a Access,
    actor: Actor,
    event: EventId,
}

/// Organizations whose devices are listed together.
#[derive(Default)]
struct SyncPass {
    mappings: Vec<Mapping>,
    /// The rows that the last sync of each read, by report.
    before: Vec<Option<BTreeMap<Report, u64>>>,
    habits: BTreeMap<Report, OrganizationListHabit>,
}

/// Fewer organizations are read each alone, where the strategy is not fixed.
const FEWEST_TOGETHER: usize = 5;

/// Devices of an organization that was never synced.
const USUAL_DEVICES: u64 = 20;

fn not_listed() -> Error {
    let message = "a pass holds no device list of an organization that it was asked for; nothing was written of this organization";
    Error::new(ErrorKind::Internal, message)
}

/// Whose record the sync of an organization replaces.
const fn run_of(credential: CredentialId, mapping: MappingId) -> RunSubject {
    RunSubject::of_mapping(RunKind::AssetSync, credential, mapping)
}

fn being_synced() -> Error {
    busy("this organization's assets are being synced already; wait for it")
}

/// The devices of one organization, and the settings that they were read by.
struct ListedDevices {
    list: DeviceList,
    settings: SettingsGuard,
}

fn failed(error: &Error) -> RunOutcome {
    RunOutcome::failed(error.kind())
}
