//! A host that embeds the crates in its own service, on SQLite: the schedule runs beside its own work.
//!
//! `cargo run -p regentra-snippets --example embed` starts a simulated tenant inside itself. A real service takes region, client and keys from its
//! configuration, keeps the promise's cadences, and ends the scheduler by its own shutdown signal.

use std::{sync::Arc, time::Duration as Real};

use anyhow::Context as _;
use ninjaone_simulator::{Preset, Tenant, front};
use regentra_sync::{
    Choice::CreateNew,
    Connect, Discover, Integration, MapOrganization, Promote, Scheduler,
    host::{Clock as _, HostPolicy, SystemClock},
    model::{Actor::Schedule, ComplianceOrgId, EventId, MspOrgId, RegionKey},
    ninjaone::NinjaOneApi,
    schedule::Cadence,
    seal::{KeyId, Keyring, MasterKey},
};
use regentra_sync_sqlite::SqliteStore;
use time::Duration;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let tenant = Tenant::preset(Preset::Mixed, 7, 60, SystemClock.now());
    let (client_id, client_secret) = (tenant.client_id().into(), tenant.client_secret().into());
    let server = front::tcp::serve(tenant).await?;
    let region = RegionKey::parse(&server.url())?;

    // Once per process: a store, keys, the integration.
    let folder = tempfile::tempdir()?;
    let store = Arc::new(SqliteStore::migrate(folder.path().join("service.db")).await?);
    let (key, identity) = (MasterKey::generate()?, MasterKey::generate()?);
    let keyring = Arc::new(Keyring::new(KeyId::new("demo")?, key, identity));
    let ninjaone = NinjaOneApi::new().shared_budget(store.clone(), keyring.clone());
    let (every, offset) = (Duration::seconds(3), Duration::ZERO);
    let often = Cadence { every, offset };
    let policy = HostPolicy::default()
        .asset_sync(often)
        .evidence_sweep(often);
    let sync = Integration::builder(store, keyring, Arc::new(ninjaone))
        .policy(policy.allow_hosts(|_| true))
        .build();

    // Once per MSP: connect, and decide which organization is which customer; here a rule decides.
    let msp: MspOrgId = "6f0a8f0e-8a53-4a80-9a0c-4f4f0d6f1a11".parse()?;
    let event = || EventId::new(SystemClock.now());
    let (allow_duplicate, actor) = (false, Schedule);
    #[rustfmt::skip]
    let connect = Connect { event: event(), region: region.clone(), client_id, client_secret, allow_duplicate, actor };
    let credential = sync.connect(msp, connect).await?.credential;
    sync.discover(
        msp,
        Discover {
            region: region.clone(),
            actor,
            event: event(),
        },
    )
    .await?;
    let mut customers = Vec::new();
    for organization in sync.views().mappings(msp, credential).await?.iter().take(4) {
        let mapped = sync.map(
            msp,
            MapOrganization {
                mapping: organization.id,
                choice: CreateNew,
                actor,
                event: event(),
            },
        );
        let company = mapped.await?.mapping.state.company().context("mapped")?;
        let customer = ComplianceOrgId::from_uuid(company.as_uuid());
        sync.promote(
            msp,
            Promote {
                company,
                compliance_org: customer,
                actor,
                event: event(),
            },
        )
        .await?;
        customers.push((organization.name.clone(), customer));
    }

    // The schedule runs beside the service's own work until the service ends.
    let (shutdown, told) = tokio::sync::oneshot::channel::<()>();
    let scheduler = Scheduler::new(sync.clone());
    let schedule = tokio::spawn(async move { scheduler.run(async { drop(told.await) }).await });

    // The service's own work: here, to show each customer's signals as soon as there are some.
    for (name, customer) in customers {
        let signals = || sync.views().current_signals(customer);
        while signals().await?.is_empty() {
            tokio::time::sleep(Real::from_millis(100)).await;
        }
        println!("{}", name.as_str());
        for stored in signals().await? {
            println!(
                "  {}: {}",
                stored.signal.kind().as_str(),
                stored.signal.status
            );
        }
    }
    let _ = shutdown.send(());
    println!("{:?}", schedule.await?);
    Ok(())
}
