//! The host's keys, in a file beside the database that only its owner may read.
//!
//! A host with a secret store of its own keeps them there instead. Whoever has the database and not this file has no secret.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use regentra_sync::seal::{KeyId, Keyring, MasterKey};
use secrecy::zeroize::{Zeroize as _, Zeroizing};
use serde::{Deserialize, Serialize};

/// What the file holds: keys as 64 hexadecimal digits.
#[derive(Serialize, Deserialize)]
struct KeyFile {
    /// The key that seals.
    current: KeyId,
    /// All keys that open.
    keys: BTreeMap<KeyId, String>,
    /// The key that identifies.
    identity: String,
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        self.identity.zeroize();
        for key in self.keys.values_mut() {
            key.zeroize();
        }
    }
}

/// Where the keys of a database lie.
#[must_use]
pub fn path_beside(database: &Path) -> PathBuf {
    database.with_extension("keys")
}

/// The keys beside a database; made when there are none.
///
/// # Errors
/// When the file cannot be read, written or understood.
pub fn beside(database: &Path) -> anyhow::Result<Keyring> {
    let path = path_beside(database);
    let shown = path.display();
    let text = match fs::read_to_string(&path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            make(&path).with_context(|| format!("the key file {shown} cannot be made"))?
        }
        Err(error) => {
            return Err(error).with_context(|| format!("the key file {shown} cannot be read"));
        }
    };
    // The error of serde_json is not kept: it may print what it choked on.
    let Ok(file) = serde_json::from_str::<KeyFile>(&text) else {
        bail!(
            "{shown} is not a key file: restore it from a backup, or connect again with another --db"
        );
    };
    keyring(&file)
        .with_context(|| format!("the key file {shown} is damaged: restore it from a backup"))
}

fn keyring(file: &KeyFile) -> anyhow::Result<Keyring> {
    let key = |text: &String| -> anyhow::Result<MasterKey> {
        let bytes = (0..32).map(|i| u8::from_str_radix(text.get(i * 2..i * 2 + 2)?, 16).ok());
        let bytes: Option<Vec<u8>> = bytes.collect();
        let bytes: Option<[u8; 32]> = bytes
            .filter(|_| text.len() == 64)
            .and_then(|bytes| bytes.try_into().ok());
        Ok(MasterKey::from_bytes(
            bytes.context("a key is 64 hexadecimal digits")?,
        ))
    };
    let current = file
        .keys
        .get(&file.current)
        .context("the current key is missing")?;
    let mut keyring = Keyring::new(file.current.clone(), key(current)?, key(&file.identity)?);
    for (id, text) in file.keys.iter().filter(|(id, _)| **id != file.current) {
        keyring = keyring.with_retired(id.clone(), key(text)?);
    }
    Ok(keyring)
}

fn hex(key: &MasterKey) -> String {
    key.expose().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Makes new keys. Of two processes at once, one makes them and the other reads them.
fn make(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let current = KeyId::new("1")?;
    let keys = BTreeMap::from([(current.clone(), hex(&MasterKey::generate()?))]);
    let file = KeyFile {
        current,
        keys,
        identity: hex(&MasterKey::generate()?),
    };
    let text = Zeroizing::new(serde_json::to_string_pretty(&file)?);
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(mut opened) => {
            opened.write_all(text.as_bytes())?;
            opened.sync_all()?;
            Ok(text)
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Ok(Zeroizing::new(fs::read_to_string(path)?))
        }
        Err(error) => Err(error.into()),
    }
}
