//! Ways to put a tenant behind a transport.
//!
//! | front | transport | for |
//! |---|---|---|
//! | [`http`] | real HTTP on loopback, by wiremock | most tests |
//! | [`tcp`] | HTTP/1.1 written by hand on a socket | cut bodies, slow trickles, dead connections, load |
//! | [`in_process`] | a function call | tests that pause time |

#[cfg(feature = "wiremock")]
pub mod http;
pub mod in_process;
pub mod tcp;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{answer::Answer, clock::Clock, request::Request, tenant::Tenant};

/// A tenant that a front and a test hold together.
#[derive(Clone, Debug)]
struct Shared {
    tenant: Arc<Mutex<Tenant>>,
    clock: Clock,
}

impl Shared {
    fn new(tenant: Tenant, clock: Clock) -> Self {
        Self {
            tenant: Arc::new(Mutex::new(tenant)),
            clock,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tenant> {
        // A test that panicked while it held the tenant has failed already; the tenant itself is never half changed.
        self.tenant.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, request: &Request) -> Answer {
        let now = self.clock.now();
        self.lock().answer(request, now)
    }
}
