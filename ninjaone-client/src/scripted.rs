//! A transport that plays a script, so that time can be simulated.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use tokio::time::Instant;

use crate::{
    Client, ClientBuilder, Credentials, Region, Transport, TransportError, limit::Limiter,
};

pub(crate) type Answer = Result<Response<Bytes>, TransportError>;

type Script = dyn FnMut(&str) -> Answer + Send;

/// Answers API requests (path and query) by a script and tokens by itself.
pub(crate) struct Scripted {
    script: Mutex<Box<Script>>,
    sent: Mutex<Vec<(String, Instant)>>,
}

impl Scripted {
    pub(crate) fn new(script: impl FnMut(&str) -> Answer + Send + 'static) -> Arc<Self> {
        Arc::new(Self {
            script: Mutex::new(Box::new(script)),
            sent: Mutex::default(),
        })
    }

    /// A client over it, with a limiter of its own.
    pub(crate) fn client(self: &Arc<Self>) -> Client {
        self.builder().build().unwrap()
    }

    pub(crate) fn builder(self: &Arc<Self>) -> ClientBuilder {
        Client::builder(Region::Eu, Credentials::client_credentials("id", "secret"))
            .transport(Arc::clone(self) as Arc<dyn Transport>)
            .limiter(Arc::new(Limiter::new()))
    }

    /// What was sent, token requests included.
    pub(crate) fn sent(&self) -> Vec<String> {
        self.sent
            .lock()
            .unwrap()
            .iter()
            .map(|(path, _)| path.clone())
            .collect()
    }

    /// What was sent, without token requests.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.sent()
            .into_iter()
            .filter(|path| path.starts_with("/v2"))
            .collect()
    }

    pub(crate) fn times(&self) -> Vec<Instant> {
        self.sent
            .lock()
            .unwrap()
            .iter()
            .map(|(_, time)| *time)
            .collect()
    }
}

#[async_trait]
impl Transport for Scripted {
    async fn send(&self, request: Request<Bytes>) -> Answer {
        let path = request.uri().path_and_query().unwrap().to_string();
        self.sent
            .lock()
            .unwrap()
            .push((path.clone(), Instant::now()));
        (self.script.lock().unwrap())(&path)
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripted")
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "a script also answers with transport errors"
)]
pub(crate) fn answer(status: u16, body: impl Into<Bytes>) -> Answer {
    Ok(Response::builder()
        .status(status)
        .body(body.into())
        .unwrap())
}

pub(crate) fn token() -> Answer {
    answer(
        200,
        r#"{"access_token":"t","expires_in":3600,"token_type":"Bearer","scope":"monitoring"}"#,
    )
}

/// A script that answers tokens, and everything else by `api`.
pub(crate) fn with_token(mut api: impl FnMut(&str) -> Answer + Send + 'static) -> Arc<Scripted> {
    Scripted::new(move |path| {
        if path.starts_with("/ws/oauth/token") {
            token()
        } else {
            api(path)
        }
    })
}

/// The value of a query parameter.
pub(crate) fn parameter(path: &str, name: &str) -> Option<String> {
    let url = url::Url::parse(&format!("https://x{path}")).unwrap();
    url.query_pairs()
        .find(|(there, _)| there == name)
        .map(|(_, value)| value.into_owned())
}
