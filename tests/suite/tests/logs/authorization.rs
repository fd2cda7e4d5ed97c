//! The second way in over real HTTP, on a database in a file: an administrator authorizes, processes rotate the refresh token.

use std::{fs, path::Path};

use regentra_harness::{
    authorization::{File, LOG, NOW, Scene, event, killed, msp, tenant},
    plan::PlanAll as _,
    test_name,
};
use regentra_sync::{
    BeginAuthorization, Callback, Choice, CompleteAuthorization, Connect, Discover, ErrorKind,
    MapOrganization, Promote, RequestedAccess, SweepOutcome, SyncOutcome,
    model::{Actor, TenantView},
    ninjaone_client::{ErrorKind as Vendor, Scope},
    schedule::{Event, PlanKind},
};
use secrecy::ExposeSecret as _;
use serde_json::json;
use time::Duration;
use url::Url;
use uuid::Uuid;

/// Every file of the scene's database.
fn files(scene: &Scene) -> Vec<u8> {
    let place = scene.place.told();
    let files = fs::read_dir(Path::new(&place).parent().unwrap()).unwrap();
    files
        .flat_map(|file| fs::read(file.unwrap().path()).unwrap())
        .collect()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}

#[tokio::test]
async fn an_administrator_authorizes_and_everything_runs() {
    let scene = Scene::of(tenant(), false).await;
    let process = scene.process().await;
    let begun = process
        .integration
        .begin_authorization(msp(1), scene.beginning());
    let address = scene.consented(&begun.await.unwrap().url);
    let callback = Callback::read(&address);
    let authorized = process.integration.complete_authorization(
        msp(1),
        CompleteAuthorization {
            callback,
            actor: Actor::Schedule,
        },
    );
    let authorized = authorized.await.unwrap();
    assert_eq!(authorized.test.unwrap().organizations_visible, 2);

    let (integration, region) = (&process.integration, scene.region());
    let discovery = integration.discover(
        msp(1),
        Discover {
            region: region.clone(),
            actor: Actor::Schedule,
            event: event("discover"),
        },
    );
    assert_eq!(discovery.await.unwrap().listed, 2);
    let credential = scene.credential(msp(1));
    for (number, mapping) in process
        .store
        .mappings(msp(1), credential)
        .await
        .unwrap()
        .into_iter()
        .enumerate()
    {
        let label = format!("map {number}");
        let choice = Choice::CreateNew;
        let mapped = integration.map(
            msp(1),
            MapOrganization {
                mapping: mapping.id,
                choice,
                actor: Actor::Schedule,
                event: event(&label),
            },
        );
        let company = mapped.await.unwrap().mapping.state.company().unwrap();
        let customer = Uuid::from_u128(100 + number as u128);
        let customer = regentra_sync::model::ComplianceOrgId::from_uuid(customer);
        let event = event(&format!("promote {number}"));
        let promoted = integration.promote(
            msp(1),
            Promote {
                company,
                compliance_org: customer,
                actor: Actor::Schedule,
                event,
            },
        );
        promoted.await.unwrap();
    }
    // Tokens die while it works.
    scene.server.tenant().revoke_tokens();
    for kind in [PlanKind::AssetSync, PlanKind::EvidenceSweep] {
        for event in integration.plan_all(kind, NOW).await.unwrap() {
            match event {
                Event::AssetSync(event) => {
                    let synced = integration.sync(&event).await.unwrap();
                    let whole = |outcome| matches!(outcome, Ok(SyncOutcome::Synced { .. }));
                    assert!(synced.len() == 2 && synced.into_iter().all(|s| whole(s.outcome)));
                }
                Event::EvidenceSweep(event) => {
                    let swept = integration.sweep(&event).await.unwrap();
                    assert!(matches!(swept, SweepOutcome::Committed(_)), "{swept:?}");
                }
                other => panic!("{other:?}"),
            }
        }
    }
    // One with the code, one when the connection was tried, one after its tokens had died.
    let tokens = scene.server.tenant().requests_by_path()["/ws/oauth/token"];
    assert_eq!((tokens, scene.rotations(&process, msp(1)).await), (3, 2));

    let files = files(&scene);
    let refresh_token = scene.refresh_token(&process, msp(1)).await;
    let parameters = Url::parse(&address).unwrap();
    let mut secrets: Vec<String> = parameters
        .query_pairs()
        .map(|(_, value)| value.into_owned())
        .collect();
    assert_eq!(secrets.len(), 2, "a code and a state");
    secrets.push(refresh_token.expose_secret().to_owned());
    secrets.extend([scene.client.0.clone(), scene.client.1.clone()]);
    for secret in secrets {
        assert!(!contains(&files, &secret), "{secret} is stored as it is");
    }
    assert!(
        contains(&files, "authorization_code"),
        "these are the files"
    );
}

#[tokio::test]
async fn processes_share_one_refresh_token_and_none_is_lost() {
    let scene = Scene::of(tenant(), false).await;
    let (one, other) = (scene.process().await, scene.process().await);
    scene.authorize(&one).await;
    for round in 0..3 {
        for process in [&one, &other] {
            scene.server.tenant().revoke_tokens();
            let visible = scene.visible(process, msp(1)).await;
            assert_eq!(visible.unwrap(), 2, "round {round}");
        }
    }
    // Both at once: one is refused, because the other was faster, and finds what the other stored.
    for round in 0..5 {
        scene.server.tenant().revoke_tokens();
        let (a, b) = tokio::join!(scene.visible(&one, msp(1)), scene.visible(&other, msp(1)));
        assert_eq!((a.unwrap(), b.unwrap()), (2, 2), "round {round}");
    }
    let rotations = scene.rotations(&one, msp(1)).await;
    assert_eq!(
        rotations,
        1 + 6 + 10,
        "each took its own, one after the other"
    );
}

#[tokio::test]
async fn a_dead_refresh_token_says_authorize_again_and_authorizing_resumes() {
    let scene = Scene::of(tenant(), false).await;
    let process = scene.process().await;
    scene.authorize(&process).await;
    let (region, before) = (scene.region(), scene.stored(&process, msp(1)).await);
    scene.server.tenant().revoke_tokens();
    scene.server.tenant().revoke_refresh_tokens();
    let integration = &process.integration;
    let discovered = integration.discover(
        msp(1),
        Discover {
            region: region.clone(),
            actor: Actor::Schedule,
            event: event("dead"),
        },
    );
    let error = discovered.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Ninjaone(Vendor::AuthorizeAgain));
    assert!(error.to_string().contains("authorize again"), "{error}");
    let card = integration
        .views()
        .connection_status(msp(1))
        .await
        .unwrap()
        .remove(0);
    assert!(card.connected && card.authorize_again);
    assert_eq!(scene.stored(&process, msp(1)).await, before);

    scene.clock.advance(Duration::minutes(1));
    let authorized = scene.authorize(&process).await;
    assert!(authorized.connected.reconnected);
    assert_eq!(authorized.test.unwrap().organizations_visible, 2);
    let discovered = integration.discover(
        msp(1),
        Discover {
            region: region.clone(),
            actor: Actor::Schedule,
            event: event("alive"),
        },
    );
    assert_eq!(discovered.await.unwrap().listed, 2);
    let card = integration
        .views()
        .connection_status(msp(1))
        .await
        .unwrap()
        .remove(0);
    assert!(!card.authorize_again);
}

#[tokio::test]
async fn a_native_application_proves_itself_by_pkce_alone() {
    let scene = Scene::of(tenant().public_client(), true).await;
    let process = scene.process().await;
    scene.authorize(&process).await;
    scene.server.tenant().revoke_tokens();
    assert_eq!(scene.visible(&process, msp(1)).await.unwrap(), 2);
}

#[tokio::test]
async fn a_code_is_good_once_and_for_the_msp_that_began() {
    let scene = Scene::of(tenant(), false).await;
    let process = scene.process().await;
    let begin = async || {
        let begun = process
            .integration
            .begin_authorization(msp(1), scene.beginning());
        let address = scene.consented(&begun.await.unwrap().url);
        let url = Url::parse(&address).unwrap();
        let of = |name: &str| {
            let found = url.query_pairs().find(|(key, _)| key == name);
            found.unwrap().1.into_owned()
        };
        (of("state"), of("code"))
    };
    let ((state, _), (other_state, code)) = (begin().await, begin().await);
    // The verifier of one authorization does not go with the code of another; and then that code is spent.
    for state in [state, other_state] {
        let callback = Callback::new(&state, &code);
        let completed = process.integration.complete_authorization(
            msp(1),
            CompleteAuthorization {
                callback,
                actor: Actor::Schedule,
            },
        );
        let error = completed.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AuthorizationExpired, "{error}");
        assert!(!format!("{error} {error:?}").contains(&code));
    }
    assert_eq!(process.store.credentials(msp(1)).await.unwrap(), Vec::new());
    scene.authorize(&process).await;
}

#[tokio::test]
async fn what_ninjaone_refuses_is_said() {
    // The API client was not granted what keeps a connection alive: the browser stays with NinjaOne, and does not return.
    let scene = Scene::of(tenant().scopes(&["monitoring", "management"]), false).await;
    let process = scene.process().await;
    let begun = process
        .integration
        .begin_authorization(msp(1), scene.beginning());
    let address = scene.consented(&begun.await.unwrap().url);
    assert!(
        address.contains("/ws/oauth/error?error=invalid_scope"),
        "{address}"
    );

    let scene = Scene::of(tenant(), false).await;
    let process = scene.process().await;
    let wrong = BeginAuthorization {
        client_secret: Some("wrong".into()),
        ..scene.beginning()
    };
    let error = scene
        .authorize_as(&process, msp(1), wrong)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Ninjaone(Vendor::Unauthenticated));
    let more = BeginAuthorization {
        access: RequestedAccess::MonitoringAnd(vec![Scope::Control]),
        ..scene.beginning()
    };
    let begun = process.integration.begin_authorization(msp(1), more);
    let address = scene.consented(&begun.await.unwrap().url);
    assert!(address.contains("error=invalid_scope"), "{address}");
    assert_eq!(process.store.credentials(msp(1)).await.unwrap(), Vec::new());
}

/// Two administrators may see different organizations: a client of one never answers for the other.
#[tokio::test]
async fn connections_of_one_client_id_never_share_their_tokens() {
    let scene = Scene::of(tenant(), false).await;
    let process = scene.process().await;
    for number in [1, 2] {
        let request = BeginAuthorization {
            allow_duplicate: true,
            ..scene.beginning()
        };
        let authorized = scene.authorize_as(&process, msp(number), request);
        authorized.await.unwrap().test.unwrap();
    }
    scene.server.tenant().revoke_tokens();
    scene.visible(&process, msp(1)).await.unwrap();
    let rotations = (
        scene.rotations(&process, msp(1)).await,
        scene.rotations(&process, msp(2)).await,
    );
    assert_eq!(rotations, (2, 1), "only its own refresh token was used");
    scene.visible(&process, msp(2)).await.unwrap();
    let rotations = (
        scene.rotations(&process, msp(1)).await,
        scene.rotations(&process, msp(2)).await,
    );
    assert_eq!(rotations, (2, 2));
}

/// What is kept of the client in memory belongs to one connection.
#[tokio::test]
async fn a_reconnect_by_the_other_way_leaves_nothing_of_the_first_in_use() {
    let scene = Scene::of(tenant(), false).await;
    let (one, other) = (scene.process().await, scene.process().await);
    scene.authorize(&one).await;
    assert_eq!(scene.visible(&other, msp(1)).await.unwrap(), 2);
    let (id, secret) = &scene.client;
    let connect = Connect {
        event: event("client credentials"),
        region: scene.region(),
        client_id: id.as_str().into(),
        client_secret: secret.as_str().into(),
        allow_duplicate: false,
        actor: Actor::Schedule,
    };
    one.integration.connect(msp(1), connect).await.unwrap();
    scene.server.tenant().revoke_tokens();
    scene.server.tenant().revoke_refresh_tokens();
    for process in [&one, &other] {
        assert_eq!(scene.visible(process, msp(1)).await.unwrap(), 2);
    }
    assert_eq!(scene.rotations(&one, msp(1)).await, 0);
}

/// Errors and their `Debug` included.
#[tokio::test]
async fn no_secret_of_an_authorization_is_logged_or_said() {
    let scene = Scene::of(tenant(), false).await;
    let process = scene.process().await;
    let begun = process
        .integration
        .begin_authorization(msp(1), scene.beginning());
    let begun = begun.await.unwrap();
    let mut said = vec![format!("{begun:?}")];
    let address = scene.consented(&begun.url);
    let mut secrets: Vec<String> = [begun.url.as_str(), address.as_str()]
        .iter()
        .flat_map(|address| {
            let url = Url::parse(address).unwrap();
            let pairs = url.query_pairs().into_owned();
            let is_secret = |name: &str| ["state", "code", "client_id"].contains(&name);
            let secrets: Vec<_> = pairs.filter(|(name, _)| is_secret(name)).collect();
            secrets.into_iter().map(|(_, value)| value)
        })
        .collect();
    secrets.push(scene.client.1.clone());
    for _ in 0..2 {
        let callback = Callback::read(&address);
        said.push(format!("{callback:?}"));
        let completed = process.integration.complete_authorization(
            msp(1),
            CompleteAuthorization {
                callback,
                actor: Actor::Schedule,
            },
        );
        match completed.await {
            Ok(authorized) => said.push(format!("{authorized:?}")),
            Err(error) => said.push(format!("{error} {error:?}")),
        }
        let token = scene.refresh_token(&process, msp(1)).await;
        secrets.push(token.expose_secret().to_owned());
    }
    scene.server.tenant().revoke_tokens();
    scene.visible(&process, msp(1)).await.unwrap();
    let token = scene.refresh_token(&process, msp(1)).await;
    secrets.push(token.expose_secret().to_owned());
    scene.server.tenant().revoke_tokens();
    scene.server.tenant().revoke_refresh_tokens();
    let error = scene.visible(&process, msp(1)).await.unwrap_err();
    let stored = scene.stored(&process, msp(1)).await;
    said.push(format!("{error} {error:?} {stored:?}"));
    let said = said.concat();
    let log = LOG.text();
    for span in ["regentra.complete_authorization", "oauth.token"] {
        assert!(log.contains(span), "{span} in {log:.2000}");
    }
    assert!(secrets.len() > 7, "{}", secrets.len());
    for secret in secrets {
        assert!(!log.contains(&secret), "logged: {secret}");
        assert!(!said.contains(&secret), "said: {secret}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_hard_while_it_rotates_is_made_good_or_says_to_authorize_again() {
    let test =
        test_name!(a_process_killed_hard_while_it_rotates_is_made_good_or_says_to_authorize_again);
    killed::at_any_time(test, 40, async || File::new()).await;
}

/// What the users who may be asking say of how much of the tenant they see.
#[tokio::test]
async fn a_user_who_sees_a_part_of_the_tenant_is_noticed_when_the_authorization_is_completed() {
    let technician = |administrator: bool, all: bool| {
        json!({
            "id": 1, "userType": "TECHNICIAN", "enabled": true, "administrator": administrator, "permitAllClients": all,
        })
    };
    let with = |mut user: serde_json::Value, field: &str, value: serde_json::Value| {
        user[field] = value;
        user
    };
    let part = technician(false, false);
    let table = [
        (
            "an administrator",
            vec![technician(true, false)],
            TenantView::Whole,
        ),
        (
            "all organizations",
            vec![technician(false, true)],
            TenantView::Whole,
        ),
        ("some organizations", vec![part.clone()], TenantView::Part),
        (
            "one of each",
            vec![part.clone(), technician(true, true)],
            TenantView::Unknown,
        ),
        (
            "and one who may not log in",
            vec![
                part.clone(),
                with(technician(true, true), "enabled", json!(false)),
            ],
            TenantView::Part,
        ),
        (
            "and an end user",
            vec![
                part.clone(),
                with(technician(true, true), "userType", json!("END_USER")),
            ],
            TenantView::Part,
        ),
        (
            "a flag that cannot be read",
            vec![with(part.clone(), "permitAllClients", json!(["?"]))],
            TenantView::Unknown,
        ),
        ("nobody", vec![], TenantView::Unknown),
    ];
    for (name, mut users, view) in table {
        for (user, id) in users.iter_mut().zip(1..) {
            user["id"] = json!(id);
        }
        let scene = Scene::of(tenant().users(&users), false).await;
        let process = scene.process().await;
        let begun = process
            .integration
            .begin_authorization(msp(1), scene.beginning());
        let address = scene.consented(&begun.await.unwrap().url);
        let authorized = process
            .integration
            .complete_authorization(
                msp(1),
                CompleteAuthorization {
                    callback: Callback::read(&address),
                    actor: Actor::Schedule,
                },
            )
            .await
            .unwrap();
        assert_eq!(authorized.view, view, "{name}");
        assert_eq!(authorized.test.unwrap().organizations_visible, 2, "{name}");
        let card = process
            .integration
            .views()
            .connection_status(msp(1))
            .await
            .unwrap();
        assert_eq!(card[0].view, view, "{name}");
    }
}
