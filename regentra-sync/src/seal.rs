//! Sealing: the encryption of secrets at rest.
//!
//! XChaCha20-Poly1305 with a random nonce. The associated data binds the MSP, the region and the field, so that a sealed value
//! copied into another row, tenant or column does not open. The sealed form names its key, so that a key can be changed
//! without downtime: add the new key as the current one, keep the old one for opening, re-seal, then drop the old one.

mod digest;
mod keyring;
mod sealed;

pub use regentra_evidence::KeyId;

pub(crate) use self::digest::hmac_sha256;
pub use self::{
    keyring::{KeyCheck, Keyring, MasterKey},
    sealed::{SealError, Sealed},
};
