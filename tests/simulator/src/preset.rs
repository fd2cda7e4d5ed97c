//! Fleets with a known verdict.

/// A fleet whose outcome is known beforehand, whatever seed and size.
///
/// | preset | disk encryption | antivirus | patches | backup | inventory |
/// |---|---|---|---|---|---|
/// | `Healthy` | pass | pass | pass | pass | pass |
/// | `Failing` | fail | fail | fail | fail | warning |
/// | `Mixed` (first organization) | warning | warning | warning | warning | warning |
/// | `Empty` (first organization) | unknown | unknown | unknown | unknown | warning |
/// | `MacOnly` | unknown | pass | pass | unknown | pass |
/// | `NetworkOnly` | not applicable | not applicable | not applicable | unknown | pass |
/// | `Dark` | unknown | unknown | unknown | unknown | warning |
/// | `Scale` (first organization) | pass | pass | pass | pass | pass |
///
/// Each holds for every organization with at least one device, `Mixed`, `Empty` and `Scale` excepted: `Mixed` walks through a dozen
/// [`Character`]s, the second organization of `Empty` is a healthy one, so that a filter that is ignored does harm, and `Scale` walks
/// through ten characters, which hold for every organization with 20 devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// All five signals pass.
    Healthy,
    /// All five are at their worst.
    Failing,
    /// A dozen organizations of every character, the first at warning throughout.
    Mixed,
    /// An organization without a device, and a healthy one.
    Empty,
    /// Only Macs: nothing says whether their disks are encrypted.
    MacOnly,
    /// Only network devices, virtualization hosts and monitors.
    NetworkOnly,
    /// No device was in contact for more than 30 days.
    Dark,
    /// Any number of organizations, most of them in order, with as many rows as live devices have.
    ///
    /// A device has 18 pending patches of its operating system and 3 of other software, 22 and 5 attempts to install one within 46
    /// days, 2 volumes and 1.2 antivirus products; 15 % of the devices were backed up on each of 8 days. No row is kept: each is made
    /// when a page is asked for, and a filter by organizations finds its rows without looking at others. A tenant whose rows are
    /// replaced, shaped or full of canaries holds them from then on.
    Scale,
}

/// The one signal that does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A third of the disks is not encrypted: disk encryption fails.
    Disks,
    /// A third of the devices has its antivirus off: antivirus fails.
    Antivirus,
    /// A third of the devices lacks critical patches: patches fail.
    MissingPatches,
    /// A third of the devices could not install a patch: patches fail.
    FailedInstalls,
    /// Every backup fails.
    Backups,
    /// Half of the devices are offline: inventory warns.
    Offline,
}

/// What one organization of a fleet is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Character {
    /// All five signals pass.
    Healthy,
    /// All five are at their worst.
    Failing,
    /// All five warn.
    Warning,
    /// No device.
    Empty,
    /// Only Macs.
    MacOnly,
    /// Only devices to which disk encryption, antivirus and patches do not apply.
    NetworkOnly,
    /// Only devices without contact.
    Dark,
    /// One signal does not pass, the others do.
    Troubled(Trouble),
}

impl Preset {
    /// Every preset but [`Scale`](Self::Scale), whose organizations are not of one kind and whose rows are plain.
    pub const ALL: [Self; 7] = [
        Self::Healthy,
        Self::Failing,
        Self::Mixed,
        Self::Empty,
        Self::MacOnly,
        Self::NetworkOnly,
        Self::Dark,
    ];

    /// How many organizations the fleet has unless the builder says otherwise.
    #[must_use]
    pub const fn organizations(self) -> usize {
        match self {
            Self::Mixed => 12,
            Self::Empty => 2,
            Self::Scale => 50,
            _ => 3,
        }
    }

    /// What the organization at a place, counted from 0, is like.
    #[must_use]
    pub fn character(self, place: usize) -> Character {
        match self {
            Self::Failing => Character::Failing,
            Self::MacOnly => Character::MacOnly,
            Self::NetworkOnly => Character::NetworkOnly,
            Self::Dark => Character::Dark,
            Self::Empty if place == 0 => Character::Empty,
            Self::Healthy | Self::Empty => Character::Healthy,
            Self::Scale => match place % 10 {
                1 => Character::Troubled(Trouble::Disks),
                2 => Character::Troubled(Trouble::Antivirus),
                3 => Character::Troubled(Trouble::MissingPatches),
                4 => Character::Troubled(Trouble::FailedInstalls),
                5 => Character::Troubled(Trouble::Backups),
                6 => Character::Troubled(Trouble::Offline),
                8 => Character::Failing,
                _ => Character::Healthy,
            },
            Self::Mixed => match place % 12 {
                1 | 7 | 9 => Character::Healthy,
                2 | 8 => Character::Failing,
                3 => Character::MacOnly,
                4 => Character::NetworkOnly,
                5 => Character::Dark,
                6 => Character::Empty,
                _ => Character::Warning,
            },
        }
    }
}

impl std::str::FromStr for Preset {
    type Err = UnknownPreset;

    fn from_str(text: &str) -> Result<Self, UnknownPreset> {
        Self::ALL
            .into_iter()
            .chain([Self::Scale])
            .find(|preset| preset.to_string() == text)
            .ok_or(UnknownPreset)
    }
}

impl std::fmt::Display for Preset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Healthy => "healthy",
            Self::Failing => "failing",
            Self::Mixed => "mixed",
            Self::Empty => "empty",
            Self::MacOnly => "mac-only",
            Self::NetworkOnly => "network-only",
            Self::Dark => "dark",
            Self::Scale => "scale",
        })
    }
}

/// The text names no preset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownPreset;

impl std::fmt::Display for UnknownPreset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(
            "no such preset: choose healthy, failing, mixed, empty, mac-only, network-only, dark or scale",
        )
    }
}

impl std::error::Error for UnknownPreset {}
