//! Laws of [`Mappings`](crate::store::Mappings).

use super::world::{World, at, committed, credential, mapping};
use crate::{
    model::{
        AdoptedFrameworks, AssetStatus, CompanyId, ComplianceOrgId, CredentialId, Mapping,
        MappingId, MappingState, NoteReason, OrganizationId, OutboxAction, PortalCompany,
        RegionKey, Source, StoredFrameworks, Version,
    },
    store::{
        AssetFilter, AuditPage, CommitOutcome, CompanyFilter, CompanyPage, ConnectCommit, Decision,
        DiscoveryCommit, FrameworksCommit, MappingCommit, MappingCounts, MappingFilter,
        MappingPage, Precondition, PromotionCommit, SeenOrganization, Store, TicketWrite,
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
    let unknown = MappingId::of(one.credential.id, OrganizationId::new(404));
    assert_eq!(store.mapping(one.msp, unknown).await.unwrap(), None);
}

/// A second connection of the world's MSP, with one organization.
async fn another_region(world: &World<'_>) -> Mapping {
    let region = RegionKey::from_stored("eu");
    let other = credential(world.msp, region, world.number);
    let connect = ConnectCommit {
        event: world.event("connect another region"),
        credential: other.clone(),
        audit: Vec::new(),
        ..world.connecting()
    };
    committed(
        world
            .store
            .commit_connect(world.msp, connect)
            .await
            .unwrap(),
    );
    let added = mapping(other.id, 7);
    let commit = DiscoveryCommit {
        event: world.event("discover another region"),
        guard: other.guard(),
        added: vec![added.clone()],
        seen: Vec::new(),
        lost_organizations: None,
        audit: Vec::new(),
    };
    committed(
        world
            .store
            .commit_discovery(world.msp, commit)
            .await
            .unwrap(),
    );
    added
}

async fn organizations(world: &World<'_>, filter: MappingFilter) -> Vec<(CredentialId, i64)> {
    let page = MappingPage::first(filter, 100);
    let found = world.store.mappings_page(world.msp, page).await.unwrap();
    let key = |of: &Mapping| (of.credential, of.external_org_id.get());
    found.iter().map(key).collect()
}

pub async fn pages_of_mappings_are_whole_and_in_order(store: &dyn Store) {
    let (one, two) = (World::new(store, 1).await, World::new(store, 2).await);
    let added = [i64::MIN, -1, 0, 8, 9, 10, i64::MAX];
    one.discover(
        added
            .map(|external| mapping(one.credential.id, external))
            .to_vec(),
    )
    .await;
    let elsewhere = another_region(&one).await;
    let mut all = store.mappings(one.msp, one.credential.id).await.unwrap();
    all.push(elsewhere);
    all.sort_by_key(|mapping| (mapping.credential, mapping.external_org_id));
    assert_eq!(all.len(), 9);
    for limit in 1..=10 {
        let (mut page, mut read) = (
            MappingPage::first(MappingFilter::default(), limit),
            Vec::new(),
        );
        loop {
            let rows = store.mappings_page(one.msp, page.clone()).await.unwrap();
            read.extend(rows.iter().cloned());
            let Some(last) = rows
                .last()
                .filter(|_| rows.len() as u64 == u64::from(limit))
            else {
                break;
            };
            page = page.next(last);
        }
        assert_eq!(read, all, "pages of {limit}");
    }
    let nothing = MappingPage::first(MappingFilter::default(), 0);
    assert_eq!(store.mappings_page(one.msp, nothing).await.unwrap(), []);
    let theirs = MappingPage::first(MappingFilter::default(), 100);
    let theirs = store.mappings_page(two.msp, theirs).await.unwrap();
    assert_eq!(theirs, vec![two.mapping.clone()]);
    let stolen = MappingFilter {
        credential: Some(one.credential.id),
        ..MappingFilter::default()
    };
    assert_eq!(organizations(&two, stolen).await, []);
}

pub async fn mappings_are_filtered_by_everything_that_is_given(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let (here, mapped) = (world.credential.id, &world.mapping);
    let mut ignored = mapping(here, 20);
    ignored.state = MappingState::Ignored;
    let mut gone = mapping(here, 21);
    gone.missing_since = Some(at(1));
    gone.name = "Caf\u{e9} 100%_\\ GmbH".into();
    world.discover(vec![ignored, gone, mapping(here, 22)]).await;
    let elsewhere = another_region(&world).await.credential;
    let all = MappingFilter::default;
    let decided = |decision| MappingFilter {
        decision: Some(decision),
        credential: Some(here),
        ..all()
    };
    let named = |text: &str| MappingFilter {
        name: Some(text.to_owned()),
        credential: Some(here),
        ..all()
    };
    let missing = |missing| MappingFilter {
        missing: Some(missing),
        credential: Some(here),
        ..all()
    };
    let company = |id| MappingFilter {
        company: Some(id),
        ..all()
    };
    let unknown = CompanyId::of_name(world.msp, "unknown");
    for (filter, expected) in [
        (decided(Decision::PendingReview), vec![21, 22]),
        (decided(Decision::Mapped), vec![7]),
        (decided(Decision::Ignored), vec![20]),
        (missing(true), vec![21]),
        (missing(false), vec![7, 20, 22]),
        (company(world.company.id), vec![7]),
        (company(unknown), vec![]),
        (named(""), vec![7, 20, 21, 22]),
        (named("ORGANIZATION 2"), vec![20, 22]),
        (named("caf"), vec![21]),
        // What a pattern would take for a joker is a letter like any other.
        (named("100%_\\"), vec![21]),
        (named("%"), vec![21]),
        (named("f\u{e9} 1"), vec![21]),
        // Other letters than ASCII's have to be written as they are.
        (named("CAF\u{c9}"), vec![]),
        (named("caf\0"), vec![]),
    ] {
        let expected: Vec<_> = expected
            .into_iter()
            .map(|external| (here, external))
            .collect();
        assert_eq!(
            organizations(&world, filter.clone()).await,
            expected,
            "{filter:?}"
        );
    }
    let both = MappingFilter {
        decision: Some(Decision::PendingReview),
        missing: Some(false),
        ..all()
    };
    let mut expected = vec![(here, 22), (elsewhere, 7)];
    expected.sort_unstable();
    assert_eq!(organizations(&world, both).await, expected);
    let of_region = MappingFilter {
        credential: Some(elsewhere),
        ..all()
    };
    assert_eq!(organizations(&world, of_region).await, [(elsewhere, 7)]);
    // A filter goes on where its page before ended.
    let mut page = MappingPage::first(missing(false), 2);
    let first = store.mappings_page(world.msp, page.clone()).await.unwrap();
    assert_eq!(first.first(), Some(mapped));
    page = page.next(first.last().unwrap());
    let rest = store.mappings_page(world.msp, page).await.unwrap();
    let rest: Vec<_> = rest.iter().map(|of| of.external_org_id.get()).collect();
    assert_eq!(rest, [22]);
}

pub async fn mappings_are_counted_by_decision(store: &dyn Store) {
    let (one, two) = (World::new(store, 1).await, World::new(store, 2).await);
    let here = one.credential.id;
    let mut ignored = mapping(here, 20);
    ignored.state = MappingState::Ignored;
    let mut gone = mapping(here, 21);
    gone.missing_since = Some(at(1));
    gone.name = "Gone GmbH".into();
    one.discover(vec![ignored, gone, mapping(here, 22)]).await;
    let elsewhere = another_region(&one).await.credential;
    let all = MappingFilter::default;
    let named = |text: &str| MappingFilter {
        name: Some(text.to_owned()),
        ..all()
    };
    let of = |credential| MappingFilter {
        credential: Some(credential),
        ..all()
    };
    let missing = MappingFilter {
        missing: Some(true),
        ..all()
    };
    let decided = MappingFilter {
        decision: Some(Decision::Ignored),
        ..all()
    };
    let company = MappingFilter {
        company: Some(one.company.id),
        ..all()
    };
    for (filter, expected) in [
        (all(), [3, 1, 1, 1]),
        (of(here), [2, 1, 1, 1]),
        (of(elsewhere), [1, 0, 0, 0]),
        (named("GMBH"), [1, 0, 0, 1]),
        (named("\0"), [0, 0, 0, 0]),
        (missing, [1, 0, 0, 1]),
        (decided, [0, 0, 1, 0]),
        (company, [0, 1, 0, 0]),
        (of(two.credential.id), [0, 0, 0, 0]),
    ] {
        let [pending_review, mapped, ignored, missing] = expected;
        let expected = MappingCounts {
            pending_review,
            mapped,
            ignored,
            missing,
        };
        let counts = store.mapping_counts(one.msp, filter.clone()).await;
        assert_eq!(counts.unwrap(), expected, "{filter:?}");
    }
    let theirs = store.mapping_counts(two.msp, all()).await.unwrap();
    assert_eq!((theirs.pending_review, theirs.mapped), (0, 1));
}

pub async fn pages_of_companies_are_whole_in_order_and_filtered(store: &dyn Store) {
    let (one, two) = (World::new(store, 1).await, World::new(store, 2).await);
    for name in ["Alpha", "alphabet", "Beta", "\u{c4}rzte"] {
        let company = PortalCompany {
            id: CompanyId::of_name(one.msp, name),
            name: name.into(),
            converted_to: None,
            created_at: at(0),
        };
        store.add_company(one.msp, company).await.unwrap();
    }
    let all = store.companies(one.msp).await.unwrap();
    assert_eq!(all.len(), 5);
    for limit in 1..=6 {
        let (mut page, mut read) = (
            CompanyPage::first(CompanyFilter::default(), limit),
            Vec::new(),
        );
        loop {
            let rows = store.companies_page(one.msp, page.clone()).await.unwrap();
            read.extend(rows.iter().cloned());
            let Some(last) = rows
                .last()
                .filter(|_| rows.len() as u64 == u64::from(limit))
            else {
                break;
            };
            page = page.next(last);
        }
        assert_eq!(read, all, "pages of {limit}");
    }
    let filter = |promoted, name: Option<&str>| CompanyFilter {
        promoted,
        name: name.map(str::to_owned),
    };
    for (filter, expected) in [
        (filter(Some(true), None), 1),
        (filter(Some(false), None), 4),
        (filter(None, Some("ALPHA")), 2),
        (filter(Some(true), Some("alpha")), 0),
        (filter(None, Some("\u{c4}r")), 1),
        (filter(None, Some("\0")), 0),
    ] {
        let page = CompanyPage::first(filter.clone(), 100);
        let found = store.companies_page(one.msp, page).await.unwrap();
        assert_eq!(found.len(), expected, "{filter:?}");
        assert!(found.iter().all(|company| filter.matches(company)));
    }
    let theirs = CompanyPage::first(CompanyFilter::default(), 100);
    let theirs = store.companies_page(two.msp, theirs).await.unwrap();
    assert_eq!(theirs, vec![two.company.clone()]);
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
    rediscovered.name = "Another name".into();
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
        CommitOutcome::Superseded(Precondition::Mapping)
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
        CommitOutcome::Superseded(Precondition::Mapping)
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
    assert_eq!(outcome, CommitOutcome::Superseded(Precondition::Company));
    let existing = MappingCommit {
        company: Some(world.company.clone()),
        ..world.deciding("existing", MappingState::Ignored)
    };
    let outcome = store.commit_mapping(world.msp, existing).await.unwrap();
    assert_eq!(outcome, CommitOutcome::Superseded(Precondition::Company));
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

pub async fn unmapping_ends_assets_history_and_tickets(store: &dyn Store) {
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
        CommitOutcome::Superseded(Precondition::Company),
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
        CommitOutcome::Superseded(Precondition::Company),
        "another MSP's customer"
    );
    let foreign = PromotionCommit {
        company: company.id,
        ..promoting(&one, "foreign", fresh)
    };
    let outcome = store.commit_promotion(one.msp, foreign).await.unwrap();
    assert_eq!(
        outcome,
        CommitOutcome::Superseded(Precondition::Company),
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

fn adopted(json: &str) -> AdoptedFrameworks {
    serde_json::from_str(json).unwrap()
}

async fn frameworks_of(world: &World<'_>) -> StoredFrameworks {
    let stored = world.store.adopted_frameworks(world.msp, world.company.id);
    stored.await.unwrap().unwrap()
}

pub async fn adopted_frameworks_are_read_as_they_were_written(store: &dyn Store) {
    let world = World::new(store, 1).await;
    assert_eq!(frameworks_of(&world).await, StoredFrameworks::default());
    let mut version = Version::FIRST;
    // No framework is not the same as no decision; one that no release knows stays.
    for json in [r#"["of_a_later_release","soc_2"]"#, "[]", "null", "[]"] {
        let commit = FrameworksCommit {
            expected: version,
            ..world.adopting(&format!("{version}"), adopted(json))
        };
        let label = format!("{version}");
        committed(store.commit_frameworks(world.msp, commit).await.unwrap());
        version = version.next();
        let frameworks = adopted(json);
        let stored = StoredFrameworks {
            frameworks,
            version,
        };
        assert_eq!(frameworks_of(&world).await, stored);
        let trail = store.msp_audit(world.msp, AuditPage::newest(9)).await;
        assert!(trail.unwrap().contains(&world.audit(&label, 2)));
    }
    assert_eq!(
        store.company(world.msp, world.company.id).await.unwrap(),
        Some(world.company.clone())
    );
}

pub async fn a_decision_about_frameworks_compares_the_version(store: &dyn Store) {
    let (one, two) = (World::new(store, 1).await, World::new(store, 2).await);
    let commit = one.adopting("first", adopted(r#"["soc_2"]"#));
    committed(
        store
            .commit_frameworks(one.msp, commit.clone())
            .await
            .unwrap(),
    );
    let before = (one.snapshot().await, two.snapshot().await);
    // Twice; from what was read before; of a company that is not there; of another MSP's.
    let outcome = store.commit_frameworks(one.msp, commit.clone()).await;
    assert_eq!(outcome.unwrap(), CommitOutcome::AlreadyCommitted);
    let superseded = CommitOutcome::Superseded(Precondition::Company);
    let stale = one.adopting("stale", AdoptedFrameworks::default());
    let outcome = store.commit_frameworks(one.msp, stale).await.unwrap();
    assert_eq!(outcome, superseded);
    let mut unknown = one.adopting("unknown", AdoptedFrameworks::default());
    unknown.company = CompanyId::of_name(one.msp, "nobody");
    let outcome = store.commit_frameworks(one.msp, unknown).await.unwrap();
    assert_eq!(outcome, superseded);
    let foreign = FrameworksCommit {
        company: one.company.id,
        expected: Version::FIRST.next(),
        ..two.adopting("foreign", AdoptedFrameworks::default())
    };
    let outcome = store.commit_frameworks(two.msp, foreign).await.unwrap();
    assert_eq!(outcome, superseded);
    assert_eq!((one.snapshot().await, two.snapshot().await), before);
    let foreign = store.adopted_frameworks(two.msp, one.company.id).await;
    assert_eq!(foreign.unwrap(), None);
}

pub async fn promoting_and_mapping_leave_the_adopted_frameworks(store: &dyn Store) {
    let world = World::empty(store, 1);
    let company = world.company.clone();
    store.add_company(world.msp, company.clone()).await.unwrap();
    let commit = world.adopting("adopt", adopted(r#"["pci_dss"]"#));
    committed(store.commit_frameworks(world.msp, commit).await.unwrap());
    let commit = PromotionCommit {
        event: world.event("promote"),
        company: company.id,
        compliance_org: world.customer,
        audit: Vec::new(),
    };
    committed(store.commit_promotion(world.msp, commit).await.unwrap());
    store.add_company(world.msp, company).await.unwrap();
    assert_eq!(
        frameworks_of(&world).await.frameworks,
        adopted(r#"["pci_dss"]"#)
    );
}
