//! A simulated tenant in the same process as a client's transport, so that time can be paused.

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, header::CONTENT_LENGTH};
use ninjaone_simulator::front::in_process::Front;
use regentra_sync::ninjaone_client::{Transport, TransportError, TransportErrorKind};

/// What becomes of the body that the tenant wrote in answer to a request for a path.
pub type RewriteBody = fn(path: &str, body: Bytes) -> Bytes;

#[derive(Debug)]
pub struct InProcess {
    front: Front,
    rewrite_body: Option<RewriteBody>,
}

impl InProcess {
    pub fn new(front: Front) -> Self {
        Self {
            front,
            rewrite_body: None,
        }
    }

    /// Every body is rewritten on its way, and its length with it.
    pub fn rewrite_body(mut self, rewrite_body: RewriteBody) -> Self {
        self.rewrite_body = Some(rewrite_body);
        self
    }
}

#[async_trait]
impl Transport for InProcess {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let broken = |_| TransportError::new(TransportErrorKind::Incomplete);
        let path = request.uri().path().to_owned();
        let response = self.front.call(request).await.map_err(broken)?;
        let Some(rewrite_body) = self.rewrite_body else {
            return Ok(response);
        };
        let (mut head, body) = response.into_parts();
        let body = rewrite_body(&path, body);
        if head.headers.contains_key(CONTENT_LENGTH) {
            head.headers.insert(CONTENT_LENGTH, body.len().into());
        }
        Ok(Response::from_parts(head, body))
    }
}
