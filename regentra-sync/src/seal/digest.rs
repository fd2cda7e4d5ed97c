//! Keyed digests.

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
pub(crate) fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key)
        .expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Concatenates the parts, each preceded by its length, so that no two lists of parts give the same bytes.
pub(super) fn with_lengths(parts: &[&[u8]]) -> Vec<u8> {
    let mut data = Vec::with_capacity(64);
    for part in parts {
        data.extend_from_slice(&(part.len() as u64).to_be_bytes());
        data.extend_from_slice(part);
    }
    data
}
