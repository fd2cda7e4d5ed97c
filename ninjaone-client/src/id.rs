//! Ids as newtypes, so that a device's id cannot be handed in where an organization's is asked for.
//!
//! NinjaOne's ids are integers that are unique within one tenant only.

/// Declares one id type over `i64`.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(i64);

        impl $name {
            /// Wraps the number NinjaOne uses on the wire.
            #[must_use]
            pub const fn new(id: i64) -> Self {
                Self(id)
            }

            /// The number NinjaOne uses on the wire.
            #[must_use]
            pub const fn get(self) -> i64 {
                self.0
            }
        }

        $crate::field::fields! { $name = |next| Self(next); }

        impl From<i64> for $name {
            fn from(id: i64) -> Self {
                Self(id)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.trim().parse().map(Self)
            }
        }
    )*};
}

ids! {
    /// An organization: one customer of the MSP.
    OrganizationId;
    /// A location: a site of an organization.
    LocationId;
    /// A device (the vendor also says *node*).
    DeviceId;
    /// An entry of the activity log; the log is walked by it.
    ActivityId;
    /// A policy.
    PolicyId;
    /// A device role (the vendor also says *node role*).
    RoleId;
    /// A user: technician or end user.
    UserId;
    /// A role of users, as opposed to devices.
    UserRoleId;
    /// A contact.
    ContactId;
    /// A group: a saved search for devices.
    GroupId;
    /// A software licence.
    LicenseId;
    /// A vulnerability scan group.
    ScanGroupId;
    /// An asset tag.
    TagId;
}
