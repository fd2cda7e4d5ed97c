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
///
/// Each holds for every organization with at least one device, `Mixed` and `Empty` excepted: `Mixed` walks through a dozen
/// [`Character`]s, and the second organization of `Empty` is a healthy one, so that a filter that is ignored does harm.
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
}

impl Preset {
    /// Every preset.
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
        })
    }
}

/// The text names no preset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownPreset;

impl std::fmt::Display for UnknownPreset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(
            "no such preset: choose healthy, failing, mixed, empty, mac-only, network-only or dark",
        )
    }
}

impl std::error::Error for UnknownPreset {}
