//! Identifiers: opaque UUIDs, with a type for each kind of thing they name, so that one kind cannot be used for another.
//!
//! Identifiers that the sync creates are *derived* (UUID version 5) from what they identify. So two processes that plan the same sweep
//! create the same event id, and a run repeated after a crash finds what it wrote the first time.

use uuid::Uuid;

const NAMESPACE: Uuid = Uuid::from_u128(0x8e3d_52f4_7a0c_4b6e_9f21_6d1c_c05e_27ab);

/// Derives an identifier from the kind of thing and the parts that identify it. Parts are length-prefixed, so that
/// `("ab", "c")` and `("a", "bc")` differ.
pub(crate) fn derive(kind: &str, parts: &[&[u8]]) -> Uuid {
    let mut name = Vec::with_capacity(64);
    for part in std::iter::once(&kind.as_bytes()).chain(parts) {
        name.extend_from_slice(&(part.len() as u64).to_be_bytes());
        name.extend_from_slice(part);
    }
    Uuid::new_v5(&NAMESPACE, &name)
}

macro_rules! opaque_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(uuid::Uuid);

        impl $name {
            /// The identifier with this value.
            #[must_use]
            pub const fn from_uuid(id: uuid::Uuid) -> Self {
                Self(id)
            }

            /// The value, for stores.
            #[must_use]
            pub const fn as_uuid(self) -> uuid::Uuid {
                self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.as_hyphenated())
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                uuid::Uuid::parse_str(text).map(Self)
            }
        }
    };
}
pub(crate) use opaque_id;

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(u32);

        impl $name {
            /// The first value.
            pub const FIRST: Self = Self(1);

            /// The counter with this value.
            #[must_use]
            pub const fn from_u32(value: u32) -> Self {
                Self(value)
            }

            /// The value, for stores.
            #[must_use]
            pub const fn as_u32(self) -> u32 {
                self.0
            }

            /// The value after this one.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}
pub(crate) use counter;

counter! {
    /// How often a row was decided upon or rewritten. Commits compare it, so the commit of a run that read an older state of the row is
    /// refused.
    Version
}

opaque_id! {
    /// Identifies one unit of work: one planned event, or one request of a person. A commit carries it. If the store already has the event,
    /// the commit writes nothing, so work may be delivered more than once.
    EventId
}

impl EventId {
    /// The event of a request that the host names itself, for example by the idempotency key of a form.
    #[must_use]
    pub fn of_request(kind: &str, key: &str) -> Self {
        Self(derive("request", &[kind.as_bytes(), key.as_bytes()]))
    }

    /// The event that makes the root of this number for an MSP.
    #[must_use]
    pub fn of_root(number: u64) -> Self {
        Self(derive("root", &[&number.to_be_bytes()]))
    }

    /// A new event for a request made at `now`. Two calls never return the same event.
    #[must_use]
    pub fn new(now: time::OffsetDateTime) -> Self {
        let seconds = u64::try_from(now.unix_timestamp()).unwrap_or(0);
        Self(Uuid::new_v7(uuid::Timestamp::from_unix(
            uuid::NoContext,
            seconds,
            now.nanosecond(),
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_ids_tell_parts_apart_and_repeat() {
        assert_eq!(derive("a", &[b"b", b"c"]), derive("a", &[b"b", b"c"]));
        assert_ne!(derive("a", &[b"bc"]), derive("a", &[b"b", b"c"]));
        assert_ne!(derive("a", &[b"bc", b""]), derive("a", &[b"", b"bc"]));
        assert_ne!(derive("ab", &[b"c"]), derive("a", &[b"bc"]));
    }
}
