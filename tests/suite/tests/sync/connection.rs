//! Section 2: connecting.

use std::sync::Arc;

use regentra_sync::{
    Choice, Connect, Disconnect, Discover, ErrorKind, Integration, SyncAssets, TestConnection,
    TestSavedConnection,
    host::{Clock as _, HostPolicy, ManualClock},
    model::{
        Actor, AuditAction, AuditDetails, CredentialId, Grant, MspOrgId, RegionKey, TenantView,
    },
    ninjaone_client::ErrorKind as Vendor,
    seal::{KeyId, Keyring, MasterKey},
    store::AuditPage,
};
use time::Duration;
use uuid::Uuid;

use crate::{
    host::{Host, keyring, operator, us},
    scripted::{base_url, device},
};

on_every_store!(
    a_test_before_saving_counts_the_visible_organizations_and_saves_nothing,
    seeing_no_organization_is_a_success_with_a_warning_that_says_what_to_fix,
    a_wrong_region_looks_like_an_unknown_client_and_the_error_says_both,
    other_regions_are_tried_only_when_asked,
    an_address_that_the_host_does_not_allow_is_never_asked,
    connecting_seals_the_credentials_and_says_so_on_the_msps_trail,
    a_request_that_is_sent_twice_connects_once,
    the_same_region_again_is_a_reconnect,
    a_first_connect_delivered_again_is_no_reconnect,
    a_reconnect_after_a_disconnect_resumes,
    regions_are_connected_apart,
    a_client_id_that_is_connected_elsewhere_is_a_conflict,
    the_override_is_explicit_and_audited,
    empty_credentials_are_refused,
    rotation_reseals_without_downtime,
    another_identity_key_is_refused_at_once_and_asks_nothing,
    secrets_that_do_not_open_are_audited_once_and_say_what_to_do,
    nothing_saved_yet_is_said_as_such,
    another_client_has_to_see_the_mapped_organizations_as_they_were,
    a_new_secret_of_the_same_client_is_saved_once_ninjaone_accepts_it,
    a_pasted_client_id_is_tried_as_it_is_saved,
    a_credential_that_does_not_open_does_not_keep_the_others_from_being_sealed_again,
);

fn testing(region: &str) -> TestConnection {
    TestConnection {
        region: RegionKey::parse(region).unwrap(),
        client_id: "client".into(),
        client_secret: "hunter2".into(),
        try_other_regions: false,
        actor: operator(),
    }
}

async fn a_test_before_saving_counts_the_visible_organizations_and_saves_nothing(host: Host) {
    host.organizations(&[(1, "Alpha"), (2, "Beta")]);
    let test = host
        .integration
        .test_connection(host.msp, testing("us"))
        .await
        .unwrap();
    assert_eq!(
        (test.organizations_visible, test.truncated, test.warning),
        (2, false, None)
    );
    assert_eq!(host.store.credentials(host.msp).await.unwrap(), Vec::new());
    let audit = host.msp_audit(AuditAction::NinjaoneTested).await;
    assert_eq!(audit.len(), 1);
    assert_eq!(
        audit[0].details,
        AuditDetails::Tested {
            region: us(),
            organizations_visible: Some(2),
            unreadable_rows: 0,
        }
    );
    assert_eq!(audit[0].actor, operator());
}

async fn seeing_no_organization_is_a_success_with_a_warning_that_says_what_to_fix(host: Host) {
    let test = host
        .integration
        .test_connection(host.msp, testing("us"))
        .await
        .unwrap();
    assert_eq!(test.organizations_visible, 0);
    let warning = test.warning.unwrap();
    assert!(
        warning.contains("no organization is visible") && warning.contains("Administration"),
        "{warning}"
    );
}

async fn a_wrong_region_looks_like_an_unknown_client_and_the_error_says_both(host: Host) {
    host.ninjaone.script().only = Some(("eu.ninjarmm.com", "client"));
    let error = host
        .integration
        .test_connection(host.msp, testing("us"))
        .await
        .unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::Ninjaone(Vendor::WrongRegionOrClient)
    );
    let text = error.to_string();
    assert!(
        text.contains("client id is wrong") && text.contains("region us"),
        "{text}"
    );
    assert!(
        text.contains("app.ninjarmm.com"),
        "it names the region's host: {text}"
    );
    let audit = host.msp_audit(AuditAction::NinjaoneTested).await;
    assert_eq!(
        audit[0].details,
        AuditDetails::Tested {
            region: us(),
            organizations_visible: None,
            unreadable_rows: 0,
        }
    );
}

async fn other_regions_are_tried_only_when_asked(host: Host) {
    host.ninjaone.script().only = Some(("eu.ninjarmm.com", "client"));
    host.integration
        .test_connection(host.msp, testing("us"))
        .await
        .unwrap_err();
    assert_eq!(
        host.ninjaone.script().asked.len(),
        1,
        "no other region saw the secret"
    );
    let request = TestConnection {
        try_other_regions: true,
        ..testing("us")
    };
    let error = host
        .integration
        .test_connection(host.msp, request)
        .await
        .unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::Ninjaone(Vendor::WrongRegionOrClient)
    );
    assert!(
        error
            .to_string()
            .contains("region eu (eu.ninjarmm.com) does: connect that region"),
        "{error}"
    );
}

async fn an_address_that_the_host_does_not_allow_is_never_asked(host: Host) {
    for address in ["https://intranet.example", "http://127.0.0.1:8080"] {
        let error = host
            .integration
            .test_connection(host.msp, testing(address))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let connect = Connect {
            region: RegionKey::parse(address).unwrap(),
            ..host.connecting()
        };
        let error = host
            .integration
            .connect(host.msp, connect)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
    assert!(host.ninjaone.script().asked.is_empty());
    assert_eq!(host.store.credentials(host.msp).await.unwrap(), Vec::new());
    host.organizations(&[(1, "Alpha")]);
    host.integration
        .test_connection(host.msp, testing("https://acme.rmmservice.com"))
        .await
        .unwrap();
    let allowed = base_url("https://gateway.example");
    let relaxed = host.with_policy(HostPolicy::default().allow_hosts(move |base| *base == allowed));
    relaxed
        .test_connection(host.msp, testing("https://gateway.example"))
        .await
        .unwrap();
    relaxed
        .test_connection(host.msp, testing("us"))
        .await
        .unwrap_err();
}

async fn connecting_seals_the_credentials_and_says_so_on_the_msps_trail(host: Host) {
    let id = host.connect().await;
    let stored = host.store.credential(host.msp, id).await.unwrap().unwrap();
    assert!(stored.is_active);
    let secrets = stored.secrets.unwrap();
    for sealed in [&secrets.client_id, secrets.client_secret.as_ref().unwrap()] {
        assert!(
            sealed.as_str().starts_with("1.one."),
            "the sealed form names its key"
        );
        assert!(!sealed.as_str().contains("client") && !sealed.as_str().contains("hunter2"));
    }
    assert!(!stored.fingerprint.as_str().contains("client"));
    let audit = host.msp_audit(AuditAction::NinjaoneConnected).await;
    let details = AuditDetails::Connected {
        credential: id,
        grant: Grant::ClientCredentials,
        view: TenantView::Unknown,
        region: us(),
        reconnected: false,
    };
    assert_eq!(
        audit
            .iter()
            .map(|row| (&row.details, row.actor))
            .collect::<Vec<_>>(),
        [(&details, operator())]
    );
}

async fn a_request_that_is_sent_twice_connects_once(host: Host) {
    let event = host.event();
    for _ in 0..2 {
        host.integration
            .connect(
                host.msp,
                Connect {
                    event,
                    ..host.connecting()
                },
            )
            .await
            .unwrap();
    }
    let stored = host.store.credentials(host.msp).await.unwrap();
    assert_eq!(stored[0].generation.as_u32(), 1);
    assert_eq!(
        host.msp_audit(AuditAction::NinjaoneConnected).await.len(),
        1
    );
}

async fn the_same_region_again_is_a_reconnect(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    host.sweep_one().await;
    let before = host.mapping(1).await;
    assert!(before.first_evidence_synced_at.is_some());
    let connect = Connect {
        client_secret: "new secret".into(),
        ..host.connecting()
    };
    let connected = host.integration.connect(host.msp, connect).await.unwrap();
    assert!(connected.reconnected);
    assert_eq!(
        host.mapping(1).await,
        before,
        "the same mappings, and the dry run stays over"
    );
    host.ninjaone.script().asked.clear();
    host.sweep_one().await;
    let asked = host.ninjaone.script().asked.clone();
    assert_eq!(asked[0].2, "new secret");
}

async fn a_first_connect_delivered_again_is_no_reconnect(host: Host) {
    let event = host.event();
    for _ in 0..2 {
        let connect = Connect {
            event,
            ..host.connecting()
        };
        let connected = host.integration.connect(host.msp, connect).await.unwrap();
        assert!(!connected.reconnected);
    }
    let event = host.event();
    for _ in 0..2 {
        let connect = Connect {
            event,
            ..host.connecting()
        };
        let connected = host.integration.connect(host.msp, connect).await.unwrap();
        assert!(connected.reconnected);
    }
}

async fn a_reconnect_after_a_disconnect_resumes(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    host.ninjaone
        .script()
        .devices
        .insert(1, vec![device(10, "PC-1")]);
    host.sync().await;
    host.sweep_one().await;
    host.integration
        .disconnect(
            host.msp,
            Disconnect {
                region: us(),
                actor: operator(),
                event: host.event(),
            },
        )
        .await
        .unwrap();
    assert!(host.sweep_events().await.is_empty());
    host.connect().await;
    assert!(host.mapping(1).await.first_evidence_synced_at.is_some());
    let report = host.sweep_one().await;
    assert!(!report.dry_run, "the next tick resumes");
    host.sync().await;
    assert_eq!(
        host.assets().await[0].status,
        regentra_sync::model::AssetStatus::Active,
        "assets are active again"
    );
}

async fn regions_are_connected_apart(host: Host) {
    host.connect().await;
    let eu = RegionKey::parse("eu").unwrap();
    let connect = Connect {
        region: eu.clone(),
        client_id: "another".into(),
        ..host.connecting()
    };
    host.integration.connect(host.msp, connect).await.unwrap();
    let stored = host.store.credentials(host.msp).await.unwrap();
    assert_eq!(
        stored
            .iter()
            .map(|credential| credential.region.clone())
            .collect::<Vec<_>>(),
        [eu.clone(), us()]
    );
    host.integration
        .disconnect(
            host.msp,
            Disconnect {
                region: eu.clone(),
                actor: operator(),
                event: host.event(),
            },
        )
        .await
        .unwrap();
    let us = host
        .store
        .credential(host.msp, CredentialId::of(host.msp, &us()))
        .await
        .unwrap();
    assert!(us.unwrap().is_active);
}

async fn a_client_id_that_is_connected_elsewhere_is_a_conflict(host: Host) {
    host.connect().await;
    let other = MspOrgId::from_uuid(Uuid::from_u128(2));
    let error = host
        .integration
        .connect(other, host.connecting())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(
        error.to_string().contains("connected already") && error.to_string().contains("override"),
        "{error}"
    );
    assert_eq!(host.store.credentials(other).await.unwrap(), Vec::new());
    // A branded host of the same region reaches the same tenant.
    let branded = RegionKey::parse("https://acme.rmmservice.com").unwrap();
    let connect = Connect {
        region: branded,
        ..host.connecting()
    };
    let error = host
        .integration
        .connect(host.msp, connect)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let connect = Connect {
        client_id: "another".into(),
        ..host.connecting()
    };
    host.integration.connect(other, connect).await.unwrap();
}

async fn the_override_is_explicit_and_audited(host: Host) {
    host.connect().await;
    assert!(
        host.msp_audit(AuditAction::NinjaoneOverrideUsed)
            .await
            .is_empty()
    );
    let other = MspOrgId::from_uuid(Uuid::from_u128(2));
    let connect = Connect {
        allow_duplicate: true,
        ..host.connecting()
    };
    let credential = host
        .integration
        .connect(other, connect)
        .await
        .unwrap()
        .credential;
    let audit = host
        .store
        .msp_audit(other, AuditPage::newest(9))
        .await
        .unwrap();
    assert!(
        audit
            .iter()
            .any(|row| row.details == AuditDetails::OverrideUsed { credential })
    );
    // Where nothing is overridden, none is audited.
    let third = MspOrgId::from_uuid(Uuid::from_u128(3));
    let connect = Connect {
        allow_duplicate: true,
        client_id: "third".into(),
        ..host.connecting()
    };
    host.integration.connect(third, connect).await.unwrap();
    let audit = host
        .store
        .msp_audit(third, AuditPage::newest(9))
        .await
        .unwrap();
    assert!(
        audit
            .iter()
            .all(|row| row.action != AuditAction::NinjaoneOverrideUsed)
    );
}

async fn empty_credentials_are_refused(host: Host) {
    for (client_id, client_secret) in [("", "secret"), ("client", " ")] {
        let connect = Connect {
            client_id: client_id.into(),
            client_secret: client_secret.into(),
            ..host.connecting()
        };
        let error = host
            .integration
            .connect(host.msp, connect)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
}

fn of_another_client(host: &Host) -> Connect {
    Connect {
        client_id: "another client".into(),
        ..host.connecting()
    }
}

async fn another_client_has_to_see_the_mapped_organizations_as_they_were(host: Host) {
    host.mapped(&[(1, "Alpha"), (2, "Beta")]).await;
    // Nobody decided about it, so nothing of it goes anywhere.
    host.organizations(&[(1, "Alpha"), (2, "Beta"), (3, "Gamma")]);
    host.discover().await;
    let before = host.store.credentials(host.msp).await.unwrap();
    for another_tenant in [
        &[(1, "Alpha"), (2, "Zeta")][..],
        &[(2, "Beta"), (3, "Gamma")],
        &[],
    ] {
        host.organizations(another_tenant);
        let connect = of_another_client(&host);
        let error = host.integration.connect(host.msp, connect).await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{another_tenant:?}");
        let text = error.to_string();
        assert!(text.contains("another NinjaOne tenant"), "{text}");
        assert!(!text.contains("Zeta") && !text.contains("Beta"), "{text}");
        assert_eq!(host.store.credentials(host.msp).await.unwrap(), before);
    }
    host.ninjaone.script().fails = Some(Vendor::Timeout);
    let connect = of_another_client(&host);
    let error = host.integration.connect(host.msp, connect).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Ninjaone(Vendor::Timeout));
    assert_eq!(host.store.credentials(host.msp).await.unwrap(), before);

    host.ninjaone.script().fails = None;
    host.organizations(&[(1, " alpha"), (2, "Beta"), (4, "Delta")]);
    let connect = of_another_client(&host);
    let connected = host.integration.connect(host.msp, connect).await.unwrap();
    assert!(connected.reconnected);

    // Un-mapped, an organization that is not there any more is in nobody's way.
    host.map(2, Choice::DontSync).await.unwrap();
    host.organizations(&[(1, "Alpha")]);
    let connect = host.connecting();
    host.integration.connect(host.msp, connect).await.unwrap();
}

async fn a_new_secret_of_the_same_client_is_saved_once_ninjaone_accepts_it(host: Host) {
    host.mapped(&[(1, "Alpha")]).await;
    host.ninjaone.script().asked.clear();
    let connect = || Connect {
        client_secret: "hunter3".into(),
        ..host.connecting()
    };
    let generation = async || {
        let stored = host.store.credentials(host.msp).await.unwrap();
        stored[0].generation
    };
    let before = generation().await;
    for refuses in [Vendor::Timeout, Vendor::Unauthenticated] {
        host.ninjaone.script().fails = Some(refuses);
        let refused = host.integration.connect(host.msp, connect()).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Ninjaone(refuses));
        assert_eq!(generation().await, before, "what works stays");
    }
    host.ninjaone.script().fails = None;
    host.ninjaone.script().asked.clear();
    host.integration.connect(host.msp, connect()).await.unwrap();
    assert_ne!(generation().await, before);
    let script = host.ninjaone.script();
    let asked: Vec<_> = script.asked.iter().map(|asked| asked.0).collect();
    assert_eq!(asked, ["authenticate"], "and nothing else");
}

async fn a_pasted_client_id_is_tried_as_it_is_saved(host: Host) {
    host.organizations(&[(1, "Alpha")]);
    host.ninjaone.script().only = Some(("app.ninjarmm.com", "client"));
    let pasted = TestConnection {
        client_id: " client\n".into(),
        ..testing("us")
    };
    let test = host.integration.test_connection(host.msp, pasted).await;
    assert_eq!(test.unwrap().organizations_visible, 1);
}

async fn a_credential_that_does_not_open_does_not_keep_the_others_from_being_sealed_again(
    host: Host,
) {
    host.connect().await;
    let elsewhere = Connect {
        region: RegionKey::parse("eu").unwrap(),
        ..host.connecting()
    };
    // Of a key that nobody has any more; its region comes before the other one.
    let lost = Keyring::new(
        KeyId::new("lost").unwrap(),
        MasterKey::from_bytes([7; 32]),
        MasterKey::from_bytes([9; 32]),
    );
    let with = |keyring| {
        let ninjaone = Arc::new(host.ninjaone.clone());
        Integration::builder(Arc::clone(&host.store), keyring, ninjaone)
            .clock(Arc::new(host.clock.clone()))
            .build()
    };
    with(lost).connect(host.msp, elsewhere).await.unwrap();
    let both = with(
        rotated_keyring().with_retired(KeyId::new("one").unwrap(), MasterKey::from_bytes([1; 32])),
    );
    let error = both.rotate_key(host.msp, operator()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Sealing);
    // The one that opens is sealed under the new key.
    host.organizations(&[(1, "Alpha")]);
    let ninjaone = Arc::new(host.ninjaone.clone());
    let only_new = Integration::builder(Arc::clone(&host.store), rotated_keyring(), ninjaone)
        .clock(Arc::new(host.clock.clone()))
        .build();
    let region = us();
    let test = only_new.test_saved_connection(
        host.msp,
        TestSavedConnection {
            region: region.clone(),
            actor: operator(),
        },
    );
    assert_eq!(test.await.unwrap().organizations_visible, 1);
}

/// Its sealing key opens everything: without the check it would find no client id that is connected, and no device that it knows.
async fn another_identity_key_is_refused_at_once_and_asks_nothing(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    host.sweep_one().await;
    let events = host.sweep_events().await;
    let stranger = Keyring::new(
        KeyId::new("one").unwrap(),
        MasterKey::from_bytes([1; 32]),
        MasterKey::from_bytes([8; 32]),
    );
    let ninjaone = Arc::new(host.ninjaone.clone());
    let stranger = Integration::builder(Arc::clone(&host.store), stranger, ninjaone)
        .clock(Arc::new(host.clock.clone()))
        .build();
    let asked = host.ninjaone.script().asked.len();
    let region = us();
    let kinds = [
        stranger
            .connect(host.msp, host.connecting())
            .await
            .unwrap_err()
            .kind(),
        stranger
            .test_connection(host.msp, testing("us"))
            .await
            .unwrap_err()
            .kind(),
        stranger
            .test_saved_connection(
                host.msp,
                TestSavedConnection {
                    region: region.clone(),
                    actor: operator(),
                },
            )
            .await
            .unwrap_err()
            .kind(),
        stranger
            .discover(
                host.msp,
                Discover {
                    region: region.clone(),
                    actor: operator(),
                    event: host.event(),
                },
            )
            .await
            .unwrap_err()
            .kind(),
        stranger.sweep(&events[0]).await.unwrap_err().kind(),
    ];
    assert_eq!(kinds, [ErrorKind::Sealing; 5]);
    assert_eq!(host.ninjaone.script().asked.len(), asked);
    // It took nothing from the host that was here first.
    host.sync().await;
    host.sweep_one().await;
}

fn rotated_keyring() -> Keyring {
    Keyring::new(
        KeyId::new("two").unwrap(),
        MasterKey::from_bytes([2; 32]),
        MasterKey::from_bytes([9; 32]),
    )
}

async fn rotation_reseals_without_downtime(host: Host) {
    let id = host.connect().await;
    host.organizations(&[(1, "Alpha")]);
    let with = |keyring: Keyring| {
        let ninjaone = Arc::new(host.ninjaone.clone());
        Integration::builder(host.store.clone(), keyring, ninjaone)
            .clock(Arc::new(host.clock.clone()))
            .build()
    };
    let both = with(
        rotated_keyring().with_retired(KeyId::new("one").unwrap(), MasterKey::from_bytes([1; 32])),
    );
    both.discover(
        host.msp,
        Discover {
            region: us(),
            actor: operator(),
            event: host.event(),
        },
    )
    .await
    .unwrap();
    assert_eq!(both.rotate_key(host.msp, operator()).await.unwrap(), 1);
    assert_eq!(
        both.rotate_key(host.msp, operator()).await.unwrap(),
        0,
        "nothing is left to seal again"
    );
    let stored = host.store.credential(host.msp, id).await.unwrap().unwrap();
    assert!(
        stored
            .secrets
            .unwrap()
            .client_id
            .as_str()
            .starts_with("1.two.")
    );
    assert_eq!(stored.generation.as_u32(), 1, "no run in flight is refused");
    assert_eq!(
        host.msp_audit(AuditAction::NinjaoneKeyRotated).await.len(),
        1
    );
    let only_new = with(rotated_keyring());
    only_new
        .discover(
            host.msp,
            Discover {
                region: us(),
                actor: operator(),
                event: host.event(),
            },
        )
        .await
        .unwrap();
    assert_eq!(host.ninjaone.script().asked.last().unwrap().2, "hunter2");
}

async fn secrets_that_do_not_open_are_audited_once_and_say_what_to_do(host: Host) {
    let credential = host.connect().await;
    let without = |clock: &ManualClock| {
        let ninjaone = Arc::new(host.ninjaone.clone());
        Integration::builder(host.store.clone(), rotated_keyring(), ninjaone)
            .clock(Arc::new(clock.clone()))
            .build()
    };
    // A clock that is wrong, too, does not hide it; the row waits for one that is right.
    let ahead = ManualClock::at(host.clock.now() + Duration::days(20));
    for clock in [&ahead, &host.clock, &host.clock] {
        let error = without(clock)
            .discover(
                host.msp,
                Discover {
                    region: us(),
                    actor: operator(),
                    event: host.event(),
                },
            )
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Sealing);
        assert!(
            error
                .to_string()
                .contains("restore that key, or connect again"),
            "{error}"
        );
    }
    let audit = host.msp_audit(AuditAction::NinjaoneUnsealingFailed).await;
    assert_eq!(
        audit
            .iter()
            .map(|row| row.details.clone())
            .collect::<Vec<_>>(),
        [AuditDetails::UnsealingFailed { credential }]
    );
    assert_eq!(audit[0].actor, Actor::Schedule);
    drop(keyring());
}

async fn nothing_saved_yet_is_said_as_such(host: Host) {
    let error = host
        .integration
        .discover(
            host.msp,
            Discover {
                region: us(),
                actor: operator(),
                event: host.event(),
            },
        )
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotConnected);
    let error = host
        .integration
        .sync_assets(
            host.msp,
            SyncAssets {
                region: us(),
                actor: operator(),
                event: host.event(),
            },
        )
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotConnected);
    let error = host
        .integration
        .disconnect(
            host.msp,
            Disconnect {
                region: us(),
                actor: operator(),
                event: host.event(),
            },
        )
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let error = host.map(1, Choice::DontSync).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
