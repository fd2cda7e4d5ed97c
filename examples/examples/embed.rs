//! A host that embeds the crates in its own service, on SQLite: the schedule runs beside its own work.
//!
//! ```console
//! $ cargo run --example embed
//! ```
//!
//! It starts a simulated NinjaOne tenant inside itself. A real service takes region, client and keys from its configuration, keeps the
//! cadences of the promise (every four and every six hours), and gives the scheduler its own shutdown signal.

use std::{error::Error, sync::Arc, time::Duration};

use ninjaone_simulator::{Preset, Tenant, front};
use regentra_sync::{
    ComplianceOrgId, EventId, Integration, MspOrgId, Policy, RegionKey, Scheduler,
    audit::Actor,
    clock::{Clock as _, SystemClock},
    integration::{Choice, Connect},
    schedule::Cadence,
    seal::{KeyId, Keyring, MasterKey},
};
use regentra_sync_sqlite::SqliteStore;
use uuid::Uuid;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let tenant = Tenant::preset(Preset::Mixed, 7, 60, SystemClock.now());
    let (client_id, client_secret) = (tenant.client_id().into(), tenant.client_secret().into());
    let server = front::tcp::serve(tenant).await?;
    let region = RegionKey::parse(&server.url())?;

    // What a service does once: a store, keys, the integration.
    let folder = tempfile::tempdir()?;
    let store = Arc::new(SqliteStore::migrate(folder.path().join("service.db")).await?);
    let keyring = Keyring::new(
        KeyId::new("demo")?,
        MasterKey::generate()?,
        MasterKey::generate()?,
    );
    let every = |seconds| Cadence {
        every: time::Duration::seconds(seconds),
        offset: time::Duration::ZERO,
    };
    let policy = Policy::default()
        .allow_hosts(|_| true)
        .asset_sync(every(3))
        .evidence_sweep(every(3));
    let integration = Integration::builder(store, keyring).policy(policy).build();

    // What an MSP does once: connect, and say which organization is which customer; here a rule says it.
    let (msp, actor) = (MspOrgId::from_uuid(Uuid::from_u128(1)), Actor::Schedule);
    let event = |what: &str| EventId::of_request("embed", what);
    let connect = Connect {
        event: event("connect"),
        region: region.clone(),
        client_id,
        client_secret,
        allow_duplicate: false,
        actor,
    };
    let credential = integration.connect(msp, connect).await?.credential;
    integration
        .discover(msp, &region, actor, event("discover"))
        .await?;
    let mut customers = Vec::new();
    for organization in integration
        .store()
        .mappings(msp, credential)
        .await?
        .into_iter()
        .take(4)
    {
        let name = organization.name.as_str().to_owned();
        let mapped = integration
            .map(msp, organization.id, Choice::CreateNew, actor, event(&name))
            .await?;
        let company = mapped.mapping.state.company().ok_or("it was mapped")?;
        let customer = ComplianceOrgId::from_uuid(company.as_uuid());
        integration
            .promote(
                msp,
                company,
                customer,
                actor,
                event(&format!("promote {name}")),
            )
            .await?;
        customers.push((name, customer));
    }

    // The schedule runs beside the service's own work until the service ends.
    let (shutdown, told) = tokio::sync::oneshot::channel::<()>();
    let scheduler = Scheduler::new(integration.clone());
    let schedule = tokio::spawn(async move { scheduler.run(async { drop(told.await) }).await });

    // The service's own work: here, to show each customer's signals as soon as there are some.
    for (name, customer) in &customers {
        let signals = loop {
            let signals = integration
                .store()
                .current_signals(*customer, SystemClock.now())
                .await?;
            if !signals.is_empty() {
                break signals;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        let of = |stored: &regentra_sync::store::StoredSignal| {
            format!("{} {}", stored.signal.kind().as_str(), stored.signal.status)
        };
        println!(
            "{name}: {}",
            signals.iter().map(of).collect::<Vec<_>>().join(", ")
        );
    }
    let _ = shutdown.send(());
    println!("{:?}", schedule.await?);
    Ok(())
}
