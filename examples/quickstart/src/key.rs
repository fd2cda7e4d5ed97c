//! One line of the keys that seal credentials at rest: 64 random bytes in base64, of which 32 seal, and 32 make fingerprints and keyed
//! ids.

use std::{fs::File, io::Write as _, path::Path};

use anyhow::{Context as _, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use regentra_sync::seal::{KeyId, Keyring, MasterKey};
use secrecy::zeroize::Zeroizing;
use sha2::{Digest as _, Sha256};

/// What keys look like, and how to make some.
pub const FORM: &str =
    "64 random bytes in base64, as `openssl rand -base64 64 | tr -d '\\n'` makes them";

const HALF: usize = 32;

/// One line of keys.
#[expect(
    missing_debug_implementations,
    reason = "a key is written nowhere but into its file"
)]
pub struct Key {
    seal: Zeroizing<[u8; HALF]>,
    identity: Zeroizing<[u8; HALF]>,
}

impl Key {
    /// Reads a line.
    ///
    /// # Errors
    /// When it is not of the [`FORM`]. What it is instead is not repeated.
    pub fn read(text: &str) -> anyhow::Result<Self> {
        let bytes = STANDARD.decode(text.trim()).map(Zeroizing::new).ok();
        let halves = bytes.as_deref().and_then(|bytes| {
            let (seal, identity) = bytes.split_first_chunk::<HALF>()?;
            Some((*seal, <[u8; HALF]>::try_from(identity).ok()?))
        });
        let Some((seal, identity)) = halves else {
            bail!("it takes {FORM}");
        };
        Ok(Self {
            seal: Zeroizing::new(seal),
            identity: Zeroizing::new(identity),
        })
    }

    /// A new one.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn random() -> anyhow::Result<Self> {
        let half = || -> anyhow::Result<Zeroizing<[u8; HALF]>> {
            let mut bytes = Zeroizing::new([0_u8; HALF]);
            getrandom::fill(bytes.as_mut())
                .map_err(|_| anyhow::anyhow!("the operating system gives no random numbers"))?;
            Ok(bytes)
        };
        Ok(Self {
            seal: half()?,
            identity: half()?,
        })
    }

    /// Another key that seals, with the same one that identifies.
    ///
    /// # Errors
    /// As [`Self::random`].
    pub fn successor(&self) -> anyhow::Result<Self> {
        Ok(Self {
            identity: self.identity.clone(),
            ..Self::random()?
        })
    }

    /// Whether both identify alike, so that one can go on with the other.
    #[must_use]
    pub fn identifies_as(&self, other: &Self) -> bool {
        *self.identity == *other.identity
    }

    /// The line, without a break at its end.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(2 * HALF));
        bytes.extend_from_slice(&*self.seal);
        bytes.extend_from_slice(&*self.identity);
        Zeroizing::new(STANDARD.encode(&*bytes))
    }

    /// A name that tells two keys apart, so that the wrong one is recognised as such. It says nothing of the key.
    ///
    /// # Errors
    /// None that occurs.
    pub fn name(&self) -> anyhow::Result<KeyId> {
        let hash = Sha256::new()
            .chain_update("regentra key name")
            .chain_update(*self.seal)
            .finalize();
        // Letters alone: a name with digits could be taken for a serial number, which no key may look like.
        let letter = |byte: &u8| char::from(b'a' + byte % 26);
        let name: String = hash.iter().take(8).map(letter).collect();
        Ok(KeyId::new(format!("key-{name}"))?)
    }

    /// The half that seals.
    #[must_use]
    pub fn master(&self) -> MasterKey {
        MasterKey::from_bytes(*self.seal)
    }

    /// A keyring of this key alone.
    ///
    /// # Errors
    /// As [`Self::name`].
    pub fn keyring(&self) -> anyhow::Result<Keyring> {
        let identity = MasterKey::from_bytes(*self.identity);
        Ok(Keyring::new(self.name()?, self.master(), identity))
    }

    /// Makes a file of this line alone, which only this user can read.
    ///
    /// # Errors
    /// When the file is there already, or cannot be made.
    pub fn save(&self, path: &Path) -> anyhow::Result<()> {
        let written = only_for_this_user(path).and_then(|mut file| {
            file.write_all(self.text().as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()
        });
        written.with_context(|| format!("{} cannot be written", path.display()))
    }
}

/// Makes a file that only this user can read.
///
/// # Errors
/// When it exists or cannot be made.
pub fn only_for_this_user(path: &Path) -> std::io::Result<File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
