//! Who gets a token of the simulated tenant, and for how long.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use ninjaone_simulator::{Answer, Fault, Preset, Request, Tenant};
use serde_json::{Value, json};
use time::{OffsetDateTime, macros::datetime};

const NOW: OffsetDateTime = datetime!(2026-11-23 06:30 UTC);
const SECOND: Duration = Duration::from_secs(1);

fn tenant() -> Tenant {
    Tenant::preset(Preset::Healthy, 5, 3, NOW)
}

fn token(tenant: &mut Tenant, fields: &[(&str, &str)], now: OffsetDateTime) -> (u16, Value) {
    read(&tenant.answer(&Request::form("/ws/oauth/token", fields), now))
}

fn read(answer: &Answer) -> (u16, Value) {
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

fn credentials(tenant: &Tenant) -> [(&'static str, String); 2] {
    [
        ("client_id", tenant.client_id().to_owned()),
        ("client_secret", tenant.client_secret().to_owned()),
    ]
}

/// Asks with the tenant's own credentials, besides these fields.
fn ask(tenant: &mut Tenant, fields: &[(&str, &str)], now: OffsetDateTime) -> (u16, Value) {
    let own = credentials(tenant);
    let mut all: Vec<(&str, &str)> = own
        .iter()
        .map(|(key, value)| (*key, value.as_str()))
        .collect();
    all.extend(fields);
    token(tenant, &all, now)
}

#[test]
fn the_app_gets_a_token_for_an_hour_by_form_and_by_basic() {
    let mut tenant = tenant();
    let (status, body) = ask(
        &mut tenant,
        &[
            ("grant_type", "client_credentials"),
            ("scope", "monitoring"),
        ],
        NOW,
    );
    assert_eq!(
        (
            status,
            &body["expires_in"],
            &body["scope"],
            &body["token_type"]
        ),
        (200, &json!(3600), &json!("monitoring"), &json!("Bearer"))
    );
    assert!(body.get("refresh_token").is_none());
    let request = Request::get("/v2/organizations").bearer(body["access_token"].as_str().unwrap());
    assert_eq!(tenant.answer(&request, NOW + 3599 * SECOND).status, 200);
    let expired = tenant.answer(&request, NOW + 3600 * SECOND);
    let sample = json!({ "error": "not_authenticated", "error_description": "Invalid credentials", "error_code": 10 });
    assert_eq!(read(&expired), (401, sample.clone()));
    assert_eq!(
        read(&tenant.answer(&Request::get("/v2/organizations"), NOW)),
        (401, sample)
    );
    let basic = STANDARD.encode(format!("{}:{}", tenant.client_id(), tenant.client_secret()));
    let request = Request::form("/ws/oauth/token", &[("grant_type", "client_credentials")])
        .header("Authorization", &format!("Basic {basic}"));
    assert_eq!(tenant.answer(&request, NOW).status, 200);
}

#[test]
fn a_wrong_client_looks_like_a_wrong_region() {
    let mut tenant = tenant();
    let secret = tenant.client_secret().to_owned();
    let (status, body) = token(
        &mut tenant,
        &[
            ("grant_type", "client_credentials"),
            ("client_id", "other"),
            ("client_secret", &secret),
        ],
        NOW,
    );
    assert_eq!(
        (status, body),
        (
            404,
            json!({ "resultCode": "Client app not exist", "incidentId": "WEB-00000000" })
        )
    );
}

#[test]
fn a_wrong_secret_and_a_missing_one_are_refused() {
    let mut tenant = tenant();
    let id = tenant.client_id().to_owned();
    for fields in [
        vec![
            ("grant_type", "client_credentials"),
            ("client_id", &id),
            ("client_secret", "wrong"),
        ],
        vec![("grant_type", "client_credentials"), ("client_id", &id)],
    ] {
        assert_eq!(
            token(&mut tenant, &fields, NOW),
            (401, json!({ "error": "invalid_client" }))
        );
    }
    assert_eq!(
        token(&mut tenant, &[("client_id", &id)], NOW),
        (400, json!({ "error": "invalid_request" }))
    );
    assert_eq!(
        ask(&mut tenant, &[("grant_type", "password")], NOW),
        (400, json!({ "error": "unsupported_grant_type" }))
    );
}

#[test]
fn one_scope_too_many_refuses_the_whole_request() {
    let mut tenant = tenant();
    for scope in [
        "monitoring management",
        "control",
        "monitoring offline_access",
    ] {
        let answer = ask(
            &mut tenant,
            &[("grant_type", "client_credentials"), ("scope", scope)],
            NOW,
        );
        assert_eq!(
            answer,
            (400, json!({ "error": "invalid_scope" })),
            "{scope}"
        );
    }
    let mut generous = Tenant::builder(NOW)
        .scopes(&["monitoring", "management", "offline_access"])
        .silent_scope()
        .build();
    let (status, body) = ask(
        &mut generous,
        &[
            ("grant_type", "client_credentials"),
            ("scope", "monitoring management"),
        ],
        NOW,
    );
    assert_eq!((status, body.get("scope")), (200, None));
    let offline = ask(
        &mut generous,
        &[
            ("grant_type", "client_credentials"),
            ("scope", "offline_access"),
        ],
        NOW,
    );
    assert_eq!(offline.0, 400, "there is no user to stay offline for");
}

#[test]
fn the_short_path_is_gone() {
    let mut tenant = tenant();
    let answer = tenant.answer(&Request::form("/oauth/token", &[]), NOW);
    assert_eq!(answer.status, 404);
    assert!(answer.body.starts_with(b"<html>"));
}

/// The verifier and challenge of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const REDIRECT: &str = "http://127.0.0.1/callback";

fn consenting() -> Tenant {
    Tenant::builder(NOW)
        .scopes(&["monitoring", "offline_access"])
        .client("app", "secret")
        .build()
}

/// The consent page's answer: status, and the parameters it sends the administrator back with.
fn consent(tenant: &mut Tenant, changes: &[(&str, &str)]) -> (u16, Vec<(String, String)>) {
    let mut query = vec![
        ("response_type", "code"),
        ("client_id", "app"),
        ("redirect_uri", REDIRECT),
        ("scope", "monitoring offline_access"),
        ("state", "s-1"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    query.retain(|(key, _)| changes.iter().all(|(changed, _)| changed != key));
    query.extend(changes);
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(query)
        .finish();
    let answer = tenant.answer(&Request::get(&format!("/ws/oauth/authorize?{query}")), NOW);
    let location = answer
        .headers
        .iter()
        .find(|(name, _)| name == "location")
        .map(|(_, value)| value.clone())
        .unwrap_or_default();
    let back = url::Url::parse("http://tenant.invalid")
        .unwrap()
        .join(&location)
        .unwrap();
    (answer.status, back.query_pairs().into_owned().collect())
}

fn code(tenant: &mut Tenant) -> String {
    let (status, back) = consent(tenant, &[]);
    assert_eq!(
        (status, back[0].0.as_str(), back[1].clone()),
        (302, "code", ("state".to_owned(), "s-1".to_owned()))
    );
    back[0].1.clone()
}

/// Exchanges a code.
fn exchange(
    tenant: &mut Tenant,
    code: &str,
    verifier: &str,
    redirect: &str,
    now: OffsetDateTime,
) -> (u16, Value) {
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect),
        ("code_verifier", verifier),
    ];
    ask(tenant, &fields, now)
}

#[test]
fn a_code_is_exchanged_once_within_a_minute_with_its_verifier() {
    let mut tenant = consenting();
    let refused = (400, json!({ "error": "invalid_grant" }));
    assert_eq!(
        exchange(&mut tenant, "never-given", VERIFIER, REDIRECT, NOW),
        refused
    );
    let given = code(&mut tenant);
    let (status, body) = exchange(&mut tenant, &given, VERIFIER, REDIRECT, NOW + 59 * SECOND);
    assert_eq!(status, 200);
    assert!(body["refresh_token"].is_string() && body["access_token"].is_string());
    assert_eq!(
        exchange(&mut tenant, &given, VERIFIER, REDIRECT, NOW),
        refused,
        "a code works once"
    );
    let late = code(&mut tenant);
    assert_eq!(
        exchange(&mut tenant, &late, VERIFIER, REDIRECT, NOW + 60 * SECOND),
        refused
    );
}

#[test]
fn a_wrong_verifier_or_redirect_is_refused() {
    let mut tenant = consenting();
    let given = code(&mut tenant);
    assert_eq!(exchange(&mut tenant, &given, "wrong", REDIRECT, NOW).0, 400);
    let given = code(&mut tenant);
    let (status, body) = exchange(
        &mut tenant,
        &given,
        VERIFIER,
        "http://127.0.0.1/callback/",
        NOW,
    );
    assert_eq!((status, &body["resultCode"]), (404, &json!("FAILURE")));
    for (changes, expected) in [
        ([("redirect_uri", "http://127.0.0.1/other")], 404),
        ([("scope", "monitoring control")], 302),
        ([("scope", "")], 302),
        ([("code_challenge_method", "plain")], 302),
        ([("client_id", "other")], 302),
    ] {
        let (status, back) = consent(&mut tenant, &changes);
        assert_eq!(status, expected, "{changes:?}");
        assert!(back.iter().all(|(key, _)| key != "code"), "{changes:?}");
    }
}

#[test]
fn a_native_app_has_no_secret_and_must_prove_itself() {
    let mut tenant = Tenant::builder(NOW)
        .scopes(&["monitoring", "offline_access"])
        .client("app", "unused")
        .public_client()
        .build();
    let given = code(&mut tenant);
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", "app"),
        ("code", given.as_str()),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    assert_eq!(token(&mut tenant, &fields, NOW).0, 200);
    let (status, _) = consent(&mut tenant, &[]);
    assert_eq!(status, 302);
    assert_eq!(
        token(
            &mut tenant,
            &[("grant_type", "client_credentials"), ("client_id", "app")],
            NOW
        )
        .0,
        401
    );
}

#[test]
fn refresh_tokens_rotate_and_a_dead_one_is_an_invalid_token() {
    let mut tenant = consenting();
    let given = code(&mut tenant);
    let (_, body) = exchange(&mut tenant, &given, VERIFIER, REDIRECT, NOW);
    let first = body["refresh_token"].as_str().unwrap().to_owned();
    let (status, body) = ask(
        &mut tenant,
        &[("grant_type", "refresh_token"), ("refresh_token", &first)],
        NOW,
    );
    let second = body["refresh_token"].as_str().unwrap().to_owned();
    assert_eq!(status, 200);
    assert_ne!(first, second);
    let dead = (400, json!({ "error": "invalid_token" }));
    assert_eq!(
        ask(
            &mut tenant,
            &[("grant_type", "refresh_token"), ("refresh_token", &first)],
            NOW
        ),
        dead
    );
    let month = Duration::from_hours(30 * 24);
    assert_eq!(
        ask(
            &mut tenant,
            &[("grant_type", "refresh_token"), ("refresh_token", &second)],
            NOW + month
        ),
        dead
    );
    tenant.revoke_refresh_tokens();
    assert_eq!(
        ask(
            &mut tenant,
            &[("grant_type", "refresh_token"), ("refresh_token", &second)],
            NOW
        ),
        dead
    );
}

#[test]
fn a_token_dies_in_mid_run() {
    let mut tenant = tenant();
    let (first, second) = (tenant.issue_token(NOW), tenant.issue_token(NOW));
    tenant.fault(Fault::TokenDies.starting_at(2).once());
    let mut status = |token: &str| {
        tenant
            .answer(&Request::get("/v2/organizations").bearer(token), NOW)
            .status
    };
    assert_eq!(
        [
            status(&first),
            status(&first),
            status(&first),
            status(&second)
        ],
        [200, 401, 401, 200]
    );
    tenant.revoke_tokens();
    assert_eq!(
        tenant
            .answer(&Request::get("/v2/organizations").bearer(&second), NOW)
            .status,
        401
    );
}

#[test]
fn writing_is_beyond_the_scope() {
    let mut tenant = tenant();
    let token = tenant.issue_token(NOW);
    assert_eq!(
        tenant
            .answer(
                &Request::new("PATCH", "/v2/organization/2").bearer(&token),
                NOW
            )
            .status,
        403
    );
}

#[test]
fn the_log_names_requests_and_no_secret() {
    let mut tenant = consenting();
    let given = code(&mut tenant);
    let (_, body) = exchange(&mut tenant, &given, VERIFIER, REDIRECT, NOW);
    let access = body["access_token"].as_str().unwrap();
    tenant.answer(
        &Request::get("/api/v2/devices?df=org%20%3D%205").bearer(access),
        NOW,
    );
    let log = format!("{:?} {tenant:?}", tenant.requests());
    assert_eq!(tenant.requests().len(), 3);
    assert_eq!(tenant.requests()[2].parameter("df"), Some("org = 5"));
    assert_eq!(tenant.requests_by_path()["/v2/devices"], 1);
    for secret in [&given, access, CHALLENGE, VERIFIER, "s-1", "secret\""] {
        assert!(!log.contains(secret), "{secret}");
    }
}

#[test]
fn limits_can_be_enforced() {
    let mut tenant = Tenant::builder(NOW)
        .preset(Preset::Healthy, 5, 3)
        .enforce_limits(2, 1500)
        .build();
    let token = tenant.issue_token(NOW);
    let mut ask = || tenant.answer(&Request::get("/v2/organizations").bearer(&token), NOW);
    assert_eq!(ask().status, 200);
    assert!(
        ask()
            .headers
            .contains(&("x-ratelimit-remaining".to_owned(), "1498".to_owned()))
    );
    assert_eq!(ask().status, 429);
}
