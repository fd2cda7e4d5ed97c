//! The whole story on a simulated tenant: connect, discover, map, sync, promote, sweep twice, disconnect.
//!
//! Time is simulated too, so that two sweeps six hours apart are played at once; the story ends now.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use anyhow::{Context as _, anyhow, bail};
use ninjaone_simulator::{
    Clock as TenantClock, Preset, Tenant,
    front::tcp::{self, Framing},
};
use regentra_evidence::{Reason, SignalKind, Status};
use regentra_sync::{
    Choice, Connect, Disconnect, Discover, Integration, MapOrganization, Promote, SweepNow,
    SweepOutcome, SyncAssets, SyncOutcome, TestConnection,
    host::{Clock as _, HostPolicy, ManualClock, StoreClock, SystemClock},
    model::{
        Actor, ActorId, AssetStatus, CompanyId, ComplianceOrgId, CredentialId, EventId, Mapping,
        MappingId, MappingState, MspOrgId, PortalCompany, RegionKey, Sensitive,
    },
    ninjaone::NinjaOneApi,
    schedule::Cadence,
    store::{AssetFilter, Store},
};
use regentra_sync_sqlite::SqliteStore;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::{
    MSP, OPERATOR,
    credentials::ApiClient,
    format::{ago, count, count_of, listed, minute, number},
    key::Key,
    output,
    progress::Meter,
    shown::Shown,
    table, verdict,
};

const SEED: u64 = 7;
const DEVICES: usize = 240;

/// Companies that the portal has before NinjaOne is asked, by the place of the organization of that name.
const IN_THE_PORTAL: [usize; 3] = [0, 2, 5];
/// The organization that is not to be synced.
const IGNORED: usize = 10;
/// The organization that nobody decides about.
const UNDECIDED: usize = 11;
/// The organization that belongs to the company of another one.
const SECOND_OF: (usize, usize) = (9, 1);
/// The organizations whose companies are promoted: a warning, a healthy, a failing one, and one that has gone dark. No more, so that
/// the whole story takes less than a minute's 180 requests.
const PROMOTED: [usize; 4] = [0, 1, 2, 5];
/// Customers that are swept side by side.
pub const PARALLEL: usize = 4;

/// Plays the story in this folder.
///
/// # Errors
/// When a step of it fails.
pub async fn play(folder: &Path) -> anyhow::Result<()> {
    let now = SystemClock.now();
    let second_sweep = Cadence::EVIDENCE_SWEEP.last(now);
    let first_sweep = second_sweep - Cadence::EVIDENCE_SWEEP.every;
    let time = ManualClock::at(first_sweep - Duration::minutes(40));

    let tenant = Tenant::preset(Preset::Mixed, SEED, DEVICES, time.now());
    let client = ApiClient {
        id: tenant.client_id().into(),
        secret: tenant.client_secret().into(),
    };
    let tenant_clock = TenantClock::new({
        let time = time.clone();
        move || time.now()
    });
    let server = tcp::serve_with(tenant, tenant_clock, Framing::default(), 0).await?;
    let database = folder.join("quickstart.db");
    let host = Host::on(&database, RegionKey::parse(&server.url())?, time.clone()).await?;

    output::line(
        "The whole story on a simulated NinjaOne tenant of a dozen customers. Time is simulated, nothing leaves this machine.",
    )?;
    host.title("Connect")?;
    host.connect(client).await?;

    host.title("Discover the organizations, and decide what each is")?;
    host.discover_and_map().await?;

    time.advance(Duration::minutes(15));
    host.title("Sync the assets")?;
    output::print(&host.sync().await?)?;
    output::print(&format!("Once more: {}", host.sync().await?))?;
    output::print(&host.requests().await?)?;

    host.title("Promote some of the companies to compliance")?;
    host.promote().await?;

    time.set(first_sweep);
    host.title("The first evidence sweep: a dry run")?;
    host.sweep(first_sweep).await?;

    time.set(second_sweep);
    host.title("Six hours later, the second sweep: tickets")?;
    host.sweep(second_sweep).await?;

    host.title("How the promoted companies stand")?;
    output::print(&host.signals().await?)?;

    host.title("The tickets that failing signals opened")?;
    output::print(&host.tickets().await?)?;

    time.set(now);
    host.title("Disconnect")?;
    host.disconnect().await?;
    let requests = server.tenant().requests().len() as u64;
    output::line(format!(
        "\nThe whole story took {}.",
        count(requests, "request to NinjaOne", "requests to NinjaOne")
    ))?;
    output::print(&farewell(&database))
}

fn farewell(database: &Path) -> String {
    let database = database.display();
    let regentra = format!("cargo run -p regentra-cli -- --db {database}");
    format!(
        "\nDatabase: {database}\n\
         \nNext, on it:\n\
         \x20 {regentra} signals --status fail\n\
         \x20 {regentra} audit --limit 20\n\
         \x20 {regentra} status\n\
         \nOn your own tenant, with NINJAONE_CLIENT_ID and NINJAONE_CLIENT_SECRET set:\n\
         \x20 cargo run --release -p regentra-cli -- connect --region us\n"
    )
}

/// A host in small: the integration over a SQLite file, of one MSP with one region.
struct Host {
    integration: Integration,
    store: Arc<dyn Store>,
    meter: Arc<Meter>,
    time: ManualClock,
    msp: MspOrgId,
    region: RegionKey,
}

/// What was decided and by whom, as the store has it.
struct Portal {
    organizations: Vec<Mapping>,
    companies: Vec<PortalCompany>,
}

impl Host {
    async fn on(database: &Path, region: RegionKey, time: ManualClock) -> anyhow::Result<Self> {
        let store = SqliteStore::migrate(database).await?;
        let store: Arc<dyn Store> = Arc::new(store.with_clock(StoreClock::of(time.clone())));
        // Where `regentra` looks for them.
        let key = Key::random()?;
        key.save(&database.with_extension("db.key"))?;
        let meter = Arc::new(Meter::new());
        let keyring = Arc::new(key.keyring()?);
        let ninjaone = NinjaOneApi::new()
            .observer(Arc::<Meter>::clone(&meter))
            .shared_budget(Arc::clone(&store), Arc::clone(&keyring));
        let integration = Integration::builder(Arc::clone(&store), keyring, Arc::new(ninjaone))
            .clock(Arc::new(time.clone()))
            .observer(Arc::<Meter>::clone(&meter))
            // The simulated tenant is no address of NinjaOne's.
            .policy(HostPolicy::default().allow_hosts(|_| true))
            .build();
        Ok(Self {
            integration,
            store,
            meter,
            time,
            msp: MspOrgId::from_uuid(MSP),
            region,
        })
    }

    fn title(&self, title: &str) -> anyhow::Result<()> {
        output::line(format!("\n── {title} ── {} ──\n", minute(self.time.now())))
    }

    fn actor() -> Actor {
        Actor::Operator(ActorId::from_uuid(OPERATOR))
    }

    /// An operator's request is an event of its own.
    fn event(&self) -> EventId {
        EventId::new(self.time.now())
    }

    async fn portal(&self) -> anyhow::Result<Portal> {
        let credential = CredentialId::of(self.msp, &self.region);
        Ok(Portal {
            organizations: self.store.mappings(self.msp, credential).await?,
            companies: self.store.companies(self.msp).await?,
        })
    }

    async fn connect(&self, client: ApiClient) -> anyhow::Result<()> {
        let test = TestConnection {
            region: self.region.clone(),
            client_id: client.id.clone(),
            client_secret: client.secret.clone(),
            try_other_regions: false,
            actor: Self::actor(),
        };
        let tested = self.integration.test_connection(self.msp, test).await?;
        let connect = Connect {
            event: self.event(),
            region: self.region.clone(),
            client_id: client.id,
            client_secret: client.secret,
            allow_duplicate: false,
            actor: Self::actor(),
        };
        self.integration.connect(self.msp, connect).await?;
        output::line(format!(
            "{} is connected: {} visible.",
            self.region,
            count(
                tested.organizations_visible,
                "organization",
                "organizations"
            )
        ))
    }

    async fn discover(&self) -> anyhow::Result<u64> {
        let discovered = self
            .integration
            .discover(
                self.msp,
                Discover {
                    region: self.region.clone(),
                    actor: Self::actor(),
                    event: self.event(),
                },
            )
            .await;
        self.meter.clear();
        let found = discovered?;
        if found.truncated || found.unreadable_rows > 0 || found.nameless > 0 {
            bail!("the simulated tenant's list of organizations is not whole");
        }
        Ok(found.added)
    }

    async fn discover_and_map(&self) -> anyhow::Result<()> {
        let added = self.discover().await?;
        let portal = self.portal().await?;
        output::line(format!(
            "NinjaOne lists {}: {} new.",
            count_of(&portal.organizations, "organization", "organizations"),
            number(added)
        ))?;
        for place in IN_THE_PORTAL {
            let name = portal.at(place)?.name.as_str();
            let company = PortalCompany {
                id: CompanyId::of_name(self.msp, name),
                name: Sensitive::new(name),
                converted_to: None,
                created_at: self.time.now(),
            };
            self.store.add_company(self.msp, company).await?;
        }
        self.discover().await?;
        output::line(format!(
            "{} have a company of that name in the portal already, and it is suggested.\n",
            IN_THE_PORTAL.len()
        ))?;
        for (place, organization) in self.portal().await?.organizations.iter().enumerate() {
            let choice = match (place, organization.suggestion) {
                (UNDECIDED, _) => continue,
                (IGNORED, _) => Choice::DontSync,
                (_, Some(company)) => Choice::UseExisting(company),
                (place, None) if place == SECOND_OF.0 => {
                    Choice::UseExisting(self.portal().await?.company_at(SECOND_OF.1)?)
                }
                (_, None) => Choice::CreateNew,
            };
            self.integration
                .map(
                    self.msp,
                    MapOrganization {
                        mapping: organization.id,
                        choice,
                        actor: Self::actor(),
                        event: self.event(),
                    },
                )
                .await?;
            if place == IGNORED {
                output::line(format!("{} is not synced.\n", label(organization)))?;
            }
        }
        output::print(&self.portal().await?.organizations())
    }

    /// Syncs, and says what was new.
    async fn sync(&self) -> anyhow::Result<String> {
        let synced = self
            .integration
            .sync_assets(
                self.msp,
                SyncAssets {
                    region: self.region.clone(),
                    actor: Self::actor(),
                    event: self.event(),
                },
            )
            .await;
        self.meter.clear();
        let (synced, portal) = (synced?, self.portal().await?);
        let mut table = table::new(&["Organization", "Company", ">Devices", ">New", ">Changed"]);
        let (mut listed, mut created, mut updated, mut retired) = (0, 0, 0, 0);
        for of in &synced {
            let SyncOutcome::Synced {
                counts, changed, ..
            } = of.outcome.as_ref().map_err(|error| anyhow!("{error}"))?
            else {
                bail!("an organization of the story was not synced");
            };
            listed += counts.listed;
            created += counts.created;
            updated += counts.updated;
            retired += counts.retired;
            if *changed {
                table.add_row([
                    table::cell(portal.label(of.mapping)),
                    table::cell(portal.company_name(of.company)),
                    table::number(counts.listed),
                    table::number(counts.created),
                    table::number(counts.updated),
                ]);
            }
        }
        let (news, rest) = if table.is_empty() {
            (String::new(), "; nothing has changed")
        } else {
            (format!("{}\n", table::text(&table)), "")
        };
        Ok(format!(
            "{news}{}, {}: {} new, {} changed, {} retired{rest}.\n",
            count_of(&synced, "organization", "organizations"),
            count(listed, "approved device", "approved devices"),
            number(created),
            number(updated),
            number(retired)
        ))
    }

    /// Requests spent against the limit.
    async fn requests(&self) -> anyhow::Result<String> {
        let mut text = String::new();
        for connection in self.integration.views().connection_status(self.msp).await? {
            let (minute, hour) = connection.budget_limits;
            text = format!(
                "Requests: {} of {} in the last hour, {} of {} in the last minute.\n",
                number(connection.budget.last_hour.into()),
                number(hour.into()),
                number(connection.budget.last_minute.into()),
                number(minute.into())
            );
        }
        Ok(text)
    }

    async fn promote(&self) -> anyhow::Result<()> {
        let portal = self.portal().await?;
        let mut names = Vec::new();
        for place in PROMOTED {
            let company = portal.company_at(place)?;
            // Where another system has made none, it is derived from the company.
            let customer = Uuid::new_v5(&company.as_uuid(), b"compliance organization");
            let customer = ComplianceOrgId::from_uuid(customer);
            self.integration
                .promote(
                    self.msp,
                    Promote {
                        company,
                        compliance_org: customer,
                        actor: Self::actor(),
                        event: self.event(),
                    },
                )
                .await?;
            names.push(portal.company_name(company).to_string());
        }
        output::line(format!("Promoted: {}.\n", listed(&names)))?;
        let portal = self.portal().await?;
        let mut assets: BTreeMap<CompanyId, u64> = BTreeMap::new();
        for asset in self.store.assets(self.msp, AssetFilter::All).await? {
            if asset.status == AssetStatus::Active {
                *assets.entry(asset.company).or_default() += 1;
            }
        }
        let mut table = table::new(&["Company", ">Assets", "Evidence"]);
        for company in &portal.companies {
            let evidence = match company.converted_to {
                None => "not promoted: assets only",
                Some(_) => "dry run until its first sweep succeeds",
            };
            table.add_row([
                table::cell(Shown::name(&company.name)),
                table::number(assets.get(&company.id).copied().unwrap_or_default()),
                table::cell(evidence),
            ]);
        }
        output::print(&table::text(&table))
    }

    async fn sweep(&self, tick: OffsetDateTime) -> anyhow::Result<()> {
        let sweep = self.integration.sweep_now(
            self.msp,
            SweepNow {
                scheduled_at: tick,
                parallel: PARALLEL,
                actor: Self::actor(),
            },
        );
        let swept = Box::pin(sweep).await;
        self.meter.clear();
        let (mut swept, portal) = (swept?, self.portal().await?);
        swept.sort_by_key(|(event, _)| event.external_org_id);
        let mut columns = vec!["Organization"];
        columns.extend(SignalKind::ALL.map(verdict::title));
        columns.push("");
        let mut table = table::new(&columns);
        let (mut opened, mut is_dry) = (0_u64, false);
        for (event, outcome) in &swept {
            let SweepOutcome::Committed(report) =
                outcome.as_ref().map_err(|error| anyhow!("{error}"))?
            else {
                bail!("an organization of the story was not swept");
            };
            let of = |kind: SignalKind| {
                let mut signals = report.signals.iter().map(|stored| &stored.signal);
                let signal = signals.find(|signal| signal.kind() == kind);
                signal.map_or_else(|| table::cell(""), |signal| table::status(signal.status))
            };
            let remark = match report.opened as u64 {
                _ if report.dry_run => "dry run".to_owned(),
                0 => String::new(),
                tickets => count(tickets, "ticket opened", "tickets opened"),
            };
            opened += report.opened as u64;
            is_dry |= report.dry_run;
            let name = [table::cell(portal.label(event.mapping_id))].into_iter();
            let verdicts = SignalKind::ALL.map(of);
            table.add_row(name.chain(verdicts).chain([table::cell(remark)]));
        }
        output::print(&format!(
            "{}\nSweep of {}: {} swept, {}; the next is due at {}.\n",
            table::text(&table),
            minute(tick),
            count_of(&swept, "organization", "organizations"),
            count(opened, "ticket opened", "tickets opened"),
            minute(Cadence::EVIDENCE_SWEEP.next(tick))
        ))?;
        if is_dry {
            output::line(
                "A first sweep is a dry run: its signals land, and tickets are opened from the next one on.",
            )?;
        }
        output::print(&self.requests().await?)
    }

    /// The five signals of each promoted company: the figures, why it does not pass, and what was not measured.
    async fn signals(&self) -> anyhow::Result<String> {
        let portal = self.portal().await?;
        let mut table = table::new(&[
            "Company",
            "Signal",
            "Verdict",
            "Figures",
            "Why",
            "Not measured",
        ]);
        let (mut verdicts, mut companies, mut oldest) = (Vec::new(), 0, None);
        for company in &portal.companies {
            if company.converted_to.is_none() {
                continue;
            }
            companies += 1;
            let mut name = Shown::name(&company.name);
            let of_company = self
                .integration
                .views()
                .posture(self.msp, company.id)
                .await?;
            for of in &of_company.posture {
                let signals = of_company.mappings.iter().flat_map(|(_, signals)| signals);
                let signals = signals
                    .map(|stored| &stored.signal)
                    .filter(|signal| signal.kind() == of.signal);
                let (figures, unmeasured): (Vec<_>, Vec<_>) = signals
                    .map(|signal| (verdict::headline(signal), verdict::unmeasured(signal)))
                    .unzip();
                table.add_row([
                    table::cell(std::mem::take(&mut name)),
                    table::cell(verdict::title(of.signal)),
                    table::status(of.status),
                    table::cell(Shown::lines(figures.into_iter().map(Shown::text))),
                    table::cell(why(&of.reasons)),
                    table::cell(Shown::lines(unmeasured.into_iter().map(Shown::text))),
                ]);
                verdicts.push(of.status);
                oldest = oldest.into_iter().chain(of.collected_at).min();
            }
        }
        let age = oldest.map_or_else(String::new, |at| {
            format!(" The oldest was collected {}.", ago(at, self.time.now()))
        });
        Ok(format!(
            "{}\n{}: {}.{age}\n",
            table::text(&table),
            count(companies, "company", "companies"),
            verdict::tally(verdicts.into_iter().collect::<Vec<Status>>())
        ))
    }

    async fn tickets(&self) -> anyhow::Result<String> {
        let portal = self.portal().await?;
        let mut table = table::new(&["Company", "Organization", "Signal", "State", "Opened"]);
        for ticket in self.integration.views().tickets(self.msp, None).await? {
            table.add_row([
                table::cell(portal.company_name(ticket.company)),
                table::cell(portal.label(ticket.key.mapping)),
                table::cell(verdict::title(ticket.key.signal)),
                table::cell(ticket.state.as_str()),
                table::cell(minute(ticket.opened_at)),
            ]);
        }
        Ok(table::text(&table))
    }

    async fn disconnect(&self) -> anyhow::Result<()> {
        let assets = self.store.assets(self.msp, AssetFilter::All).await?;
        let active = assets
            .iter()
            .filter(|asset| asset.status == AssetStatus::Active);
        let active = active.count() as u64;
        self.integration
            .disconnect(
                self.msp,
                Disconnect {
                    region: self.region.clone(),
                    actor: Self::actor(),
                    event: self.event(),
                },
            )
            .await?;
        output::line(format!(
            "{} is disconnected, and its credentials are deleted.\n\
             {} retired, the rows kept; mappings stay as they are. Signals expire 7 days after their collection.",
            self.region,
            count(active, "asset is", "assets are")
        ))
    }
}

impl Portal {
    /// The organization at a place of NinjaOne's list.
    fn at(&self, place: usize) -> anyhow::Result<&Mapping> {
        let organization = self.organizations.get(place);
        organization.context("the simulated tenant has too few organizations")
    }

    fn company_at(&self, place: usize) -> anyhow::Result<CompanyId> {
        let company = self.at(place)?.state.company();
        company.context("an organization of the story is not mapped")
    }

    fn company_name(&self, id: CompanyId) -> Shown {
        let company = self.companies.iter().find(|company| company.id == id);
        company.map_or_else(Shown::default, |company| Shown::name(&company.name))
    }

    fn label(&self, id: MappingId) -> Shown {
        let mut organizations = self.organizations.iter();
        let organization = organizations.find(|organization| organization.id == id);
        organization.map_or_else(Shown::default, label)
    }

    /// The organizations as a table.
    fn organizations(&self) -> String {
        let mut table = table::new(&[">Id", "Organization", "State", "Company"]);
        for organization in &self.organizations {
            let (state, company) = match organization.state {
                MappingState::PendingReview => ("pending review", Shown::default()),
                MappingState::Mapped { company } => ("mapped", self.company_name(company)),
                MappingState::Ignored => ("ignored", Shown::default()),
            };
            table.add_row([
                table::cell(organization.external_org_id.to_string()),
                table::cell(Shown::name(&organization.name)),
                table::cell(state),
                table::cell(company),
            ]);
        }
        table::text(&table)
    }
}

/// What an organization is called: its name, and its id in NinjaOne.
fn label(organization: &Mapping) -> Shown {
    let (name, id) = (
        Shown::name(&organization.name),
        organization.external_org_id,
    );
    Shown::text(format_args!("{name} ({id})"))
}

/// How much was not measured has a column of its own; that it was not is the reason only where there is no other.
fn why(reasons: &BTreeSet<Reason>) -> String {
    let is_unmeasured = |reason: &&Reason| {
        matches!(
            reason,
            Reason::UnmeasuredDevices | Reason::UnmeasuredVolumes
        )
    };
    let others: Vec<_> = reasons
        .iter()
        .filter(|reason| !is_unmeasured(reason))
        .collect();
    let told = if others.is_empty() {
        reasons.iter().collect()
    } else {
        others
    };
    let words: Vec<_> = told
        .into_iter()
        .map(|reason| verdict::short_reason(*reason))
        .collect();
    words.join("; ")
}
