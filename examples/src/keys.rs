//! The keys that seal credentials at rest, and where the command line keeps them.
//!
//! They are 64 random bytes in base64: 32 that seal, 32 that make fingerprints and keyed ids. They come from
//! [`VARIABLE`], or from a file beside a SQLite database that only its owner can read (`regentra.db.key`), which the first `connect`
//! makes.
//!
//! The file protects a database that travels alone: a backup, a copy sent to support. It does not protect against somebody
//! who can read the folder, who finds both. A server should take the keys from its secret manager through [`VARIABLE`].

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use regentra_sync::seal::{KeyId, Keyring, MasterKey};
use secrecy::zeroize::Zeroizing;
use sha2::{Digest as _, Sha256};

use crate::database::{Database, only_for_this_user};

/// The variable that holds the keys; it goes before the file.
pub const VARIABLE: &str = "REGENTRA_KEY";

/// What keys look like, and how to make some.
const FORM: &str =
    "64 random bytes in base64, as `openssl rand -base64 64 | tr -d '\\n'` makes them";

const HALF: usize = 32;

/// The file that belongs to this database; a server has none.
#[must_use]
pub fn file_of(database: &Database) -> Option<PathBuf> {
    let mut path = database.path()?.as_os_str().to_owned();
    path.push(".key");
    Some(path.into())
}

/// What to do about keys that are missing.
#[must_use]
pub fn missing(database: &Database) -> String {
    match file_of(database) {
        Some(file) => format!(
            "the keys of {database} are missing: restore {}, or set {VARIABLE}",
            file.display()
        ),
        None => format!("the keys of {database} are missing: set {VARIABLE} ({FORM})"),
    }
}

/// The keys of this database; `None` when there are none yet.
///
/// # Errors
/// When they cannot be read, or the file is not for its owner alone.
pub fn find(database: &Database) -> anyhow::Result<Option<Keyring>> {
    if let Some(text) = std::env::var(VARIABLE).ok().map(Zeroizing::new) {
        let keys = keyring(&text).with_context(|| format!("{VARIABLE} does not hold keys"))?;
        return Ok(Some(keys));
    }
    let Some(path) = file_of(database).filter(|path| path.exists()) else {
        return Ok(None);
    };
    refuse_shared(&path)?;
    let text = std::fs::read_to_string(&path)
        .map(Zeroizing::new)
        .with_context(|| format!("{} cannot be read", path.display()))?;
    let keys = keyring(&text).with_context(|| format!("{} does not hold keys", path.display()))?;
    Ok(Some(keys))
}

/// Makes new keys and their file.
///
/// # Errors
/// When the database is no file, the system gives no random bytes, or the file cannot be made.
pub fn create(database: &Database) -> anyhow::Result<Keyring> {
    use std::io::Write as _;
    let path = file_of(database).with_context(|| missing(database))?;
    let text = random()?;
    let written = only_for_this_user(&path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()
    });
    written.with_context(|| format!("{} cannot be written", path.display()))?;
    keyring(&text)
}

/// Keys that nobody keeps: for what neither seals nor opens.
///
/// # Errors
/// When the system gives no random bytes.
pub fn throwaway() -> anyhow::Result<Keyring> {
    keyring(&random()?)
}

fn random() -> anyhow::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0_u8; 2 * HALF]);
    getrandom::fill(bytes.as_mut())
        .map_err(|_| anyhow::anyhow!("the operating system gives no random numbers"))?;
    Ok(Zeroizing::new(STANDARD.encode(bytes.as_ref())))
}

fn keyring(text: &str) -> anyhow::Result<Keyring> {
    let bytes = STANDARD.decode(text.trim()).map(Zeroizing::new).ok();
    let halves = bytes.as_deref().and_then(|bytes| {
        let (seal, identity) = bytes.split_first_chunk::<HALF>()?;
        Some((seal, <&[u8; HALF]>::try_from(identity).ok()?))
    });
    let Some((seal, identity)) = halves else {
        bail!("it takes {FORM}");
    };
    let keys = [seal, identity].map(|bytes| MasterKey::from_bytes(*bytes));
    let [key, identity_key] = keys;
    Ok(Keyring::new(name_of(seal)?, key, identity_key))
}

/// A name that tells two keys apart, so that the wrong one is recognised as such. It says nothing of the key.
fn name_of(key: &[u8; HALF]) -> anyhow::Result<KeyId> {
    let hash = Sha256::new()
        .chain_update("regentra key name")
        .chain_update(key)
        .finalize();
    // Letters alone: a name with digits could be taken for a serial number, which no key may look like.
    let letter = |byte: &u8| char::from(b'a' + byte % 26);
    let name: String = hash.iter().take(8).map(letter).collect();
    Ok(KeyId::new(format!("key-{name}"))?)
}

#[cfg(unix)]
fn refuse_shared(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path)
        .with_context(|| format!("{} cannot be read", path.display()))?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        let path = path.display();
        bail!(
            "{path} can be read by others: `chmod 600 {path}`, and connect with a new client secret if they had a chance to"
        );
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_shared(_path: &Path) -> anyhow::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_their_file_and_only_their_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::Sqlite(folder.path().join("a.db"));
        assert!(find(&database).unwrap().is_none());
        let made = create(&database).unwrap();
        let found = find(&database).unwrap().unwrap();
        assert_eq!(made.current(), found.current());
        let client = "client".into();
        assert_eq!(
            made.fingerprint("host", &client),
            found.fingerprint("host", &client)
        );
        assert!(create(&database).is_err(), "keys are never overwritten");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let path = file_of(&database).unwrap();
            assert_eq!(
                std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o600
            );
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
            let refused = find(&database).unwrap_err().to_string();
            assert!(refused.contains("chmod 600"), "{refused}");
        }
    }

    #[test]
    fn anything_but_64_bytes_is_refused_and_not_repeated() {
        for text in ["", "c2VjcmV0", "not base64!"] {
            let error = format!("{:#}", keyring(text).unwrap_err());
            assert!(error.contains("64 random bytes"), "{error}");
            assert!(text.is_empty() || !error.contains(text), "{error}");
        }
    }
}
