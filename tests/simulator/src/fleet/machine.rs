//! One device of a fleet, before its rows: which class, how long out of contact, in which organization.

use super::{FIRST_DEVICE, Present, organizations};
use crate::{preset::Character, seed::Dice};

/// What a device is like.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) id: i64,
    pub(super) organization: i64,
    pub(super) location: i64,
    /// Its index in its organization, from 0. Verdicts are decided by place, never by dice.
    pub(super) place: usize,
    pub(super) character: Character,
    pub(super) class: &'static str,
    pub(super) approval: &'static str,
    pub(super) offline: Option<bool>,
    pub(super) last_contact: f64,
    pub(super) created: f64,
    /// When its agent last reported what it found.
    pub(super) collected: f64,
    pub(super) name: String,
    pub(super) domain: &'static str,
    seed: u64,
}

/// Where a device of a computed fleet stands, and what does not follow from that.
pub(super) struct Placed {
    pub(super) seed: u64,
    pub(super) number: u32,
    pub(super) id: i64,
    pub(super) organization: usize,
    pub(super) place: usize,
    pub(super) is_offline: bool,
    pub(super) collected: f64,
    pub(super) now: Present,
}

const NETWORK: [&str; 8] = [
    "NMS_SWITCH",
    "NMS_ROUTER",
    "NMS_FIREWALL",
    "NMS_WAP",
    "VMWARE_VM_HOST",
    "NMS_PRINTER",
    "CLOUD_MONITOR_TARGET",
    "UNMANAGED_DEVICE",
];

const DOMAINS: [&str; 4] = ["NORTHWIND", "ALDER", "HARBOUR", "WORKGROUP"];

impl Machine {
    /// The device made as the `number`th of the fleet.
    pub(super) fn new(
        seed: u64,
        number: usize,
        organization: usize,
        character: Character,
        place: usize,
        now: Present,
    ) -> Self {
        let serial = i64::try_from(number).unwrap_or(i64::MAX);
        let mut dice = Dice::new(seed, u64::try_from(number).unwrap_or(u64::MAX));
        let id = FIRST_DEVICE + 3 * serial + i64::from(dice.below(3));
        let (class, approval, silent) = role(character, place);
        let days_silent = if silent {
            f64::from(31 + dice.below(370))
        } else {
            0.0
        };
        let last_contact =
            now.ago(days_silent * 86_400.0 + f64::from(dice.below(20_000)) + dice.fraction());
        let offline = match character {
            _ if silent => Some(true),
            Character::Failing | Character::Warning => match place % 44 {
                43 => None,
                _ => Some(place.is_multiple_of(2)),
            },
            _ => Some(place % 9 == 5),
        };
        let prefix = dice.pick(["EXA", "AC", "HQ", "LON", "NYC", "FIN", "OPS", "MED"]);
        let kind = if class.ends_with("SERVER") {
            "SRV"
        } else {
            dice.pick(["LT", "WS", "PC"])
        };
        let days_known = 90.0 + f64::from(dice.below(1_500));
        Self {
            id,
            organization: organizations::id(organization),
            location: organizations::location(organization, place),
            place,
            character,
            class,
            approval,
            offline,
            last_contact,
            created: now.ago((days_silent + days_known) * 86_400.0 + dice.fraction()),
            collected: now.ago(
                days_silent * 86_400.0 + f64::from(20_000 + dice.below(20_000)) + dice.fraction(),
            ),
            name: format!("{prefix}-{kind}-{:04}", number % 10_000),
            domain: DOMAINS
                .get(organization % DOMAINS.len())
                .copied()
                .unwrap_or("WORKGROUP"),
            seed,
        }
    }

    /// A Windows computer of a computed fleet.
    pub(super) fn placed(placed: &Placed) -> Self {
        let &Placed {
            seed,
            number,
            organization,
            place,
            now,
            ..
        } = placed;
        let mut dice = Dice::new(seed, (1 << 56) | u64::from(number));
        let is_server = matches!(place % 20, 4 | 9);
        let prefix = dice.pick(["EXA", "AC", "HQ", "LON", "NYC", "FIN", "OPS", "MED"]);
        let kind = if is_server { "SRV" } else { "PC" };
        let days_known = 90.0 + f64::from(dice.below(1_500));
        Self {
            id: placed.id,
            organization: organizations::id(organization),
            location: organizations::location(organization, place),
            place,
            character: Character::Healthy,
            class: if is_server {
                "WINDOWS_SERVER"
            } else {
                "WINDOWS_WORKSTATION"
            },
            approval: "APPROVED",
            offline: Some(placed.is_offline),
            last_contact: now.ago(f64::from(dice.below(20_000)) + dice.fraction()),
            created: now.ago(days_known * 86_400.0 + dice.fraction()),
            collected: placed.collected,
            name: format!("{prefix}-{kind}-{number:06}"),
            domain: DOMAINS
                .get(organization % DOMAINS.len())
                .copied()
                .unwrap_or("WORKGROUP"),
            seed,
        }
    }

    /// Dice of this device for one kind of rows.
    pub(super) fn dice(&self, purpose: u64) -> Dice {
        Dice::new(self.seed, (self.id.unsigned_abs() << 8) | purpose)
    }

    pub(super) fn is_windows(&self) -> bool {
        self.class.starts_with("WINDOWS")
    }

    pub(super) fn is_mac(&self) -> bool {
        self.class.starts_with("MAC")
    }

    pub(super) fn is_linux(&self) -> bool {
        self.class.starts_with("LINUX")
    }

    pub(super) fn is_server(&self) -> bool {
        self.class.ends_with("_SERVER")
    }

    /// Whether disks, antivirus and patches are reported of it.
    pub(super) fn is_computer(&self) -> bool {
        self.is_windows() || self.is_mac() || self.is_linux()
    }

    /// Whether its place in the organization is a multiple of `n`, moved by `offset`.
    pub(super) fn every(&self, n: usize, offset: usize) -> bool {
        self.place % n == offset
    }
}

/// Node class, approval status, and whether the device is out of contact.
fn role(character: Character, place: usize) -> (&'static str, &'static str, bool) {
    const APPROVED: &str = "APPROVED";
    let computer = match place % 20 {
        4 | 9 => "WINDOWS_SERVER",
        _ => "WINDOWS_WORKSTATION",
    };
    match character {
        Character::MacOnly => (
            if place % 15 == 14 {
                "MAC_SERVER"
            } else {
                "MAC"
            },
            APPROVED,
            false,
        ),
        Character::NetworkOnly => (
            NETWORK
                .get(place % NETWORK.len())
                .copied()
                .unwrap_or("NMS_OTHER"),
            APPROVED,
            false,
        ),
        Character::Dark => (
            if place % 7 == 6 { "MAC" } else { computer },
            APPROVED,
            true,
        ),
        Character::Warning if place % 10 == 7 => ("MAC", APPROVED, false),
        Character::Warning if place % 30 == 12 => ("LINUX_SERVER", APPROVED, false),
        Character::Warning if place % 30 == 22 => ("LINUX_WORKSTATION", APPROVED, false),
        // A class that no list has: in scope, and measured by the rows it has.
        Character::Warning if place % 50 == 21 => ("WINDOWS_CLOUD_PC", APPROVED, false),
        _ => match (place % 20, place % 60) {
            (13, _) => ("NMS_SWITCH", APPROVED, false),
            (17, _) => ("VMWARE_VM_HOST", APPROVED, false),
            (_, 15) => ("WINDOWS_CLOUD_PC", "PENDING", false),
            (_, 19) => ("WINDOWS_WORKSTATION", APPROVED, true),
            (_, 31) => ("APPLE_IOS", APPROVED, false),
            (_, 35) => ("WINDOWS_WORKSTATION", "STAGED", false),
            (_, 47) => ("WINDOWS_WORKSTATION", "DECOMMISSIONED", true),
            _ => (computer, APPROVED, false),
        },
    }
}
