//! Laws of [`Connections`](crate::store::Connections).

use futures_util::future::join_all;
use serde_json::json;
use time::Duration;

use super::world::{World, at, committed, credential, digest_of, secrets};
use crate::{
    host::ManualClock,
    model::{
        AssetStatus, AuditDetails, ComplianceOrgId, ConnectionSettings, NoteReason, OutboxAction,
        RegionKey, Source, StateDigest, StoredAuthorization, StoredSettings, TicketState, Version,
    },
    seal::{KeyCheck, Sealed},
    store::{
        AssetFilter, AuditPage, CommitOutcome, Precondition, SecretsCommit, SettingsCommit, Store,
        TicketWrite,
    },
};

pub async fn a_credential_is_read_by_its_msp_only(store: &dyn Store) {
    let (one, two) = (World::new(store, 1).await, World::new(store, 2).await);
    assert_eq!(
        store.credential(one.msp, one.credential.id).await.unwrap(),
        Some(one.credential.clone())
    );
    assert_eq!(
        store.credential(two.msp, one.credential.id).await.unwrap(),
        None
    );
    assert_eq!(
        store.credentials(two.msp).await.unwrap(),
        vec![two.credential]
    );
}

fn key_check(digit: u8) -> KeyCheck {
    KeyCheck::from_stored(digit.to_string().repeat(32))
}

pub async fn while_anything_is_connected_the_first_key_check_is_kept(store: &dyn Store) {
    let _world = World::new(store, 1).await;
    // Many at once: whichever came first is everyone's answer.
    let offers = (0..16).map(|n| store.keep_key_check(key_check(n % 2)));
    let kept: Vec<_> = join_all(offers)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert!(kept.iter().all(|value| *value == kept[0]), "{kept:?}");
    assert_eq!(store.keep_key_check(key_check(2)).await.unwrap(), kept[0]);
}

pub async fn where_nothing_is_connected_another_key_check_takes_its_place(store: &dyn Store) {
    let keep = async |digit| store.keep_key_check(key_check(digit)).await.unwrap();
    assert_eq!(keep(1).await, key_check(1));
    assert_eq!(keep(2).await, key_check(2));
    let world = World::new(store, 1).await;
    assert_eq!(keep(3).await, key_check(2), "an MSP is connected");
    let commit = world.disconnecting(5);
    committed(store.commit_disconnect(world.msp, commit).await.unwrap());
    assert_eq!(keep(3).await, key_check(3));
}

pub async fn connecting_writes_the_credential_and_the_audit_row(store: &dyn Store) {
    let world = World::empty(store, 1);
    let commit = world.connecting();
    committed(
        store
            .commit_connect(world.msp, commit.clone())
            .await
            .unwrap(),
    );
    assert_eq!(
        store
            .credential(world.msp, world.credential.id)
            .await
            .unwrap(),
        Some(world.credential.clone())
    );
    assert_eq!(
        store
            .msp_audit(world.msp, AuditPage::newest(9))
            .await
            .unwrap(),
        commit.audit
    );
}

pub async fn connecting_twice_with_one_event_writes_once(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let before = world.snapshot().await;
    // The stale generation does not matter: the event was seen.
    let outcome = store
        .commit_connect(world.msp, world.connecting())
        .await
        .unwrap();
    assert_eq!(outcome, CommitOutcome::AlreadyCommitted);
    assert_eq!(world.snapshot().await, before);
}

pub async fn connecting_from_a_stale_generation_writes_nothing(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let before = world.snapshot().await;
    for expected in [None, Some(world.credential.generation.next())] {
        let commit = crate::store::ConnectCommit {
            event: world.event("again"),
            expected,
            ..world.connecting()
        };
        let outcome = store.commit_connect(world.msp, commit).await.unwrap();
        assert_eq!(outcome, CommitOutcome::Superseded(Precondition::Credential));
    }
    assert_eq!(world.snapshot().await, before);
}

pub async fn a_client_id_connected_elsewhere_is_refused_unless_allowed(store: &dyn Store) {
    let (one, two) = (World::new(store, 1).await, World::empty(store, 2));
    let mut commit = two.connecting();
    commit.credential.fingerprint = one.credential.fingerprint.clone();
    let before = two.snapshot().await;
    let outcome = store.commit_connect(two.msp, commit.clone()).await.unwrap();
    assert_eq!(
        outcome,
        CommitOutcome::Superseded(Precondition::Fingerprint)
    );
    assert_eq!(two.snapshot().await, before);

    commit.allow_duplicate = true;
    committed(store.commit_connect(two.msp, commit.clone()).await.unwrap());
    // Its own row is no duplicate of itself, but the other one still is.
    commit.event = two.event("again");
    commit.expected = Some(commit.credential.generation);
    commit.credential.generation = commit.credential.generation.next();
    commit.allow_duplicate = false;
    let outcome = store.commit_connect(two.msp, commit).await.unwrap();
    assert_eq!(
        outcome,
        CommitOutcome::Superseded(Precondition::Fingerprint)
    );
    let mut commit = one.connecting();
    commit.event = one.event("another region");
    commit.credential = credential(one.msp, RegionKey::from_stored("eu"), 1);
    commit.credential.fingerprint = one.credential.fingerprint.clone();
    let outcome = store.commit_connect(one.msp, commit).await.unwrap();
    assert_eq!(
        outcome,
        CommitOutcome::Superseded(Precondition::Fingerprint),
        "the same MSP's other region counts too"
    );
}

pub async fn a_client_id_is_free_again_after_a_disconnect(store: &dyn Store) {
    let (one, two) = (World::new(store, 1).await, World::empty(store, 2));
    one.disconnect(5).await;
    let mut commit = two.connecting();
    commit.credential.fingerprint = one.credential.fingerprint.clone();
    committed(store.commit_connect(two.msp, commit).await.unwrap());
}

pub(super) fn rewriting(world: &World<'_>, label: &str, expected: Version) -> SecretsCommit {
    SecretsCommit {
        event: world.event(label),
        guard: world.credential.guard(),
        expected,
        secrets: secrets(label),
        audit: vec![world.audit(label, 2)],
    }
}

pub async fn secrets_are_rewritten_once_per_version(store: &dyn Store) {
    let world = World::new(store, 1).await;
    committed(
        store
            .commit_secrets(world.msp, rewriting(&world, "new", Version::FIRST))
            .await
            .unwrap(),
    );
    let outcome = store
        .commit_secrets(world.msp, rewriting(&world, "late", Version::FIRST))
        .await
        .unwrap();
    assert_eq!(outcome, CommitOutcome::Superseded(Precondition::Credential));
    let stored = store
        .credential(world.msp, world.credential.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored.secrets, Some(secrets("new")));
    assert_eq!(stored.secrets_version, Version::FIRST.next());
    assert_eq!(
        stored.generation, world.credential.generation,
        "a rotation interrupts no run"
    );
    let audit = store
        .msp_audit(world.msp, AuditPage::newest(9))
        .await
        .unwrap();
    assert!(audit.contains(&world.audit("new", 2)) && !audit.contains(&world.audit("late", 2)));
}

pub async fn secrets_of_a_disconnected_credential_are_not_rewritten(store: &dyn Store) {
    let world = World::new(store, 1).await;
    world.disconnect(5).await;
    let outcome = store
        .commit_secrets(world.msp, rewriting(&world, "new", Version::FIRST))
        .await
        .unwrap();
    assert_eq!(outcome, CommitOutcome::Superseded(Precondition::Credential));
    assert_eq!(
        store
            .credential(world.msp, world.credential.id)
            .await
            .unwrap()
            .unwrap()
            .secrets,
        None
    );
}

pub async fn a_disconnect_empties_every_sealed_column(store: &dyn Store) {
    let world = World::new(store, 1).await;
    world.disconnect(5).await;
    let stored = store
        .credential(world.msp, world.credential.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored.secrets, None);
    assert!(!stored.is_active);
    assert_eq!(stored.disconnected_at, Some(at(5)));
    assert_eq!(stored.generation, world.credential.generation.next());
    let audit = store
        .msp_audit(world.msp, AuditPage::newest(9))
        .await
        .unwrap();
    assert!(audit.contains(&world.disconnecting(5).audit));
    let outcome = store
        .commit_disconnect(world.msp, world.disconnecting(5))
        .await
        .unwrap();
    assert_eq!(outcome, CommitOutcome::AlreadyCommitted);
}

pub async fn a_disconnect_retires_assets_and_reactivates_lower_sources(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let ours = world.asset(Source::Ninjaone, "1");
    let mut level = world.asset(Source::Level, "l");
    let mut entra = world.asset(Source::Entra, "e");
    level.status = AssetStatus::Superseded { by: ours.id };
    entra.status = AssetStatus::Superseded { by: ours.id };
    let mut gone = world.asset(Source::Ninjaone, "2");
    gone.status = AssetStatus::Retired;
    let other = world.asset(Source::Intune, "i");
    let assets = vec![
        ours.clone(),
        level.clone(),
        entra.clone(),
        gone.clone(),
        other.clone(),
    ];
    world.write_assets("assets", assets).await;
    world.disconnect(5).await;

    let stored = store.assets(world.msp, AssetFilter::All).await.unwrap();
    let find = |id| stored.iter().find(|asset| asset.id == id).unwrap();
    assert_eq!(find(ours.id).status, AssetStatus::Retired);
    assert_eq!(
        (find(ours.id).version, find(ours.id).updated_at),
        (ours.version.next(), at(5))
    );
    assert_eq!(find(ours.id).content, ours.content, "the row is kept");
    assert_eq!(find(level.id).status, AssetStatus::Active);
    assert_eq!(
        (find(level.id).version, find(level.id).updated_at),
        (level.version.next(), at(5))
    );
    assert_eq!(
        find(entra.id).status,
        AssetStatus::Superseded { by: level.id },
        "the higher source wins"
    );
    assert_eq!(find(gone.id), &gone, "retired already: not rewritten");
    assert_eq!(find(other.id), &other, "another machine: not rewritten");
}

pub async fn a_disconnect_leaves_other_credentials_alone(store: &dyn Store) {
    let (one, two) = (World::new(store, 1).await, World::new(store, 2).await);
    two.write_assets("assets", vec![two.asset(Source::Ninjaone, "1")])
        .await;
    two.sweep("sweep", 3).await;
    let mut second = one.connecting();
    second.event = one.event("second region");
    second.audit = Vec::new();
    second.credential = credential(one.msp, RegionKey::from_stored("eu"), 3);
    committed(store.commit_connect(one.msp, second.clone()).await.unwrap());
    let before = two.snapshot().await;
    one.disconnect(5).await;
    assert_eq!(two.snapshot().await, before);
    let stored = store
        .credential(one.msp, second.credential.id)
        .await
        .unwrap();
    assert_eq!(stored, Some(second.credential));
}

pub async fn a_disconnect_is_on_the_trail_of_every_affected_customer_once(store: &dyn Store) {
    let world = World::new(store, 1).await;
    world.sweep("sweep", 3).await;
    world.sweep("sweep again", 4).await;
    let second = ComplianceOrgId::from_uuid(uuid::Uuid::from_u128(77));
    world.another_customer(8, second).await;
    let stranger = World::new(store, 2).await;
    world.disconnect(5).await;
    let rows = |customer| async move {
        store
            .customer_audit(customer, AuditPage::newest(9))
            .await
            .unwrap()
    };
    let details = |unexpired| AuditDetails::Disconnected {
        credential: world.credential.id,
        mappings: 1,
        unexpired_signals: Some(unexpired),
    };
    let first = rows(world.customer).await;
    assert_eq!(first.len(), 3);
    assert_eq!((&first[0].details, first[0].at), (&details(5), at(5)));
    let second = rows(second).await;
    assert_eq!(
        second
            .iter()
            .map(|row| row.details.clone())
            .collect::<Vec<_>>(),
        vec![details(0)]
    );
    assert_ne!(first[0].id, second[0].id);
    assert_eq!(rows(stranger.customer).await, Vec::new());
}

pub async fn a_disconnect_purges_signature_history_and_notes_open_tickets(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let mut commit = world.sweeping("sweep", 3).await;
    let open = world.ticket("sweep", regentra_evidence::SignalKind::PatchSla);
    let mut closed = world.ticket("sweep", regentra_evidence::SignalKind::DiskEncryption);
    closed.state = TicketState::Closed;
    closed.closed_at = Some(at(3));
    commit.tickets = [&open, &closed]
        .map(|ticket| TicketWrite {
            ticket: ticket.clone(),
            expected: None,
        })
        .to_vec();
    committed(
        store
            .commit_sweep(world.msp, world.customer, commit)
            .await
            .unwrap(),
    );
    assert!(
        !world
            .sweep_state("state")
            .await
            .signature_history
            .is_empty()
    );
    world.disconnect(5).await;

    let state = world.sweep_state("state").await;
    assert!(state.signature_history.is_empty());
    assert_eq!(
        state.open_tickets.into_values().collect::<Vec<_>>(),
        vec![open.clone()],
        "open tickets are left"
    );
    let outbox = store.outbox(world.msp, at(5), 9).await.unwrap();
    assert_eq!(outbox.len(), 1);
    assert_eq!(outbox[0].ticket, Some(open.id));
    assert_eq!(
        outbox[0].action,
        OutboxAction::Note {
            key: open.key,
            reason: NoteReason::Disconnected
        }
    );
}

pub async fn a_disconnect_leaves_mappings_signals_and_evidence(store: &dyn Store) {
    let mut world = World::new(store, 1).await;
    world.sweep("sweep", 3).await;
    world.reload_mapping().await;
    let signals = store.current_signals(world.customer, at(4)).await.unwrap();
    let heads = world.sweep_state("state").await.heads;
    world.disconnect(5).await;
    assert_eq!(
        store.mapping(world.msp, world.mapping.id).await.unwrap(),
        Some(world.mapping.clone())
    );
    assert_eq!(
        store.current_signals(world.customer, at(6)).await.unwrap(),
        signals
    );
    assert_eq!(world.sweep_state("state").await.heads, heads);
}

pub async fn nothing_is_committed_after_a_disconnect(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let sweep = world.sweeping("sweep", 3).await;
    let assets = world.writing("assets", vec![world.asset(Source::Ninjaone, "1")]);
    let discovery = crate::store::DiscoveryCommit {
        event: world.event("discovery"),
        guard: world.credential.guard(),
        added: vec![super::world::mapping(world.credential.id, 99)],
        seen: Vec::new(),
        lost_organizations: None,
        audit: Vec::new(),
    };
    world.disconnect(5).await;
    // A reconnect does not let the old run in again: its generation is past.
    let mut again = world.connecting();
    again.event = world.event("again");
    again.audit = Vec::new();
    again.expected = Some(world.credential.generation.next());
    again.credential.generation = world.credential.generation.next().next();
    for reconnected in [false, true] {
        if reconnected {
            committed(
                store
                    .commit_connect(world.msp, again.clone())
                    .await
                    .unwrap(),
            );
        }
        let before = world.snapshot().await;
        let superseded = CommitOutcome::Superseded(Precondition::Credential);
        let outcome = store
            .commit_sweep(world.msp, world.customer, sweep.clone())
            .await
            .unwrap();
        assert_eq!(outcome, superseded);
        assert_eq!(
            store
                .commit_assets(world.msp, assets.clone())
                .await
                .unwrap(),
            superseded
        );
        assert_eq!(
            store
                .commit_discovery(world.msp, discovery.clone())
                .await
                .unwrap(),
            superseded
        );
        assert_eq!(world.snapshot().await, before);
    }
}

/// Settings of every kind, and two that no release knows.
fn settings(field: &str) -> ConnectionSettings {
    let json = json!({
        "custom_fields": [{"question": "disk_encrypted", "field": field, "yes": ["\"on\" \u{2013} caf\u{e9}"], "no": ["off"]}],
        "entra_device_id_field": "entraId",
        "kinds_in_use": "os",
        "of_a_later_release": {"rules": [1, null, "\u{0}"], "deep": {"er": 18_446_744_073_709_551_615_u64}},
        "another": null,
    });
    serde_json::from_value(json).unwrap()
}

async fn settings_of(world: &World<'_>) -> StoredSettings {
    let stored = world
        .store
        .connection_settings(world.msp, world.credential.id);
    stored.await.unwrap().unwrap()
}

pub async fn settings_are_read_as_they_were_written(store: &dyn Store) {
    let world = World::new(store, 1).await;
    assert_eq!(settings_of(&world).await, StoredSettings::default());
    let (first, second) = (settings("filevault"), ConnectionSettings::default());
    let commit = world.configuring("first", first.clone());
    committed(store.commit_settings(world.msp, commit).await.unwrap());
    let stored = settings_of(&world).await;
    assert_eq!(stored.settings, first);
    assert_eq!(
        serde_json::to_string(&stored.settings).unwrap(),
        serde_json::to_string(&first).unwrap(),
        "what no release knows, too"
    );
    assert_eq!(stored.version, Version::FIRST.next());
    let trail = store.msp_audit(world.msp, AuditPage::newest(1)).await;
    assert_eq!(trail.unwrap(), [world.audit("first", 2)]);

    let commit = SettingsCommit {
        guard: stored.guard(world.credential.id),
        ..world.configuring("second", second.clone())
    };
    committed(store.commit_settings(world.msp, commit).await.unwrap());
    let stored = settings_of(&world).await;
    assert_eq!(stored.settings, second);
    assert_eq!(stored.version, Version::FIRST.next().next());
}

pub async fn settings_delivered_twice_are_written_once(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let commit = world.configuring("once", settings("filevault"));
    committed(
        store
            .commit_settings(world.msp, commit.clone())
            .await
            .unwrap(),
    );
    let before = world.snapshot().await;
    for version in [Version::FIRST, Version::FIRST.next()] {
        let mut again = commit.clone();
        again.guard.version = version;
        again.settings = ConnectionSettings::default();
        let outcome = store.commit_settings(world.msp, again).await.unwrap();
        assert_eq!(outcome, CommitOutcome::AlreadyCommitted);
    }
    assert_eq!(world.snapshot().await, before);
}

pub async fn of_two_changes_of_settings_at_once_one_is_written(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let changes = (0..8).map(|number| {
        let label = format!("change {number}");
        let commit = world.configuring(&label, settings(&format!("field{number}")));
        async move {
            (
                number,
                store.commit_settings(world.msp, commit).await.unwrap(),
            )
        }
    });
    let outcomes = join_all(changes).await;
    let written: Vec<_> = outcomes
        .iter()
        .filter(|(_, outcome)| *outcome == CommitOutcome::Committed)
        .collect();
    assert_eq!(written.len(), 1, "{outcomes:?}");
    let superseded = CommitOutcome::Superseded(Precondition::Settings);
    let lost = outcomes
        .iter()
        .filter(|(_, outcome)| *outcome == superseded);
    assert_eq!(lost.count(), 7, "{outcomes:?}");
    let stored = settings_of(&world).await;
    assert_eq!(stored.settings, settings(&format!("field{}", written[0].0)));
    assert_eq!(stored.version, Version::FIRST.next());
}

pub async fn settings_of_another_msp_or_connection_are_neither_read_nor_written(store: &dyn Store) {
    let (one, two) = (World::new(store, 1).await, World::new(store, 2).await);
    let mut eu = one.connecting();
    eu.event = one.event("eu");
    eu.audit = Vec::new();
    eu.credential = credential(one.msp, RegionKey::from_stored("eu"), 3);
    let id = eu.credential.id;
    committed(store.commit_connect(one.msp, eu).await.unwrap());
    let commit = one.configuring("ours", settings("filevault"));
    committed(store.commit_settings(one.msp, commit).await.unwrap());
    let other_region = store.connection_settings(one.msp, id).await.unwrap();
    assert_eq!(other_region, Some(StoredSettings::default()));
    assert_eq!(settings_of(&two).await, StoredSettings::default());
    let foreign = store.connection_settings(two.msp, one.credential.id);
    assert_eq!(foreign.await.unwrap(), None);

    let before = (one.snapshot().await, two.snapshot().await);
    let foreign = SettingsCommit {
        guard: settings_of(&one).await.guard(one.credential.id),
        ..two.configuring("foreign", settings("mine"))
    };
    let outcome = store.commit_settings(two.msp, foreign).await.unwrap();
    assert_eq!(outcome, CommitOutcome::Superseded(Precondition::Settings));
    let nowhere = World::empty(store, 4);
    let commit = nowhere.configuring("nowhere", settings("mine"));
    let outcome = store.commit_settings(nowhere.msp, commit).await.unwrap();
    assert_eq!(outcome, CommitOutcome::Superseded(Precondition::Settings));
    assert_eq!((one.snapshot().await, two.snapshot().await), before);
}

pub async fn settings_survive_a_disconnect_a_reconnect_and_other_secrets(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let commit = world.configuring("settings", settings("filevault"));
    committed(store.commit_settings(world.msp, commit).await.unwrap());
    let stored = settings_of(&world).await;
    let commit = rewriting(&world, "secrets", Version::FIRST);
    committed(store.commit_secrets(world.msp, commit).await.unwrap());
    assert_eq!(settings_of(&world).await, stored);
    world.disconnect(5).await;
    assert_eq!(settings_of(&world).await, stored);
    // They may be changed meanwhile.
    let commit = SettingsCommit {
        guard: stored.guard(world.credential.id),
        ..world.configuring("meanwhile", settings("vault"))
    };
    committed(store.commit_settings(world.msp, commit).await.unwrap());
    let stored = settings_of(&world).await;
    let mut again = world.connecting();
    again.event = world.event("again");
    again.audit = Vec::new();
    again.expected = Some(world.credential.generation.next());
    again.credential.generation = world.credential.generation.next().next();
    committed(store.commit_connect(world.msp, again).await.unwrap());
    assert_eq!(settings_of(&world).await, stored);
    assert_eq!(stored.settings, settings("vault"));
}

/// A run that read by the old settings may have taken for good what the new ones do not.
pub async fn nothing_that_was_read_by_changed_settings_is_written(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let sweep = world.sweeping("sweep", 3).await;
    let assets = world.writing("assets", vec![world.asset(Source::Ninjaone, "1")]);
    let commit = world.configuring("settings", settings("filevault"));
    committed(store.commit_settings(world.msp, commit).await.unwrap());
    let before = world.snapshot().await;
    let superseded = CommitOutcome::Superseded(Precondition::Settings);
    let (msp, customer) = (world.msp, world.customer);
    let outcome = store.commit_sweep(msp, customer, sweep.clone()).await;
    assert_eq!(outcome.unwrap(), superseded);
    let outcome = store.commit_assets(msp, assets.clone()).await.unwrap();
    assert_eq!(outcome, superseded);
    assert_eq!(world.snapshot().await, before);
    // Under the new ones, and the same events, they are.
    let guard = settings_of(&world).await.guard(world.credential.id);
    let (mut sweep, mut assets) = (sweep, assets);
    (sweep.settings, assets.settings) = (guard, Some(guard));
    committed(store.commit_sweep(msp, customer, sweep).await.unwrap());
    committed(store.commit_assets(msp, assets).await.unwrap());
}

pub async fn a_pending_authorization_is_taken_once_in_time_by_its_msp(
    store: &dyn Store,
    clock: &ManualClock,
) {
    clock.set(at(9));
    let (one, two) = (World::empty(store, 1), World::empty(store, 2));
    let (a, b) = (pending("a", "us", 10), pending("b", "us", 10));
    for begun in [&a, &b] {
        store
            .begin_authorization(one.msp, begun.clone(), at(0))
            .await
            .unwrap();
    }
    let just_before = at(10) - Duration::microseconds(1);
    assert_eq!(
        store
            .take_authorization(two.msp, &a.state, just_before)
            .await
            .unwrap(),
        None
    );
    assert_eq!(
        store
            .take_authorization(one.msp, &a.state, just_before)
            .await
            .unwrap(),
        Some(a.clone())
    );
    assert_eq!(
        store
            .take_authorization(one.msp, &a.state, just_before)
            .await
            .unwrap(),
        None,
        "single use"
    );
    assert_eq!(
        store
            .take_authorization(one.msp, &b.state, at(10))
            .await
            .unwrap(),
        None,
        "expired"
    );
}

pub async fn expired_authorizations_are_forgotten_when_the_next_is_begun_or_taken(
    store: &dyn Store,
    clock: &ManualClock,
) {
    clock.set(at(0));
    let (one, two) = (World::empty(store, 1), World::empty(store, 2));
    // Asked for at a time at which it was not expired: `None` only if it is gone.
    let taken = async |msp, begun: &StoredAuthorization| {
        store
            .take_authorization(msp, &begun.state, at(1))
            .await
            .unwrap()
    };
    let (a, b) = (pending("a", "us", 10), pending("b", "us", 11));
    let (c, d) = (pending("c", "us", 20), pending("d", "eu", 25));
    for begun in [&a, &b] {
        store
            .begin_authorization(one.msp, begun.clone(), at(0))
            .await
            .unwrap();
    }
    store
        .begin_authorization(two.msp, a.clone(), at(0))
        .await
        .unwrap();
    clock.set(at(10));
    store
        .begin_authorization(one.msp, c.clone(), at(10))
        .await
        .unwrap();
    clock.set(at(1));
    assert_eq!(taken(one.msp, &a).await, None, "forgotten by a beginning");
    assert_eq!(
        taken(two.msp, &a).await,
        Some(a),
        "another MSP's is left alone"
    );
    assert_eq!(taken(one.msp, &b).await, Some(b), "not expired");

    clock.set(at(10));
    store
        .begin_authorization(one.msp, d.clone(), at(10))
        .await
        .unwrap();
    clock.set(at(20));
    let nothing = StateDigest::from_bytes(digest_of("nobody's"));
    let none = store.take_authorization(one.msp, &nothing, at(20)).await;
    assert_eq!(none.unwrap(), None);
    clock.set(at(1));
    assert_eq!(taken(one.msp, &c).await, None, "forgotten by a taking");
    assert_eq!(taken(one.msp, &d).await, Some(d));
}

pub async fn a_disconnect_forgets_the_authorizations_under_way_for_its_region(
    store: &dyn Store,
    clock: &ManualClock,
) {
    clock.set(at(20));
    let (one, two) = (World::new(store, 1).await, World::new(store, 2).await);
    let region = one.credential.region.as_str();
    let (ours, elsewhere) = (pending("a", region, 30), pending("b", "another-region", 30));
    for (msp, begun) in [(one.msp, &ours), (one.msp, &elsewhere), (two.msp, &ours)] {
        store
            .begin_authorization(msp, begun.clone(), at(4))
            .await
            .unwrap();
    }
    one.disconnect(5).await;
    let taken = async |msp, begun: &StoredAuthorization| {
        store
            .take_authorization(msp, &begun.state, at(6))
            .await
            .unwrap()
    };
    assert_eq!(taken(one.msp, &ours).await, None);
    assert_eq!(taken(one.msp, &elsewhere).await, Some(elsewhere));
    assert_eq!(taken(two.msp, &ours).await, Some(ours));
}

pub(super) fn pending(state: &str, region: &str, expires_at: i64) -> StoredAuthorization {
    StoredAuthorization {
        state: StateDigest::from_bytes(digest_of(state)),
        region: RegionKey::from_stored(region),
        sealed: Sealed::from_stored(format!("1.k.{state}")),
        expires_at: at(expires_at),
    }
}
