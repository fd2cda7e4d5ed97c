//! Small, spiteful tenants from a seed: every rule's border, every spelling, every way a row can be late, double or broken.
//!
//! Each tenant first draws its temper (how many devices, how good each signal is, how much noise), so that all outcomes occur
//! often; the rows then follow. A seed always gives the same tenant.

#![expect(
    clippy::too_many_lines,
    reason = "a generator is as long as what it may draw"
)]

mod activities;
mod devices;
mod dice;
mod noise;
mod patches;
mod products;
mod times;
pub(crate) mod unreadable;
mod volumes;

use serde_json::Value;
use time::{Duration, UtcOffset, macros::datetime};

use self::{dice::FleetDice, patches::Kind};
use crate::{
    boundaries::rows::{DAY, HOUR, MICROSECOND, MINUTE, ORGANIZATION, SECOND},
    oracle::tenant::{Kinds, Report, Tenant},
};

const OTHER_ORGANIZATION: i64 = 8;

/// How good the rows of a report are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Temper {
    /// Nothing but good rows on every device.
    Good,
    /// Good, with a bad one now and then.
    Mostly,
    /// Anything.
    Wild,
    Bad,
    /// Most devices have no rows at all, the others good ones.
    Sparse,
    None,
}

const TEMPERS: [(u64, Temper); 6] = [
    (34, Temper::Good),
    (24, Temper::Mostly),
    (22, Temper::Wild),
    (6, Temper::Bad),
    (10, Temper::Sparse),
    (4, Temper::None),
];

impl Temper {
    /// Whether the next row is a bad one.
    fn bad(self, dice: &mut FleetDice) -> bool {
        match self {
            Self::Good | Self::Sparse | Self::None => false,
            Self::Mostly => dice.percent(4),
            Self::Wild => dice.percent(40),
            Self::Bad => dice.percent(90),
        }
    }

    /// Whether a device has rows at all.
    fn speaks(self, dice: &mut FleetDice) -> bool {
        match self {
            Self::Good | Self::Bad => true,
            Self::Mostly => dice.percent(97),
            Self::Wild => dice.percent(85),
            Self::Sparse => dice.percent(40),
            Self::None => false,
        }
    }
}

/// The tenant under construction.
struct Maker {
    dice: FleetDice,
    /// Microseconds since 1970.
    now: i64,
    /// Whether times come at borders and in all their forms, or an hour old as numbers.
    spiteful_times: bool,
    /// Whether rows come twice and at odds with each other.
    doubles: bool,
    /// Whether the host remembers when signatures were first seen out of date.
    remembers: bool,
}

/// The tenant of a seed.
pub(crate) fn tenant(seed: u64) -> Tenant {
    let mut dice = FleetDice::new(seed);
    let now = datetime!(2026-11-23 06:30:00 UTC)
        + Duration::microseconds(*dice.pick(&[0, 0, 1, 500_000, 999_999]));
    let now = now.to_offset(*dice.pick(&[
        UtcOffset::UTC,
        UtcOffset::from_hms(5, 30, 0).expect("an offset"),
    ]));
    let microseconds = i64::try_from(now.unix_timestamp_nanos() / 1_000).expect("this century");
    let (spiteful_times, doubles, remembers) =
        (dice.percent(45), dice.percent(40), dice.percent(50));
    let mut maker = Maker {
        dice,
        now: microseconds,
        spiteful_times,
        doubles,
        remembers,
    };

    let mut tenant = Tenant::empty(ORGANIZATION, now);
    tenant.devices = Report::answered(maker.devices());
    let listed: Vec<i64> = tenant
        .devices
        .rows
        .iter()
        .filter_map(|row| row["id"].as_i64())
        .collect();
    let mut ids = listed;
    ids.sort_unstable();
    ids.dedup();
    // Rows of devices that no longer exist, or never did.
    if maker.dice.percent(20) {
        ids.extend([8_001, 8_002]);
    }

    tenant.volumes = Report::answered(maker.per_device(&ids, Maker::volumes));
    tenant.antivirus = Report::answered(maker.per_device(&ids, Maker::products));
    let patches = maker.patch_temper();
    let os = maker.patches(&ids, patches, Kind::Os);
    let patches = if maker.dice.percent(70) {
        patches
    } else {
        maker.patch_temper()
    };
    let software = maker.patches(&ids, patches, Kind::Software);
    (tenant.os_patches.rows, tenant.os_patch_installs.rows) = os;
    (
        tenant.software_patches.rows,
        tenant.software_patch_installs.rows,
    ) = software;
    tenant.activities = Report::answered(maker.activities(&ids));
    tenant.signature_history = maker.history(&ids);
    tenant.kinds = maker.dice.weigh(&[
        (84, Kinds::Both),
        (8, Kinds::OsOnly),
        (8, Kinds::SoftwareOnly),
    ]);
    maker.damage(&mut tenant);
    maker.disturb(&mut tenant);
    tenant
}

impl Maker {
    /// The rows of a report, device by device.
    fn per_device(
        &mut self,
        ids: &[i64],
        rows: fn(&mut Self, i64, Temper) -> Vec<Value>,
    ) -> Vec<Value> {
        let temper = self.dice.weigh(&TEMPERS);
        ids.iter()
            .flat_map(|id| {
                if temper.speaks(&mut self.dice) {
                    rows(self, *id, temper)
                } else {
                    vec![]
                }
            })
            .collect()
    }
}
