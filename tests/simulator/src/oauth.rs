//! The token endpoint and the consent page: who may ask, for which scopes, for how long.

use std::{collections::BTreeMap, fmt, time::Duration};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use url::Url;

use crate::{answer::Answer, request::Request, seed::Dice};

/// An authorization code is valid for a minute and once.
const CODE_LIFETIME: Duration = Duration::from_mins(1);
/// A refresh token nobody uses dies after about a month.
const REFRESH_LIFETIME: Duration = Duration::from_hours(720);

/// The client app of the tenant, and what was issued to it.
pub(crate) struct Oauth {
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    /// A native app: no secret, PKCE instead.
    pub(crate) public: bool,
    pub(crate) scopes: Vec<String>,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) token_lifetime: Duration,
    pub(crate) echo_scope: bool,
    seed: u64,
    issued: u64,
    access: BTreeMap<String, OffsetDateTime>,
    refresh: BTreeMap<String, (OffsetDateTime, Vec<String>)>,
    codes: BTreeMap<String, Code>,
}

struct Code {
    expires: OffsetDateTime,
    scopes: Vec<String>,
    redirect_uri: String,
    challenge: Option<String>,
}

impl Oauth {
    /// An app with one granted scope, `monitoring`, and tokens that live an hour.
    pub(crate) fn new() -> Self {
        Self {
            client_id: String::new(),
            client_secret: String::new(),
            public: false,
            scopes: vec!["monitoring".to_owned()],
            redirect_uris: vec!["http://127.0.0.1/callback".to_owned()],
            token_lifetime: Duration::from_hours(1),
            echo_scope: true,
            seed: 0,
            issued: 0,
            access: BTreeMap::new(),
            refresh: BTreeMap::new(),
            codes: BTreeMap::new(),
        }
    }

    /// The app with tokens made from a seed, and client id and secret too unless it has its own.
    pub(crate) fn seeded(mut self, seed: u64) -> Self {
        let mut dice = Dice::new(seed, 1 << 56);
        let (id, secret) = (dice.hex(20), dice.hex(32));
        if self.client_id.is_empty() {
            self.client_id = format!("client-{id}");
            self.client_secret = format!("secret-{secret}");
        }
        Self { seed, ..self }
    }

    /// Whether an access token is good.
    pub(crate) fn admits(&self, token: Option<&str>, now: OffsetDateTime) -> bool {
        token
            .and_then(|token| self.access.get(token))
            .is_some_and(|expires| now < *expires)
    }

    /// Ends an access token, or with `None` all of them.
    pub(crate) fn revoke(&mut self, token: Option<&str>) {
        match token {
            Some(token) => drop(self.access.remove(token)),
            None => self.access.clear(),
        }
    }

    /// Ends every refresh token.
    pub(crate) fn revoke_refresh_tokens(&mut self) {
        self.refresh.clear();
    }

    /// `POST /ws/oauth/token`.
    pub(crate) fn token(&mut self, request: &Request, now: OffsetDateTime) -> Answer {
        let fields: BTreeMap<String, String> = request.fields().into_iter().collect();
        let field = |name: &str| {
            fields
                .get(name)
                .map(String::as_str)
                .filter(|value| !value.is_empty())
        };
        let basic = basic_credentials(request);
        let id = basic
            .as_ref()
            .map(|(id, _)| id.as_str())
            .or(field("client_id"));
        let secret = basic
            .as_ref()
            .map(|(_, secret)| secret.as_str())
            .or(field("client_secret"));
        let Some(grant) = field("grant_type") else {
            return refusal(400, "invalid_request");
        };
        if id != Some(self.client_id.as_str()) {
            // A wrong region looks the same: the app exists on another host.
            let body =
                json!({ "resultCode": "Client app not exist", "incidentId": "WEB-00000000" });
            return Answer::json(404, &body);
        }
        let secret_holds = match secret {
            Some(secret) => secret == self.client_secret,
            None => self.public && grant != "client_credentials",
        };
        if !secret_holds {
            return refusal(401, "invalid_client");
        }
        let asked = field("scope").map(|scope| {
            scope
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        });
        match grant {
            "client_credentials" => self.client_credentials(asked, now),
            "authorization_code" => {
                let code = field("code").and_then(|code| self.codes.remove(code));
                let Some(code) = code.filter(|code| now < code.expires) else {
                    return refusal(400, "invalid_grant");
                };
                if field("redirect_uri") != Some(code.redirect_uri.as_str()) {
                    return Answer::json(
                        404,
                        &json!({ "resultCode": "FAILURE", "incidentId": "WEB-00000001" }),
                    );
                }
                let proof = field("code_verifier").map(challenge_of);
                let proven = if code.challenge.is_some() {
                    proof == code.challenge
                } else {
                    !self.public
                };
                if proven {
                    self.issue(&code.scopes, now)
                } else {
                    refusal(400, "invalid_grant")
                }
            }
            "refresh_token" => {
                let known = field("refresh_token").and_then(|token| self.refresh.remove(token));
                match known.filter(|(expires, _)| now < *expires) {
                    Some((_, scopes)) => self.issue(&scopes, now),
                    None => refusal(400, "invalid_token"),
                }
            }
            _ => refusal(400, "unsupported_grant_type"),
        }
    }

    fn client_credentials(&mut self, asked: Option<Vec<String>>, now: OffsetDateTime) -> Answer {
        let scopes = asked.unwrap_or_else(|| self.scopes.clone());
        // No narrowing: one scope too many refuses the whole request; and without a user there is nothing to stay offline for.
        if !scopes
            .iter()
            .all(|scope| self.scopes.contains(scope) && scope != "offline_access")
        {
            return refusal(400, "invalid_scope");
        }
        self.issue(&scopes, now)
    }

    /// An access token for the app itself, without the detour over a request.
    pub(crate) fn own_token(&mut self, now: OffsetDateTime) -> String {
        let token = self.secret_text();
        self.access.insert(token.clone(), now + self.token_lifetime);
        token
    }

    fn issue(&mut self, scopes: &[String], now: OffsetDateTime) -> Answer {
        self.access.retain(|_, expires| now < *expires);
        let token = self.secret_text();
        self.access.insert(token.clone(), now + self.token_lifetime);
        let mut body = Map::new();
        body.insert("access_token".to_owned(), Value::String(token));
        body.insert(
            "expires_in".to_owned(),
            json!(self.token_lifetime.as_secs()),
        );
        body.insert("token_type".to_owned(), json!("Bearer"));
        if self.echo_scope {
            body.insert("scope".to_owned(), Value::String(scopes.join(" ")));
        }
        if scopes.iter().any(|scope| scope == "offline_access") {
            let refresh = self.secret_text();
            self.refresh
                .insert(refresh.clone(), (now + REFRESH_LIFETIME, scopes.to_vec()));
            body.insert("refresh_token".to_owned(), Value::String(refresh));
        }
        Answer::json(200, &Value::Object(body))
    }

    /// `GET /ws/oauth/authorize`: an administrator who says yes at once.
    pub(crate) fn authorize(&mut self, request: &Request, now: OffsetDateTime) -> Answer {
        let error_page = |code: &str| {
            let mut answer = Answer::html(302, "");
            answer.set_header("location", &format!("/ws/oauth/error?error={code}"));
            answer
        };
        let redirect_uri = request
            .parameter("redirect_uri")
            .unwrap_or_default()
            .to_owned();
        if request.parameter("client_id") != Some(self.client_id.as_str()) {
            return error_page("client_app_not_exist");
        }
        if !self.redirect_uris.contains(&redirect_uri) {
            return Answer::json(
                404,
                &json!({ "resultCode": "FAILURE", "incidentId": "WEB-00000001" }),
            );
        }
        let scopes: Vec<String> = request
            .parameter("scope")
            .unwrap_or_default()
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        if scopes.is_empty() || !scopes.iter().all(|scope| self.scopes.contains(scope)) {
            return error_page("invalid_scope");
        }
        let challenge = request.parameter("code_challenge").map(str::to_owned);
        let method = request.parameter("code_challenge_method");
        let hashed = challenge.is_none() || method == Some("S256");
        if request.parameter("response_type") != Some("code") || !hashed {
            return error_page("invalid_request");
        }
        let code = self.secret_text();
        let Ok(mut location) = Url::parse(&redirect_uri) else {
            return error_page("invalid_request");
        };
        location.query_pairs_mut().append_pair("code", &code);
        if let Some(state) = request.parameter("state") {
            location.query_pairs_mut().append_pair("state", state);
        }
        self.codes.insert(
            code,
            Code {
                expires: now + CODE_LIFETIME,
                scopes,
                redirect_uri,
                challenge,
            },
        );
        let mut answer = Answer::html(302, "");
        answer.set_header("location", location.as_str());
        answer
    }

    fn secret_text(&mut self) -> String {
        self.issued += 1;
        Dice::new(self.seed, (3 << 56) + self.issued).hex(48)
    }
}

impl fmt::Debug for Oauth {
    /// The number of tokens, and no secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Oauth")
            .field("access_tokens", &self.access.len())
            .finish_non_exhaustive()
    }
}

fn refusal(status: u16, error: &str) -> Answer {
    Answer::json(status, &json!({ "error": error }))
}

/// The S256 challenge of a verifier.
fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

/// Client id and secret of HTTP Basic, form-decoded as the OAuth standard has it.
fn basic_credentials(request: &Request) -> Option<(String, String)> {
    let (scheme, encoded) = request.header_value("authorization")?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode = |text: &str| {
        let pair = format!("x={text}");
        url::form_urlencoded::parse(pair.as_bytes())
            .next()
            .map(|(_, value)| value.into_owned())
    };
    Some((decode(id)?, decode(secret)?))
}
