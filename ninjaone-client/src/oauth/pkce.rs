//! Proof Key for Code Exchange (RFC 7636), method S256.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::Error;

/// Encodes `N` random bytes as text that is safe in a URL.
pub(crate) fn random<const N: usize>() -> Result<SecretString, Error> {
    let mut bytes = Zeroizing::new([0_u8; N]);
    getrandom::fill(bytes.as_mut_slice())
        .map_err(|error| Error::config("the system gives no randomness").caused_by(error))?;
    Ok(SecretString::from(URL_SAFE_NO_PAD.encode(bytes.as_slice())))
}

/// The code challenge, which is sent before the verifier.
pub(crate) fn challenge(verifier: &SecretString) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose_secret().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc() {
        let verifier = SecretString::from("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(
            challenge(&verifier),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn verifiers_are_long_enough_and_never_the_same() {
        let (one, two) = (random::<32>().unwrap(), random::<32>().unwrap());
        assert_eq!(one.expose_secret().len(), 43);
        assert_ne!(one.expose_secret(), two.expose_secret());
    }
}
