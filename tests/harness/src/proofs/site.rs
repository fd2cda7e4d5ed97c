//! A host with several MSPs on one store: each MSP has a NinjaOne of its own, told apart by the client id.

use std::{any::Any, sync::Arc};

use regentra_sync::{
    Choice, Connect, Integration, IntegrationBuilder, MapOrganization, Promote,
    host::{Clock as _, HostPolicy, ManualClock, StoreClock},
    model::{
        Actor, ActorId, CompanyId, ComplianceOrgId, CredentialId, EventId, LeaseKey, MappingId,
        MspOrgId, OrganizationId, PortalCompany, RegionKey, StrategyChoice, WorkerId,
    },
    schedule::{Cadence, Event, PlanKind, SweepEvent, SweepGroup, SyncEvent},
    seal::Keyring,
    store::Store,
};
use time::{Duration, OffsetDateTime, macros::datetime};
use uuid::Uuid;

use crate::{
    keys::rotating_keyring,
    plan::PlanAll as _,
    proofs::snapshot::{Snapshot, Tenants},
    scripted::{NinjaOnes, Scripted},
};

pub struct Site {
    pub store: Arc<dyn Store>,
    pub ninjaone: NinjaOnes,
    pub clock: ManualClock,
    pub tenants: Tenants,
    _kept: Box<dyn Any + Send + Sync>,
}

pub fn us() -> RegionKey {
    RegionKey::parse("us").unwrap()
}

pub fn operator() -> Actor {
    Actor::Operator(ActorId::from_uuid(Uuid::from_u128(42)))
}

pub const NOW: OffsetDateTime = datetime!(2026-11-23 06:31 UTC);

pub fn msp(number: u128) -> MspOrgId {
    MspOrgId::from_uuid(Uuid::from_u128(number))
}

pub fn credential(msp: MspOrgId) -> CredentialId {
    CredentialId::of(msp, &us())
}

pub fn mapping(msp: MspOrgId, organization: i64) -> MappingId {
    MappingId::of(credential(msp), OrganizationId::new(organization))
}

/// The client id of an MSP's NinjaOne.
pub fn client_id(msp: MspOrgId) -> String {
    format!("client of {msp}")
}

pub fn request(label: &str) -> EventId {
    EventId::of_request("proof", label)
}

/// One ticket a tick: the next one goes into the digest.
fn policy() -> HostPolicy {
    HostPolicy::default().tickets_per_tick(1)
}

/// The same of a host that reads many organizations in one pass, even where they are few.
pub fn together() -> HostPolicy {
    policy().sweep_strategy(StrategyChoice::Group)
}

/// A worker that nobody is.
fn undertaker() -> WorkerId {
    WorkerId::from_uuid(Uuid::from_u128(0xdead))
}

impl Site {
    /// A host over a store that goes by the host's clock.
    pub fn new(
        store: impl FnOnce(StoreClock) -> Arc<dyn Store>,
        kept: impl Any + Send + Sync,
    ) -> Self {
        let clock = ManualClock::at(NOW);
        Self {
            store: store(StoreClock::of(clock.clone())),
            ninjaone: NinjaOnes::default(),
            clock,
            tenants: Tenants::default(),
            _kept: Box::new(kept),
        }
    }

    /// A process of the host.
    pub fn process(&self) -> Integration {
        self.builder(Arc::clone(&self.store)).build()
    }

    pub fn builder(&self, store: Arc<dyn Store>) -> IntegrationBuilder {
        self.builder_with(store, rotating_keyring(false))
    }

    pub fn builder_with(&self, store: Arc<dyn Store>, keyring: Keyring) -> IntegrationBuilder {
        Integration::builder(store, keyring, Arc::new(self.ninjaone.clone()))
            .clock(Arc::new(self.clock.clone()))
            .policy(policy())
    }

    pub async fn snapshot(&self) -> Snapshot {
        let keyring = rotating_keyring(true);
        Snapshot::of(&*self.store, &self.tenants, &keyring, self.clock.now()).await
    }

    /// Takes every lease away from its holder: as if it had expired. The clock stands as before afterwards.
    pub async fn expire_leases(&self) {
        let now = self.clock.now();
        self.clock.advance(Duration::days(1));
        self.take_every_lease().await;
        self.clock.set(now);
    }

    async fn take_every_lease(&self) {
        for msp in &self.tenants.msps {
            let mut keys = Vec::new();
            for credential in self.store.credentials(*msp).await.unwrap() {
                keys.push(LeaseKey::Discovery(credential.id));
                keys.push(LeaseKey::RegionSync(credential.id));
                keys.push(LeaseKey::SweepGroup(credential.id));
                let mappings = self.store.mappings(*msp, credential.id).await.unwrap();
                keys.extend(
                    mappings
                        .iter()
                        .map(|mapping| LeaseKey::AssetSync(mapping.id)),
                );
            }
            let customers = self.tenants.customers.iter();
            keys.extend(customers.map(|customer| LeaseKey::EvidenceSweep(*customer)));
            for key in keys {
                let (worker, length) = (undertaker(), Duration::SECOND);
                let taken = self.store.take_lease(*msp, key, worker, length);
                let lease = taken.await.unwrap().unwrap();
                let records = Vec::new();
                self.store
                    .release_lease(*msp, &lease, records)
                    .await
                    .unwrap();
            }
        }
    }

    pub fn tick(&self) -> OffsetDateTime {
        Cadence::EVIDENCE_SWEEP.last(self.clock.now())
    }

    /// The sweep of one mapping in the present tick.
    pub async fn sweep_event(&self, mapping: MappingId) -> SweepEvent {
        let process = self.process();
        let events = process.plan_all(PlanKind::EvidenceSweep, self.tick());
        let events = events.await.unwrap().into_iter();
        let mut sweeps = events.filter_map(|event| match event {
            Event::EvidenceSweep(sweep) => Some(sweep),
            _ => None,
        });
        sweeps.find(|sweep| sweep.mapping_id == mapping).unwrap()
    }

    /// The sweeps of one MSP in the present tick, in one group.
    pub async fn group_event(&self, msp: MspOrgId) -> SweepGroup {
        let process = self.builder(Arc::clone(&self.store)).policy(together());
        let process = process.build();
        let events = process.plan_all(PlanKind::EvidenceSweep, self.tick());
        let events = events.await.unwrap().into_iter();
        let mut groups = events.filter_map(|event| match event {
            Event::SweepGroup(group) => Some(group),
            _ => None,
        });
        groups
            .find(|group| group.msp_credential_org_id == msp)
            .unwrap()
    }

    /// The asset sync of one MSP that is due.
    pub async fn sync_event(&self, msp: MspOrgId) -> SyncEvent {
        let due = Cadence::ASSET_SYNC.last(self.clock.now());
        let process = self.process();
        let events = process.plan_all(PlanKind::AssetSync, due);
        let events = events.await.unwrap().into_iter();
        let mut syncs = events.filter_map(|event| match event {
            Event::AssetSync(sync) => Some(sync),
            _ => None,
        });
        syncs.find(|sync| sync.msp_org_id == msp).unwrap()
    }

    pub fn connecting(msp: MspOrgId, label: &str) -> Connect {
        Connect {
            event: request(&format!("connect {msp} {label}")),
            region: us(),
            client_id: client_id(msp).into(),
            client_secret: format!("secret {label}").into(),
            allow_duplicate: false,
            actor: operator(),
        }
    }

    pub async fn add_company(&mut self, msp: MspOrgId, name: &str) -> CompanyId {
        let id = CompanyId::of_name(msp, name);
        let company = PortalCompany {
            id,
            name: name.into(),
            converted_to: None,
            created_at: NOW,
        };
        self.store.add_company(msp, company).await.unwrap();
        id
    }

    /// Maps an organization to a company, or leaves it.
    pub async fn map(&self, msp: MspOrgId, organization: i64, choice: Choice) {
        let label = format!("map {msp} {organization}");
        let id = mapping(msp, organization);
        let process = self.process();
        let mapped = process.map(
            msp,
            MapOrganization {
                mapping: id,
                choice,
                actor: operator(),
                event: request(&label),
            },
        );
        mapped.await.unwrap();
    }

    pub async fn promote(&mut self, msp: MspOrgId, company: CompanyId, number: u128) {
        let customer = ComplianceOrgId::from_uuid(Uuid::from_u128(number));
        let event = request(&format!("promote {company}"));
        let process = self.process();
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
        self.tenants.customers.push(customer);
    }
}

impl NinjaOnes {
    /// The one of an MSP.
    pub fn of(&self, msp: MspOrgId) -> Scripted {
        self.with_client(&client_id(msp))
    }
}
