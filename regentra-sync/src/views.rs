//! The views: everything that a host shows, read from the store alone.

mod asset_doubts;
mod audit;
mod card;
mod connection_status;
mod connection_test;
mod connections;
mod diagnose;
mod diagnosis;
mod evidence_export;
mod portal;
mod posture;
mod public_view;
mod requirements;
mod runs;
mod settings;
mod setup_steps;
mod signals;
mod snapshot;
mod tickets;

use std::sync::Arc;

use time::OffsetDateTime;

pub use self::{
    asset_doubts::{AssetDoubt, Doubt, DoubtCounts},
    card::Card,
    connection_status::{
        ConnectionStatus, CustomerStatus, DryRun, LastRun, OrganizationCounts, SweepCost,
    },
    connection_test::ConnectionTest,
    connections::Connection,
    diagnosis::{Diagnosis, Finding, FutureRows, Severity},
    posture::CustomerPosture,
    public_view::PublicSignal,
    requirements::Requirement,
    settings::SettingsOfConnection,
    setup_steps::{SetupStep, setup_steps},
};
pub(crate) use self::{connection_status::strategy_of, diagnose::Acting};
use crate::{
    host::{Clock, HostPolicy, SystemClock},
    store::Store,
};

/// All reads of a host, over its store. They need no key and send no request to NinjaOne. Cloning is cheap; clones share the store.
///
/// Each read takes its tenant, an MSP or a customer, and returns nothing of another tenant.
///
/// ```
/// # use std::sync::Arc;
/// use regentra_sync::{model::MspOrgId, store::MemoryStore, views::Views};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let views = Views::new(Arc::new(MemoryStore::new()));
/// let msp: MspOrgId = "6f0a8f0e-8a53-4a80-9a0c-4f4f0d6f1a11".parse()?;
/// assert_eq!(views.connection_status(msp).await?, []);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Views {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) policy: Arc<HostPolicy>,
}

impl Views {
    /// The views of a store, with the machine's clock and the default policy.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            clock: Arc::new(SystemClock),
            policy: Arc::default(),
        }
    }

    /// Sets another clock than the machine's. It decides what has expired and what is due next.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the policy of the host that runs the events. It decides when runs are due next, and which are overdue.
    #[must_use]
    pub fn policy(mut self, policy: impl Into<Arc<HostPolicy>>) -> Self {
        self.policy = policy.into();
        self
    }

    fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }
}
