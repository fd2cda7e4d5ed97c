//! The key that signs the heads of evidence chains, and where the command line keeps it.
//!
//! It is 32 random bytes in base64, in a file of its own, apart from the keys that seal ([`crate::keys`]): the file that [`VARIABLE`]
//! names, or the one beside a SQLite database (`regentra.db.signing`). Where the file is there, every sweep signs. `regentra
//! signing-key --new` makes it, and makes the next key, which the present one signs.
//!
//! The public keys stand beside it (`regentra.db.signing.pub`), one a line, the first one first. An auditor should have a copy
//! of that file that does not come from this machine.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use regentra_evidence::{HeadSigner, KeyId, PublicKey, TrustedKeys};
use secrecy::zeroize::Zeroizing;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use crate::{database::Database, key::only_for_this_user, keys::refuse_shared};

/// The variable that names the file of the signing key.
pub const VARIABLE: &str = "REGENTRA_SIGNING_KEY_FILE";

/// The file of the signing key, whether it is there or not; `None` for a server when no file is named.
#[must_use]
pub fn file_of(database: &Database) -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
        return Some(named.into());
    }
    Some(beside(database.path()?, ".signing"))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

/// What signs; `None` when there is no key.
///
/// # Errors
/// When the file cannot be read, is not for its owner alone, or holds something else; when one is named and is not there.
pub fn find(database: &Database) -> anyhow::Result<Option<HeadSigner>> {
    let Some(path) = file_of(database) else {
        return Ok(None);
    };
    if !path.exists() {
        // Sweeping without the key that was named would leave unsigned records.
        if std::env::var_os(VARIABLE).is_some_and(|named| !named.is_empty()) {
            bail!(
                "{VARIABLE} names {}, and there is no such file: `regentra signing-key --new` makes it",
                path.display()
            );
        }
        return Ok(None);
    }
    read(&path).map(Some)
}

fn read(path: &Path) -> anyhow::Result<HeadSigner> {
    refuse_shared(path)?;
    let text = std::fs::read_to_string(path)
        .map(Zeroizing::new)
        .with_context(|| format!("{} cannot be read", path.display()))?;
    let bytes = STANDARD.decode(text.trim()).map(Zeroizing::new).ok();
    let secret = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok());
    let Some(secret) = secret.map(Zeroizing::new) else {
        bail!(
            "{} does not hold a signing key: it takes 32 random bytes in base64",
            path.display()
        );
    };
    signer(&secret)
}

/// The signer of a secret, named by its public key.
fn signer(secret: &[u8; 32]) -> anyhow::Result<HeadSigner> {
    let unnamed = HeadSigner::new(KeyId::new("sign")?, secret);
    let hash = Sha256::new()
        .chain_update("regentra signing key name")
        .chain_update(unnamed.public_key().public_key.as_bytes())
        .finalize();
    // Letters alone: a name with digits could be taken for a serial number, which no key may look like.
    let letter = |byte: &u8| char::from(b'a' + byte % 26);
    let name: String = hash.iter().take(8).map(letter).collect();
    Ok(HeadSigner::new(KeyId::new(format!("sign-{name}"))?, secret))
}

/// The public keys that stand beside the signing key; `None` when there are none.
///
/// # Errors
/// When the file cannot be read, or one of its keys is not signed by one before it.
pub fn public_keys(database: &Database) -> anyhow::Result<Option<TrustedKeys>> {
    match file_of(database).map(|path| beside(&path, ".pub")) {
        Some(path) if path.exists() => read_public(&path).map(Some),
        _ => Ok(None),
    }
}

/// Reads a file of public keys.
///
/// # Errors
/// When it cannot be read, is empty, or one of its keys is not signed by one before it.
pub fn read_public(path: &Path) -> anyhow::Result<TrustedKeys> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{} cannot be read", path.display()))?;
    let mut keys = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let key: Option<PublicKey> = serde_json::from_str(line).ok();
        keys.push(
            key.with_context(|| {
                format!("line {number} of {} is not a public key", path.display())
            })?,
        );
    }
    TrustedKeys::new(keys).with_context(|| format!("{} cannot be trusted", path.display()))
}

/// Makes the first signing key, or the one that follows the present one and that it signs. From `now` on every record has to be
/// signed.
///
/// # Errors
/// When a file cannot be read or written; the present key signs on then.
pub fn make(database: &Database, now: OffsetDateTime) -> anyhow::Result<TrustedKeys> {
    let path = file_of(database)
        .with_context(|| format!("name the file of the signing key in {VARIABLE}"))?;
    let public = beside(&path, ".pub");
    let mut secret = Zeroizing::new([0_u8; 32]);
    getrandom::fill(secret.as_mut())
        .map_err(|_| anyhow::anyhow!("the operating system gives no random numbers"))?;
    let next = signer(&secret)?.public_key();
    let mut keys = Vec::new();
    let next = if path.exists() {
        keys.extend_from_slice(read_public(&public)?.keys());
        read(&path)?.endorse(next)
    } else if public.exists() {
        bail!(
            "{} is there and the signing key is not: restore the key, or move the public keys away to begin anew",
            public.display()
        );
    } else {
        PublicKey {
            since: Some(now),
            ..next
        }
    };
    keys.push(next);
    let keys =
        TrustedKeys::new(keys).context("the present key does not go with its public keys")?;
    let mut text = String::new();
    for key in keys.keys() {
        text.push_str(&serde_json::to_string(key)?);
        text.push('\n');
    }
    // The public key first: one that never signs harms nothing, a signature by a key that nobody knows does.
    replace(&public, text.as_bytes())?;
    let mut secret = Zeroizing::new(STANDARD.encode(secret.as_slice()));
    secret.push('\n');
    replace(&path, secret.as_bytes())?;
    Ok(keys)
}

/// Puts a file in place: all of it or, whatever happens, none.
fn replace(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let new = beside(path, ".new");
    let _ = std::fs::remove_file(&new);
    let written = only_for_this_user(&new).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&new, path)
    });
    written.with_context(|| format!("{} cannot be written; it is as it was", path.display()))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-23 06:30 UTC);

    #[test]
    fn each_new_key_is_signed_by_the_one_before_and_no_secret_is_in_the_public_file() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::Sqlite(folder.path().join("a.db"));
        assert!(find(&database).unwrap().is_none());
        assert!(public_keys(&database).unwrap().is_none());
        let first = make(&database, NOW).unwrap();
        let one = find(&database).unwrap().unwrap();
        assert_eq!(first.keys()[0].since, Some(NOW));
        assert_eq!(&first.keys()[0].id, one.id());
        let secret = std::fs::read_to_string(file_of(&database).unwrap()).unwrap();
        let second = make(&database, NOW).unwrap();
        assert_eq!(second.keys().len(), 2);
        assert_eq!(second.keys()[0], first.keys()[0]);
        assert_eq!(&second.keys()[1].id, find(&database).unwrap().unwrap().id());
        assert_eq!(public_keys(&database).unwrap(), Some(second));
        let public = std::fs::read_to_string(folder.path().join("a.db.signing.pub")).unwrap();
        assert!(!public.contains(secret.trim()));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let path = file_of(&database).unwrap();
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
            assert!(find(&database).is_err());
        }
    }

    #[test]
    fn anything_but_32_bytes_is_refused_and_not_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::Sqlite(folder.path().join("a.db"));
        make(&database, NOW).unwrap();
        let path = file_of(&database).unwrap();
        for text in ["", "c2VjcmV0", "not base64!"] {
            std::fs::write(&path, text).unwrap();
            let error = format!("{:#}", find(&database).unwrap_err());
            assert!(error.contains("32 random bytes"), "{error}");
            assert!(text.is_empty() || !error.contains(text), "{error}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(make(&database, NOW).is_err(), "its public keys are there");
    }
}
