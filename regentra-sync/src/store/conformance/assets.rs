//! Laws of [`Assets`](crate::store::Assets).

use time::Duration;

use super::world::{World, at, committed};
use crate::{
    host::ManualClock,
    model::{
        Asset, AssetContent, AssetStatus, CompanyId, DeviceId, MappingId, MappingState,
        OrganizationId, Source, Version, WorkerId,
    },
    store::{
        AssetCommit, AssetFilter, AssetPage, AssetWrite, AuditPage, CommitOutcome, Precondition,
        Store,
    },
};

pub async fn assets_are_read_as_they_were_written(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let mut full = world.asset(Source::Ninjaone, "1");
    full.content = AssetContent {
        name: "K\u{fc}che '01\" ; --".into(),
        host_name: Some("host".into()),
        serial_number: Some("".into()),
        entra_device_id: Some("entra".into()),
        class: Some("WINDOWS_SERVER".to_owned()),
        manufacturer: Some("maker".to_owned()),
        model: Some("model".to_owned()),
        operating_system: Some("os".to_owned()),
    };
    full.missing_since = Some(at(1));
    let mut superseded = world.asset(Source::Entra, "e");
    superseded.status = AssetStatus::Superseded { by: full.id };
    superseded.possible_duplicate_of = Some(full.id);
    let mut retired = world.asset(Source::Level, "l");
    retired.status = AssetStatus::Retired;
    let mut written = vec![full, superseded, retired];
    world.write_assets("assets", written.clone()).await;
    written.sort_by_key(|asset| asset.id);
    assert_eq!(
        store.assets(world.msp, AssetFilter::All).await.unwrap(),
        written
    );
    let audit = store
        .msp_audit(world.msp, AuditPage::newest(9))
        .await
        .unwrap();
    assert!(audit.contains(&world.audit("assets", 2)));
}

pub async fn assets_are_found_by_company_mapping_and_device(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let one = world.asset(Source::Ninjaone, "1");
    let mut two = world.asset(Source::Ninjaone, "2");
    two.company = CompanyId::of_name(world.msp, "other");
    two.mapping = Some(MappingId::of(world.credential.id, OrganizationId::new(8)));
    let level = world.asset(Source::Level, "1");
    world
        .write_assets("assets", vec![one.clone(), two.clone(), level.clone()])
        .await;
    let found = |filter| async move {
        let mut found = store.assets(world.msp, filter).await.unwrap();
        found.sort_by(|a, b| (a.source, &a.external_id).cmp(&(b.source, &b.external_id)));
        found
    };
    assert_eq!(
        found(AssetFilter::Company(world.company.id)).await,
        vec![one.clone(), level]
    );
    assert_eq!(
        found(AssetFilter::Mapping(world.mapping.id)).await,
        vec![one.clone()]
    );
    let devices = |devices: &[i64]| AssetFilter::Devices {
        credential: world.credential.id,
        devices: devices.iter().copied().map(DeviceId::new).collect(),
    };
    assert_eq!(found(devices(&[1, 2, 3])).await, vec![one, two.clone()]);
    assert_eq!(found(devices(&[2])).await, vec![two]);
    assert_eq!(found(devices(&[])).await, Vec::new());
    let many: Vec<_> = (1_000..12_000).collect();
    assert_eq!(
        found(devices(&many)).await,
        Vec::new(),
        "as many as an organization may have"
    );
}

pub async fn pages_of_assets_are_whole_in_order_and_filtered(store: &dyn Store) {
    let (one, two) = (World::new(store, 1).await, World::new(store, 2).await);
    let mut written: Vec<_> = (0..4)
        .map(|device| one.asset(Source::Ninjaone, &device.to_string()))
        .collect();
    let mut superseded = one.asset(Source::Entra, "e");
    superseded.status = AssetStatus::Superseded { by: written[0].id };
    let mut retired = one.asset(Source::Level, "l");
    retired.status = AssetStatus::Retired;
    written.extend([superseded, retired]);
    one.write_assets("assets", written.clone()).await;
    written.sort_by_key(|asset| asset.id);
    for company in [None, Some(one.company.id)] {
        for limit in 1..=7 {
            let mut page = AssetPage {
                company,
                ..AssetPage::first(limit)
            };
            let mut read = Vec::new();
            loop {
                let rows = store.assets_page(one.msp, page.clone()).await.unwrap();
                read.extend(rows.iter().cloned());
                let Some(last) = rows
                    .last()
                    .filter(|_| rows.len() as u64 == u64::from(limit))
                else {
                    break;
                };
                page = page.next(last);
            }
            assert_eq!(read, written, "pages of {limit}");
        }
        for (source, active_only, expected) in [
            (None, true, 4),
            (Some(Source::Ninjaone), false, 4),
            (Some(Source::Entra), false, 1),
            (Some(Source::Entra), true, 0),
            (Some(Source::Intune), false, 0),
        ] {
            let page = AssetPage {
                company,
                source,
                active_only,
                ..AssetPage::first(100)
            };
            let found = store.assets_page(one.msp, page.clone()).await.unwrap();
            assert_eq!(found.len(), expected, "{page:?}");
            assert!(found.iter().all(|asset| page.matches(asset)));
        }
        let all = AssetPage {
            company,
            ..AssetPage::first(100)
        };
        assert_eq!(store.assets_page(two.msp, all).await.unwrap(), []);
    }
    let other = AssetPage {
        company: Some(two.company.id),
        ..AssetPage::first(100)
    };
    assert_eq!(store.assets_page(one.msp, other).await.unwrap(), []);
    assert_eq!(
        store
            .assets_page(one.msp, AssetPage::first(0))
            .await
            .unwrap(),
        []
    );
}

pub async fn asset_commits_are_all_or_nothing(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let first = world.asset(Source::Ninjaone, "1");
    world.write_assets("assets", vec![first.clone()]).await;
    let mut newer = first.clone();
    newer.version = first.version.next();
    newer.content.name = "newer".into();
    let before = world.snapshot().await;
    let new = AssetWrite {
        asset: world.asset(Source::Ninjaone, "2"),
        expected: None,
    };
    for expected in [None, Some(Version::from_u32(9))] {
        let stale = AssetWrite {
            asset: newer.clone(),
            expected,
        };
        let commit = AssetCommit {
            writes: vec![new.clone(), stale],
            ..world.writing("late", Vec::new())
        };
        let outcome = store.commit_assets(world.msp, commit).await.unwrap();
        assert_eq!(outcome, CommitOutcome::Superseded(Precondition::Asset));
    }
    let unknown = AssetWrite {
        expected: Some(Version::FIRST),
        ..new.clone()
    };
    let commit = AssetCommit {
        writes: vec![unknown],
        ..world.writing("unknown", Vec::new())
    };
    let outcome = store.commit_assets(world.msp, commit).await.unwrap();
    assert_eq!(outcome, CommitOutcome::Superseded(Precondition::Asset));
    assert_eq!(world.snapshot().await, before);

    let fresh = AssetWrite {
        asset: newer.clone(),
        expected: Some(first.version),
    };
    let commit = AssetCommit {
        writes: vec![new, fresh],
        ..world.writing("fresh", Vec::new())
    };
    committed(store.commit_assets(world.msp, commit).await.unwrap());
    let stored = store.assets(world.msp, AssetFilter::All).await.unwrap();
    assert!(stored.len() == 2 && stored.contains(&newer));
}

pub async fn asset_commits_hold_their_guards(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let asset = world.asset(Source::Ninjaone, "1");
    let commit = || world.writing("assets", vec![asset.clone()]);
    let mut cases = Vec::new();
    let mut stale = commit();
    stale.credential.as_mut().unwrap().generation = world.credential.generation.next();
    cases.push((stale, Precondition::Credential));
    let mut stale = commit();
    stale.settings.as_mut().unwrap().version = Version::FIRST.next();
    cases.push((stale, Precondition::Settings));
    let mut stale = commit();
    stale.mapping.as_mut().unwrap().version = world.mapping.version.next();
    cases.push((stale, Precondition::Mapping));
    let mut stale = commit();
    stale.lease.as_mut().unwrap().fence = world.lease.fence.next();
    cases.push((stale, Precondition::Lease));
    let mut stale = commit();
    stale.lease.as_mut().unwrap().worker = WorkerId::from_uuid(uuid::Uuid::from_u128(9));
    cases.push((stale, Precondition::Lease));
    let before = world.snapshot().await;
    for (commit, guard) in cases {
        let outcome = store.commit_assets(world.msp, commit).await.unwrap();
        assert_eq!(outcome, CommitOutcome::Superseded(guard));
    }
    assert_eq!(world.snapshot().await, before);

    let none = AssetCommit {
        credential: None,
        settings: None,
        mapping: None,
        lease: None,
        ..commit()
    };
    committed(store.commit_assets(world.msp, none).await.unwrap());
    committed(
        store
            .commit_mapping(world.msp, world.deciding("ignore", MappingState::Ignored))
            .await
            .unwrap(),
    );
    let late = world.writing("late", vec![world.asset(Source::Ninjaone, "2")]);
    let outcome = store.commit_assets(world.msp, late).await.unwrap();
    assert_eq!(outcome, CommitOutcome::Superseded(Precondition::Mapping));
}

pub async fn an_asset_is_superseded_by_none_that_does_not_count(store: &dyn Store) {
    let (world, other) = (World::new(store, 1).await, World::new(store, 2).await);
    let written = |asset: &Asset, expected| AssetWrite {
        asset: asset.clone(),
        expected,
    };
    let rewritten = |asset: &Asset, status| {
        let mut asset = asset.clone();
        asset.status = status;
        asset.version = asset.version.next();
        asset
    };
    let commit = |label: &'static str, writes| {
        let commit = AssetCommit {
            writes,
            ..world.writing(label, Vec::new())
        };
        store.commit_assets(world.msp, commit)
    };
    let refused = CommitOutcome::Superseded(Precondition::Asset);
    let (winner, loser) = (
        world.asset(Source::Ninjaone, "1"),
        world.asset(Source::Entra, "e"),
    );
    let theirs = other.asset(Source::Ninjaone, "1");
    other.write_assets("theirs", vec![theirs.clone()]).await;
    world
        .write_assets("assets", vec![winner.clone(), loser.clone()])
        .await;
    let superseded = |to: &Asset| rewritten(&loser, AssetStatus::Superseded { by: to.id });
    let retired = rewritten(&winner, AssetStatus::Retired);

    // To one that another sync retires meanwhile, in the same commit or before it; to one that is another MSP's, or nobody's.
    let before = world.snapshot().await;
    let nobodys = world.asset(Source::Ninjaone, "2");
    for to in [&theirs, &nobodys, &loser] {
        let writes = vec![written(&superseded(to), Some(loser.version))];
        assert_eq!(commit("foreign", writes).await.unwrap(), refused);
    }
    let both = vec![
        written(&superseded(&winner), Some(loser.version)),
        written(&retired, Some(winner.version)),
    ];
    assert_eq!(commit("both", both).await.unwrap(), refused);
    assert_eq!(world.snapshot().await, before);

    // And the other way about: the winner is retired by one that has not seen what it supersedes.
    let writes = vec![written(&superseded(&winner), Some(loser.version))];
    committed(commit("superseded", writes).await.unwrap());
    let before = world.snapshot().await;
    let unaware = vec![written(&retired, Some(winner.version))];
    assert_eq!(commit("unaware", unaware).await.unwrap(), refused);
    assert_eq!(world.snapshot().await, before);
    let back = rewritten(&superseded(&winner), AssetStatus::Active);
    let aware = vec![
        written(&retired, Some(winner.version)),
        written(&back, Some(loser.version.next())),
    ];
    committed(commit("aware", aware).await.unwrap());
    let late = rewritten(&back, AssetStatus::Superseded { by: winner.id });
    let writes = vec![written(&late, Some(back.version))];
    assert_eq!(commit("late", writes).await.unwrap(), refused);
}

pub async fn an_msp_neither_reads_nor_writes_assets_of_another(store: &dyn Store) {
    let (one, two) = (World::new(store, 1).await, World::new(store, 2).await);
    let asset = one.asset(Source::Ninjaone, "1");
    one.write_assets("assets", vec![asset.clone()]).await;
    for filter in [
        AssetFilter::All,
        AssetFilter::Company(one.company.id),
        AssetFilter::Mapping(one.mapping.id),
        AssetFilter::Devices {
            credential: one.credential.id,
            devices: vec![DeviceId::new(1)],
        },
    ] {
        assert_eq!(store.assets(two.msp, filter).await.unwrap(), Vec::new());
    }
    let mut theirs = asset.clone();
    theirs.content.name = "theirs".into();
    theirs.version = asset.version.next();
    let mut commit = two.writing("theirs", Vec::new());
    commit.writes = vec![AssetWrite {
        asset: theirs,
        expected: Some(asset.version),
    }];
    let outcome = store.commit_assets(two.msp, commit).await.unwrap();
    assert_eq!(
        outcome,
        CommitOutcome::Superseded(Precondition::Asset),
        "there is no such row of theirs"
    );
    assert_eq!(
        store.assets(one.msp, AssetFilter::All).await.unwrap(),
        vec![asset]
    );
}

pub async fn assets_delivered_twice_are_written_once(store: &dyn Store, clock: &ManualClock) {
    let world = World::new(store, 1).await;
    let commit = world.writing("assets", vec![world.asset(Source::Ninjaone, "1")]);
    committed(
        store
            .commit_assets(world.msp, commit.clone())
            .await
            .unwrap(),
    );
    let worker = WorkerId::from_uuid(uuid::Uuid::from_u128(9));
    clock.advance(Duration::hours(2));
    let taken = store
        .take_lease(world.msp, world.lease.key, worker, Duration::hours(1))
        .await
        .unwrap();
    assert!(taken.is_some());
    let before = world.snapshot().await;
    // The lost lease does not matter: the event was seen.
    assert_eq!(
        store.commit_assets(world.msp, commit).await.unwrap(),
        CommitOutcome::AlreadyCommitted
    );
    assert_eq!(world.snapshot().await, before);
}
