//! Translates the vendor's rows into facts that [`regentra_evidence`] can judge.
//!
//! There is one file of pure functions per signal, named as in `regentra_evidence`. This module decides what a label, a status code or a
//! severity *means*; `regentra_evidence` decides what follows from it. No function here knows the time, the organization or another row.
//!
//! A function that returns a `Result` refuses a row without its identity ([`Malformed`]). The caller counts the row, and its signal is
//! incomplete.
//!
//! A field that was present but could not be read ([`ninjaone_client::Unreadable`]) is absent from the row. It is never taken to be better
//! than it may have been; each file says how it is taken. Words are compared without case and surrounding blanks.

pub mod antivirus_posture;
pub(crate) mod asset;
pub mod backup_activity;
pub mod custom_fields;
pub mod device_inventory;
pub mod disk_encryption;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod naive_mistakes;
pub mod patch_sla;
#[cfg(test)]
mod unreadable;

use std::borrow::Cow;

use ninjaone_client::{DeviceId, Timestamp};
use regentra_evidence::DeviceKey;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

/// A row that decoded and is lost: it does not say which row it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the row carries no `{field}`")]
pub struct Malformed {
    /// The field that is missing, in the vendor's spelling.
    pub field: &'static str,
}

/// The key by which the rows of one device are joined.
#[must_use]
pub const fn device_key(id: DeviceId) -> DeviceKey {
    DeviceKey::new(id.get().cast_unsigned())
}

/// The device a report row is about.
fn row_device(id: Option<DeviceId>) -> Result<DeviceKey, Malformed> {
    id.map(device_key).ok_or(Malformed { field: "deviceId" })
}

/// The time, when there is one that can be read. What the present makes of it is the evaluators' business.
fn instant(timestamp: Option<Timestamp>) -> Option<OffsetDateTime> {
    timestamp.and_then(Timestamp::at)
}

/// A word that is there: neither absent nor blank.
fn present(word: Option<&str>) -> Option<&str> {
    let begins = |word: &str| {
        word.bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_graphic())
    };
    word.filter(|word| begins(word) || !word.trim().is_empty())
}

/// A number that stands for these words and cannot be turned back into them.
fn opaque<'a>(words: impl IntoIterator<Item = &'a str>) -> u128 {
    let mut hash = Sha256::new();
    for word in words {
        // The length keeps ("ab", "c") and ("a", "bc") apart.
        hash.update(u64::try_from(word.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(word);
    }
    let digest: [u8; 32] = hash.finalize().into();
    let first_half = digest.first_chunk().copied();
    u128::from_be_bytes(first_half.unwrap_or_default())
}

/// A word without case, and without what is blank around it. The vendor's words are upper case as they come: those are not copied.
fn caseless(word: &str) -> Cow<'_, str> {
    if word
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_lowercase())
    {
        return Cow::Borrowed(word);
    }
    Cow::Owned(word.trim().to_uppercase())
}

/// A word without case and separators, as the vendor spells the same state in several ways.
fn plain(word: &str) -> Cow<'_, str> {
    if word
        .bytes()
        .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    {
        return Cow::Borrowed(word);
    }
    word.chars()
        .filter(|letter| letter.is_alphanumeric())
        .flat_map(char::to_uppercase)
        .collect()
}
