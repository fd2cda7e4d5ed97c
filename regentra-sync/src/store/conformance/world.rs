//! The fixtures of the laws: an MSP with a connected credential, a company, and an organization mapped to it.

use regentra_evidence::{
    FactsDigest, Hash256, HeadSigner, KeyId, Rules, Signal, SignalKind, Status,
};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use time::{Duration, OffsetDateTime, macros::datetime};
use uuid::Uuid;

use crate::{
    host::ManualClock,
    model::{
        Actor, AdoptedFrameworks, Asset, AssetContent, AssetId, AssetStatus, AuditDetails,
        AuditRow, CompanyId, ComplianceOrgId, ConnectionSettings, Credential, CredentialId,
        DeviceId, EventId, EvidenceHead, EvidenceRoot, EvidenceRow, ExternalId, Fingerprint,
        Generation, Grant, Lease, LeaseKey, Mapping, MappingId, MappingState, MspOrgId,
        OrganizationId, OutboxRow, PortalCompany, RegionKey, RunRecord, SealedSecrets,
        SettingsGuard, SignalKey, SignatureChanges, SignatureRecord, SignatureRecords,
        SignatureState, Source, StoredFrameworks, StoredSettings, SweepCounts, TenantView, Ticket,
        TicketState, Version, WorkerId, chain_start, derive,
    },
    seal::Sealed,
    store::{
        AssetCommit, AssetFilter, AssetWrite, AuditPage, CommitOutcome, ConnectCommit,
        DisconnectCommit, DiscoveryCommit, FrameworksCommit, MappingCommit, PromotionCommit,
        SettingsCommit, Store, StoredSignal, SweepCommit, SweepState,
    },
};

/// Half an hour past six, and `minutes` more.
#[must_use]
pub fn at(minutes: i64) -> OffsetDateTime {
    datetime!(2026-11-23 06:30:00.123_456 UTC) + Duration::minutes(minutes)
}

/// The clock of the store under test. It stands later than what most laws commit; those about time move it.
#[must_use]
pub fn clock() -> ManualClock {
    ManualClock::at(at(1_000))
}

/// A signal with plausible aggregates.
#[must_use]
pub fn signal(kind: SignalKind, status: Status, collected_at: OffsetDateTime) -> Signal {
    let scope = json!({"approved": 2, "measured": 2, "unmeasured": 0, "stale": 0, "not_applicable": 0, "not_approved": 0});
    let metadata = match kind {
        SignalKind::DiskEncryption => {
            json!({"scope": scope, "volumes": {"in_scope": 2, "encrypted": 2, "suspended": 0,
            "in_progress": 0, "not_encrypted": 0, "unmeasured": 0}, "encrypted_percent": 96.5, "devices_fully_encrypted": 2})
        }
        SignalKind::AntivirusPosture => {
            json!({"scope": scope, "devices": {"on": 2, "off": 0, "unmeasured": 0},
            "signatures": {"fresh": 2, "aged_7_to_30": 0, "over_30": 0, "age_not_reported": 0, "unmeasured": 0},
            "vendors": {"microsoft_defender": 2}, "age_basis": "status_only"})
        }
        SignalKind::PatchSla => {
            let kind = json!({"devices_measured": 2, "missing_critical": 0, "missing_important": 0, "failed_installs": 0,
                "rejected": 0, "severity_unknown": 0});
            json!({"scope": scope, "os": kind, "software": kind, "devices_with_missing": 0, "devices_with_failed": 0})
        }
        SignalKind::BackupActivity => {
            json!({"scope": scope, "devices": {"with_activity": 2, "with_success": 2,
            "without_success": 0, "warnings_only": 0, "latest_run_failed": 0, "without_any_backup": 0},
            "integrity_checks": {"passed": 0, "failed": 0}, "restores_completed": 0, "window_days": 7})
        }
        SignalKind::DeviceInventory => {
            json!({"scope": scope, "devices": {"approved": 2, "offline": 0, "stale": 0},
            "by_family": {"workstation": 2, "server": 0, "mobile": 0, "network": 0, "virtualization": 0, "other": 0}})
        }
    };
    let json = json!({"signal": kind, "status": status, "complete": true, "reasons": [], "controls": kind.controls(),
        "collected_at": "2026-01-01T00:00:00Z", "expires_at": "2026-01-01T00:00:00Z", "metadata": metadata});
    let mut signal: Signal = serde_json::from_value(json).unwrap();
    signal.collected_at = collected_at;
    signal.expires_at = collected_at.saturating_add(regentra_evidence::SIGNAL_LIFETIME);
    signal
}

/// A digest of some facts.
#[must_use]
pub fn facts() -> FactsDigest {
    FactsDigest {
        key_id: KeyId::new("key").unwrap(),
        hmac_sha256: Hash256::from_bytes([7; 32]),
    }
}

/// What signs the heads.
#[must_use]
pub fn signer() -> HeadSigner {
    HeadSigner::new(KeyId::new("sign").unwrap(), &[7; 32])
}

/// One MSP with one customer in the store under test.
#[derive(Debug)]
pub struct World<'a> {
    pub store: &'a dyn Store,
    pub number: u128,
    pub msp: MspOrgId,
    pub customer: ComplianceOrgId,
    pub credential: Credential,
    pub company: PortalCompany,
    pub mapping: Mapping,
    pub lease: Lease,
}

/// Everything of one world that can be read.
#[derive(Debug, PartialEq)]
pub struct Snapshot {
    credentials: Vec<Credential>,
    settings: Option<StoredSettings>,
    frameworks: Option<StoredFrameworks>,
    companies: Vec<PortalCompany>,
    mappings: Vec<Mapping>,
    assets: Vec<Asset>,
    sweep_state: SweepState,
    tickets: Vec<Ticket>,
    outbox: Vec<OutboxRow>,
    msp_audit: Vec<AuditRow>,
    customer_audit: Vec<AuditRow>,
    signals: Vec<StoredSignal>,
    evidence: Vec<EvidenceRow>,
    heads: Vec<EvidenceHead>,
    roots: Vec<EvidenceRoot>,
    runs: Vec<RunRecord>,
}

/// The tenants and rows of a world, before anything is written.
impl<'a> World<'a> {
    fn blank(store: &'a dyn Store, number: u128) -> Self {
        let msp = MspOrgId::from_uuid(Uuid::from_u128(number));
        let region = RegionKey::from_stored("us");
        let credential = credential(msp, region, number);
        let company = PortalCompany {
            id: CompanyId::from_uuid(Uuid::from_u128(number << 32)),
            name: format!("Company \"{number}\" \u{2013} caf\u{e9}").into(),
            converted_to: None,
            created_at: at(0),
        };
        let mapping = mapping(credential.id, 7);
        let worker = WorkerId::from_uuid(Uuid::from_u128(number));
        let customer = ComplianceOrgId::from_uuid(Uuid::from_u128(number << 64));
        let lease = Lease {
            key: LeaseKey::EvidenceSweep(customer),
            worker,
            fence: crate::model::Fence::FIRST,
            expires_at: at(60),
        };
        Self {
            store,
            number,
            msp,
            customer,
            credential,
            company,
            mapping,
            lease,
        }
    }

    /// An MSP that has nothing yet.
    #[must_use]
    pub fn empty(store: &'a dyn Store, number: u128) -> Self {
        Self::blank(store, number)
    }

    /// An MSP with a connected credential, and an organization mapped to a company that was promoted.
    pub async fn new(store: &'a dyn Store, number: u128) -> Self {
        let mut world = Self::blank(store, number);
        world.connect().await;
        store
            .add_company(world.msp, world.company.clone())
            .await
            .unwrap();
        world.discover(vec![world.mapping.clone()]).await;
        world.map().await;
        world.promote().await;
        world.take_lease().await;
        world
    }

    /// An event of this world.
    #[must_use]
    pub fn event(&self, label: &str) -> EventId {
        EventId::of_request(label, &self.number.to_string())
    }

    /// An audit row that some event of this world writes.
    #[must_use]
    pub fn audit(&self, label: &str, minutes: i64) -> AuditRow {
        let details = AuditDetails::KeyRotated {
            credential: self.credential.id,
        };
        AuditRow::new(self.event(label), at(minutes), Actor::Schedule, details)
    }

    /// A commit that connects the world's credential for the first time.
    #[must_use]
    pub fn connecting(&self) -> ConnectCommit {
        let details = AuditDetails::Connected {
            credential: self.credential.id,
            region: self.credential.region.clone(),
            grant: self.credential.grant,
            view: self.credential.view,
            reconnected: false,
        };
        let event = self.event("connect");
        ConnectCommit {
            event,
            credential: self.credential.clone(),
            expected: None,
            allow_duplicate: false,
            audit: vec![AuditRow::new(event, at(0), Actor::Schedule, details)],
        }
    }

    async fn connect(&self) {
        committed(
            self.store
                .commit_connect(self.msp, self.connecting())
                .await
                .unwrap(),
        );
    }

    /// Writes these mappings as discovery does.
    pub async fn discover(&self, added: Vec<Mapping>) {
        let event = self.event(&format!("discover {}", added.len()));
        let guard = self.credential.guard();
        let commit = DiscoveryCommit {
            event,
            guard,
            added,
            seen: Vec::new(),
            lost_organizations: None,
            audit: Vec::new(),
        };
        committed(self.store.commit_discovery(self.msp, commit).await.unwrap());
    }

    /// A decision about the world's mapping.
    #[must_use]
    pub fn deciding(&self, label: &str, state: MappingState) -> MappingCommit {
        let (event, guard) = (self.event(label), self.mapping.guard());
        MappingCommit {
            event,
            guard,
            state,
            company: None,
            at: at(1),
            audit: vec![self.audit(label, 1)],
        }
    }

    async fn map(&mut self) {
        let state = MappingState::Mapped {
            company: self.company.id,
        };
        committed(
            self.store
                .commit_mapping(self.msp, self.deciding("map", state))
                .await
                .unwrap(),
        );
        self.reload_mapping().await;
    }

    /// Reads the world's mapping again.
    pub async fn reload_mapping(&mut self) {
        self.mapping = self
            .store
            .mapping(self.msp, self.mapping.id)
            .await
            .unwrap()
            .unwrap();
    }

    async fn promote(&mut self) {
        let commit = PromotionCommit {
            event: self.event("promote"),
            company: self.company.id,
            compliance_org: self.customer,
            audit: Vec::new(),
        };
        committed(self.store.commit_promotion(self.msp, commit).await.unwrap());
        self.company.converted_to = Some(self.customer);
    }

    async fn take_lease(&mut self) {
        let Lease { key, worker, .. } = self.lease;
        let lease = self
            .store
            .take_lease(self.msp, key, worker, Duration::hours(1))
            .await
            .unwrap();
        self.lease = lease.unwrap();
    }

    /// A further organization, mapped to a further company that was promoted to `customer`.
    pub async fn another_customer(&self, external: i64, customer: ComplianceOrgId) -> Mapping {
        let label = |what: &str| self.event(&format!("{what} {external}"));
        let id = CompanyId::from_uuid(Uuid::from_u128(
            (self.number << 32) + u128::from(external.unsigned_abs()),
        ));
        let company = PortalCompany {
            id,
            converted_to: None,
            ..self.company.clone()
        };
        self.store.add_company(self.msp, company).await.unwrap();
        let new = mapping(self.credential.id, external);
        let (guard, added) = (self.credential.guard(), vec![new.clone()]);
        let discovery = DiscoveryCommit {
            event: label("found"),
            guard,
            added,
            seen: Vec::new(),
            lost_organizations: None,
            audit: Vec::new(),
        };
        committed(
            self.store
                .commit_discovery(self.msp, discovery)
                .await
                .unwrap(),
        );
        let decision = MappingCommit {
            event: label("mapped"),
            guard: new.guard(),
            state: MappingState::Mapped { company: id },
            company: None,
            at: at(1),
            audit: Vec::new(),
        };
        committed(self.store.commit_mapping(self.msp, decision).await.unwrap());
        let promotion = PromotionCommit {
            event: label("promoted"),
            company: id,
            compliance_org: customer,
            audit: Vec::new(),
        };
        committed(
            self.store
                .commit_promotion(self.msp, promotion)
                .await
                .unwrap(),
        );
        self.store.mapping(self.msp, new.id).await.unwrap().unwrap()
    }

    /// An asset of the world's company. Where a NinjaOne one's id is a label and no number, its device is 0.
    #[must_use]
    pub fn asset(&self, source: Source, external_id: &str) -> Asset {
        let is_ours = source == Source::Ninjaone;
        Asset {
            id: AssetId::from_uuid(derive(
                "asset of the world",
                &[
                    self.credential.id.as_uuid().as_bytes(),
                    source.as_str().as_bytes(),
                    external_id.as_bytes(),
                ],
            )),
            company: self.company.id,
            source,
            credential: is_ours.then_some(self.credential.id),
            mapping: is_ours.then_some(self.mapping.id),
            external_id: if is_ours {
                ExternalId::Device(external_id.parse().unwrap_or(DeviceId::new(0)))
            } else {
                ExternalId::Other(external_id.to_owned())
            },
            status: AssetStatus::Active,
            content: AssetContent {
                name: external_id.into(),
                ..AssetContent::default()
            },
            missing_since: None,
            possible_duplicate_of: None,
            version: Version::FIRST,
            created_at: at(2),
            updated_at: at(2),
        }
    }

    /// What a commit carries while nobody has changed the settings of the world's connection.
    #[must_use]
    pub fn settings_guard(&self) -> SettingsGuard {
        StoredSettings::default().guard(self.credential.id)
    }

    /// A commit that changes the settings of the world's connection for the first time.
    #[must_use]
    pub fn configuring(&self, label: &str, settings: ConnectionSettings) -> SettingsCommit {
        SettingsCommit {
            event: self.event(label),
            guard: self.settings_guard(),
            settings,
            audit: vec![self.audit(label, 2)],
        }
    }

    /// A commit that decides for the first time which frameworks the world's company has adopted.
    #[must_use]
    pub fn adopting(&self, label: &str, frameworks: AdoptedFrameworks) -> FrameworksCommit {
        FrameworksCommit {
            event: self.event(label),
            company: self.company.id,
            expected: Version::FIRST,
            frameworks,
            audit: vec![self.audit(label, 2)],
        }
    }

    /// A commit that writes these assets for the first time, under all guards.
    #[must_use]
    pub fn writing(&self, label: &str, assets: Vec<Asset>) -> AssetCommit {
        AssetCommit {
            event: self.event(label),
            credential: Some(self.credential.guard()),
            settings: Some(self.settings_guard()),
            mapping: Some(self.mapping.guard()),
            lease: Some(self.lease),
            writes: assets
                .into_iter()
                .map(|asset| AssetWrite {
                    asset,
                    expected: None,
                })
                .collect(),
            audit: vec![self.audit(label, 2)],
        }
    }

    /// Writes these assets.
    pub async fn write_assets(&self, label: &str, assets: Vec<Asset>) {
        committed(
            self.store
                .commit_assets(self.msp, self.writing(label, assets))
                .await
                .unwrap(),
        );
    }

    /// What a sweep of the world's mapping continues from.
    pub async fn sweep_state(&self, label: &str) -> SweepState {
        let (mapping, event) = (self.mapping.id, self.event(label));
        self.store
            .sweep_state(self.msp, self.customer, mapping, event, at(0))
            .await
            .unwrap()
    }

    /// A commit of a sweep of the world's mapping that passed, under all guards as they are now.
    pub async fn sweeping(&self, label: &str, minutes: i64) -> SweepCommit {
        let (event, mapping) = (self.event(label), self.mapping.id);
        let state = self.sweep_state(label).await;
        let signals = SignalKind::ALL.map(|kind| signal(kind, Status::Pass, at(minutes)));
        let evidence = signals.iter().map(|signal| {
            let kind = signal.kind();
            let head = state
                .heads
                .get(&kind)
                .copied()
                .unwrap_or_else(|| chain_start(self.customer, mapping, kind));
            EvidenceRow::append(
                head,
                mapping,
                event,
                signal,
                &Rules::default(),
                facts(),
                Some(&signer()),
            )
            .unwrap()
        });
        let details = AuditDetails::Swept {
            mapping,
            signals: std::collections::BTreeMap::new(),
            counts: SweepCounts {
                orphan_rows: 3,
                ..SweepCounts::default()
            },
            answered: true,
            dry_run: true,
            strategy: crate::model::SweepStrategy::PerCustomer,
        };
        SweepCommit {
            event,
            credential: self.credential.guard(),
            settings: self.settings_guard(),
            mapping: self.mapping.guard(),
            lease: self.lease,
            scheduled_at: at(minutes.min(0)),
            evidence: evidence.collect(),
            signals: signals
                .into_iter()
                .map(|signal| StoredSignal {
                    mapping,
                    event,
                    signal,
                })
                .collect(),
            audit: AuditRow::new(event, at(minutes), Actor::Schedule, details),
            first_evidence_synced_at: Some(at(minutes)),
            signatures: SignatureChanges {
                changed: SignatureRecords::from([(
                    crate::model::DeviceDigest::from_bytes(digest_of("d1")),
                    SignatureRecord {
                        state: SignatureState::OutOfDate,
                        since: at(minutes),
                    },
                )]),
                forgotten: Vec::new(),
            },
            tickets: Vec::new(),
            outbox: Vec::new(),
            tick: None,
        }
    }

    /// Commits a sweep as [`Self::sweeping`] makes it.
    pub async fn sweep(&self, label: &str, minutes: i64) {
        let commit = self.sweeping(label, minutes).await;
        committed(
            self.store
                .commit_sweep(self.msp, self.customer, commit)
                .await
                .unwrap(),
        );
    }

    /// A ticket about a signal of the world's mapping.
    #[must_use]
    pub fn ticket(&self, label: &str, signal: SignalKind) -> Ticket {
        Ticket {
            id: crate::model::TicketId::opened_by(self.event(label), signal),
            key: SignalKey {
                compliance_org: self.customer,
                mapping: self.mapping.id,
                signal,
            },
            company: self.company.id,
            state: TicketState::Open,
            version: Version::FIRST,
            opened_at: at(3),
            last_failed_at: at(3),
            passes: 0,
            pass_expires_at: None,
            content_digest: "digest".to_owned(),
            reference: None,
            closed_at: None,
        }
    }

    /// Disconnects the world's credential.
    pub async fn disconnect(&self, minutes: i64) {
        committed(
            self.store
                .commit_disconnect(self.msp, self.disconnecting(minutes))
                .await
                .unwrap(),
        );
    }

    /// A commit that disconnects the world's credential.
    #[must_use]
    pub fn disconnecting(&self, minutes: i64) -> DisconnectCommit {
        let event = self.event("disconnect");
        let details = AuditDetails::Disconnected {
            credential: self.credential.id,
            mappings: 1,
            unexpired_signals: None,
        };
        DisconnectCommit {
            event,
            guard: self.credential.guard(),
            at: at(minutes),
            audit: AuditRow::new(event, at(minutes), Actor::Schedule, details),
        }
    }

    /// Everything of this world that can be read.
    pub async fn snapshot(&self) -> Snapshot {
        let Self {
            store,
            msp,
            customer,
            ..
        } = *self;
        let mut evidence = Vec::new();
        for kind in SignalKind::ALL {
            evidence.extend(
                store
                    .evidence_chain(customer, self.mapping.id, kind, 0, 1_000)
                    .await
                    .unwrap(),
            );
        }
        Snapshot {
            credentials: store.credentials(msp).await.unwrap(),
            settings: store
                .connection_settings(msp, self.credential.id)
                .await
                .unwrap(),
            frameworks: store
                .adopted_frameworks(msp, self.company.id)
                .await
                .unwrap(),
            companies: store.companies(msp).await.unwrap(),
            mappings: store.mappings(msp, self.credential.id).await.unwrap(),
            assets: store.assets(msp, AssetFilter::All).await.unwrap(),
            sweep_state: self.sweep_state("nothing").await,
            tickets: store.tickets(msp, None).await.unwrap(),
            outbox: store.outbox(msp, at(1_000_000), 1_000).await.unwrap(),
            msp_audit: store
                .msp_audit(msp, AuditPage::newest(1_000))
                .await
                .unwrap(),
            customer_audit: store
                .customer_audit(customer, AuditPage::newest(1_000))
                .await
                .unwrap(),
            signals: store.current_signals(customer, at(0)).await.unwrap(),
            evidence,
            heads: self.loose_heads().await,
            roots: store.roots_waiting(msp, 1_000).await.unwrap(),
            runs: store.runs(msp).await.unwrap(),
        }
    }

    /// The heads of every tick that are under no root, in their order.
    pub async fn loose_heads(&self) -> Vec<EvidenceHead> {
        let ticks = self
            .store
            .ticks_without_root(self.msp, at(1_000_000), 1_000)
            .await
            .unwrap();
        let mut heads = Vec::new();
        for tick in ticks {
            let mut of_tick = self.store.heads_without_root(self.msp, tick).await.unwrap();
            of_tick.sort();
            heads.extend(of_tick);
        }
        heads
    }
}

/// The bytes of a digest that stands for this name.
#[must_use]
pub fn digest_of(name: &str) -> [u8; 32] {
    Sha256::digest(name).into()
}

/// A credential as connecting would make it.
#[must_use]
pub fn credential(msp: MspOrgId, region: RegionKey, number: u128) -> Credential {
    Credential {
        id: CredentialId::of(msp, &region),
        fingerprint: Fingerprint::from_bytes(digest_of(&format!("{number} in {region}"))),
        region,
        grant: Grant::ClientCredentials,
        view: TenantView::Part,
        lost_organizations: 0,
        secrets: Some(secrets("first")),
        is_active: true,
        generation: Generation::FIRST,
        secrets_version: Version::FIRST,
        connected_at: at(0),
        disconnected_at: None,
    }
}

/// Sealed columns that say `word`.
#[must_use]
pub fn secrets(word: &str) -> SealedSecrets {
    let sealed = |field: &str| Sealed::from_stored(format!("1.{word}.{field}"));
    SealedSecrets {
        client_id: sealed("id"),
        client_secret: Some(sealed("secret")),
        refresh_token: Some(sealed("refresh")),
    }
}

/// An organization nobody has decided about.
#[must_use]
pub fn mapping(credential: CredentialId, external: i64) -> Mapping {
    let external_org_id = OrganizationId::new(external);
    Mapping {
        id: MappingId::of(credential, external_org_id),
        credential,
        external_org_id,
        name: format!("Organization {external}").into(),
        state: MappingState::PendingReview,
        suggestion: None,
        version: Version::FIRST,
        discovered_at: at(0),
        missing_since: None,
        first_evidence_synced_at: None,
    }
}

/// The commit has to have been written.
pub fn committed(outcome: CommitOutcome) {
    assert_eq!(outcome, CommitOutcome::Committed);
}
