//! Laws of [`Mappings`](crate::store::Mappings).

use super::world::{World, at, committed, mapping};
use crate::{
    model::{
        AssetStatus, CompanyId, ComplianceOrgId, ExternalOrgId, MappingId, MappingState,
        NoteReason, OutboxAction, PortalCompany, Source,
    },
    store::{
        AssetFilter, AuditPage, CommitOutcome, DiscoveryCommit, Guard, MappingCommit,
        PromotionCommit, SeenOrganization, Store, TicketWrite,
    },
};

pub async fn mappings_and_companies_are_read_by_their_msp_only(store: &dyn Store) {
    let (one, two) = (World::new(store, 1).await, World::new(store, 2).await);
    assert_eq!(store.mapping(two.msp, one.mapping.id).await.unwrap(), None);
    assert_eq!(
        store.mappings(two.msp, one.credential.id).await.unwrap(),
        Vec::new()
    );
    assert_eq!(store.company(two.msp, one.company.id).await.unwrap(), None);
    assert_eq!(
        store.company(one.msp, one.company.id).await.unwrap(),
        Some(one.company.clone())
    );
    assert_eq!(
        store.companies(one.msp).await.unwrap(),
        vec![one.company.clone()]
    );
    one.discover(vec![
        mapping(one.credential.id, 10),
        mapping(one.credential.id, 9),
    ])
    .await;
    let listed = store.mappings(one.msp, one.credential.id).await.unwrap();
    let externals: Vec<_> = listed
        .iter()
        .map(|mapping| mapping.external_org_id.get())
        .collect();
    assert_eq!(externals, [7, 9, 10], "ordered by the organization's id");
    let unknown = MappingId::of(one.credential.id, ExternalOrgId::new(404));
    assert_eq!(store.mapping(one.msp, unknown).await.unwrap(), None);
}

pub async fn discovery_adds_and_never_changes_a_decision(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let pending = mapping(world.credential.id, 9);
    let first = DiscoveryCommit {
        event: world.event("first discovery"),
        guard: world.credential.guard(),
        added: vec![pending.clone()],
        seen: Vec::new(),
        lost_organizations: Some(3),
        audit: Vec::new(),
    };
    committed(store.commit_discovery(world.msp, first).await.unwrap());
    let mut rediscovered = mapping(world.credential.id, 7);
    rediscovered.name = "Somebody else".into();
    let commit = DiscoveryCommit {
        event: world.event("discovery"),
        guard: world.credential.guard(),
        added: vec![rediscovered, mapping(world.credential.id, 8)],
        seen: [world.mapping.id, pending.id]
            .map(|mapping| SeenOrganization {
                mapping,
                name: "Renamed".into(),
                suggestion: Some(world.company.id),
                missing_since: Some(at(4)),
            })
            .to_vec(),
        lost_organizations: None,
        audit: vec![world.audit("discovery", 4)],
    };
    committed(store.commit_discovery(world.msp, commit).await.unwrap());
    // Written where it is given, left where it is not, and nothing else of the credential is touched.
    let credential = store.credential(world.msp, world.credential.id);
    let mut with_lost = world.credential.clone();
    with_lost.lost_organizations = 3;
    assert_eq!(credential.await.unwrap(), Some(with_lost));
    let mut expected = world.mapping.clone();
    expected.name = "Renamed".into();
    expected.missing_since = Some(at(4));
    // Nobody has decided about this one; of the other a suggestion would say that nobody had.
    let mut suggested = pending;
    suggested.name = "Renamed".into();
    suggested.suggestion = Some(world.company.id);
    suggested.missing_since = Some(at(4));
    let listed = store
        .mappings(world.msp, world.credential.id)
        .await
        .unwrap();
    assert_eq!(
        listed,
        vec![expected, mapping(world.credential.id, 8), suggested]
    );
    let audit = store
        .msp_audit(world.msp, AuditPage::newest(9))
        .await
        .unwrap();
    assert!(audit.contains(&world.audit("discovery", 4)));
}

pub async fn discovery_delivered_twice_writes_once(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let commit = DiscoveryCommit {
        event: world.event("discovery"),
        guard: world.credential.guard(),
        added: vec![mapping(world.credential.id, 8)],
        seen: Vec::new(),
        lost_organizations: None,
        audit: vec![world.audit("discovery", 4)],
    };
    committed(
        store
            .commit_discovery(world.msp, commit.clone())
            .await
            .unwrap(),
    );
    let before = world.snapshot().await;
    assert_eq!(
        store.commit_discovery(world.msp, commit).await.unwrap(),
        CommitOutcome::AlreadyCommitted
    );
    assert_eq!(world.snapshot().await, before);
}

pub async fn a_decision_compares_the_version(store: &dyn Store) {
    let mut world = World::new(store, 1).await;
    let stale = world.deciding("late", MappingState::Ignored);
    committed(
        store
            .commit_mapping(world.msp, world.deciding("ignore", MappingState::Ignored))
            .await
            .unwrap(),
    );
    let before = world.snapshot().await;
    assert_eq!(
        store.commit_mapping(world.msp, stale).await.unwrap(),
        CommitOutcome::Superseded(Guard::Mapping)
    );
    let repeated = world.deciding("ignore", MappingState::Ignored);
    assert_eq!(
        store.commit_mapping(world.msp, repeated).await.unwrap(),
        CommitOutcome::AlreadyCommitted
    );
    assert_eq!(world.snapshot().await, before);
    let was = world.mapping.version;
    world.reload_mapping().await;
    assert_eq!(
        (world.mapping.state, world.mapping.version),
        (MappingState::Ignored, was.next())
    );
    let other = World::new(store, 2).await;
    let foreign = MappingCommit {
        guard: world.mapping.guard(),
        ..other.deciding("foreign", MappingState::Ignored)
    };
    assert_eq!(
        store.commit_mapping(other.msp, foreign).await.unwrap(),
        CommitOutcome::Superseded(Guard::Mapping)
    );
}

pub async fn a_decision_clears_the_suggestion_and_the_first_evidence_time(store: &dyn Store) {
    let mut world = World::new(store, 1).await;
    world.sweep("sweep", 3).await;
    world.reload_mapping().await;
    assert_eq!(world.mapping.first_evidence_synced_at, Some(at(3)));
    committed(
        store
            .commit_mapping(
                world.msp,
                world.deciding("unmap", MappingState::PendingReview),
            )
            .await
            .unwrap(),
    );
    world.reload_mapping().await;
    assert_eq!(world.mapping.first_evidence_synced_at, None);

    let mut suggested = mapping(world.credential.id, 8);
    suggested.suggestion = Some(world.company.id);
    world
        .discover(vec![suggested.clone(), suggested.clone()])
        .await;
    let state = MappingState::Mapped {
        company: world.company.id,
    };
    let commit = MappingCommit {
        guard: suggested.guard(),
        ..world.deciding("map suggested", state)
    };
    committed(store.commit_mapping(world.msp, commit).await.unwrap());
    let stored = store
        .mapping(world.msp, suggested.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((stored.state, stored.suggestion), (state, None));
}

pub async fn a_decision_creates_its_company_or_needs_one_that_exists(store: &dyn Store) {
    let mut world = World::new(store, 1).await;
    let id = CompanyId::of_name(world.msp, "New");
    let company = PortalCompany {
        id,
        name: "New".into(),
        converted_to: None,
        created_at: at(3),
    };
    let mapped = MappingState::Mapped { company: id };
    let before = world.snapshot().await;
    let outcome = store
        .commit_mapping(world.msp, world.deciding("unknown", mapped))
        .await
        .unwrap();
    assert_eq!(outcome, CommitOutcome::Superseded(Guard::Company));
    let existing = MappingCommit {
        company: Some(world.company.clone()),
        ..world.deciding("existing", MappingState::Ignored)
    };
    let outcome = store.commit_mapping(world.msp, existing).await.unwrap();
    assert_eq!(outcome, CommitOutcome::Superseded(Guard::Company));
    assert_eq!(world.snapshot().await, before);

    let commit = MappingCommit {
        company: Some(company.clone()),
        ..world.deciding("new", mapped)
    };
    committed(store.commit_mapping(world.msp, commit).await.unwrap());
    assert_eq!(store.company(world.msp, id).await.unwrap(), Some(company));
    world.reload_mapping().await;
    assert_eq!(world.mapping.state, mapped);
    let audit = store
        .msp_audit(world.msp, AuditPage::newest(9))
        .await
        .unwrap();
    assert!(audit.contains(&world.audit("new", 1)));
}

pub async fn unmapping_lets_go_of_assets_history_and_tickets(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let ours = world.asset(Source::Ninjaone, "1");
    let mut level = world.asset(Source::Level, "l");
    level.status = AssetStatus::Superseded { by: ours.id };
    let mut elsewhere = world.asset(Source::Ninjaone, "2");
    let second = world
        .another_customer(8, ComplianceOrgId::from_uuid(uuid::Uuid::from_u128(77)))
        .await;
    elsewhere.mapping = Some(second.id);
    world
        .write_assets(
            "assets",
            vec![ours.clone(), level.clone(), elsewhere.clone()],
        )
        .await;
    let mut sweep = world.sweeping("sweep", 3).await;
    let ticket = world.ticket("sweep", regentra_evidence::SignalKind::PatchSla);
    sweep.tickets = vec![TicketWrite {
        ticket: ticket.clone(),
        expected: None,
    }];
    committed(
        store
            .commit_sweep(world.msp, world.customer, sweep)
            .await
            .unwrap(),
    );

    committed(
        store
            .commit_mapping(
                world.msp,
                world.deciding("unmap", MappingState::PendingReview),
            )
            .await
            .unwrap(),
    );
    let assets = store.assets(world.msp, AssetFilter::All).await.unwrap();
    let find = |id| assets.iter().find(|asset| asset.id == id).unwrap();
    assert_eq!(find(ours.id).status, AssetStatus::Retired);
    assert_eq!(
        (find(ours.id).version, find(ours.id).updated_at),
        (ours.version.next(), at(1))
    );
    assert_eq!(find(level.id).status, AssetStatus::Active);
    assert_eq!(
        find(elsewhere.id),
        &elsewhere,
        "another mapping's assets stay"
    );
    assert!(
        world
            .sweep_state("state")
            .await
            .signature_history
            .is_empty()
    );
    let outbox = store.outbox(world.msp, at(9), 9).await.unwrap();
    assert_eq!(outbox.len(), 1);
    assert_eq!(
        outbox[0].action,
        OutboxAction::Note {
            key: ticket.key,
            reason: NoteReason::Unmapped
        }
    );
}

pub async fn a_company_is_promoted_once_and_to_an_organization_of_its_own(store: &dyn Store) {
    let (one, two) = (World::new(store, 1).await, World::new(store, 2).await);
    let promoting = |world: &World<'_>, label: &str, compliance_org| PromotionCommit {
        event: world.event(label),
        company: world.company.id,
        compliance_org,
        audit: vec![world.audit(label, 1)],
    };
    let fresh = ComplianceOrgId::from_uuid(uuid::Uuid::from_u128(99));
    let before = one.snapshot().await;
    let outcome = store
        .commit_promotion(one.msp, promoting(&one, "again", fresh))
        .await
        .unwrap();
    assert_eq!(
        outcome,
        CommitOutcome::Superseded(Guard::Company),
        "promoted already"
    );
    let outcome = store
        .commit_promotion(one.msp, promoting(&one, "promote", fresh))
        .await
        .unwrap();
    assert_eq!(outcome, CommitOutcome::AlreadyCommitted);
    assert_eq!(one.snapshot().await, before);

    let company = PortalCompany {
        id: CompanyId::of_name(two.msp, "x"),
        converted_to: None,
        ..two.company.clone()
    };
    store.add_company(two.msp, company.clone()).await.unwrap();
    let taken = PromotionCommit {
        company: company.id,
        ..promoting(&two, "taken", one.customer)
    };
    let outcome = store.commit_promotion(two.msp, taken).await.unwrap();
    assert_eq!(
        outcome,
        CommitOutcome::Superseded(Guard::Company),
        "another MSP's customer"
    );
    let foreign = PromotionCommit {
        company: company.id,
        ..promoting(&one, "foreign", fresh)
    };
    let outcome = store.commit_promotion(one.msp, foreign).await.unwrap();
    assert_eq!(
        outcome,
        CommitOutcome::Superseded(Guard::Company),
        "another MSP's company"
    );
    let commit = PromotionCommit {
        company: company.id,
        ..promoting(&two, "fresh", fresh)
    };
    committed(store.commit_promotion(two.msp, commit).await.unwrap());
    assert_eq!(
        store
            .company(two.msp, company.id)
            .await
            .unwrap()
            .unwrap()
            .converted_to,
        Some(fresh)
    );
}

pub async fn adding_a_company_leaves_one_that_exists(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let renamed = PortalCompany {
        name: "Other".into(),
        converted_to: None,
        ..world.company.clone()
    };
    store.add_company(world.msp, renamed).await.unwrap();
    assert_eq!(
        store.company(world.msp, world.company.id).await.unwrap(),
        Some(world.company.clone())
    );
}
