//! A process of the host: it does what an operation says, and tells how that ended.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use regentra_sync::{
    Choice, Connect, Disconnect, Discover, Error, ErrorKind, Integration, MapOrganization,
    MappingSync, Promote, SweepOutcome, SyncAssets, SyncCompany, SyncOutcome,
    host::{Clock as _, ManualClock},
    model::{Actor, ActorId, EventId, PortalCompany, StrategyCosts, StrategyReason, SweepStrategy},
    schedule::{Cadence, Event, GroupedSweep, PlanKind, SweepEvent, SweepGroup},
    store::Store,
};
use uuid::Uuid;

use crate::{
    history::{
        model::{Subject, Sweep, answer_of_orgs},
        step::HistoryStep,
        truth::{MSPS, Org, Tenant, msp_id},
        view::{Names, company_id, customer_id, customer_of, folded},
    },
    plan::PlanAll as _,
};

/// How an operation ended, in the words that the model has for it.
#[derive(Default)]
pub struct Performed {
    pub answer: String,
    pub busy: BTreeSet<Subject>,
    pub planned: Vec<(SweepEvent, Sweep)>,
    /// How the sync of each organization ended.
    pub synced: Vec<(Org, String)>,
}

/// One operation's part of the world.
#[derive(Clone)]
pub struct Host {
    pub store: Arc<dyn Store>,
    pub clock: ManualClock,
    pub process: Integration,
    pub names: Arc<Names>,
    /// Which operation of the history it is.
    pub number: u64,
    /// What there is to deliver.
    pub event: Option<(SweepEvent, Sweep)>,
    /// What there is to deliver in one pass.
    pub together: Vec<(SweepEvent, Sweep)>,
    pub strategy: SweepStrategy,
}

fn operator() -> Actor {
    Actor::Operator(ActorId::from_uuid(Uuid::from_u128(42)))
}

/// The secret that an operation connects with.
pub fn secret(number: u64) -> String {
    format!("secret {number}")
}

/// The operation's result in one word, or its error's kind.
fn outcome_text<T>(result: Result<T, Error>, what: impl FnOnce(T) -> String) -> String {
    result.map_or_else(|error| format!("{:?}", error.kind()), what)
}

impl Host {
    fn request(&self) -> EventId {
        EventId::of_request("history", &self.number.to_string())
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each operation")]
    pub async fn perform(&self, operation: &HistoryStep) -> Performed {
        let mut performed = Performed::default();
        let request = self.request();
        let (process, actor) = (&self.process, operator());
        performed.answer = match operation {
            HistoryStep::Connect { tenant } => self.connect(*tenant, *tenant).await,
            HistoryStep::ConnectWithClientOf { tenant, client } => {
                self.connect(*tenant, *client).await
            }
            HistoryStep::Disconnect { tenant } => {
                let region = tenant.region();
                let done = process.disconnect(
                    msp_id(tenant.msp()),
                    Disconnect {
                        region: region.clone(),
                        actor,
                        event: request,
                    },
                );
                outcome_text(done.await, |done| {
                    if done.changed {
                        "disconnected"
                    } else {
                        "disconnected before"
                    }
                    .to_owned()
                })
            }
            HistoryStep::Discover { tenant } => {
                let region = tenant.region();
                let done = process.discover(
                    msp_id(tenant.msp()),
                    Discover {
                        region: region.clone(),
                        actor,
                        event: request,
                    },
                );
                let answer = outcome_text(done.await, |done| {
                    format!("{} listed, truncated {}", done.listed, done.truncated)
                });
                if answer == "Busy" {
                    performed.busy.insert(Subject::Discovery(*tenant));
                }
                answer
            }
            HistoryStep::UseExisting {
                tenant,
                organization,
                name,
            } => {
                let company = company_id(&(tenant.msp(), folded(name)));
                self.decide(*tenant, *organization, Choice::UseExisting(company))
                    .await
            }
            HistoryStep::CreateNew {
                tenant,
                organization,
            } => self.decide(*tenant, *organization, Choice::CreateNew).await,
            HistoryStep::DontSync {
                tenant,
                organization,
            } => self.decide(*tenant, *organization, Choice::DontSync).await,
            HistoryStep::Undecide {
                tenant,
                organization,
            } => self.decide(*tenant, *organization, Choice::Undecide).await,
            HistoryStep::AddCompany { msp, name } => {
                let company = PortalCompany {
                    id: company_id(&(*msp, folded(name))),
                    name: (*name).into(),
                    converted_to: None,
                    created_at: self.clock.now(),
                };
                self.store.add_company(msp_id(*msp), company).await.unwrap();
                "added".to_owned()
            }
            HistoryStep::Promote {
                msp,
                name,
                customer,
            } => {
                let company = company_id(&(*msp, folded(name)));
                let customer = customer_id(customer_of(*customer));
                let done = process.promote(
                    msp_id(*msp),
                    Promote {
                        company,
                        compliance_org: customer,
                        actor,
                        event: request,
                    },
                );
                outcome_text(done.await, |new| {
                    if new { "promoted" } else { "promoted before" }.to_owned()
                })
            }
            HistoryStep::Sync { tenant } => {
                let region = tenant.region();
                let done = process.sync_assets(
                    msp_id(tenant.msp()),
                    SyncAssets {
                        region: region.clone(),
                        actor,
                        event: request,
                    },
                );
                let done = done.await;
                self.answer_of_syncs(done, &mut performed)
            }
            HistoryStep::SyncCompany { msp, name } => {
                let company = company_id(&(*msp, folded(name)));
                let done = process
                    .sync_company(
                        msp_id(*msp),
                        SyncCompany {
                            company,
                            actor,
                            event: request,
                        },
                    )
                    .await;
                self.answer_of_syncs(done, &mut performed)
            }
            HistoryStep::RotateKeys => {
                let mut resealed = 0;
                for msp in MSPS {
                    resealed += process.rotate_key(msp_id(msp), actor).await.unwrap();
                }
                format!("{resealed} sealed again")
            }
            HistoryStep::Plan => {
                performed.planned = self.plan().await;
                let sweeps = performed.planned.iter().map(|(_, sweep)| *sweep);
                let syncs = self.plan_syncs().await;
                format!("{:?}, {syncs:?}", sweeps.collect::<BTreeSet<_>>())
            }
            HistoryStep::Deliver { .. } => match &self.event {
                None => String::new(),
                Some((event, sweep)) => {
                    let swept = process.sweep(event).await;
                    if matches!(swept, Ok(SweepOutcome::Busy)) {
                        performed.busy.insert(Subject::Customer(sweep.customer));
                    }
                    outcome_text(swept, answer_of_sweep)
                }
            },
            HistoryStep::DeliverTogether { .. } => self.sweep_together(&mut performed).await,
            _ => String::new(),
        };
        performed
    }

    async fn sweep_together(&self, performed: &mut Performed) -> String {
        let Some(group) = group_of(&self.together, self.strategy) else {
            return String::new();
        };
        let swept = match self.process.sweep_group(&group).await {
            Ok(swept) => swept,
            Err(error) => {
                if error.kind() == ErrorKind::Busy {
                    let tenants = self.together.iter().map(|(_, sweep)| sweep.org.0);
                    performed.busy.extend(tenants.map(Subject::Group));
                }
                return format!("{:?}", error.kind());
            }
        };
        assert_eq!(swept.len(), self.together.len(), "one end for each sweep");
        let mut swept: BTreeMap<_, _> = swept
            .into_iter()
            .map(|(event, outcome)| (event.id, outcome))
            .collect();
        let ends = self.together.iter().map(|(event, sweep)| {
            let outcome = swept.remove(&event.id).unwrap();
            if matches!(outcome, Ok(SweepOutcome::Busy)) {
                performed.busy.insert(Subject::Customer(sweep.customer));
            }
            (sweep.org, outcome_text(outcome, answer_of_sweep))
        });
        answer_of_orgs(&ends.collect::<Vec<_>>())
    }

    async fn connect(&self, tenant: Tenant, client: Tenant) -> String {
        let connect = Connect {
            event: self.request(),
            region: tenant.region(),
            client_id: client.client_id().into(),
            client_secret: secret(self.number).into(),
            allow_duplicate: false,
            actor: operator(),
        };
        let connected = self.process.connect(msp_id(tenant.msp()), connect).await;
        outcome_text(connected, |connected| {
            format!("connected, again {}", connected.reconnected)
        })
    }

    async fn decide(&self, tenant: Tenant, organization: i64, choice: Choice) -> String {
        let event = self.request();
        let (msp, mapping) = (msp_id(tenant.msp()), tenant.mapping(organization));
        let decided = self
            .process
            .map(
                msp,
                MapOrganization {
                    mapping,
                    choice,
                    actor: operator(),
                    event,
                },
            )
            .await;
        outcome_text(decided, |decided| {
            if decided.changed {
                "decided"
            } else {
                "decided so before"
            }
            .to_owned()
        })
    }

    fn answer_of_syncs(
        &self,
        synced: Result<Vec<MappingSync>, Error>,
        performed: &mut Performed,
    ) -> String {
        let org = |synced: &MappingSync| self.names.org(synced.mapping);
        outcome_text(synced, |all| {
            let all = all.iter().map(|synced| {
                let outcome = match &synced.outcome {
                    Ok(SyncOutcome::Synced {
                        truncated,
                        suspect_empty,
                        suspect_shrunk,
                        changed,
                        ..
                    }) => {
                        let suspect = *suspect_empty || *suspect_shrunk;
                        format!(
                            "synced: changed {changed}, truncated {truncated}, suspect {suspect}"
                        )
                    }
                    Ok(SyncOutcome::Missing) => "missing".to_owned(),
                    Ok(SyncOutcome::OutOfView) => "out of view".to_owned(),
                    Ok(SyncOutcome::Superseded) => "superseded".to_owned(),
                    Ok(other) => panic!("{other:?}"),
                    Err(error) => format!("{:?}", error.kind()),
                };
                if outcome == "Busy" {
                    performed.busy.insert(Subject::Assets(org(synced)));
                }
                (org(synced), outcome)
            });
            performed.synced = all.collect();
            answer_of_orgs(&performed.synced)
        })
    }

    async fn plan(&self) -> Vec<(SweepEvent, Sweep)> {
        let tick = Cadence::EVIDENCE_SWEEP.last(self.clock.now());
        let events = self
            .process
            .plan_all(PlanKind::EvidenceSweep, tick)
            .await
            .unwrap();
        let sweeps = events.into_iter().filter_map(|event| match event {
            Event::EvidenceSweep(event) => {
                let sweep = Sweep {
                    customer: event.customer_compliance_org_id.as_uuid().as_u128(),
                    org: self.names.org(event.mapping_id),
                    tick: event.scheduled_at,
                };
                Some((event, sweep))
            }
            _ => None,
        });
        sweeps.collect()
    }

    async fn plan_syncs(&self) -> BTreeSet<Tenant> {
        let tick = Cadence::ASSET_SYNC.last(self.clock.now());
        let events = self
            .process
            .plan_all(PlanKind::AssetSync, tick)
            .await
            .unwrap();
        let tenants = events.into_iter().filter_map(|event| match event {
            Event::AssetSync(event) => {
                let mut all = Tenant::ALL.into_iter();
                all.find(|tenant| {
                    msp_id(tenant.msp()) == event.msp_org_id && tenant.region() == event.region
                })
            }
            _ => None,
        });
        tenants.collect()
    }
}

/// One pass for these sweeps of one connection and tick.
fn group_of(sweeps: &[(SweepEvent, Sweep)], strategy: SweepStrategy) -> Option<SweepGroup> {
    let (first, _) = sweeps.first()?;
    let grouped = sweeps.iter().map(|(event, _)| GroupedSweep {
        customer_compliance_org_id: event.customer_compliance_org_id,
        mapping_id: event.mapping_id,
        external_org_id: event.external_org_id,
        starts_at: event.starts_at,
    });
    Some(SweepGroup {
        id: EventId::of_request("together", &first.id.to_string()),
        msp_credential_org_id: first.msp_credential_org_id,
        region: first.region.clone(),
        scheduled_at: first.scheduled_at,
        starts_at: first.starts_at,
        strategy,
        reason: StrategyReason::Fixed,
        costs: StrategyCosts::default(),
        cost: 1,
        sweeps: grouped.collect(),
    })
}

fn answer_of_sweep(swept: SweepOutcome) -> String {
    match swept {
        SweepOutcome::Committed(report) => {
            format!(
                "committed, answered {}, dry run {}",
                report.answered, report.dry_run
            )
        }
        SweepOutcome::AlreadyCommitted => "committed before".to_owned(),
        SweepOutcome::Superseded(guard) => format!("superseded: {guard:?}"),
        SweepOutcome::Skipped(_) => "skipped".to_owned(),
        SweepOutcome::Busy => "busy".to_owned(),
        other => panic!("{other:?}"),
    }
}
