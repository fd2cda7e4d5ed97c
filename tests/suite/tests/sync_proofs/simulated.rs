//! A host whose MSP has a simulated NinjaOne tenant, reached over real HTTP.

use std::sync::Arc;

use ninjaone_simulator::{Preset, Tenant, front};
use regentra_harness::{keys::rotating_keyring, plan::PlanAll as _};
use regentra_sync::{
    Choice, Connect, Discover, Integration, MapOrganization, Promote, SweepOutcome,
    host::{HostPolicy, ManualClock},
    model::{MappingId, OrganizationId, RegionKey},
    ninjaone::NinjaOneApi,
    ninjaone_client::{BaseUrl, RateLimit},
    schedule::{Event, PlanKind, SweepEvent, SyncEvent},
    store::{MemoryStore, Store},
};
use serde_json::Value;
use time::Duration;

use crate::{
    site::{NOW, Site, operator, request},
    snapshot::Snapshot,
    story::{customer, ours},
};

/// A tenant behind a socket, and its devices before and after a day's changes.
pub(crate) struct Server {
    pub(crate) front: front::http::Front,
    devices: Vec<Value>,
}

/// A host that synced and swept it once, and has not seen the changes.
pub(crate) struct Host<'a> {
    server: &'a Server,
    pub(crate) site: Site,
    sync: SyncEvent,
    sweeps: Vec<SweepEvent>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let tenant = Tenant::builder(NOW).preset(Preset::Failing, 5, 40);
        let tenant = tenant.organization_count(2).build();
        let devices = tenant.devices().to_vec();
        let front = front::http::serve(tenant).await;
        Self { front, devices }
    }

    fn region(&self) -> RegionKey {
        RegionKey::parse(&self.front.url()).unwrap()
    }

    pub(crate) fn process(&self, store: Arc<dyn Store>, clock: &ManualClock) -> Integration {
        let own = self.region();
        let is_own = move |base: &BaseUrl| {
            let own = own.base_url();
            own.is_ok_and(|own| own.to_string() == base.to_string())
        };
        let keyring = Arc::new(rotating_keyring(false));
        let live = NinjaOneApi::new()
            .rate_limit(RateLimit::unlimited())
            .shared_budget(Arc::clone(&store), Arc::clone(&keyring));
        Integration::builder(store, keyring, Arc::new(live))
            .clock(Arc::new(clock.clone()))
            .policy(HostPolicy::default().allow_hosts(is_own))
            .build()
    }

    pub(crate) async fn host(&self) -> Host<'_> {
        self.front.tenant().set_devices(&self.devices);
        let mut site = Site::new(|clock| Arc::new(MemoryStore::new().with_clock(clock)), ());
        site.tenants.msps = vec![ours()];
        let process = self.process(Arc::clone(&site.store), &site.clock);
        let (region, msp) = (self.region(), ours());
        let connect = {
            let tenant = self.front.tenant();
            Connect {
                event: request("connect"),
                region: region.clone(),
                client_id: tenant.client_id().into(),
                client_secret: tenant.client_secret().into(),
                allow_duplicate: false,
                actor: operator(),
            }
        };
        let credential = process.connect(msp, connect).await.unwrap().credential;
        let discovery = process.discover(
            msp,
            Discover {
                region: region.clone(),
                actor: operator(),
                event: request("discover"),
            },
        );
        discovery.await.unwrap();
        let organizations = self.front.tenant().organizations().to_vec();
        for (number, organization) in (101..).zip(&organizations) {
            let id = organization.get("id").and_then(Value::as_i64).unwrap();
            let mapping = MappingId::of(credential, OrganizationId::new(id));
            let event = request(&format!("map {id}"));
            let mapped = process.map(
                msp,
                MapOrganization {
                    mapping,
                    choice: Choice::CreateNew,
                    actor: operator(),
                    event,
                },
            );
            let company = mapped.await.unwrap().mapping.state.company().unwrap();
            let (customer, event) = (customer(number), request(&format!("promote {id}")));
            let promoted = process.promote(
                msp,
                Promote {
                    company,
                    compliance_org: customer,
                    actor: operator(),
                    event,
                },
            );
            promoted.await.unwrap();
            site.tenants.customers.push(customer);
        }
        let mut host = Host::due(self, site, &process).await;
        host.handle(&process).await;
        host.site.clock.advance(Duration::hours(6));
        host = Host::due(self, host.site, &process).await;
        // A device is gone, and one has another name.
        let mut devices = self.devices.clone();
        devices.remove(0);
        if let Some(device) = devices.first_mut().and_then(Value::as_object_mut) {
            device.insert("systemName".to_owned(), "RENAMED".into());
        }
        self.front.tenant().set_devices(&devices);
        host
    }
}

impl<'a> Host<'a> {
    async fn due(server: &'a Server, mut site: Site, process: &Integration) -> Self {
        let tick = site.tick();
        site.tenants.ticks.push(tick);
        let syncs = process.plan_all(PlanKind::AssetSync, tick).await.unwrap();
        let sweeps = process
            .plan_all(PlanKind::EvidenceSweep, tick)
            .await
            .unwrap();
        let sync = syncs.into_iter().find_map(|event| match event {
            Event::AssetSync(sync) => Some(sync),
            _ => None,
        });
        let sweeps = sweeps.into_iter().filter_map(|event| match event {
            Event::EvidenceSweep(sweep) => Some(sweep),
            _ => None,
        });
        Self {
            server,
            site,
            sync: sync.unwrap(),
            sweeps: sweeps.collect(),
        }
    }

    pub(crate) fn process(&self) -> Integration {
        let store = Arc::clone(&self.site.store);
        self.server.process(store, &self.site.clock)
    }

    /// Handles everything that is due. Says whether all of it was handled.
    pub(crate) async fn handle(&self, process: &Integration) -> bool {
        let mut all = true;
        let synced = process.sync(&self.sync).await;
        all &= synced.is_ok_and(|synced| synced.iter().all(|of| of.outcome.is_ok()));
        for sweep in &self.sweeps {
            let swept = process.sweep(sweep).await;
            all &= matches!(
                swept,
                Ok(SweepOutcome::Committed(_) | SweepOutcome::AlreadyCommitted)
            );
        }
        all
    }

    /// Everything is delivered again to another process; what is there then?
    pub(crate) async fn delivered_again(&self) -> Snapshot {
        self.site.expire_leases().await;
        assert!(self.handle(&self.process()).await);
        self.site.snapshot().await
    }
}
