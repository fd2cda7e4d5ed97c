//! A client of the server's two APIs: ingress and admin.

use std::{fmt, time::Duration};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use regentra_sync::{Integration, RequestSync, model::MspOrgId, schedule::Event};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use crate::{
    error::{Error, ErrorKind, Result},
    objects::{HANDLE, KEYS, Work},
    status::{self, EngineStatus},
};

/// The oldest server whose behaviour was tested.
const OLDEST: (u64, u64, u64) = (1, 7, 12);

/// How long the server may take for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Events that are sent side by side.
const AT_ONCE: usize = 16;

/// The addresses of a Restate server. Clones share their connections.
#[derive(Clone)]
pub struct Server {
    http: Client,
    ingress: Url,
    admin: Url,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Version {
    version: String,
}

impl Server {
    /// A server by the addresses of its ingress (usually port 8080) and of its admin API (usually port 9070). Nothing is sent yet.
    ///
    /// # Errors
    /// [`ErrorKind::Misconfigured`] if an address is no `http` or `https` URL.
    pub fn new(ingress: &str, admin: &str) -> Result<Self> {
        let http = Client::builder().timeout(PATIENCE).no_proxy().build();
        Ok(Self {
            http: http.map_err(|_| Error::misconfigured("no HTTP client could be built"))?,
            ingress: base(ingress, "ingress")?,
            admin: base(admin, "admin")?,
        })
    }

    /// Checks that the server answers and is new enough.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`]; [`ErrorKind::Misconfigured`] if the server is older than 1.7.12.
    pub async fn check(&self) -> Result<()> {
        let answer = self
            .ask(self.http.get(at(&self.admin, &["version"])?))
            .await?;
        let version: Version = read(accepted(answer)?).await?;
        let mut numbers = version
            .version
            .split(['.', '-', '+'])
            .map(str::parse::<u64>);
        let mut number = || numbers.next().and_then(std::result::Result::ok);
        let found = number().zip(number()).zip(number());
        match found.map(|((major, minor), patch)| (major, minor, patch)) {
            Some(found) if found >= OLDEST => Ok(()),
            Some(_) => Err(Error::misconfigured(
                "the Restate server is older than 1.7.12: upgrade it",
            )),
            None => Err(unreadable()),
        }
    }

    /// Registers the deployment at `uri`, the address by which the server reaches the workers. Registering it again changes nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`], also if the server does not reach the workers; [`ErrorKind::Misconfigured`] if another release is
    /// registered at this address.
    pub async fn register(&self, uri: &Url) -> Result<()> {
        self.check().await?;
        let body = json!({"uri": uri.as_str()});
        let request = self
            .http
            .post(at(&self.admin, &["deployments"])?)
            .json(&body);
        let answer = self.ask(request).await?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            StatusCode::CONFLICT => Err(Error::misconfigured(
                "another release is registered at this address: give the new release an address of its own",
            )),
            _ => Err(Error::new(
                ErrorKind::Unavailable,
                "the Restate server could not register the workers: it does not reach them, or refused them",
            )),
        }
    }

    /// Sends events to the engine. An event that it received within the last seven days is left out.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`], [`ErrorKind::NotRegistered`], [`ErrorKind::Failed`].
    pub async fn enqueue(&self, events: &[Event]) -> Result<()> {
        let sends = events.iter().map(|event| async {
            let work = Work::first(event.clone());
            let key = work.event.key().to_string();
            let once = work.idempotency_key();
            self.send((KEYS, &key, HANDLE), &work, Some(&once)).await
        });
        let sends = stream::iter(sends).buffer_unordered(AT_ONCE);
        sends.try_collect().await
    }

    /// Requests an asset sync of one mapped organization, which begins at once. This needs no worker in this process.
    ///
    /// # Errors
    /// As [`Integration::request_sync`], in [`ErrorKind::Integration`]; as [`enqueue`](Self::enqueue).
    pub async fn request_sync(
        &self,
        integration: &Integration,
        msp: MspOrgId,
        request: RequestSync,
    ) -> Result<Event> {
        let event = integration.request_sync(msp, request).await?;
        self.enqueue(std::slice::from_ref(&event)).await?;
        Ok(event)
    }

    /// The events that the engine holds.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`]; [`ErrorKind::NotRegistered`] if no worker was ever registered; [`ErrorKind::Failed`].
    pub async fn status(&self) -> Result<EngineStatus> {
        self.check().await?;
        status::status(self).await
    }

    pub(crate) async fn send(
        &self,
        (object, key, handler): (&str, &str, &str),
        body: &impl Serialize,
        idempotency_key: Option<&str>,
    ) -> Result<()> {
        let url = at(&self.ingress, &[object, key, handler, "send"])?;
        let mut request = self.http.post(url).json(body);
        if let Some(key) = idempotency_key {
            request = request.header("idempotency-key", key);
        }
        accepted(self.ask(request).await?).map(drop)
    }

    /// The rows of a query of the admin API.
    pub(crate) async fn query(&self, sql: &str) -> Result<Vec<Value>> {
        #[derive(Deserialize)]
        struct Rows {
            rows: Vec<Value>,
        }
        let request = self.http.post(at(&self.admin, &["query"])?);
        let request = request
            .header("accept", "application/json")
            .json(&json!({"query": sql}));
        let rows: Rows = read(accepted(self.ask(request).await?)?).await?;
        Ok(rows.rows)
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Response> {
        request.send().await.map_err(|_| unavailable())
    }
}

fn base(address: &str, which: &str) -> Result<Url> {
    let url = Url::parse(address).ok();
    url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or_else(|| {
            Error::misconfigured(format!(
                "the address of the Restate server's {which} is no http or https URL"
            ))
        })
}

/// A path below an address; each segment is escaped.
fn at(base: &Url, segments: &[&str]) -> Result<Url> {
    let mut url = base.clone();
    url.path_segments_mut()
        .map_err(|()| unreadable())?
        .pop_if_empty()
        .extend(segments);
    Ok(url)
}

/// The answer, if the server accepted the request. Its own text may quote an event and is not kept.
fn accepted(answer: Response) -> Result<Response> {
    match answer.status() {
        status if status.is_success() => Ok(answer),
        StatusCode::NOT_FOUND => Err(Error::new(
            ErrorKind::NotRegistered,
            "the Restate server knows no workers of this program: start one, which registers itself",
        )),
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Err(unavailable()),
        status => Err(Error::new(
            ErrorKind::Failed,
            format!("the Restate server refused a request ({})", status.as_u16()),
        )),
    }
}

async fn read<T: serde::de::DeserializeOwned>(answer: Response) -> Result<T> {
    answer.json().await.map_err(|error| {
        if error.is_decode() {
            unreadable()
        } else {
            unavailable()
        }
    })
}

fn unavailable() -> Error {
    Error::new(ErrorKind::Unavailable, "the Restate server does not answer")
}

fn unreadable() -> Error {
    Error::new(
        ErrorKind::Failed,
        "the Restate server's answer could not be read: is there another server at this address?",
    )
}
