//! A tenant behind real HTTP on loopback, served by wiremock on a thread of its own.

use std::sync::MutexGuard;

use wiremock::{Mock, MockServer, Respond, ResponseTemplate, matchers::any};

use super::Shared;
use crate::{clock::Clock, request::Request, tenant::Tenant};

/// A running server; it ends when dropped.
#[derive(Debug)]
pub struct Front {
    server: MockServer,
    shared: Shared,
}

/// Serves a tenant whose time starts at [`Tenant::now`] and runs.
pub async fn serve(tenant: Tenant) -> Front {
    let clock = Clock::running(tenant.now());
    serve_with(tenant, clock).await
}

/// Serves a tenant by a clock of the caller's.
///
/// A fault that [needs a raw transport](crate::Fault::needs_raw_transport) is answered with 501 and a sentence that names
/// [`tcp`](super::tcp), never played down.
pub async fn serve_with(tenant: Tenant, clock: Clock) -> Front {
    let shared = Shared::new(tenant, clock);
    let server = MockServer::builder()
        .disable_request_recording()
        .start()
        .await;
    Mock::given(any())
        .respond_with(Responder(shared.clone()))
        .mount(&server)
        .await;
    Front { server, shared }
}

impl Front {
    /// The base URL, such as `http://127.0.0.1:41234`.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.uri()
    }

    /// The tenant. Requests wait while it is held.
    pub fn tenant(&self) -> MutexGuard<'_, Tenant> {
        self.shared.lock()
    }
}

struct Responder(Shared);

impl Respond for Responder {
    fn respond(&self, request: &wiremock::Request) -> ResponseTemplate {
        let mut asked =
            Request::new(request.method.as_str(), request.url.as_str()).body(request.body.clone());
        for (name, value) in &request.headers {
            asked = asked.header(name.as_str(), value.to_str().unwrap_or_default());
        }
        let answer = self.0.answer(&asked);
        if answer.delivery.needs_raw_transport() {
            return ResponseTemplate::new(501)
                .set_body_string("this front cannot break connections: serve by front::tcp");
        }
        let mut template = ResponseTemplate::new(answer.status).set_delay(answer.delivery.delay);
        template = template.set_body_bytes(answer.body.to_vec());
        for (name, value) in &answer.headers {
            template = template.insert_header(name.as_str(), value.as_str());
        }
        template
    }
}
