//! What happened to the database before it was kept: the same calls wrote the fixtures, with the release before.

use std::{path::PathBuf, sync::Arc};

use regentra_sync::{
    CompleteAuthorization, Disconnect, Discover, MapOrganization, Promote, SyncAssets,
    model::ExternalId,
};
use time::{Duration, OffsetDateTime, macros::datetime};
use uuid::Uuid;

use super::{
    answers::{Answers, CODE, Phase},
    names::{
        Actor, ActorId, AnchorSink, Asset, AssetCommit, AssetContent, AssetId, AssetStatus,
        AssetWrite, BeginAuthorization, Cadence, Callback, Choice, CommitOutcome, CompanyId,
        ComplianceOrgId, Connect, CredentialId, Event, EventId, ExternalOrgId, FileSink,
        HeadSigner, Integration, LeaseKey, ManualClock, MappingId, MspOrgId, NINJAONE_WINDOWS,
        PlanKind, PortalCompany, RegionKey, RequestedAccess, SignatureKeyId, Source, Spend, Store,
        StoreClock, SweepOutcome, Version, WorkerId, builder,
    },
};
use crate::plan::PlanAll as _;

/// When it began.
pub const BEGUN: OffsetDateTime = datetime!(2026-11-23 06:31 UTC);

/// When the database was kept: a lease is held, and an authorization under way.
pub const KEPT: OffsetDateTime = datetime!(2026-11-24 00:35 UTC);

/// What the browser of an administrator is sent to.
pub const REDIRECT: &str = "https://host.example/callback";

pub fn ours() -> MspOrgId {
    MspOrgId::from_uuid(Uuid::from_u128(1))
}

/// Another MSP, which connected and disconnected.
pub fn gone() -> MspOrgId {
    MspOrgId::from_uuid(Uuid::from_u128(2))
}

/// 101 and 102 of ours, 201 of the one that is gone.
pub fn customer(number: u128) -> ComplianceOrgId {
    ComplianceOrgId::from_uuid(Uuid::from_u128(number))
}

pub fn region(name: &str) -> RegionKey {
    RegionKey::parse(name).unwrap()
}

pub fn credential(msp: MspOrgId, name: &str) -> CredentialId {
    CredentialId::of(msp, &region(name))
}

pub fn mapping(msp: MspOrgId, name: &str, organization: i64) -> MappingId {
    MappingId::of(credential(msp, name), ExternalOrgId::new(organization))
}

/// Signs heads from the second tick on.
pub fn signer() -> HeadSigner {
    HeadSigner::new(SignatureKeyId::new("heads").unwrap(), &[7; 32])
}

pub fn operator() -> Actor {
    Actor::Operator(ActorId::from_uuid(Uuid::from_u128(42)))
}

pub fn request(label: &str) -> EventId {
    EventId::of_request("story", label)
}

/// The worker that holds a lease when the database is kept.
pub fn worker() -> WorkerId {
    WorkerId::from_uuid(Uuid::from_u128(0x0dd))
}

/// A host over a store that goes by its clock.
#[derive(Clone, Debug)]
pub struct Host {
    pub store: Arc<dyn Store>,
    pub clock: ManualClock,
    pub answers: Answers,
    /// Where anchors are kept.
    pub anchors: PathBuf,
}

impl Host {
    pub fn at(
        now: OffsetDateTime,
        anchors: PathBuf,
        store: impl FnOnce(StoreClock) -> Arc<dyn Store>,
    ) -> Self {
        let clock = ManualClock::at(now);
        Self {
            store: store(StoreClock::of(clock.clone())),
            answers: Answers::at(now),
            clock,
            anchors,
        }
    }

    /// A process of the host as it is run: it signs, and hands out what it signs.
    pub fn process(&self) -> Integration {
        let sink: Arc<dyn AnchorSink> = Arc::new(FileSink::new(&self.anchors));
        builder(self)
            .head_signer(signer())
            .anchor_sink(sink)
            .build()
    }

    pub fn set(&self, now: OffsetDateTime, phase: Phase) {
        self.clock.set(now);
        self.answers.set(now, phase);
    }

    /// Everything that is due at a time: the asset syncs, and the sweeps.
    pub async fn tick(&self, process: &Integration, now: OffsetDateTime, phase: Phase) {
        self.set(now, phase);
        for (kind, cadence) in [
            (PlanKind::AssetSync, Cadence::ASSET_SYNC),
            (PlanKind::EvidenceSweep, Cadence::EVIDENCE_SWEEP),
        ] {
            let mut events = process.plan_all(kind, cadence.last(now)).await.unwrap();
            // Sweeps in the order of the release before: by mapping, whatever their connection.
            events.sort_by_key(|event| match event {
                Event::EvidenceSweep(sweep) => Some(sweep.mapping_id),
                _ => None,
            });
            for event in events {
                let Event::EvidenceSweep(sweep) = &event else {
                    let end = process.handle(&event, 1).await;
                    assert!(end.outcome.is_over(), "{end:?}");
                    continue;
                };
                let swept = process.sweep(sweep).await.unwrap();
                assert!(matches!(swept, SweepOutcome::Committed(_)), "{swept:?}");
            }
        }
    }

    /// The story from its beginning to the moment at which the database was kept. Returns the address that an administrator was sent to
    /// and has not answered yet.
    pub async fn tell(&self) -> String {
        let unsigned = builder(self).build();
        self.connect(&unsigned).await;
        self.tick(&unsigned, BEGUN, Phase::Begun).await;

        let process = self.process();
        let second = BEGUN + Duration::hours(6);
        // Where there is a sink, later releases put the last heads under a root when they disconnect; that one did not.
        let without_a_sink = builder(self).build();
        without_a_sink
            .disconnect(
                gone(),
                Disconnect {
                    region: region("oc"),
                    actor: operator(),
                    event: request("disconnect"),
                },
            )
            .await
            .unwrap();
        self.tick(&process, second, Phase::Failing).await;
        for row in process_outbox(&process).await.into_iter().take(2) {
            let reference = format!("T-{row}");
            let delivered = process.delivered(ours(), row, Some(reference.as_str().into()));
            delivered.await.unwrap();
        }
        let third = second + Duration::hours(6);
        self.tick(&process, third, Phase::Recovering).await;
        let (us, again) = (region("us"), request("discover again"));
        let discovery = process.discover(
            ours(),
            Discover {
                region: us.clone(),
                actor: operator(),
                event: again,
            },
        );
        discovery.await.unwrap();
        let fourth = third + Duration::hours(6);
        self.tick(&process, fourth, Phase::Recovered).await;

        self.set(KEPT, Phase::Recovered);
        self.answers.set_refusing(Some("ca.ninjarmm.com"));
        let (ca, event) = (region("ca"), request("sync what cannot be read"));
        let refused = process
            .sync_assets(
                ours(),
                SyncAssets {
                    region: ca.clone(),
                    actor: operator(),
                    event,
                },
            )
            .await;
        assert!(refused.is_err());
        self.answers.set_refusing(None);
        // The root over the heads of the last tick waits for its sink; a file is no folder.
        let sink = FileSink::new(self.anchors.join("nowhere"));
        let with_another_sink = builder(self).anchor_sink(Arc::new(sink)).build();
        let anchored = with_another_sink.anchor(ours()).await.unwrap();
        assert_eq!((anchored.made, anchored.waiting), (1, 1));
        let connection = self.store.credential(ours(), credential(ours(), "us"));
        let tenant = connection.await.unwrap().unwrap().fingerprint;
        for _ in 0..3 {
            let spent = self.store.spend(&tenant, &NINJAONE_WINDOWS).await;
            assert_eq!(spent.unwrap(), Spend::Granted);
        }
        let url = begin(&process, "eu").await;
        for key in [
            LeaseKey::EvidenceSweep(customer(102)),
            LeaseKey::AssetSync(mapping(ours(), "us", 2)),
        ] {
            let lease = self
                .store
                .take_lease(ours(), key, worker(), Duration::minutes(5));
            lease.await.unwrap().unwrap();
        }
        url
    }

    async fn connect(&self, process: &Integration) {
        self.set(BEGUN, Phase::Begun);
        for (msp, name) in [(ours(), "us"), (gone(), "oc")] {
            let connect = Connect {
                event: request(&format!("connect {msp}")),
                region: region(name),
                client_id: format!("client of {msp}").into(),
                client_secret: format!("secret of {msp}").into(),
                allow_duplicate: false,
                actor: operator(),
            };
            process.connect(msp, connect).await.unwrap();
            let (key, event) = (region(name), request(&format!("discover {msp}")));
            let us = process.discover(
                msp,
                Discover {
                    region: key.clone(),
                    actor: operator(),
                    event,
                },
            );
            us.await.unwrap();
        }
        let url = begin(process, "ca").await;
        let callback = Callback::new(&state_of(&url), CODE);
        let completed = process.complete_authorization(
            ours(),
            CompleteAuthorization {
                callback,
                actor: operator(),
            },
        );
        completed.await.unwrap().test.unwrap();

        let contoso = self.company("Contoso").await;
        let wingtip = self.company("Wingtip").await;
        assert_ne!(contoso, wingtip);
        self.lower_sources(contoso).await;
        let of_contoso = Choice::UseExisting(contoso);
        for (msp, name, organization, choice, number) in [
            (ours(), "us", 1, of_contoso, Some(101)),
            (ours(), "us", 2, Choice::CreateNew, Some(102)),
            (ours(), "us", 3, Choice::DontSync, None),
            (ours(), "us", 5, Choice::CreateNew, None),
            (ours(), "us", 6, Choice::CreateNew, None),
            (gone(), "oc", 8, Choice::CreateNew, Some(201)),
        ] {
            let id = mapping(msp, name, organization);
            let label = format!("{msp} {organization}");
            let event = request(&format!("map {label}"));
            let mapped = process.map(
                msp,
                MapOrganization {
                    mapping: id,
                    choice,
                    actor: operator(),
                    event,
                },
            );
            let company = mapped.await.unwrap().mapping.state.company();
            if let (Some(company), Some(number)) = (company, number) {
                let event = request(&format!("promote {label}"));
                let promoted = process.promote(
                    msp,
                    Promote {
                        company,
                        compliance_org: customer(number),
                        actor: operator(),
                        event,
                    },
                );
                promoted.await.unwrap();
            }
        }
        // Only now the organization that is not decided has a company of its name.
        let (us, event) = (region("us"), request("discover with companies"));
        let discovery = process.discover(
            ours(),
            Discover {
                region: us.clone(),
                actor: operator(),
                event,
            },
        );
        discovery.await.unwrap();
    }

    async fn company(&self, name: &str) -> CompanyId {
        let id = CompanyId::of_name(ours(), name);
        let company = PortalCompany {
            id,
            name: name.into(),
            converted_to: None,
            created_at: BEGUN,
        };
        self.store.add_company(ours(), company).await.unwrap();
        id
    }

    /// One asset that NinjaOne's device 11 supersedes, and one that nobody has.
    async fn lower_sources(&self, company: CompanyId) {
        let writes = [(Source::Intune, "SERIES-11"), (Source::Entra, "SERIES-99")];
        let writes = writes.map(|(source, serial)| AssetWrite {
            asset: Asset {
                id: AssetId::from_uuid(Uuid::new_v5(&Uuid::NAMESPACE_OID, serial.as_bytes())),
                company,
                source,
                credential: None,
                mapping: None,
                external_id: ExternalId::Other(serial.to_lowercase()),
                status: AssetStatus::Active,
                content: AssetContent {
                    name: serial.into(),
                    serial_number: Some(serial.into()),
                    entra_device_id: Some("11111111-2222-4333-8444-555555555555".into()),
                    ..AssetContent::default()
                },
                missing_since: None,
                possible_duplicate_of: None,
                version: Version::FIRST,
                created_at: BEGUN,
                updated_at: BEGUN,
            },
            expected: None,
        });
        let commit = AssetCommit {
            event: request("lower sources"),
            credential: None,
            settings: None,
            mapping: None,
            lease: None,
            writes: writes.to_vec(),
            audit: Vec::new(),
        };
        let committed = self.store.commit_assets(ours(), commit).await;
        assert_eq!(committed.unwrap(), CommitOutcome::Committed);
    }
}

async fn process_outbox(process: &Integration) -> Vec<super::names::OutboxId> {
    let rows = super::names::outbox(process, ours()).await;
    rows.into_iter().map(|row| row.id).collect()
}

async fn begin(process: &Integration, name: &str) -> String {
    let request = BeginAuthorization {
        region: region(name),
        client_id: "an authorized client".into(),
        client_secret: Some("its secret".into()),
        redirect_uri: REDIRECT.to_owned(),
        access: RequestedAccess::default(),
        allow_duplicate: false,
    };
    let begun = process.begin_authorization(ours(), request).await;
    begun.unwrap().url
}

/// A parameter of the address that an administrator is sent to.
pub fn parameter_of(url: &str, name: &str) -> String {
    let url = url::Url::parse(url).unwrap();
    let mut all = url.query_pairs();
    all.find(|(field, _)| field == name).unwrap().1.into_owned()
}

pub fn state_of(url: &str) -> String {
    parameter_of(url, "state")
}
