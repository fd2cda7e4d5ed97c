//! A client of a simulated tenant.

use std::time::Duration;

use regentra_sync::ninjaone_client::{
    BaseUrl, Client, ClientBuilder, Credentials, RateLimit, RetryPolicy,
};

/// Repeats a request as often as a client does by default, and hardly waits before.
pub fn quick_retry() -> RetryPolicy {
    RetryPolicy::default().backoff(Duration::from_millis(1), Duration::from_millis(5))
}

/// A client of the tenant at an address, without a limit of requests.
pub fn builder_for(url: &str, client_id: &str, client_secret: &str) -> ClientBuilder {
    Client::builder(
        BaseUrl::parse(url).unwrap(),
        Credentials::client_credentials(client_id, client_secret),
    )
    .rate_limit(RateLimit::unlimited())
    .retry(quick_retry())
}
