//! The MSP and its two regions.

use std::sync::Arc;

use regentra_sync::{
    Choice, Connect, Disconnect, Discover, Integration, MapOrganization, Promote, SweepOutcome,
    SyncAssets, SyncOutcome,
    host::{Clock as _, ManualClock, StoreClock},
    model::{
        Actor, Asset, AssetStatus, AuditDetails, CompanyId, ComplianceOrgId, CredentialId, EventId,
        MappingId, MspOrgId, OrganizationId, PortalCompany, RegionKey,
    },
    regentra_evidence::{SignalKind, Status, posture::Posture},
    schedule::{Cadence, Event, PlanKind, SweepEvent},
    store::{AssetFilter, AuditPage, Store},
};
use time::{Duration, OffsetDateTime, macros::datetime};
use uuid::Uuid;

use crate::{
    keys::keyring,
    plan::PlanAll as _,
    scripted::{NinjaOnes, Scripted, device},
};

pub(crate) const NOW: OffsetDateTime = datetime!(2026-11-23 06:31 UTC);
pub(crate) const MSP: MspOrgId = MspOrgId::from_uuid(Uuid::from_u128(1));

/// Which customer has which organization: the first one is in both regions, and the second organizations are two customers'.
pub(crate) const CONTOSO: u128 = 1;
pub(crate) const FABRIKAM: u128 = 2;
pub(crate) const TAILSPIN: u128 = 3;

pub(crate) fn region(name: &str) -> RegionKey {
    RegionKey::parse(name).unwrap()
}

pub(crate) fn credential(name: &str) -> CredentialId {
    CredentialId::of(MSP, &region(name))
}

pub(crate) fn mapping(name: &str, organization: i64) -> MappingId {
    MappingId::of(credential(name), OrganizationId::new(organization))
}

pub(crate) fn company(number: u128) -> CompanyId {
    CompanyId::from_uuid(Uuid::from_u128(number))
}

pub(crate) fn customer(number: u128) -> ComplianceOrgId {
    ComplianceOrgId::from_uuid(Uuid::from_u128(100 + number))
}

pub(crate) fn event(label: &str) -> EventId {
    EventId::of_request("regions", label)
}

/// The MSP, connected in both regions, with three promoted customers.
pub(crate) struct Host {
    pub(crate) store: Arc<dyn Store>,
    ninjaone: NinjaOnes,
    pub(crate) clock: ManualClock,
    pub(crate) integration: Integration,
}

impl Host {
    pub(crate) async fn on(store: impl FnOnce(StoreClock) -> Arc<dyn Store>) -> Self {
        let (ninjaone, clock) = (NinjaOnes::default(), ManualClock::at(NOW));
        let store = store(StoreClock::of(clock.clone()));
        let keyring = keyring();
        let asked = Arc::new(ninjaone.clone());
        let integration = Integration::builder(Arc::clone(&store), keyring, asked)
            .clock(Arc::new(clock.clone()))
            .build();
        let host = Self {
            store,
            ninjaone,
            clock,
            integration,
        };
        for (number, name) in [
            (CONTOSO, "Contoso"),
            (FABRIKAM, "Fabrikam"),
            (TAILSPIN, "Tailspin"),
        ] {
            let added = PortalCompany {
                id: company(number),
                name: name.into(),
                converted_to: None,
                created_at: NOW,
            };
            host.store.add_company(MSP, added).await.unwrap();
        }
        host.region("us", [CONTOSO, FABRIKAM]).await;
        host.region("eu", [CONTOSO, TAILSPIN]).await;
        for number in [CONTOSO, FABRIKAM, TAILSPIN] {
            let (of, event) = (customer(number), event(&format!("promote {number}")));
            let promoted = host.integration.promote(
                MSP,
                Promote {
                    company: company(number),
                    compliance_org: of,
                    actor: Actor::Schedule,
                    event,
                },
            );
            promoted.await.unwrap();
        }
        host
    }

    /// Connects a region whose organizations 1 and 2 are these companies'.
    async fn region(&self, name: &str, companies: [u128; 2]) {
        {
            let ninjaone = self.ninjaone(name);
            let mut script = ninjaone.script();
            script.only = Some(match name {
                "eu" => ("eu.ninjarmm.com", "client eu"),
                _ => ("app.ninjarmm.com", "client us"),
            });
            let named = |number: i64| (number, format!("{name} organization {number}"));
            script.organizations = [named(1), named(2)].into();
            let machine = |id: i64| device(id, &format!("{name}-{id}"));
            script.devices.insert(1, vec![machine(10), machine(11)]);
            script.devices.insert(2, vec![machine(20)]);
        }
        self.connect(name, "first").await;
        let (listed, discover) = (region(name), event(&format!("discover {name}")));
        let discovered = self.integration.discover(
            MSP,
            Discover {
                region: listed.clone(),
                actor: Actor::Schedule,
                event: discover,
            },
        );
        discovered.await.unwrap();
        for (organization, number) in (1..).zip(companies) {
            let choice = Choice::UseExisting(company(number));
            self.map(name, organization, choice).await;
        }
    }

    /// The NinjaOne of a region.
    pub(crate) fn ninjaone(&self, name: &str) -> Scripted {
        self.ninjaone.with_client(&format!("client {name}"))
    }

    pub(crate) async fn connect(&self, name: &str, label: &str) {
        let connect = Connect {
            event: event(&format!("connect {name} {label}")),
            region: region(name),
            client_id: format!("client {name}").into(),
            client_secret: "hunter2".into(),
            allow_duplicate: false,
            actor: Actor::Schedule,
        };
        self.integration.connect(MSP, connect).await.unwrap();
    }

    pub(crate) async fn map(&self, name: &str, organization: i64, choice: Choice) {
        let event = event(&format!("map {name} {organization} {choice:?}"));
        let id = mapping(name, organization);
        let mapped = self.integration.map(
            MSP,
            MapOrganization {
                mapping: id,
                choice,
                actor: Actor::Schedule,
                event,
            },
        );
        mapped.await.unwrap();
    }

    pub(crate) async fn disconnect(&self, name: &str, label: &str) {
        let event = event(&format!("disconnect {name} {label}"));
        let region = region(name);
        let disconnected = self.integration.disconnect(
            MSP,
            Disconnect {
                region: region.clone(),
                actor: Actor::Schedule,
                event,
            },
        );
        assert!(disconnected.await.unwrap().changed);
    }

    pub(crate) async fn sync(&self, name: &str, label: &str) {
        let (region, event) = (region(name), event(&format!("sync {name} {label}")));
        let synced = self.integration.sync_assets(
            MSP,
            SyncAssets {
                region: region.clone(),
                actor: Actor::Schedule,
                event,
            },
        );
        let synced = synced.await.unwrap();
        assert_eq!(synced.len(), 2);
        for synced in synced {
            assert!(
                matches!(synced.outcome, Ok(SyncOutcome::Synced { .. })),
                "{synced:?}"
            );
        }
    }

    pub(crate) async fn assets(&self) -> Vec<Asset> {
        let mut assets = self.store.assets(MSP, AssetFilter::All).await.unwrap();
        assets.sort_by(|one, two| one.content.name.as_str().cmp(two.content.name.as_str()));
        assets
    }

    /// Active and retired assets, each by its name.
    pub(crate) async fn names(&self) -> [Vec<String>; 2] {
        let (active, retired) = self
            .assets()
            .await
            .into_iter()
            .partition::<Vec<_>, _>(|asset| asset.status == AssetStatus::Active);
        [active, retired].map(|assets| {
            let names = assets.iter().map(|asset| asset.content.name.as_str());
            names.map(str::to_owned).collect()
        })
    }

    pub(crate) async fn sweep_events(&self) -> Vec<SweepEvent> {
        let tick = Cadence::EVIDENCE_SWEEP.last(self.clock.now());
        let planned = self.integration.plan_all(PlanKind::EvidenceSweep, tick);
        let events = planned.await.unwrap().into_iter();
        let sweeps = events.filter_map(|event| match event {
            Event::EvidenceSweep(sweep) => Some(sweep),
            _ => None,
        });
        sweeps.collect()
    }

    /// Sweeps everything that is planned, six hours after what was swept before.
    pub(crate) async fn sweep(&self) -> Vec<MappingId> {
        self.clock.advance(Duration::hours(6));
        let mut swept = Vec::new();
        for event in self.sweep_events().await {
            let outcome = self.integration.sweep(&event).await.unwrap();
            let SweepOutcome::Committed(report) = outcome else {
                unreachable!("{outcome:?}");
            };
            let of = event.mapping_id;
            assert!(report.signals.iter().all(|signal| signal.mapping == of));
            swept.push(of);
        }
        swept.sort();
        swept
    }

    /// Each verdict of a customer that is no pass.
    pub(crate) async fn signals(&self, number: u128) -> Vec<(MappingId, SignalKind, Status)> {
        let current = self
            .store
            .current_signals(customer(number), self.clock.now());
        let not_passed = current.await.unwrap().into_iter().filter_map(|stored| {
            let (kind, status) = (stored.signal.kind(), stored.signal.status);
            (status != Status::Pass).then_some((stored.mapping, kind, status))
        });
        not_passed.collect()
    }

    /// How many devices the signature history of a mapping holds.
    pub(crate) async fn signatures(&self, name: &str, organization: i64, number: u128) -> usize {
        let (id, of, nothing) = (mapping(name, organization), customer(number), event("none"));
        let state = self.store.sweep_state(MSP, of, id, nothing, NOW).await;
        state.unwrap().signature_history.len()
    }

    pub(crate) async fn posture(&self) -> Vec<Posture> {
        let posture = self
            .integration
            .views()
            .posture(MSP, company(CONTOSO))
            .await;
        posture.unwrap().posture
    }

    /// The disconnects on a customer's trail.
    pub(crate) async fn told(&self, number: u128) -> Vec<AuditDetails> {
        let trail = self
            .store
            .customer_audit(customer(number), AuditPage::newest(100))
            .await
            .unwrap();
        let details = trail.into_iter().map(|row| row.details);
        details
            .filter(|details| matches!(details, AuditDetails::Disconnected { .. }))
            .collect()
    }
}
