//! What a host may decide otherwise.

use std::{fmt, sync::Arc};

use ninjaone_client::BaseUrl;
use regentra_evidence::Rules;
use time::Duration;

use crate::{custom_fields::CustomFields, schedule::Cadence};

/// Organizations that are walked at the most; seeing one more is a truncated list. Exactly this many is complete.
pub const ORGANIZATION_CEILING: usize = 5_000;

/// Devices of one organization that are walked at the most; seeing one more is a truncated list. Exactly this many is complete.
pub const DEVICE_CEILING: usize = crate::collect::DEVICE_CEILING;

/// Complete passing sweeps after which a ticket is closed.
pub const PASSES_TO_CLOSE: u32 = 2;

type HostAllowed = Arc<dyn Fn(&BaseUrl) -> bool + Send + Sync>;

/// What a host may decide otherwise. The default is the promise.
#[derive(Clone)]
pub struct Policy {
    pub(crate) rules: Rules,
    pub(crate) custom_fields: CustomFields,
    pub(crate) tickets_per_tick: u32,
    pub(crate) asset_sync: Cadence,
    pub(crate) evidence_sweep: Cadence,
    pub(crate) lease_length: Duration,
    pub(crate) host_allowed: HostAllowed,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            rules: Rules::default(),
            custom_fields: CustomFields::default(),
            tickets_per_tick: 20,
            asset_sync: Cadence::ASSET_SYNC,
            evidence_sweep: Cadence::EVIDENCE_SWEEP,
            lease_length: Duration::minutes(5),
            host_allowed: Arc::new(|base| base.region().is_some()),
        }
    }
}

impl Policy {
    /// Stricter thresholds than the promise's.
    #[must_use]
    pub fn rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// Custom fields that answer what NinjaOne cannot, such as `FileVault`. Default: none.
    #[must_use]
    pub fn custom_fields(mut self, fields: CustomFields) -> Self {
        self.custom_fields = fields;
        self
    }

    /// How many tickets one tick of the sweep opens for one MSP at the most; the rest goes into one digest. Default: 20.
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

    /// How long a run keeps its lease without a sign of life; another worker may take over then. A running one renews it three
    /// times as often. Default: five minutes.
    #[must_use]
    pub fn lease_length(mut self, length: Duration) -> Self {
        self.lease_length = length;
        self
    }

    /// Which addresses may be connected, so that no request goes to wherever somebody types. Default: NinjaOne's regions and
    /// their branded hosts.
    #[must_use]
    pub fn allow_hosts(
        mut self,
        allowed: impl Fn(&BaseUrl) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.host_allowed = Arc::new(allowed);
        self
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("rules", &self.rules)
            .field("custom_fields", &self.custom_fields)
            .field("tickets_per_tick", &self.tickets_per_tick)
            .field("asset_sync", &self.asset_sync)
            .field("evidence_sweep", &self.evidence_sweep)
            .field("lease_length", &self.lease_length)
            .finish_non_exhaustive()
    }
}
