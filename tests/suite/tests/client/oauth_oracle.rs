//! The `oauth2` crate as an oracle: what we send to the token endpoint is what it would send, and our PKCE is its PKCE.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use ninjaone_client::{
    Authorization, Client, Credentials, MemoryTokenStore, RateLimit, RefreshToken, Region,
    Transport, TransportError,
};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest,
    HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, TokenUrl,
    basic::BasicClient,
};
use secrecy::ExposeSecret;

const TOKEN: &str =
    r#"{"access_token":"a","token_type":"Bearer","expires_in":3600,"refresh_token":"next"}"#;
const ODD: [&str; 3] = ["plain", "with space & = % +", "ünïcode/ß?#"];

type Form = BTreeMap<String, String>;

/// One request to the token endpoint, as far as the server sees it.
#[derive(Debug, PartialEq, Eq)]
struct TokenRequest {
    method: String,
    url: String,
    content_type: String,
    form: Form,
}

fn token_request(request: &http::Request<impl AsRef<[u8]>>) -> TokenRequest {
    TokenRequest {
        method: request.method().to_string(),
        url: request.uri().to_string(),
        content_type: request.headers()["content-type"]
            .to_str()
            .unwrap()
            .to_owned(),
        form: url::form_urlencoded::parse(request.body().as_ref())
            .into_owned()
            .collect(),
    }
}

#[derive(Debug, Default)]
struct Recorder(Mutex<Vec<TokenRequest>>);

#[async_trait]
impl Transport for Recorder {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        self.0.lock().unwrap().push(token_request(&request));
        Ok(http::Response::new(Bytes::from_static(TOKEN.as_bytes())))
    }
}

async fn ours(
    credentials: Credentials,
    code: Option<ninjaone_client::AuthorizationCode>,
) -> TokenRequest {
    let recorder = Arc::new(Recorder::default());
    let client = Client::builder(Region::Ca, credentials)
        .transport(recorder.clone())
        .rate_limit(RateLimit::unlimited())
        .build()
        .unwrap();
    match code {
        Some(code) => client.redeem(code).await.unwrap(),
        None => client.authenticate().await.unwrap(),
    }
    recorder.0.lock().unwrap().remove(0)
}

macro_rules! theirs {
    ($id:expr, $secret:expr, $redirect:expr) => {
        BasicClient::new(ClientId::new($id.to_owned()))
            .set_client_secret(ClientSecret::new($secret.to_owned()))
            .set_auth_type(AuthType::RequestBody)
            .set_auth_uri(
                AuthUrl::new("https://ca.ninjarmm.com/ws/oauth/authorize".to_owned()).unwrap(),
            )
            .set_token_uri(
                TokenUrl::new("https://ca.ninjarmm.com/ws/oauth/token".to_owned()).unwrap(),
            )
            .set_redirect_uri(RedirectUrl::new($redirect.to_owned()).unwrap())
    };
}

/// What the oracle's synchronous HTTP client is handed.
fn record(
    seen: &Mutex<Option<TokenRequest>>,
) -> impl Fn(HttpRequest) -> Result<HttpResponse, std::io::Error> {
    |request| {
        *seen.lock().unwrap() = Some(token_request(&request));
        let mut answer = http::Response::new(TOKEN.as_bytes().to_vec());
        answer.headers_mut().insert(
            "content-type",
            http::HeaderValue::from_static("application/json"),
        );
        Ok(answer)
    }
}

#[tokio::test]
async fn client_credentials() {
    for (id, secret) in ODD.into_iter().zip(ODD.into_iter().rev()) {
        let seen = Mutex::new(None);
        theirs!(id, secret, "https://app.example/cb")
            .exchange_client_credentials()
            .add_scope(Scope::new("monitoring".to_owned()))
            .request(&record(&seen))
            .unwrap();
        let oracle = seen.into_inner().unwrap().unwrap();
        assert_eq!(
            ours(Credentials::client_credentials(id, secret), None).await,
            oracle
        );
        assert_eq!(oracle.form["scope"], "monitoring");
    }
}

#[tokio::test]
async fn refresh_tokens() {
    for (token, secret) in ODD.into_iter().zip(ODD.into_iter().rev()) {
        let seen = Mutex::new(None);
        theirs!("id", secret, "https://app.example/cb")
            .exchange_refresh_token(&oauth2::RefreshToken::new(token.to_owned()))
            .request(&record(&seen))
            .unwrap();
        let store = Arc::new(MemoryTokenStore::holding(RefreshToken::new(token)));
        let credentials = Credentials::refresh_token("id", store).client_secret(secret);
        assert_eq!(
            ours(credentials, None).await,
            seen.into_inner().unwrap().unwrap()
        );
    }
}

#[tokio::test]
async fn authorization_codes_with_pkce() {
    for code in ODD {
        let redirect = "https://app.example/call/back/?x=1";
        let (url, pending) = Authorization::new(Region::Ca, "id", redirect)
            .begin()
            .unwrap();
        let verifier = pending.verifier().expose_secret().to_owned();
        let state = pending.state().expose_secret().to_owned();

        // The address the administrator is sent to.
        let client = theirs!("id", "secret", redirect);
        let challenge =
            PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier.clone()));
        let (oracle, _) = client
            .authorize_url(|| CsrfToken::new(state.clone()))
            .add_scope(Scope::new("monitoring".to_owned()))
            .add_scope(Scope::new("offline_access".to_owned()))
            .set_pkce_challenge(challenge)
            .url();
        let pairs = |url: &url::Url| url.query_pairs().into_owned().collect::<Form>();
        assert_eq!(pairs(&url), pairs(&oracle));
        assert_eq!(
            url.as_str().split('?').next(),
            oracle.as_str().split('?').next()
        );

        // The request that redeems the code.
        let seen = Mutex::new(None);
        client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(verifier))
            .request(&record(&seen))
            .unwrap();
        let callback = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("code", code)
            .append_pair("state", &state)
            .finish();
        let store = Arc::new(MemoryTokenStore::new());
        let credentials = Credentials::refresh_token("id", store).client_secret("secret");
        let redeemed = ours(credentials, Some(pending.read_callback(&callback).unwrap())).await;
        assert_eq!(redeemed, seen.into_inner().unwrap().unwrap());
    }
}
