//! A simulated tenant in the same process as a client's transport, so that time can be paused.

use async_trait::async_trait;
use bytes::Bytes;
use ninjaone_simulator::front::in_process;
use regentra_sync::ninjaone_client::{Transport, TransportError, TransportErrorKind};

#[derive(Debug)]
pub struct InProcess(pub in_process::Front);

#[async_trait]
impl Transport for InProcess {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let broken = |_| TransportError::new(TransportErrorKind::Incomplete);
        self.0.call(request).await.map_err(broken)
    }
}
