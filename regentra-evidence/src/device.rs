//! Devices as the evaluators see them: an opaque key, closed words and times.

use time::OffsetDateTime;

/// An opaque number that joins the rows of one device. It never appears in any output.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceKey(u64);

impl DeviceKey {
    /// Wraps a number that is unique among the devices of one fleet.
    #[must_use]
    pub const fn new(key: u64) -> Self {
        Self(key)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl std::fmt::Debug for DeviceKey {
    /// Prints no number: a device must not be traceable through a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DeviceKey(..)")
    }
}

/// What kind of device a node is. The order of the variants has no meaning, and is part of the facts digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeviceClass {
    /// A Windows workstation.
    WindowsWorkstation,
    /// A Windows server.
    WindowsServer,
    /// A Mac used as a workstation.
    Mac,
    /// A Mac server.
    MacServer,
    /// A Linux workstation.
    LinuxWorkstation,
    /// A Linux server.
    LinuxServer,
    /// A phone or tablet.
    Mobile,
    /// A device known through network monitoring.
    Network,
    /// The record of a hypervisor host or guest.
    Virtualization,
    /// A known class that is none of the others, such as a cloud monitoring target.
    Other,
    /// A class that is not known, or none. It is in scope, and measured only by rows it has.
    Unknown,
    /// The class is there and cannot be read. It is in scope: what is bad of the device counts, and what is good measures nothing,
    /// for it may be of a class that is not in scope.
    Unreadable,
}

/// The families that the inventory counts by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeviceFamily {
    /// Windows, Mac and Linux workstations.
    Workstation,
    /// Windows, Mac and Linux servers.
    Server,
    /// Phones and tablets.
    Mobile,
    /// Devices known through network monitoring.
    Network,
    /// Hypervisor hosts and guests.
    Virtualization,
    /// Everything else, classes that are not known included.
    Other,
}

impl DeviceClass {
    /// Whether disk encryption, antivirus and patches are judged on devices of this class.
    ///
    /// Workstations and servers are; so is a class that is not known, so that a new class is never silently dropped.
    #[must_use]
    pub const fn is_endpoint(self) -> bool {
        match self {
            Self::WindowsWorkstation
            | Self::WindowsServer
            | Self::Mac
            | Self::MacServer
            | Self::LinuxWorkstation
            | Self::LinuxServer
            | Self::Unknown
            | Self::Unreadable => true,
            Self::Mobile | Self::Network | Self::Virtualization | Self::Other => false,
        }
    }

    /// Whether BitLocker can say anything about a device of this class; on Mac and Linux it cannot.
    #[must_use]
    pub const fn may_have_bitlocker(self) -> bool {
        !matches!(
            self,
            Self::Mac | Self::MacServer | Self::LinuxWorkstation | Self::LinuxServer
        )
    }

    /// Whether what is good of a device of this class measures it.
    pub(crate) const fn shows_good(self) -> bool {
        !matches!(self, Self::Unreadable)
    }

    /// Whether nobody knows what such a device is.
    pub(crate) const fn is_unknown(self) -> bool {
        matches!(self, Self::Unknown | Self::Unreadable)
    }

    /// The family the inventory counts this class in.
    #[must_use]
    pub const fn family(self) -> DeviceFamily {
        match self {
            Self::WindowsWorkstation | Self::Mac | Self::LinuxWorkstation => {
                DeviceFamily::Workstation
            }
            Self::WindowsServer | Self::MacServer | Self::LinuxServer => DeviceFamily::Server,
            Self::Mobile => DeviceFamily::Mobile,
            Self::Network => DeviceFamily::Network,
            Self::Virtualization => DeviceFamily::Virtualization,
            Self::Other | Self::Unknown | Self::Unreadable => DeviceFamily::Other,
        }
    }
}

/// What one row of the device list says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceFact {
    /// Joins the rows of this device.
    pub device: DeviceKey,
    /// Whether the device is approved; pending, staged, decommissioned and unknown states are not.
    pub approved: bool,
    /// What kind of device it is.
    pub class: DeviceClass,
    /// Whether it is offline; `None` when the row does not say.
    pub offline: Option<bool>,
    /// When it last reported; `None` when absent or unreadable, which never makes a device stale.
    pub last_contact: Option<OffsetDateTime>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_cannot_be_traced_through_a_log() {
        assert_eq!(format!("{:?}", DeviceKey::new(4711)), "DeviceKey(..)");
    }
}
