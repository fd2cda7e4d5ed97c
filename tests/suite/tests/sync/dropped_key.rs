//! Section 2: an authorization that was begun under a key which is dropped before it is completed.

use std::sync::Arc;

use regentra_harness::authorization::begin_authorization;
use regentra_sync::{
    Callback, CompleteAuthorization, ErrorKind, Integration,
    seal::{KeyId, Keyring, MasterKey},
};

use crate::host::{Host, keyring, operator, us};

on_every_store!(
    an_authorization_begun_under_a_dropped_key_is_begun_again,
    an_authorization_begun_under_a_retired_key_is_completed,
);

/// The keys after a rotation, with the one before it or without.
fn rotated(keeps_the_first: bool) -> Keyring {
    let key = |byte| MasterKey::from_bytes([byte; 32]);
    let second = Keyring::new(KeyId::new("two").unwrap(), key(2), key(9));
    if keeps_the_first {
        second.with_retired(KeyId::new("one").unwrap(), key(1))
    } else {
        second
    }
}

fn process(host: &Host, keyring: Keyring) -> Integration {
    let ninjaone = Arc::new(host.ninjaone.clone());
    Integration::builder(Arc::clone(&host.store), keyring, ninjaone)
        .clock(Arc::new(host.clock.clone()))
        .build()
}

/// An administrator is sent to NinjaOne, and returns.
async fn consented(host: &Host, process: &Integration) -> Callback {
    let redirect_uri = "https://portal.example/ninjaone/callback";
    let request = begin_authorization(us(), "client", Some("hunter2"), redirect_uri);
    let begun = process.begin_authorization(host.msp, request).await;
    let url = url::Url::parse(&begun.unwrap().url).unwrap();
    let mut parameters = url.query_pairs();
    let (_, state) = parameters.find(|(name, _)| name == "state").unwrap();
    Callback::new(&state, "code")
}

async fn an_authorization_begun_under_a_dropped_key_is_begun_again(host: Host) {
    host.organizations(&[(1, "Alpha")]);
    let callback = consented(&host, &process(&host, keyring())).await;
    let process = process(&host, rotated(false));
    let complete = |callback| {
        process.complete_authorization(
            host.msp,
            CompleteAuthorization {
                callback,
                actor: operator(),
            },
        )
    };
    let error = complete(callback.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AuthorizationExpired);
    let said = error.to_string();
    assert!(
        said.contains("key") && said.contains("begin again"),
        "{said}"
    );
    assert!(!error.is_retryable(), "the same again does not help");
    assert!(host.ninjaone.script().asked.is_empty(), "no code was tried");
    assert_eq!(host.store.credentials(host.msp).await.unwrap(), []);
    // It is spent, and the next one is under the new key.
    let again = complete(callback).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AuthorizationExpired);
    let callback = consented(&host, &process).await;
    let authorized = complete(callback).await.unwrap();
    assert_eq!(authorized.test.unwrap().organizations_visible, 1);
}

async fn an_authorization_begun_under_a_retired_key_is_completed(host: Host) {
    host.organizations(&[(1, "Alpha")]);
    let callback = consented(&host, &process(&host, keyring())).await;
    let process = process(&host, rotated(true));
    let completed = process.complete_authorization(
        host.msp,
        CompleteAuthorization {
            callback,
            actor: operator(),
        },
    );
    let authorized = completed.await.unwrap();
    assert_eq!(authorized.test.unwrap().organizations_visible, 1);
    assert_eq!(
        process.rotate_key(host.msp, operator()).await.unwrap(),
        0,
        "what is saved is sealed under the new key"
    );
}
