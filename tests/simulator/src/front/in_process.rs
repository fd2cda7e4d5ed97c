//! A tenant behind a function call, for tests that pause tokio's time: nothing here waits for anything but that time.

use std::{fmt, sync::MutexGuard};

use bytes::Bytes;

use super::Shared;
use crate::{
    answer::{Delivery, Trickle},
    clock::Clock,
    request::Request,
    tenant::Tenant,
};

/// A tenant to call; a clone is the same tenant.
#[derive(Clone, Debug)]
pub struct Front(Shared);

/// Wraps a tenant whose time starts at [`Tenant::now`] and runs with tokio's, paused or not. Call it within a runtime.
#[must_use]
pub fn serve(tenant: Tenant) -> Front {
    let clock = Clock::running_with_tokio(tenant.now());
    serve_with(tenant, clock)
}

/// Wraps a tenant with a clock of the caller's.
#[must_use]
pub fn serve_with(tenant: Tenant, clock: Clock) -> Front {
    Front(Shared::new(tenant, clock))
}

impl Front {
    /// A base URL that resolves nowhere: only path and query of a request matter here.
    #[must_use]
    pub fn url(&self) -> String {
        "https://tenant.invalid".to_owned()
    }

    /// The tenant. Requests wait while it is held.
    pub fn tenant(&self) -> MutexGuard<'_, Tenant> {
        self.0.lock()
    }

    /// Sends a request and waits for the head of the answer.
    ///
    /// # Errors
    /// [`Broken::Reset`] when the connection closes without an answer.
    pub async fn send(&self, request: &Request) -> Result<Reply, Broken> {
        let answer = self.0.answer(request);
        let Delivery {
            delay,
            cut_after,
            trickle,
            reset,
        } = answer.delivery;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        if reset {
            return Err(Broken::Reset);
        }
        Ok(Reply {
            status: answer.status,
            headers: answer.headers,
            body: Body {
                rest: answer.body,
                cut_after,
                trickle,
            },
        })
    }

    /// Sends a request and waits for the whole answer, in the types of the `http` crate that a client's transport may speak.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use ninjaone_simulator::{Preset, Tenant, front::in_process};
    /// use time::macros::datetime;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let now = datetime!(2026-11-23 06:30 UTC);
    /// let front = in_process::serve(Tenant::preset(Preset::Healthy, 1, 3, now));
    /// let request = http::Request::get(format!("{}/v2/organizations", front.url())).body(Bytes::new())?;
    /// assert_eq!(front.call(request).await?.status(), 401);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Broken`], as the connection may be.
    pub async fn call(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, Broken> {
        let reply = self.send(&request.into()).await?;
        let mut head = http::Response::builder().status(reply.status);
        for (name, value) in &reply.headers {
            head = head.header(name, value);
        }
        let body = reply.body.all().await?;
        // Status and headers are the tenant's own and always well-formed.
        head.body(body).map_err(|_| Broken::Reset)
    }
}

/// The head of an answer, and a body still to come.
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
}

/// A body that arrives in chunks.
#[derive(Debug)]
pub struct Body {
    rest: Bytes,
    cut_after: Option<usize>,
    trickle: Option<Trickle>,
}

impl Body {
    /// The next chunk, or `None` at the end.
    ///
    /// # Errors
    /// [`Broken::Cut`] when the connection closes before the end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Broken> {
        let piece = self
            .trickle
            .map_or(64 * 1024, |trickle| trickle.bytes.max(1));
        let size = self
            .rest
            .len()
            .min(piece)
            .min(self.cut_after.unwrap_or(usize::MAX));
        if size == 0 {
            return if self.cut_after.is_some() {
                Err(Broken::Cut)
            } else {
                Ok(None)
            };
        }
        if let Some(trickle) = self.trickle {
            tokio::time::sleep(trickle.pause).await;
        }
        if let Some(left) = &mut self.cut_after {
            *left -= size;
        }
        Ok(Some(self.rest.split_to(size)))
    }

    /// All of it.
    ///
    /// # Errors
    /// [`Broken::Cut`] when the connection closes before the end.
    pub async fn all(mut self) -> Result<Bytes, Broken> {
        if self.trickle.is_none() && self.cut_after.is_none() {
            return Ok(self.rest);
        }
        let mut whole = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.into())
    }
}

/// How a connection ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Without an answer.
    Reset,
    /// In the middle of a body.
    Cut,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reset => "the connection was reset before an answer",
            Self::Cut => "the connection was closed in the middle of a body",
        })
    }
}

impl std::error::Error for Broken {}
