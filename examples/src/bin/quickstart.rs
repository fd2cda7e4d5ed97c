//! The whole story on one machine: a simulated NinjaOne tenant of a dozen customers, an MSP that connects it, maps it, syncs its
//! assets, promotes some customers, sweeps their evidence twice, and disconnects.
//!
//! Nothing leaves the machine. The story takes place within the last hours, so that a host's real schedule is seen to go on.

use std::{collections::BTreeSet, path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::Context as _;
use ninjaone_simulator::{Preset, Tenant, front};
use regentra_examples::{
    host::{
        Host, companies, connection, organizations,
        progress::Shown,
        sweep, sync,
        table::{count, time},
        tickets,
    },
    verdict,
};
use regentra_sync::{
    CompanyId, CredentialId, EventId, RegionKey,
    audit::AuditAction,
    clock::{Clock as _, ManualClock, SystemClock},
    company::PortalCompany,
    integration::{Choice, Connect, SyncOutcome, TestConnection},
    mapping::{Mapping, MappingState},
    schedule::Cadence,
    store::AuditPage,
};
use regentra_sync_sqlite::SqliteStore;
use time::Duration;

const SEED: u64 = 12;
const CUSTOMERS: usize = 12;
const DEVICES: usize = 320;
/// Companies that the portal has before NinjaOne is connected, so that some organizations find theirs by name.
const EXISTING: usize = 4;
/// Customers that are promoted to compliance.
const PROMOTED: usize = 5;

fn step(number: u32, title: &str) {
    println!("\n--- {number}. {title}\n");
}

struct Story {
    host: Host,
    clock: ManualClock,
    shown: Arc<Shown>,
    region: RegionKey,
    tenant: front::http::Front,
    database: PathBuf,
}

impl Story {
    async fn begin() -> anyhow::Result<Self> {
        let second_sweep = Cadence::EVIDENCE_SWEEP.last(SystemClock.now());
        let begin = second_sweep - Cadence::EVIDENCE_SWEEP.every;
        let tenant = Tenant::builder(begin)
            .preset(Preset::Mixed, SEED, DEVICES)
            .organization_count(CUSTOMERS)
            .build();
        let tenant = front::http::serve(tenant).await;

        let folder =
            std::env::temp_dir().join(format!("regentra-quickstart-{}", std::process::id()));
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("{} cannot be created", folder.display()))?;
        let database = folder.join("regentra.db");
        let store = SqliteStore::migrate(&database).await?;
        let (clock, shown) = (ManualClock::at(begin), Arc::new(Shown::default()));
        let host = Host::over(
            store,
            &database,
            Arc::new(clock.clone()),
            Arc::<Shown>::clone(&shown),
        )?;
        let region = RegionKey::parse(&tenant.url())?;
        Ok(Self {
            host,
            clock,
            shown,
            region,
            tenant,
            database,
        })
    }

    fn event(&self, what: &str) -> EventId {
        EventId::of_request("quickstart", &format!("{what} {}", self.host.now()))
    }

    async fn connect(&self) -> anyhow::Result<()> {
        step(1, "Connect");
        let (id, secret) = {
            let tenant = self.tenant.tenant();
            (
                tenant.client_id().to_owned(),
                tenant.client_secret().to_owned(),
            )
        };
        println!("A simulated NinjaOne tenant answers at {}.", self.region);
        let host = &self.host;
        let request = TestConnection {
            region: self.region.clone(),
            client_id: id.as_str().into(),
            client_secret: secret.as_str().into(),
            try_other_regions: false,
            actor: host.actor,
        };
        let test = host.integration.test_connection(host.msp, request).await?;
        println!(
            "The test before saving sees {} organizations.",
            test.organizations_visible
        );
        let request = Connect {
            event: self.event("connect"),
            region: self.region.clone(),
            client_id: id.into(),
            client_secret: secret.into(),
            allow_duplicate: false,
            actor: host.actor,
        };
        host.integration.connect(host.msp, request).await?;
        println!("The credentials are saved, sealed with a key that lies in a file of its own.");
        Ok(())
    }

    async fn map(&self) -> anyhow::Result<Vec<Mapping>> {
        step(2, "Discover and map");
        let host = &self.host;
        let names: Vec<_> = {
            let tenant = self.tenant.tenant();
            let names = tenant.organizations().iter().take(EXISTING);
            names
                .filter_map(|row| row.get("name")?.as_str().map(str::to_owned))
                .collect()
        };
        for name in &names {
            let id = CompanyId::of_name(host.msp, name);
            let company = PortalCompany {
                id,
                name: name.to_uppercase().into(),
                converted_to: None,
                created_at: host.now(),
            };
            host.store.add_company(host.msp, company).await?;
        }
        let discovery = host
            .integration
            .discover(host.msp, &self.region, host.actor, self.event("discover"))
            .await?;
        println!(
            "{} organizations are new; {} have a company of the same name in the portal already.",
            discovery.added,
            names.len()
        );
        let credential = CredentialId::of(host.msp, &self.region);
        let mut mappings = host.store.mappings(host.msp, credential).await?;
        let last = mappings.len().saturating_sub(1);
        for (number, mapping) in mappings.iter_mut().enumerate() {
            let choice = match mapping.suggestion {
                Some(company) => Choice::UseExisting(company),
                None if number == last => Choice::DontSync,
                None => Choice::CreateNew,
            };
            let event = self.event(&format!("map {}", mapping.id));
            *mapping = host
                .integration
                .map(host.msp, mapping.id, choice, host.actor, event)
                .await?
                .mapping;
        }
        organizations::print(host, &mappings, false).await?;
        Ok(mappings)
    }

    async fn sync_assets(&self) -> anyhow::Result<()> {
        step(3, "Sync assets");
        let host = &self.host;
        let synced = host
            .integration
            .sync_assets(host.msp, &self.region, host.actor, self.event("first sync"))
            .await?;
        self.shown.finish();
        sync::print(host, &synced).await?;
        self.clock.advance(Duration::minutes(1));
        let again = host
            .integration
            .sync_assets(
                host.msp,
                &self.region,
                host.actor,
                self.event("second sync"),
            )
            .await?;
        self.shown.finish();
        let is_unchanged =
            |outcome: &SyncOutcome| matches!(outcome, SyncOutcome::Synced { changed: false, .. });
        let unchanged = again
            .iter()
            .filter(|sync| sync.outcome.as_ref().is_ok_and(is_unchanged))
            .count();
        println!(
            "A second sync over the same data: {unchanged} of {} unchanged, no row written.",
            again.len()
        );
        Ok(())
    }

    async fn promote(&self, mappings: &[Mapping]) -> anyhow::Result<()> {
        step(4, "Promote customers to compliance");
        let host = &self.host;
        let mapped: BTreeSet<_> = mappings
            .iter()
            .filter_map(|mapping| mapping.state.company())
            .collect();
        for company in mapped.into_iter().take(PROMOTED) {
            let customer = companies::compliance_org_of(company);
            let event = self.event(&format!("promote {company}"));
            host.integration
                .promote(host.msp, company, customer, host.actor, event)
                .await?;
        }
        companies::print(&companies::listed(host).await?);
        println!("The others contribute assets only, never signals.");
        Ok(())
    }

    async fn sweep(&self) -> anyhow::Result<()> {
        let host = &self.host;
        step(
            5,
            &format!(
                "First evidence sweep, as of {}: a dry run",
                time(host.now())
            ),
        );
        let swept = host
            .integration
            .sweep_now(host.msp, Cadence::EVIDENCE_SWEEP.last(host.now()), 4)
            .await?;
        self.shown.finish();
        sweep::print(host, &swept).await?;
        let opened = host.integration.tickets(host.msp, None).await?.len();
        println!("Signals landed; {} opened.", count(opened, "ticket"));

        self.clock.advance(Cadence::EVIDENCE_SWEEP.every);
        step(
            6,
            &format!(
                "Second evidence sweep, as of {}: failures open tickets",
                time(host.now())
            ),
        );
        let swept = host
            .integration
            .sweep_now(host.msp, Cadence::EVIDENCE_SWEEP.last(host.now()), 4)
            .await?;
        self.shown.finish();
        sweep::print(host, &swept).await?;
        tickets::print(host, &host.integration.tickets(host.msp, None).await?).await
    }

    async fn show(&self) -> anyhow::Result<()> {
        step(7, "What the operator sees");
        let host = &self.host;
        for status in host.integration.connection_status(host.msp).await? {
            connection::print_status(&status);
        }
        let postures = sweep::postures(host, None).await?;
        for (_, name, posture) in &postures {
            println!("{name}");
            for (signal, why) in sweep::not_passing(posture) {
                println!(
                    "  {:<8} {}: {why}",
                    verdict::word(signal.status),
                    verdict::title(signal.kind())
                );
                if let Some(missing) = verdict::not_measured(signal) {
                    println!("           not measured: {missing}");
                }
            }
        }
        println!(
            "\n{} requests in all. The limit is 200 in any minute and 1,500 in any hour.",
            self.shown.requests()
        );
        Ok(())
    }

    async fn disconnect(&self, mappings: &[Mapping]) -> anyhow::Result<()> {
        step(8, "Disconnect");
        let host = &self.host;
        self.clock.advance(Duration::minutes(1));
        host.integration
            .disconnect(host.msp, &self.region, host.actor, self.event("disconnect"))
            .await?;
        let companies = companies::listed(host).await?;
        let (active, retired) = companies.iter().fold((0, 0), |(active, retired), listed| {
            (
                active + listed.active_assets.values().sum::<usize>(),
                retired + listed.retired_assets,
            )
        });
        let mut told = 0;
        for customer in companies
            .iter()
            .filter_map(|listed| listed.company.converted_to)
        {
            let trail = host
                .integration
                .customer_audit(customer, AuditPage::newest(1))
                .await?;
            told += usize::from(
                trail
                    .iter()
                    .any(|row| row.action == AuditAction::NinjaoneDisconnected),
            );
        }
        let mapped = mappings
            .iter()
            .filter(|mapping| matches!(mapping.state, MappingState::Mapped { .. }))
            .count();
        println!(
            "In one step: the secrets are gone, {retired} assets are retired ({active} still active), {told} customers' audit \
             trails say so. Their signals expire by themselves; all {mapped} mappings are kept for a reconnect."
        );
        Ok(())
    }

    fn farewell(&self) {
        let database = self.database.display();
        println!("\nThe database lies at {database} (its keys beside it). Look around in it:");
        for command in ["companies", "signals", "tickets", "audit", "status --json"] {
            println!("  cargo run --release --bin regentra -- --db {database} {command}");
        }
        println!(
            "With a NinjaOne tenant of your own: cargo run --release --bin regentra -- connect --region us"
        );
    }
}

async fn tell() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    story.connect().await?;
    let mappings = story.map().await?;
    story.sync_assets().await?;
    story.promote(&mappings).await?;
    story.sweep().await?;
    story.show().await?;
    story.disconnect(&mappings).await?;
    story.farewell();
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    match Box::pin(tell()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
