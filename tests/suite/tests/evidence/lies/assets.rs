//! Devices as assets, and organizations whatever their names.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ninjaone_client::{
    BaseUrl, Lane, OrganizationId, RateLimit, organizations::OrganizationsParams,
};
use ninjaone_simulator::{
    Damage, Fault, FaultRule, Harm, OddName, Preset, Shape, Tenant, front::in_process,
};
use regentra_harness::{client::quick_retry, in_process::InProcess, keys::keyring};
use regentra_sync::{
    Choice, Connect, Discover, Integration, MapOrganization, SyncCompany,
    host::{HostPolicy, ManualClock, StoreClock},
    model::{
        Actor, AssetContent, AssetStatus, CompanyId, CredentialId, EventId, Fingerprint, MappingId,
        MspOrgId, RegionKey,
    },
    ninjaone::{Access, AccessGrant, DeviceListRequest, NinjaOne, NinjaOneApi, Standing},
    store::{AssetFilter, MemoryStore, Store},
};
use uuid::Uuid;

use crate::lies::scene::{NOW, Scene, run};

fn live(front: in_process::Front) -> NinjaOneApi {
    NinjaOneApi::new()
        .rate_limit(RateLimit::unlimited())
        .retry(quick_retry())
        .transport(Arc::new(InProcess::new(front)))
}

/// The approved devices of a scene's organization as assets; none where the list could not be read.
pub(crate) fn listed(
    scene: &Scene,
    faults: impl IntoIterator<Item = FaultRule>,
) -> Option<BTreeMap<i64, AssetContent>> {
    let access = {
        let tenant = scene.front.tenant();
        Access {
            base_url: BaseUrl::parse(&scene.front.url()).unwrap(),
            fingerprint: Fingerprint::from_bytes([0; 32]),
            client_id: tenant.client_id().to_owned().into(),
            grant: AccessGrant::ClientCredentials {
                client_secret: tenant.client_secret().to_owned().into(),
            },
            lane: Lane::Interactive,
            standing: Standing::Tried {
                log_ins: Fingerprint::from_bytes([1; 32]),
            },
        }
    };
    scene.with(faults, async {
        let request = DeviceListRequest {
            organization: OrganizationId::new(scene.organization),
            ceiling: 10_000,
            entra_device_id_field: None,
        };
        let live = live(scene.front.clone());
        let list = live.devices(&access, request).await.ok()?;
        let devices = list.devices.into_iter();
        Some(
            devices
                .map(|device| (device.id.get(), device.content))
                .collect(),
        )
    })
}

#[test]
fn an_organization_with_any_name_is_in_the_list() {
    let ids: BTreeSet<i64> = (0..15).map(|place| 2 + 3 * place).collect();
    let fleet = Tenant::builder(NOW)
        .preset(Preset::Healthy, 3, 30)
        .organization_count(15)
        .odd_names(&OddName::ALL)
        .build();
    let scene = Scene::of(fleet);
    let seen = |faults: Vec<FaultRule>| -> BTreeSet<i64> {
        scene.with(faults, async {
            let client = scene.client();
            let list = client.organizations().list(OrganizationsParams::default());
            let list = list.collect().await.unwrap();
            assert_eq!(list.malformed.len(), 0);
            let rows = list.rows.iter();
            rows.filter_map(|row| row.id.map(OrganizationId::get))
                .collect()
        })
    };
    assert_eq!(seen(vec![]), ids);
    for harm in Harm::ALL {
        let damage = Fault::Damaged(Damage::to("name", harm.clone()));
        assert_eq!(seen(vec![damage.on("/v2/organizations")]), ids, "{harm:?}");
    }
}

/// A host that has connected to a tenant and discovered its organizations.
struct Host {
    front: in_process::Front,
    store: Arc<dyn Store>,
    integration: Integration,
    msp: MspOrgId,
    credential: CredentialId,
}

fn event(what: &str) -> EventId {
    EventId::of_request("lies", what)
}

impl Host {
    async fn over(tenant: Tenant) -> Self {
        let (id, secret) = (
            tenant.client_id().to_owned(),
            tenant.client_secret().to_owned(),
        );
        let front = in_process::serve(tenant);
        let clock = ManualClock::at(NOW);
        let store: Arc<dyn Store> =
            Arc::new(MemoryStore::new().with_clock(StoreClock::of(clock.clone())));
        let keyring = Arc::new(keyring());
        let live = live(front.clone()).shared_budget(Arc::clone(&store), Arc::clone(&keyring));
        let integration = Integration::builder(Arc::clone(&store), keyring, Arc::new(live))
            .clock(Arc::new(clock))
            .policy(HostPolicy::default().allow_hosts(|_| true))
            .build();
        let region = RegionKey::parse(&front.url()).unwrap();
        let msp = MspOrgId::from_uuid(Uuid::from_u128(1));
        let connect = Connect {
            event: event("connect"),
            region: region.clone(),
            client_id: id.into(),
            client_secret: secret.into(),
            allow_duplicate: false,
            actor: Actor::Schedule,
        };
        let connected = integration.connect(msp, connect).await.unwrap();
        let discovery = integration.discover(
            msp,
            Discover {
                region: region.clone(),
                actor: Actor::Schedule,
                event: event("discover"),
            },
        );
        discovery.await.unwrap();
        Self {
            front,
            store,
            integration,
            msp,
            credential: connected.credential,
        }
    }

    async fn map(&self, organization: i64) -> Result<CompanyId, String> {
        let mapping = MappingId::of(self.credential, OrganizationId::new(organization));
        let event = event(&format!("map {organization}"));
        let mapped = self
            .integration
            .map(
                self.msp,
                MapOrganization {
                    mapping,
                    choice: Choice::CreateNew,
                    actor: Actor::Schedule,
                    event,
                },
            )
            .await
            .map_err(|error| error.to_string())?;
        Ok(mapped.mapping.state.company().unwrap())
    }

    /// Syncs a company, and counts its active assets and all.
    async fn sync(&self, company: CompanyId, nth: u32) -> (usize, usize) {
        let event = event(&format!("sync {nth}"));
        let synced = self
            .integration
            .sync_company(
                self.msp,
                SyncCompany {
                    company,
                    actor: Actor::Schedule,
                    event,
                },
            )
            .await
            .unwrap();
        assert!(synced.iter().all(|one| one.outcome.is_ok()), "{synced:?}");
        let assets = self.store.assets(self.msp, AssetFilter::All).await.unwrap();
        let active = assets
            .iter()
            .filter(|asset| asset.status == AssetStatus::Active);
        (active.count(), assets.len())
    }
}

#[test]
fn every_organization_is_discovered_whatever_its_name() {
    let tenant = Tenant::builder(NOW)
        .preset(Preset::Healthy, 3, 30)
        .organization_count(15)
        .odd_names(&OddName::ALL)
        .build();
    let ids: BTreeSet<i64> = (0..15).map(|place| 2 + 3 * place).collect();
    let found: BTreeSet<i64> = run(async {
        let host = Host::over(tenant).await;
        let mappings = host
            .store
            .mappings(host.msp, host.credential)
            .await
            .unwrap();
        mappings
            .iter()
            .map(|mapping| mapping.external_org_id.get())
            .collect()
    });
    assert_eq!(found, ids);
}

/// Active and all assets of an organization after a sync.
fn synced(tenant: Tenant) -> (usize, usize) {
    let organization = tenant.organizations()[0]["id"].as_i64().unwrap();
    run(async {
        let host = Host::over(tenant).await;
        let company = host.map(organization).await.unwrap();
        host.sync(company, 1).await
    })
}

#[test]
fn a_server_that_begins_to_cap_pages_retires_no_asset() {
    let fleet = Tenant::builder(NOW)
        .preset(Preset::Healthy, 5, 300)
        .organization_count(1)
        .build();
    let organization = fleet.organizations()[0]["id"].as_i64().unwrap();
    run(async {
        let host = Host::over(fleet).await;
        let company = host.map(organization).await.unwrap();
        let before = host.sync(company, 1).await;
        assert!(before.0 > 250, "{before:?}");
        for (nth, cap) in (2..).zip([7, 25, 100, 128, 256, 299]) {
            {
                let mut tenant = host.front.tenant();
                tenant.clear_faults();
                tenant.fault(Fault::PageCapped { rows: cap });
            }
            assert_eq!(host.sync(company, nth).await, before, "pages of {cap}");
        }
    });
}

#[test]
fn junk_and_shared_serial_numbers_make_no_two_machines_one() {
    let fleet = |shape: Option<Shape>| {
        let fleet = Tenant::builder(NOW)
            .preset(Preset::Healthy, 5, 60)
            .organization_count(1);
        match shape {
            Some(shape) => fleet.shape(shape),
            None => fleet,
        }
        .build()
    };
    let plain = synced(fleet(None));
    assert_eq!(plain.0, plain.1);
    for shape in [Shape::JunkSerials, Shape::OneSerial] {
        assert_eq!(synced(fleet(Some(shape))), plain, "{shape:?}");
    }
}
