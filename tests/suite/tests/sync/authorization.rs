//! Section 2, a second way in: an administrator authorizes the API client.

use std::collections::BTreeMap;

use regentra_harness::authorization::{begin_authorization, organizations_visible};
use regentra_sync::{
    AuthorizationLink, Authorized, BeginAuthorization, Callback, Choice, CompleteAuthorization,
    Disconnect, Discover, Error, ErrorKind, Integration, RequestedAccess, SweepOutcome, SyncAssets,
    SyncOutcome,
    model::{
        AuditAction, AuditDetails, Credential, CredentialId, Field, Grant, MspOrgId, RegionKey,
        RunOutcome, StateDigest, TenantView,
    },
    ninjaone_client::{ErrorKind as Vendor, Scope},
    seal::{KeyId, Keyring, MasterKey, Sealed},
};
use secrecy::ExposeSecret as _;
use time::Duration;
use url::Url;
use uuid::Uuid;

use crate::{
    host::{Host, keyring, operator, us},
    scripted::device,
};

on_every_store!(
    the_administrator_is_sent_to_the_region_and_asked_for_reading_alone,
    more_than_reading_is_asked_for_only_explicitly,
    what_cannot_be_authorized_is_not_begun,
    what_waits_for_the_administrator_is_sealed,
    a_disconnect_voids_the_authorizations_under_way,
    completing_connects_and_says_so_on_the_msps_trail,
    a_callback_is_read_from_its_address_its_query_or_its_parameters,
    a_native_application_has_no_secret,
    an_authorization_is_void_after_exactly_ten_minutes,
    unknown_used_expired_and_anothers_authorizations_have_one_error,
    an_administrator_who_declines_ends_the_authorization,
    a_scope_that_was_not_granted_is_said_and_ends_the_authorization,
    a_code_that_ninjaone_does_not_take_is_begun_again_and_nothing_is_saved,
    seeing_no_organization_is_a_success_with_a_warning,
    a_connection_that_cannot_be_tried_is_saved_all_the_same,
    a_reconnect_keeps_the_mappings_whichever_way_it_comes,
    a_client_id_that_is_connected_elsewhere_is_a_conflict_and_the_override_is_audited,
    everything_runs_on_a_refresh_token_that_changes_with_every_use,
    a_dead_refresh_token_says_authorize_again_and_changes_nothing_else,
    a_disconnect_forgets_the_refresh_token_and_stops_what_is_in_flight,
    a_key_rotation_reseals_the_refresh_token,
    a_disconnect_while_a_code_is_redeemed_is_not_undone,
    another_tenants_administrator_cannot_take_a_region_over,
);

const REDIRECT: &str = "https://portal.example/ninjaone/callback";

fn beginning() -> BeginAuthorization {
    begin_authorization(us(), " client ", Some("hunter2"), REDIRECT)
}

fn parameters(authorization: &AuthorizationLink) -> BTreeMap<String, String> {
    let url = Url::parse(&authorization.url).unwrap();
    url.query_pairs().into_owned().collect()
}

fn state(authorization: &AuthorizationLink) -> String {
    parameters(authorization)["state"].clone()
}

pub(crate) async fn begin(host: &Host) -> AuthorizationLink {
    let begun = host.integration.begin_authorization(host.msp, beginning());
    begun.await.unwrap()
}

pub(crate) async fn complete(host: &Host, begun: &AuthorizationLink) -> Result<Authorized, Error> {
    let callback = Callback::new(&state(begun), "code");
    let completed = host.integration.complete_authorization(
        host.msp,
        CompleteAuthorization {
            callback,
            actor: operator(),
        },
    );
    completed.await
}

async fn authorize(host: &Host) -> CredentialId {
    let begun = begin(host).await;
    let authorized = complete(host, &begun).await.unwrap();
    authorized.connected.credential
}

async fn stored(host: &Host) -> Credential {
    let id = CredentialId::of(host.msp, &us());
    host.store.credential(host.msp, id).await.unwrap().unwrap()
}

/// How many organizations the saved connection sees.
async fn visible(process: &Integration, msp: MspOrgId) -> u64 {
    let visible = organizations_visible(process, msp, us(), operator());
    visible.await.unwrap()
}

/// What the sealed refresh token says.
async fn refresh_token(host: &Host, keyring: &Keyring) -> String {
    let sealed = stored(host).await.secrets.unwrap().refresh_token.unwrap();
    let opened = keyring.open(host.msp, &us(), Field::RefreshToken, &sealed);
    opened.unwrap().expose_secret().to_owned()
}

async fn the_administrator_is_sent_to_the_region_and_asked_for_reading_alone(host: Host) {
    let begun = begin(&host).await;
    let url = Url::parse(&begun.url).unwrap();
    assert_eq!(url.host_str(), Some("app.ninjarmm.com"));
    assert_eq!(url.path(), "/ws/oauth/authorize");
    let asked = parameters(&begun);
    assert_eq!(asked["response_type"], "code");
    assert_eq!(asked["client_id"], "client", "as it is registered");
    assert_eq!(asked["redirect_uri"], REDIRECT);
    assert_eq!(asked["scope"], "monitoring offline_access");
    assert_eq!(asked["code_challenge_method"], "S256");
    assert!(asked["code_challenge"].len() > 40 && asked["state"].len() > 20);
    assert!(!asked.contains_key("client_secret"));
    let another = begin(&host).await;
    assert_ne!(state(&another), state(&begun));
    assert!(host.ninjaone.script().asked.is_empty());
    assert_eq!(host.store.credentials(host.msp).await.unwrap(), Vec::new());
    assert!(!format!("{begun:?}").contains(&state(&begun)));
}

async fn more_than_reading_is_asked_for_only_explicitly(host: Host) {
    let request = BeginAuthorization {
        access: RequestedAccess::MonitoringAnd(vec![Scope::Management]),
        ..beginning()
    };
    let begun = host.integration.begin_authorization(host.msp, request);
    let asked = parameters(&begun.await.unwrap());
    assert_eq!(asked["scope"], "monitoring management offline_access");
}

async fn what_cannot_be_authorized_is_not_begun(host: Host) {
    let wrong = [
        BeginAuthorization {
            region: RegionKey::parse("https://intranet.example").unwrap(),
            ..beginning()
        },
        BeginAuthorization {
            client_id: "  ".into(),
            ..beginning()
        },
        BeginAuthorization {
            redirect_uri: "callback".to_owned(),
            ..beginning()
        },
    ];
    for request in wrong {
        let begun = host.integration.begin_authorization(host.msp, request);
        assert_eq!(begun.await.unwrap_err().kind(), ErrorKind::Invalid);
    }
}

async fn what_waits_for_the_administrator_is_sealed(host: Host) {
    let begun = begin(&host).await;
    let state = state(&begun);
    let digest = StateDigest::of(&state.as_str().into());
    let taken = host
        .store
        .take_authorization(host.msp, &digest, crate::host::now());
    let pending = taken.await.unwrap().unwrap();
    assert_eq!(pending.expires_at, begun.expires_at);
    for stored in [pending.sealed.as_str(), pending.state.as_str()] {
        for secret in ["client", "hunter2", "portal", state.as_str()] {
            assert!(!stored.contains(secret), "{stored}");
        }
    }
    let open = |msp, region: &str| {
        let region = RegionKey::parse(region).unwrap();
        keyring().open(msp, &region, Field::Authorization, &pending.sealed)
    };
    assert!(
        open(host.msp, "us")
            .unwrap()
            .expose_secret()
            .contains("hunter2")
    );
    let another = MspOrgId::from_uuid(Uuid::from_u128(2));
    assert!(open(host.msp, "eu").is_err() && open(another, "us").is_err());
}

async fn a_disconnect_voids_the_authorizations_under_way(host: Host) {
    host.connect().await;
    let begun = begin(&host).await;
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
    let error = complete(&host, &begun).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AuthorizationExpired);
    assert!(error.to_string().contains("disconnected"), "{error}");
    assert!(!stored(&host).await.is_active);
    // The next one is as good as ever.
    let begun = begin(&host).await;
    assert!(complete(&host, &begun).await.unwrap().connected.reconnected);
}

async fn a_disconnect_while_a_code_is_redeemed_is_not_undone(host: Host) {
    host.connect().await;
    let begun = begin(&host).await;
    let (integration, msp, event) = (host.integration.clone(), host.msp, host.event());
    host.ninjaone.script().while_redeeming = Some(Box::new(move || {
        Box::pin(async move {
            let region = us();
            let disconnected = integration.disconnect(
                msp,
                Disconnect {
                    region: region.clone(),
                    actor: operator(),
                    event,
                },
            );
            assert!(disconnected.await.unwrap().changed);
        })
    }));
    let error = complete(&host, &begun).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AuthorizationExpired);
    let credential = stored(&host).await;
    assert!(!credential.is_active && credential.secrets.is_none());
}

async fn another_tenants_administrator_cannot_take_a_region_over(host: Host) {
    host.mapped(&[(1, "Alpha")]).await;
    let before = stored(&host).await;
    host.organizations(&[(1, "Zeta")]);
    let request = BeginAuthorization {
        client_id: "another client".into(),
        ..beginning()
    };
    let begun = host.integration.begin_authorization(host.msp, request);
    let begun = begun.await.unwrap();
    let error = complete(&host, &begun).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(stored(&host).await, before);
}

async fn completing_connects_and_says_so_on_the_msps_trail(host: Host) {
    host.organizations(&[(1, "Alpha"), (2, "Beta")]);
    let begun = begin(&host).await;
    let authorized = complete(&host, &begun).await.unwrap();
    assert!(!authorized.connected.reconnected);
    let test = authorized.test.unwrap();
    assert_eq!((test.organizations_visible, test.warning), (2, None));

    let credential = stored(&host).await;
    assert_eq!(credential.id, authorized.connected.credential);
    assert!(credential.is_active);
    assert_eq!(credential.grant, Grant::AuthorizationCode);
    let secrets = credential.secrets.clone().unwrap();
    let sealed: [&Sealed; 3] = [
        &secrets.client_id,
        secrets.client_secret.as_ref().unwrap(),
        secrets.refresh_token.as_ref().unwrap(),
    ];
    for sealed in sealed {
        assert!(sealed.as_str().starts_with("1.one."), "its key is named");
        for secret in ["client", "hunter2", "refresh"] {
            assert!(!sealed.as_str().contains(secret));
        }
    }
    // Trying the connection has used the first token.
    assert_eq!(refresh_token(&host, &keyring()).await, "refresh token 2");

    let connected = host.msp_audit(AuditAction::NinjaoneConnected).await;
    let details = AuditDetails::Connected {
        credential: credential.id,
        region: us(),
        grant: Grant::AuthorizationCode,
        view: TenantView::Unknown,
        reconnected: false,
    };
    let rows: Vec<_> = connected
        .iter()
        .map(|row| (&row.details, row.actor))
        .collect();
    assert_eq!(rows, [(&details, operator())]);
    let tested = host.msp_audit(AuditAction::NinjaoneTested).await;
    let details = AuditDetails::Tested {
        region: us(),
        organizations_visible: Some(2),
        unreadable_rows: 0,
    };
    assert_eq!(
        tested.iter().map(|row| &row.details).collect::<Vec<_>>(),
        [&details]
    );
    let card = host
        .integration
        .views()
        .connection_status(host.msp)
        .await
        .unwrap();
    assert_eq!(
        (card[0].connected, card[0].grant),
        (true, Grant::AuthorizationCode)
    );
    assert!(!card[0].authorize_again);
}

async fn a_callback_is_read_from_its_address_its_query_or_its_parameters(host: Host) {
    for form in 0..3 {
        let state = state(&begin(&host).await);
        let query = format!("code=a%2Bb&state={state}");
        let callback = match form {
            0 => Callback::read(&format!(" {REDIRECT}?{query}#top\n")),
            1 => Callback::read(&query),
            _ => Callback::new(&state, "a+b"),
        };
        assert!(!format!("{callback:?}").contains(&state));
        let completed = host.integration.complete_authorization(
            host.msp,
            CompleteAuthorization {
                callback,
                actor: operator(),
            },
        );
        completed.await.unwrap();
    }
}

async fn a_native_application_has_no_secret(host: Host) {
    host.organizations(&[(1, "Alpha")]);
    for secret in [None, Some(" ".into())] {
        let request = BeginAuthorization {
            client_secret: secret,
            ..beginning()
        };
        let begun = host.integration.begin_authorization(host.msp, request);
        let authorized = complete(&host, &begun.await.unwrap()).await.unwrap();
        assert_eq!(authorized.test.unwrap().organizations_visible, 1);
        assert_eq!(stored(&host).await.secrets.unwrap().client_secret, None);
    }
}

async fn an_authorization_is_void_after_exactly_ten_minutes(host: Host) {
    let begun = begin(&host).await;
    assert_eq!(begun.expires_at, crate::host::now() + Duration::minutes(10));
    host.clock
        .advance(Duration::minutes(10) - Duration::MICROSECOND);
    complete(&host, &begun).await.unwrap();

    let begun = begin(&host).await;
    host.clock.advance(Duration::minutes(10));
    let error = complete(&host, &begun).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AuthorizationExpired);
}

async fn unknown_used_expired_and_anothers_authorizations_have_one_error(host: Host) {
    let complete_as = async |msp, callback: Callback| {
        let completed = host.integration.complete_authorization(
            msp,
            CompleteAuthorization {
                callback,
                actor: operator(),
            },
        );
        completed.await
    };
    let mut said = Vec::new();
    let mut refused = |error: Error| {
        assert_eq!(error.kind(), ErrorKind::AuthorizationExpired);
        assert!(error.to_string().contains("begin again"), "{error}");
        assert!(!error.is_retryable());
        said.push(format!("{error} {error:?}"));
    };
    for unknown in ["state=made-up&code=c", "code=c", "", "state=&code=c"] {
        refused(
            complete_as(host.msp, Callback::read(unknown))
                .await
                .unwrap_err(),
        );
    }
    let begun = begin(&host).await;
    let callback = Callback::new(&state(&begun), "code");
    let another = MspOrgId::from_uuid(Uuid::from_u128(2));
    refused(complete_as(another, callback.clone()).await.unwrap_err());
    assert!(host.ninjaone.script().asked.is_empty(), "no code was tried");
    assert_eq!(host.store.credentials(another).await.unwrap(), Vec::new());
    // The MSP that began it still can.
    complete_as(host.msp, callback.clone()).await.unwrap();
    let asked = host.ninjaone.script().asked.len();
    refused(complete_as(host.msp, callback).await.unwrap_err());
    let begun = begin(&host).await;
    host.clock.advance(Duration::minutes(11));
    let expired = Callback::new(&state(&begun), "code");
    refused(complete_as(host.msp, expired).await.unwrap_err());
    assert_eq!(
        host.ninjaone.script().asked.len(),
        asked,
        "no code was tried"
    );
    said.dedup();
    assert_eq!(said.len(), 1, "{said:?}");
}

async fn an_administrator_who_declines_ends_the_authorization(host: Host) {
    let state = state(&begin(&host).await);
    let declined = format!("{REDIRECT}?error=access_denied&error_description=jane&state={state}");
    let again = format!("{REDIRECT}?code=c&state={state}");
    let mut said = Vec::new();
    for address in [declined, again] {
        let callback = Callback::read(&address);
        let completed = host.integration.complete_authorization(
            host.msp,
            CompleteAuthorization {
                callback,
                actor: operator(),
            },
        );
        let error = completed.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AuthorizationExpired);
        said.push(error.to_string());
    }
    assert!(
        said[0].contains("declined") && said[0].contains("begin again"),
        "{said:?}"
    );
    assert!(said[1].contains("not under way"), "it is spent: {said:?}");
    assert!(
        host.ninjaone.script().asked.is_empty(),
        "nothing was redeemed"
    );
    assert_eq!(host.store.credentials(host.msp).await.unwrap(), Vec::new());
}

async fn a_scope_that_was_not_granted_is_said_and_ends_the_authorization(host: Host) {
    let begun = begin(&host).await;
    let callback = Callback::read(&format!("error=invalid_scope&state={}", state(&begun)));
    let completed = host.integration.complete_authorization(
        host.msp,
        CompleteAuthorization {
            callback,
            actor: operator(),
        },
    );
    let error = completed.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Ninjaone(Vendor::ScopeNotGranted));
    let error = complete(&host, &begun).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AuthorizationExpired);
}

async fn a_code_that_ninjaone_does_not_take_is_begun_again_and_nothing_is_saved(host: Host) {
    host.connect().await;
    let before = stored(&host).await;
    host.ninjaone.script().fails_codes = Some(Vendor::AuthorizeAgain);
    let begun = begin(&host).await;
    let error = complete(&host, &begun).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AuthorizationExpired);
    assert!(
        error.to_string().contains("does not take the code"),
        "{error}"
    );
    host.ninjaone.script().fails_codes = None;
    let error = complete(&host, &begun).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AuthorizationExpired, "it is spent");
    assert_eq!(stored(&host).await, before);
    assert_eq!(
        host.msp_audit(AuditAction::NinjaoneConnected).await.len(),
        1
    );
}

async fn seeing_no_organization_is_a_success_with_a_warning(host: Host) {
    let begun = begin(&host).await;
    let test = complete(&host, &begun).await.unwrap().test.unwrap();
    assert_eq!(test.organizations_visible, 0);
    assert!(test.warning.unwrap().contains("no organization is visible"));
}

async fn a_connection_that_cannot_be_tried_is_saved_all_the_same(host: Host) {
    host.ninjaone.script().fails = Some(Vendor::Forbidden);
    let begun = begin(&host).await;
    let authorized = complete(&host, &begun).await.unwrap();
    let error = authorized.test.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Ninjaone(Vendor::Forbidden));
    assert!(stored(&host).await.is_active);
    // The role is put right in NinjaOne, and nobody has to authorize again.
    host.ninjaone.script().fails = None;
    host.organizations(&[(1, "Alpha")]);
    assert_eq!(visible(&host.integration, host.msp).await, 1);
}

async fn a_reconnect_keeps_the_mappings_whichever_way_it_comes(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    host.sweep_one().await;
    let mapping = host.mapping(1).await;
    let begun = begin(&host).await;
    let authorized = complete(&host, &begun).await.unwrap();
    assert!(authorized.connected.reconnected);
    assert_eq!(host.mapping(1).await, mapping, "and the dry run stays over");
    assert!(!host.sweep_one().await.dry_run);
    assert_eq!(stored(&host).await.generation.as_u32(), 2);

    host.connect().await;
    assert_eq!(host.mapping(1).await, mapping);
    let back = stored(&host).await;
    assert_eq!(back.grant, Grant::ClientCredentials);
    assert_eq!(
        back.secrets.unwrap().refresh_token,
        None,
        "nothing of it is left"
    );
    host.sweep_one().await;
}

async fn a_client_id_that_is_connected_elsewhere_is_a_conflict_and_the_override_is_audited(
    host: Host,
) {
    host.connect().await;
    let another = MspOrgId::from_uuid(Uuid::from_u128(2));
    for allow_duplicate in [false, true] {
        let request = BeginAuthorization {
            allow_duplicate,
            ..beginning()
        };
        let begun = host.integration.begin_authorization(another, request);
        let callback = Callback::new(&state(&begun.await.unwrap()), "code");
        let completed = host.integration.complete_authorization(
            another,
            CompleteAuthorization {
                callback,
                actor: operator(),
            },
        );
        let completed = completed.await;
        let credentials = host.store.credentials(another).await.unwrap();
        if allow_duplicate {
            completed.unwrap();
            assert_eq!(credentials.len(), 1);
        } else {
            assert_eq!(completed.unwrap_err().kind(), ErrorKind::Conflict);
            assert_eq!(credentials, Vec::new());
        }
    }
    let page = regentra_sync::store::AuditPage::newest(10);
    let trail = host.store.msp_audit(another, page).await.unwrap();
    let mut actions: Vec<_> = trail.iter().map(|row| row.action).collect();
    actions.sort_unstable();
    let expected = [
        AuditAction::NinjaoneTested,
        AuditAction::NinjaoneConnected,
        AuditAction::NinjaoneOverrideUsed,
    ];
    assert_eq!(actions, expected);
}

/// A host whose one customer was authorized, mapped and promoted, with a device.
async fn running(host: &Host) {
    host.organizations(&[(1, "Alpha")]);
    let devices = vec![device(10, "PC-1")];
    host.ninjaone.script().devices.insert(1, devices);
    authorize(host).await;
    host.discover().await;
    let mapping = host.map(1, Choice::CreateNew).await.unwrap();
    host.promote(mapping.state.company().unwrap()).await;
}

async fn everything_runs_on_a_refresh_token_that_changes_with_every_use(host: Host) {
    running(&host).await;
    let SyncOutcome::Synced { .. } = host.sync_one().await else {
        panic!("synced");
    };
    assert_eq!(host.assets().await.len(), 1);
    assert!(host.sweep_one().await.dry_run);
    assert_eq!(visible(&host.integration, host.msp).await, 1);
    // One came with the code; two tests, a discovery, a sweep, and a sync (organizations, devices) used one for each request.
    let used = host.ninjaone.script().refresh_tokens;
    assert_eq!(used, 7);
    let token = refresh_token(&host, &keyring()).await;
    assert_eq!(token, format!("refresh token {used}"));
    let credential = stored(&host).await;
    assert_eq!(credential.secrets_version.as_u32(), used);
    assert_eq!(
        credential.generation.as_u32(),
        1,
        "no run in flight is refused"
    );
    assert_eq!(
        host.msp_audit(AuditAction::NinjaoneConnected).await.len(),
        1,
        "a rotation is nothing to tell"
    );
    // Another process of the host finds the newest one.
    let another = host.another_process();
    another
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
}

async fn a_dead_refresh_token_says_authorize_again_and_changes_nothing_else(host: Host) {
    running(&host).await;
    host.sync().await;
    host.sweep_one().await;
    let (before, mapping, assets) = (
        stored(&host).await,
        host.mapping(1).await,
        host.assets().await,
    );
    // Revoked in NinjaOne, or a process died between NinjaOne's answer and the write.
    host.ninjaone.script().refresh_tokens += 1;
    let kind = ErrorKind::Ninjaone(Vendor::AuthorizeAgain);
    let failed = RunOutcome::failed(kind);
    let synced = host
        .integration
        .sync_assets(
            host.msp,
            SyncAssets {
                region: us(),
                actor: operator(),
                event: host.event(),
            },
        )
        .await;
    assert_eq!(synced.unwrap_err().kind(), kind);
    let events = host.sweep_events().await;
    let swept = host.integration.sweep(&events[0]).await.unwrap_err();
    assert_eq!(swept.kind(), kind);
    assert!(!swept.is_retryable());
    let discovered = host
        .integration
        .discover(
            host.msp,
            Discover {
                region: us(),
                actor: operator(),
                event: host.event(),
            },
        )
        .await;
    assert_eq!(discovered.unwrap_err().kind(), kind);
    assert_eq!(stored(&host).await, before, "the connection stays");
    assert_eq!(host.mapping(1).await, mapping);
    assert_eq!(host.assets().await, assets, "nothing is retired");

    let card = host
        .integration
        .views()
        .connection_status(host.msp)
        .await
        .unwrap();
    assert!(card[0].connected && card[0].authorize_again);
    assert_eq!(card[0].last_error.as_ref().unwrap().outcome, failed);

    host.clock.advance(Duration::minutes(1));
    authorize(&host).await;
    let card = host
        .integration
        .views()
        .connection_status(host.msp)
        .await
        .unwrap();
    assert!(!card[0].authorize_again, "authorized since");
    let swept = host.integration.sweep(&events[0]).await.unwrap();
    assert!(matches!(swept, SweepOutcome::Committed(_)), "{swept:?}");
}

async fn a_disconnect_forgets_the_refresh_token_and_stops_what_is_in_flight(host: Host) {
    running(&host).await;
    let (integration, msp, event) = (host.another_process(), host.msp, host.event());
    host.ninjaone.script().meanwhile = Some(Box::new(move || {
        Box::pin(async move {
            let region = us();
            let disconnected = integration.disconnect(
                msp,
                Disconnect {
                    region: region.clone(),
                    actor: operator(),
                    event,
                },
            );
            disconnected.await.unwrap();
        })
    }));
    let outcome = host.sync().await.remove(0).outcome;
    assert!(outcome.is_err(), "{outcome:?}");
    assert_eq!(host.assets().await, Vec::new());
    let credential = stored(&host).await;
    assert!(!credential.is_active && credential.secrets.is_none());
    let discovered = host
        .integration
        .discover(
            host.msp,
            Discover {
                region: us(),
                actor: operator(),
                event: host.event(),
            },
        )
        .await;
    assert_eq!(discovered.unwrap_err().kind(), ErrorKind::NotConnected);
}

async fn a_key_rotation_reseals_the_refresh_token(host: Host) {
    host.organizations(&[(1, "Alpha")]);
    authorize(&host).await;
    let key = |id: &str, byte| (KeyId::new(id).unwrap(), MasterKey::from_bytes([byte; 32]));
    let new = || {
        let (id, key) = key("two", 2);
        Keyring::new(id, key, MasterKey::from_bytes([9; 32]))
    };
    let process = |keyring| {
        let ninjaone = std::sync::Arc::new(host.ninjaone.clone());
        Integration::builder(host.store.clone(), keyring, ninjaone)
            .clock(std::sync::Arc::new(host.clock.clone()))
            .build()
    };
    let (id, old) = key("one", 1);
    let both = process(new().with_retired(id, old));
    let token = refresh_token(&host, &keyring()).await;
    assert_eq!(both.rotate_key(host.msp, operator()).await.unwrap(), 1);
    assert_eq!(refresh_token(&host, &new()).await, token);
    let only_new = process(new());
    assert_eq!(visible(&only_new, host.msp).await, 1);
}
