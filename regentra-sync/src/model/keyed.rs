//! Values derived from credentials and devices with the host's keys. Each is bound to its owner.

use std::fmt;

use ninjaone_client::DeviceId;
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::{
    credential::{CredentialId, Fingerprint},
    region::RegionKey,
    signature_history::DeviceDigest,
    tenant::MspOrgId,
};
use crate::seal::{Keyring, SealError, Sealed, hmac_sha256};

/// The column that a sealed value belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// The client id.
    ClientId,
    /// The client secret.
    ClientSecret,
    /// The refresh token.
    RefreshToken,
    /// A pending authorization.
    Authorization,
}

impl Field {
    const fn as_str(self) -> &'static str {
        match self {
            Self::ClientId => "client_id",
            Self::ClientSecret => "client_secret",
            Self::RefreshToken => "refresh_token",
            Self::Authorization => "authorization",
        }
    }
}

impl Keyring {
    /// Seals a secret for one MSP, region and field.
    ///
    /// # Errors
    /// [`SealError::NoRandomness`].
    pub fn seal(
        &self,
        msp: MspOrgId,
        region: &RegionKey,
        field: Field,
        secret: &SecretString,
    ) -> Result<Sealed, SealError> {
        let msp = msp.as_uuid();
        self.seal_for(
            &[
                msp.as_bytes(),
                region.as_str().as_bytes(),
                field.as_str().as_bytes(),
            ],
            secret,
        )
    }

    /// Opens a value that was sealed for this MSP, region and field.
    ///
    /// # Errors
    /// [`SealError::UnknownKey`], [`SealError::Refused`], [`SealError::Malformed`].
    pub fn open(
        &self,
        msp: MspOrgId,
        region: &RegionKey,
        field: Field,
        sealed: &Sealed,
    ) -> Result<SecretString, SealError> {
        let msp = msp.as_uuid();
        self.open_for(
            &[
                msp.as_bytes(),
                region.as_str().as_bytes(),
                field.as_str().as_bytes(),
            ],
            sealed,
        )
    }

    /// The keyed fingerprint of (host, client id).
    #[must_use]
    pub fn fingerprint(&self, host: &str, client_id: &SecretString) -> Fingerprint {
        let parts = [host.as_bytes(), client_id.expose_secret().as_bytes()];
        Fingerprint::from_bytes(self.digest("fingerprint", &parts))
    }

    /// The digester for this credential's device ids.
    #[must_use]
    pub fn device_digester(&self, credential: CredentialId) -> DeviceDigester {
        DeviceDigester {
            key: Zeroizing::new(self.digest("device", &[credential.as_uuid().as_bytes()])),
        }
    }
}

/// Turns device ids of one credential into keyed ids.
pub struct DeviceDigester {
    key: Zeroizing<[u8; 32]>,
}

impl DeviceDigester {
    /// The keyed id of this NinjaOne device.
    #[must_use]
    pub fn digest(&self, device: DeviceId) -> DeviceDigest {
        DeviceDigest::from_bytes(hmac_sha256(&*self.key, &[&device.get().to_be_bytes()]))
    }
}

impl fmt::Debug for DeviceDigester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceDigester(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::{KeyId, MasterKey};

    fn key(byte: u8) -> MasterKey {
        MasterKey::from_bytes([byte; 32])
    }

    fn ring(id: &str, byte: u8) -> Keyring {
        Keyring::new(KeyId::new(id).unwrap(), key(byte), key(9))
    }

    fn msp(n: u128) -> MspOrgId {
        MspOrgId::from_uuid(uuid::Uuid::from_u128(n))
    }

    #[test]
    fn a_sealed_value_opens_only_for_its_msp_region_and_field() {
        let ring = ring("a", 1);
        let us = RegionKey::from_stored("us");
        let sealed = ring
            .seal(msp(1), &us, Field::ClientSecret, &"hunter2".into())
            .unwrap();
        assert_eq!(
            ring.open(msp(1), &us, Field::ClientSecret, &sealed)
                .unwrap()
                .expose_secret(),
            "hunter2"
        );
        for (msp, region, field) in [
            (msp(2), us.clone(), Field::ClientSecret),
            (msp(1), RegionKey::from_stored("eu"), Field::ClientSecret),
            (msp(1), us.clone(), Field::ClientId),
        ] {
            assert_eq!(
                ring.open(msp, &region, field, &sealed).unwrap_err(),
                SealError::Refused
            );
        }
    }

    #[test]
    fn a_changed_value_does_not_open() {
        let ring = ring("a", 1);
        let us = RegionKey::from_stored("us");
        let sealed = ring
            .seal(msp(1), &us, Field::ClientId, &"id".into())
            .unwrap();
        let mut bytes = sealed.as_str().to_owned().into_bytes();
        *bytes.last_mut().unwrap() = if bytes.last() == Some(&b'A') {
            b'B'
        } else {
            b'A'
        };
        for text in [
            String::from_utf8(bytes).unwrap(),
            "1.a.".into(),
            "nonsense".into(),
            "2.a.AAAA".into(),
        ] {
            assert!(
                ring.open(msp(1), &us, Field::ClientId, &Sealed::from_stored(text))
                    .is_err()
            );
        }
    }

    #[test]
    fn a_rotated_key_still_opens_what_the_old_one_sealed() {
        let us = RegionKey::from_stored("us");
        let old = ring("old", 1)
            .seal(msp(1), &us, Field::ClientId, &"id".into())
            .unwrap();
        let rotated = ring("new", 2).with_retired(KeyId::new("old").unwrap(), key(1));
        assert!(!rotated.is_current(&old));
        assert_eq!(
            rotated
                .open(msp(1), &us, Field::ClientId, &old)
                .unwrap()
                .expose_secret(),
            "id"
        );
        let new = rotated
            .seal(msp(1), &us, Field::ClientId, &"id".into())
            .unwrap();
        assert!(rotated.is_current(&new));
        let without = ring("new", 2);
        assert!(matches!(
            without.open(msp(1), &us, Field::ClientId, &old),
            Err(SealError::UnknownKey(_))
        ));
    }

    #[test]
    fn the_same_secret_is_sealed_differently_each_time() {
        let ring = ring("a", 1);
        let us = RegionKey::from_stored("us");
        let seal = || {
            ring.seal(msp(1), &us, Field::ClientId, &"id".into())
                .unwrap()
        };
        assert_ne!(seal(), seal());
    }

    #[test]
    fn fingerprints_tell_hosts_and_clients_apart_and_survive_rotation() {
        let a = ring("a", 1);
        let id = SecretString::from("client");
        assert_eq!(
            a.fingerprint("app", &id),
            ring("b", 2).fingerprint("app", &id)
        );
        assert_ne!(a.fingerprint("app", &id), a.fingerprint("eu", &id));
        assert_ne!(
            a.fingerprint("app", &id),
            a.fingerprint("app", &"other".into())
        );
        assert!(!a.fingerprint("app", &id).as_str().contains("client"));
    }

    #[test]
    fn nothing_prints_a_key_or_a_sealed_value() {
        let ring = ring("a", 7);
        let sealed = ring
            .seal(
                msp(1),
                &RegionKey::from_stored("us"),
                Field::ClientId,
                &"id".into(),
            )
            .unwrap();
        let printed = format!("{ring:?} {sealed:?}");
        assert!(
            !printed.contains("7, 7") && !printed.contains(sealed.as_str()),
            "{printed}"
        );
    }
}
