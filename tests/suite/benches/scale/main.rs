//! One large MSP on the shipped stores: what a tick costs beside NinjaOne's own time.
//!
//! ```console
//! $ cargo bench --package regentra-suite --bench scale
//! $ cargo bench --package regentra-suite --bench scale -- --customers 100 --devices 5000 --store sqlite
//! ```
//!
//! 800 customers with 50,000 devices are discovered, mapped and promoted; their assets synced, and synced again with nothing
//! changed; each customer swept, and swept again in the next tick. Then 100,000 mappings of 800 other MSPs are planned. NinjaOne
//! is answered for in this process, without a limit, so that what is measured is the sync and its store.
//!
//! Without `--bench`, as `cargo test` runs it, the same goes on in small, and only what it asserts counts.

mod fleet;
mod meter;
mod others;
mod stores;

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use clap::{Parser, ValueEnum};
use fleet::Fleet;
use meter::Meter;
use regentra_sync::{
    Choice, Connect, Discover, Integration, MapOrganization, MappingSync, Promote, SweepNow,
    SweepOutcome, SyncAssets, SyncOutcome,
    host::{Clock as _, ManualClock, StoreClock},
    model::{Actor, ComplianceOrgId, CredentialId, EventId, MspOrgId, RegionKey},
    schedule::{Cadence, Event, PlanKind},
    seal::{KeyId, Keyring, MasterKey},
    store::{AssetFilter, Store},
};
use sha2::{Digest as _, Sha256};
use stores::Database;
use time::{Duration, OffsetDateTime, macros::datetime};
use uuid::Uuid;

const NOW: OffsetDateTime = datetime!(2026-11-23 06:31 UTC);

/// A customer's sync takes no more statements than this, however many devices it has.
const STATEMENTS: u64 = 24;

/// Customers that are swept at a time.
const PARALLEL: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum On {
    Sqlite,
    Postgres,
}

/// What a tick of one large MSP costs on the shipped stores.
#[derive(Debug, Parser)]
struct Arguments {
    /// Customers of the MSP.
    #[arg(long, default_value_t = 800)]
    customers: usize,
    /// Devices of all of them.
    #[arg(long, default_value_t = 50_000)]
    devices: usize,
    /// Mappings of other MSPs that are planned.
    #[arg(long, default_value_t = 100_000)]
    mappings: usize,
    /// One store only.
    #[arg(long)]
    store: Option<On>,
    /// Says which statements a step ran, and how often.
    #[arg(long)]
    statements: bool,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let mut arguments = Arguments::parse();
    if !arguments.bench {
        (arguments.customers, arguments.devices, arguments.mappings) = (8, 200, 240);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    meter::count_statements();
    for on in [On::Sqlite, On::Postgres] {
        if arguments.store.is_some_and(|only| only != on) {
            continue;
        }
        let database = match on {
            On::Sqlite => Some(runtime.block_on(stores::sqlite())?),
            On::Postgres => runtime.block_on(stores::postgres())?,
        };
        if let Some(database) = database {
            runtime
                .block_on(story(&database, &arguments))
                .with_context(|| format!("on {database}"))?;
        }
    }
    Ok(())
}

async fn story(database: &Database, arguments: &Arguments) -> anyhow::Result<()> {
    let &Arguments {
        customers, devices, ..
    } = arguments;
    let fleet = Fleet::new(customers, devices);
    let clock = ManualClock::at(NOW);
    let store = database.store(StoreClock::of(clock.clone()));
    let host = Host {
        integration: Integration::builder(Arc::clone(&store), keyring()?, Arc::new(fleet))
            .clock(Arc::new(clock.clone()))
            .build(),
        store,
        msp: MspOrgId::from_uuid(Uuid::from_u128(1)),
        region: RegionKey::parse("us")?,
    };
    let meter = Meter::new(database, customers, arguments.statements);
    println!(
        "\n{database}: {customers} customers, {devices} devices\n\n{}",
        Meter::HEAD
    );

    meter
        .measure("discover, map, promote", customers, host.furnish(customers))
        .await?;
    let synced = meter
        .measure("first asset sync", devices, host.sync("first"))
        .await?;
    ensure!(
        counted(&synced) == (customers, devices),
        "not every device was synced"
    );
    ensure!(
        meter.statements() <= STATEMENTS * customers as u64,
        "statements grow with devices"
    );

    let before = host.asset_digest().await?;
    database.freeze_assets().await?;
    let synced = meter
        .measure("second, nothing changed", devices, host.sync("second"))
        .await?;
    database.thaw_assets().await?;
    ensure!(
        counted(&synced) == (customers, 0),
        "something was written again"
    );
    ensure!(host.asset_digest().await? == before, "an asset row changed");

    for name in [
        "first sweep (dry run)",
        "second sweep (tickets)",
        "third sweep",
    ] {
        let tick = Cadence::EVIDENCE_SWEEP.last(clock.now());
        let swept = meter.measure(name, customers, host.sweep(tick)).await?;
        ensure!(
            swept == customers,
            "{swept} of {customers} customers were swept"
        );
        clock.advance(Duration::hours(6));
    }
    println!(
        "\nsize of the database: {:.1} MB\n\n{}",
        database.megabytes().await?,
        Meter::HEAD
    );

    let planned = customers
        + others::furnish(
            &host.integration,
            &*host.store,
            database,
            arguments.mappings,
        )
        .await?;
    let plan = count_planned(&host.integration, PlanKind::EvidenceSweep);
    let events = meter.measure("plan evidence sweeps", planned, plan).await?;
    ensure!(
        events == planned,
        "{events} of {planned} mappings were planned"
    );
    let plan = count_planned(&host.integration, PlanKind::AssetSync);
    let msps = 1 + others::msps(arguments.mappings);
    let events = meter.measure("plan asset syncs", msps, plan).await?;
    ensure!(events == msps, "{events} of {msps} regions were planned");
    Ok(())
}

/// Plans a tick page by page, and keeps no page.
/// How many syncs or sweeps an event stands for.
fn sweeps_of(event: &Event) -> usize {
    match event {
        Event::SweepGroup(group) => group.sweeps.len(),
        _ => 1,
    }
}

async fn count_planned(integration: &Integration, kind: PlanKind) -> anyhow::Result<usize> {
    let (mut planned, mut from) = (0, None);
    loop {
        let page = integration.plan(kind, NOW, from).await?;
        planned += page.events.iter().map(sweeps_of).sum::<usize>();
        from = page.next;
        if from.is_none() {
            return Ok(planned);
        }
    }
}

fn keyring() -> anyhow::Result<Keyring> {
    Ok(Keyring::new(
        KeyId::new("bench")?,
        MasterKey::from_bytes([1; 32]),
        MasterKey::from_bytes([9; 32]),
    ))
}

/// Organizations synced, and rows written.
fn counted(synced: &[MappingSync]) -> (usize, usize) {
    let outcomes = synced.iter().filter_map(|sync| match &sync.outcome {
        Ok(SyncOutcome::Synced { counts, .. }) => Some(counts),
        _ => None,
    });
    outcomes.fold((0, 0), |(organizations, rows), counts| {
        let written = counts.created + counts.updated + counts.moved + counts.retired;
        (
            organizations + 1,
            rows + usize::try_from(written).unwrap_or(usize::MAX),
        )
    })
}

/// The MSP and its portal.
struct Host {
    integration: Integration,
    store: Arc<dyn Store>,
    msp: MspOrgId,
    region: RegionKey,
}

impl Host {
    /// Connects, and decides about every organization as a person would: one after the other.
    async fn furnish(&self, customers: usize) -> anyhow::Result<()> {
        let &Self {
            ref integration,
            msp,
            ref region,
            ..
        } = self;
        let request = |what: &str| EventId::of_request("bench", what);
        let connect = Connect {
            event: request("connect"),
            region: region.clone(),
            client_id: "client".into(),
            client_secret: "secret".into(),
            allow_duplicate: false,
            actor: Actor::Schedule,
        };
        integration.connect(msp, connect).await?;
        let discovery = integration
            .discover(
                msp,
                Discover {
                    region: region.clone(),
                    actor: Actor::Schedule,
                    event: request("discover"),
                },
            )
            .await?;
        ensure!(
            discovery.added == customers as u64,
            "not every organization was discovered"
        );
        for mapping in self
            .store
            .mappings(msp, CredentialId::of(msp, region))
            .await?
        {
            let event = request(&format!("map {}", mapping.id));
            let mapped = integration
                .map(
                    msp,
                    MapOrganization {
                        mapping: mapping.id,
                        choice: Choice::CreateNew,
                        actor: Actor::Schedule,
                        event,
                    },
                )
                .await?;
            let company = mapped.mapping.state.company().context("just mapped")?;
            let customer =
                ComplianceOrgId::from_uuid(Uuid::from_u128(!company.as_uuid().as_u128()));
            let event = request(&format!("promote {company}"));
            integration
                .promote(
                    msp,
                    Promote {
                        company,
                        compliance_org: customer,
                        actor: Actor::Schedule,
                        event,
                    },
                )
                .await?;
        }
        Ok(())
    }

    async fn sync(&self, name: &str) -> anyhow::Result<Vec<MappingSync>> {
        let event = EventId::of_request("bench", name);
        let synced = self.integration.sync_assets(
            self.msp,
            SyncAssets {
                region: self.region.clone(),
                actor: Actor::Schedule,
                event,
            },
        );
        Ok(synced.await?)
    }

    /// Sweeps every customer once; the answer is how many.
    async fn sweep(&self, tick: OffsetDateTime) -> anyhow::Result<usize> {
        let mut committed = 0;
        let swept = self.integration.sweep_now(
            self.msp,
            SweepNow {
                scheduled_at: tick,
                parallel: PARALLEL,
                actor: Actor::Schedule,
            },
        );
        for (event, outcome) in swept.await? {
            match outcome.with_context(|| format!("sweep of mapping {}", event.mapping_id))? {
                SweepOutcome::Committed(_) => committed += 1,
                other => anyhow::bail!("not committed: {other:?}"),
            }
        }
        Ok(committed)
    }

    /// Every column of every asset row, versions and times included.
    async fn asset_digest(&self) -> anyhow::Result<Vec<u8>> {
        let mut digest = Sha256::new();
        for asset in self.store.assets(self.msp, AssetFilter::All).await? {
            digest.update(serde_json::to_vec(&asset)?);
        }
        Ok(digest.finalize().to_vec())
    }
}
