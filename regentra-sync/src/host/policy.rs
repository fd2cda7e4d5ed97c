//! The decisions that a host can change.

use std::{
    fmt,
    net::{IpAddr, ToSocketAddrs as _},
    sync::Arc,
};

use ninjaone_client::BaseUrl;
use regentra_evidence::{KindsInUse, Rules};
use time::Duration;
use url::{Host, Url};

use crate::{
    model::{
        AppliedSettings, ConnectionSettings, CustomFieldName, CustomFields, StrategyChoice,
        UnreadableSetting,
    },
    schedule::{Cadence, Retry},
};

/// The maximum number of organizations that a walk reads. With one more, the list is truncated; with exactly this many, it is complete.
pub const ORGANIZATION_CEILING: usize = 5_000;

/// The maximum number of devices of one organization that a walk reads. With one more, the list is truncated; with exactly this many, it is
/// complete.
pub const DEVICE_CEILING: usize = 10_000;

/// The default length of a lease. A lease that a store kept without its length is assumed to have this one.
pub const LEASE_LENGTH: Duration = Duration::minutes(5);

/// Complete passing sweeps after which a ticket is closed.
pub const PASSES_TO_CLOSE: u32 = 2;

/// Whether an address is one of NinjaOne's hosts, over https on port 443, without a path.
fn is_ninjaones_own(base: &BaseUrl) -> bool {
    let url = Url::parse(&base.to_string());
    base.region().is_some()
        && url.is_ok_and(|url| {
            url.scheme() == "https" && url.port().is_none() && matches!(url.path(), "" | "/")
        })
}

/// Whether an address has a name reserved for this machine (`localhost`, or a name below it) but may belong to another: some resolvers ask
/// the network for such names.
pub(crate) async fn is_elsewhere(base: &BaseUrl) -> bool {
    let Ok(url) = Url::parse(&base.to_string()) else {
        return true;
    };
    let Some(Host::Domain(name)) = url.host() else {
        return false;
    };
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    if name != "localhost" && !name.ends_with(".localhost") {
        return false;
    }
    // The port does not matter: only the addresses are used.
    let resolved = tokio::task::spawn_blocking(move || {
        let addresses = (name.as_str(), 443).to_socket_addrs();
        addresses.map(|all| all.map(|address| address.ip()).collect::<Vec<_>>())
    });
    match resolved.await {
        Ok(Ok(addresses)) => addresses.is_empty() || !addresses.iter().all(IpAddr::is_loopback),
        Ok(Err(_)) | Err(_) => true,
    }
}

type HostAllowed = Arc<dyn Fn(&BaseUrl) -> bool + Send + Sync>;

/// The decisions that a host can change. The default is the promise.
#[derive(Clone)]
pub struct HostPolicy {
    pub(crate) rules: Rules,
    pub(crate) settings: AppliedSettings,
    pub(crate) tickets_per_tick: u32,
    pub(crate) asset_sync: Cadence,
    pub(crate) evidence_sweep: Cadence,
    pub(crate) lease_length: Duration,
    pub(crate) sweep_deadline: Duration,
    pub(crate) event_deadline: Duration,
    pub(crate) retry: Retry,
    pub(crate) plan_page: u32,
    pub(crate) host_allowed: HostAllowed,
}

impl Default for HostPolicy {
    fn default() -> Self {
        Self {
            rules: Rules::default(),
            settings: AppliedSettings::default(),
            tickets_per_tick: 20,
            asset_sync: Cadence::ASSET_SYNC,
            evidence_sweep: Cadence::EVIDENCE_SWEEP,
            lease_length: LEASE_LENGTH,
            sweep_deadline: Duration::minutes(90),
            event_deadline: Duration::hours(4),
            retry: Retry::default(),
            plan_page: 1_000,
            host_allowed: Arc::new(is_ninjaones_own),
        }
    }
}

impl HostPolicy {
    /// Sets thresholds that are stricter than the promise's.
    #[must_use]
    pub fn rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// Custom fields for facts that NinjaOne does not report, such as `FileVault`, for connections whose own settings
    /// ([`configure`](crate::Integration::configure)) leave them out. Default: none.
    #[must_use]
    pub fn custom_fields(mut self, fields: CustomFields) -> Self {
        self.settings.custom_fields = fields;
        self
    }

    /// The custom field that holds a device's Entra device id, for connections whose own settings leave it out. Asset sync matches by this
    /// id when serial numbers do not match. It costs one more report per organization. Default: none.
    #[must_use]
    pub fn entra_device_id_field(mut self, field: CustomFieldName) -> Self {
        self.settings.entra_device_id_field = Some(field);
        self
    }

    /// The kinds of patches that tenants are used for, for connections whose own settings leave them out. Default: both.
    #[must_use]
    pub fn kinds_in_use(mut self, kinds: KindsInUse) -> Self {
        self.settings.kinds_in_use = kinds;
        self
    }

    /// How sweeps read their reports, for connections whose own settings leave it out. Default: the cheapest strategy.
    #[must_use]
    pub fn sweep_strategy(mut self, strategy: StrategyChoice) -> Self {
        self.settings.sweep_strategy = strategy;
        self
    }

    /// The values in force for a connection with these settings.
    ///
    /// # Errors
    /// [`UnreadableSetting`] when a later release stored a setting in a form that this one does not read.
    pub fn apply(
        &self,
        settings: &ConnectionSettings,
    ) -> Result<AppliedSettings, UnreadableSetting> {
        if let Some(setting) = settings.unreadable() {
            return Err(UnreadableSetting(setting));
        }
        let mut applied = self.settings.clone();
        if let Some(fields) = &settings.custom_fields {
            applied.custom_fields = fields.clone();
        }
        if let Some(field) = &settings.entra_device_id_field {
            applied.entra_device_id_field = field.name().cloned();
        }
        if let Some(kinds) = settings.kinds_in_use {
            applied.kinds_in_use = kinds;
        }
        if let Some(strategy) = settings.sweep_strategy {
            applied.sweep_strategy = strategy;
        }
        Ok(applied)
    }

    /// When an event that failed is handled again, and how often; and when an engine plans a tick again that could not be planned. Default: [`Retry::default`].
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// The maximum number of events on a page of a plan; at least one. Default: 1,000.
    #[must_use]
    pub fn plan_page(mut self, events: u32) -> Self {
        self.plan_page = events.max(1);
        self
    }

    /// The maximum number of tickets that one tick of the sweep opens for one MSP. The rest goes into one digest. Default: 20.
    #[must_use]
    pub fn tickets_per_tick(mut self, tickets: u32) -> Self {
        self.tickets_per_tick = tickets;
        self
    }

    /// When asset syncs are due. Default: [`Cadence::ASSET_SYNC`].
    #[must_use]
    pub fn asset_sync(mut self, cadence: Cadence) -> Self {
        self.asset_sync = cadence;
        self
    }

    /// When evidence sweeps are due. Default: [`Cadence::EVIDENCE_SWEEP`].
    #[must_use]
    pub fn evidence_sweep(mut self, cadence: Cadence) -> Self {
        self.evidence_sweep = cadence;
        self
    }

    /// The length of a run's lease. If the run does not renew it in this time, another worker may take over. A run renews its lease three
    /// times within this length. Default: five minutes.
    #[must_use]
    pub fn lease_length(mut self, length: Duration) -> Self {
        self.lease_length = length;
        self
    }

    /// How long reading the reports of one customer may take, including waits for the request budget. A sweep that takes longer fails with
    /// [`ErrorKind::Deadline`](crate::error::ErrorKind::Deadline). Default: an hour and a half, of which an hour is the longest wait.
    #[must_use]
    pub fn sweep_deadline(mut self, deadline: Duration) -> Self {
        self.sweep_deadline = deadline;
        self
    }

    /// How long the requests to NinjaOne for one event of the schedule may take, also for a whole region's assets. An event that takes
    /// longer fails in the same way. Default: four hours, after which the next asset sync is due.
    #[must_use]
    pub fn event_deadline(mut self, deadline: Duration) -> Self {
        self.event_deadline = deadline;
        self
    }

    /// Which addresses may be connected, so that the host sends no request to an address only because a user typed it in. Default:
    /// NinjaOne's regions and their branded hosts, over https on port 443, without a path. Whatever is allowed, a name that ends in
    /// `localhost` must resolve to this machine only.
    #[must_use]
    pub fn allow_hosts(
        mut self,
        allowed: impl Fn(&BaseUrl) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.host_allowed = Arc::new(allowed);
        self
    }
}

impl fmt::Debug for HostPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostPolicy")
            .field("rules", &self.rules)
            .field("settings", &self.settings)
            .field("tickets_per_tick", &self.tickets_per_tick)
            .field("asset_sync", &self.asset_sync)
            .field("evidence_sweep", &self.evidence_sweep)
            .field("lease_length", &self.lease_length)
            .field("sweep_deadline", &self.sweep_deadline)
            .field("event_deadline", &self.event_deadline)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_policy_takes_https_on_port_443_without_a_path_and_nothing_else() {
        let policy = HostPolicy::default();
        for (address, allowed) in [
            ("https://eu.ninjarmm.com", true),
            ("https://eu.ninjarmm.com:443/", true),
            ("https://acme.rmmservice.com", true),
            ("https://eu.ninjarmm.com:8443", false),
            ("https://eu.ninjarmm.com/gateway", false),
            ("https://acme.rmmservice.com:444", false),
            ("https://evil.example", false),
            ("https://localhost", false),
            ("http://localhost", false),
            ("http://127.0.0.1:8080", false),
        ] {
            let base = BaseUrl::parse(address).unwrap();
            assert_eq!((policy.host_allowed)(&base), allowed, "{address}");
        }
    }

    #[tokio::test]
    async fn a_localhost_name_is_taken_only_where_it_stands_for_this_machine() {
        for (address, elsewhere) in [
            ("http://127.0.0.1:8080", false),
            ("http://localhost:8080", false),
            ("https://acme.rmmservice.com", false),
            ("https://notlocalhost", false),
        ] {
            let base = BaseUrl::parse(address).unwrap();
            assert_eq!(is_elsewhere(&base).await, elsewhere, "{address}");
        }
        // If the resolver knows names below localhost, they are loopback; if not, they are refused. A name that belongs to another machine
        // is never accepted.
        let base = BaseUrl::parse("https://evil.localhost").unwrap();
        let addresses = ("evil.localhost", 443).to_socket_addrs();
        let is_loopback = addresses.is_ok_and(|mut all| all.all(|one| one.ip().is_loopback()));
        assert_eq!(is_elsewhere(&base).await, !is_loopback);
    }
}
