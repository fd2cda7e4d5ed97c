//! The second line of defence: a scanner for text that must never be published.
//!
//! The evaluators cannot leak a customer's inventory, because they never receive it. The text that a host adds to their signals (labels,
//! tickets, pages of a trust centre) can. [`Guard`] scans the keys and values of any serialisable value for text that identifies a device
//! or a person: addresses, drives, words shaped like serial numbers, and the rest of [`LeakKind`]. It also finds words that a host lists,
//! such as the host names of the fleet ([`Guard::deny`]).
//!
//! A reported leak names the place and the kind, never the text.
//!
//! ```
//! use regentra_evidence::{Guard, LeakKind};
//! use serde_json::json;
//!
//! let guard = Guard::new().deny(["RECEPTION-PC"]);
//! let leaks = guard.scan(&json!({
//!     "status": "pass",
//!     "remarks": ["seen at 10.1.2.3", "the one called reception-pc"],
//! }))?;
//! let kinds: Vec<_> = leaks.iter().map(|leak| (leak.path.as_str(), leak.kind)).collect();
//! assert_eq!(kinds, [("/remarks/0", LeakKind::Ipv4), ("/remarks/1", LeakKind::Denied)]);
//! # Ok::<(), regentra_evidence::GuardError>(())
//! ```
//!
//! **Limits:** a name looks like any other word. Host and user names without a domain, a digit or another distinctive mark are found only
//! if the host denies them. Only text is scanned, not numbers.

mod shape;

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

/// What a text looks like that must not be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LeakKind {
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// A MAC address.
    Mac,
    /// A drive letter, such as `C:`.
    Drive,
    /// A UUID, with hyphens or without.
    Uuid,
    /// An e-mail address.
    Email,
    /// A Windows account or share, such as `DOMAIN\user`.
    DomainUser,
    /// A fully qualified domain name.
    Fqdn,
    /// Letters mixed with digits, or a long row of digits, as in a serial number.
    Serial,
    /// A word that the host denied.
    Denied,
}

impl LeakKind {
    /// The name used in JSON, such as `domain_user`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Mac => "mac",
            Self::Drive => "drive",
            Self::Uuid => "uuid",
            Self::Email => "email",
            Self::DomainUser => "domain_user",
            Self::Fqdn => "fqdn",
            Self::Serial => "serial",
            Self::Denied => "denied",
        }
    }
}

impl std::fmt::Display for LeakKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Where something was found that must not be published.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Leak {
    /// The place, as a JSON pointer. A key that is itself a leak stands there as `*`.
    pub path: String,
    /// What it looks like.
    pub kind: LeakKind,
    /// Whether the key is the leak, and not the value.
    pub in_key: bool,
}

impl std::fmt::Display for Leak {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let part = if self.in_key { "key" } else { "value" };
        write!(f, "{} in the {part} at {}", self.kind, self.path)
    }
}

/// Why nothing can be said about a value, or that it must not be published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GuardError {
    /// The value does not serialise to JSON, so that it cannot be looked through.
    #[error("the value does not serialise to JSON: nothing is known about it")]
    Unserializable,
    /// The value holds what must not be published.
    #[error("{} must not be published, first: {first}", count(*leaks))]
    Leak {
        /// The first leak.
        first: Leak,
        /// How many there are.
        leaks: usize,
    },
}

fn count(leaks: usize) -> String {
    if leaks == 1 {
        "1 place".to_owned()
    } else {
        format!("{leaks} places")
    }
}

/// Looks for what must not be published.
#[derive(Clone, Default)]
pub struct Guard {
    denied: BTreeSet<String>,
    uuid_keys: BTreeSet<String>,
}

impl std::fmt::Debug for Guard {
    /// The denied words are what must not be printed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Guard({} denied words)", self.denied.len())
    }
}

impl Guard {
    /// Looks for shapes alone.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks for these words as well, without case: within any text, and those of up to three characters as whole words.
    #[must_use]
    pub fn deny<Word: AsRef<str>>(mut self, words: impl IntoIterator<Item = Word>) -> Self {
        self.denied.extend(
            words
                .into_iter()
                .map(|word| word.as_ref().trim().to_lowercase())
                .filter(|word| !word.is_empty()),
        );
        self
    }

    /// Takes values of these keys that are nothing but a UUID for what they are: ids of the document, as OSCAL asks for.
    #[must_use]
    pub fn allow_uuids_at<Key: Into<String>>(
        mut self,
        keys: impl IntoIterator<Item = Key>,
    ) -> Self {
        self.uuid_keys.extend(keys.into_iter().map(Into::into));
        self
    }

    /// Everything in `value` that must not be published, in the order in which it stands there.
    ///
    /// # Errors
    ///
    /// [`GuardError::Unserializable`] when the value does not serialise to JSON.
    pub fn scan<T: Serialize + ?Sized>(&self, value: &T) -> Result<Vec<Leak>, GuardError> {
        let value = serde_json::to_value(value).map_err(|_| GuardError::Unserializable)?;
        let mut leaks = Vec::new();
        self.walk(&value, "", None, &mut leaks);
        Ok(leaks)
    }

    /// Refuses `value` when anything in it must not be published.
    ///
    /// # Errors
    ///
    /// [`GuardError::Leak`] with the first leak, or [`GuardError::Unserializable`].
    pub fn check<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), GuardError> {
        let leaks = self.scan(value)?;
        match leaks.first() {
            None => Ok(()),
            Some(first) => Err(GuardError::Leak {
                first: first.clone(),
                leaks: leaks.len(),
            }),
        }
    }

    /// What a text of any form, such as a log line or a page, looks like that must not be published.
    #[must_use]
    pub fn scan_text(&self, text: &str) -> BTreeSet<LeakKind> {
        let mut kinds = shape::kinds(text);
        if self.is_denied(text) {
            kinds.insert(LeakKind::Denied);
        }
        kinds
    }

    fn is_denied(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.denied.iter().any(|word| {
            if word.chars().count() > 3 {
                text.contains(word)
            } else {
                text.split(|letter: char| !letter.is_alphanumeric())
                    .any(|own| own == word)
            }
        })
    }

    fn walk(&self, value: &Value, path: &str, key: Option<&str>, leaks: &mut Vec<Leak>) {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
            Value::String(text) => {
                let own_id = key.is_some_and(|key| self.uuid_keys.contains(key))
                    && shape::is_uuid(text.strip_prefix('#').unwrap_or(text));
                for kind in self.scan_text(text) {
                    if !own_id || kind == LeakKind::Denied {
                        leaks.push(Leak {
                            path: path.to_owned(),
                            kind,
                            in_key: false,
                        });
                    }
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.walk(item, &format!("{path}/{index}"), key, leaks);
                }
            }
            Value::Object(fields) => {
                for (key, value) in fields {
                    let kinds = self.scan_text(key);
                    let shown = if kinds.is_empty() {
                        key.replace('~', "~0").replace('/', "~1")
                    } else {
                        "*".to_owned()
                    };
                    let path = format!("{path}/{shown}");
                    leaks.extend(kinds.into_iter().map(|kind| Leak {
                        path: path.clone(),
                        kind,
                        in_key: true,
                    }));
                    self.walk(value, &path, Some(key), leaks);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
