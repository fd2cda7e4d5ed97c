//! The keys that seal credentials at rest, and where the command line keeps them.
//!
//! They are 64 random bytes in base64: 32 that seal, 32 that make fingerprints and keyed ids. They come from
//! [`VARIABLE`], or from a file beside a SQLite database that only its owner can read (`regentra.db.key`), which the first `connect`
//! makes.
//!
//! **A new key.** `regentra rotate-key` writes a new one into the file, before the old one, which a line `retired` marks and which goes
//! when everything is sealed again. A server has the new keys in [`VARIABLE`] and the old ones in [`RETIRED`] meanwhile. The second
//! half stays: it makes fingerprints and keyed ids comparable over time.
//!
//! The file protects a database that travels alone: a backup, a copy sent to support. It does not protect against a person
//! who can read the folder, who finds both. A server should take the keys from its secret manager through [`VARIABLE`].

use std::{
    env::VarError,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use regentra_sync::seal::Keyring;
use secrecy::{SecretString, zeroize::Zeroizing};

use crate::{
    database::Database,
    key::{FORM, Key, only_for_this_user},
};

/// The variable that holds the keys; it goes before the file.
pub const VARIABLE: &str = "REGENTRA_KEY";
/// The variable that holds keys that open and do not seal, while credentials are sealed again.
pub const RETIRED: &str = "REGENTRA_KEY_RETIRED";

/// What a line with retired keys begins with, in the file.
const RETIRED_LINE: &str = "retired ";

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
    read(database)?.map(|(_, keys)| keys.keyring()).transpose()
}

/// Where keys are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In [`VARIABLE`].
    Variable,
    /// In this file.
    File(PathBuf),
}

/// The keys of this database, and where they are; `None` when there are none yet.
fn read(database: &Database) -> anyhow::Result<Option<(Source, Keys)>> {
    let variable = |name| match std::env::var(name) {
        Ok(text) => Ok(Some(Zeroizing::new(text))),
        Err(VarError::NotPresent) => Ok(None),
        // Taken for unset, it would be the file's keys that are used.
        Err(VarError::NotUnicode(_)) => bail!("{name} does not hold keys: it takes {FORM}"),
    };
    if let Some(text) = variable(VARIABLE)? {
        let keys = Key::read(&text).with_context(|| format!("{VARIABLE} does not hold keys"))?;
        let retired = variable(RETIRED)?.filter(|text| !text.trim().is_empty());
        let retired = retired
            .map(|text| Key::read(&text).with_context(|| format!("{RETIRED} does not hold keys")))
            .transpose()?;
        if retired
            .as_ref()
            .is_some_and(|old| !old.identifies_as(&keys))
        {
            bail!(
                "{VARIABLE} does not go on with {RETIRED}: their second halves differ. `regentra rotate-key --print-new`, \
                 with the old keys in {VARIABLE}, makes some that do"
            );
        }
        let retired = retired.into_iter().collect();
        return Ok(Some((
            Source::Variable,
            Keys {
                current: keys,
                retired,
            },
        )));
    }
    let Some(path) = file_of(database).filter(|path| path.exists()) else {
        return Ok(None);
    };
    refuse_shared(&path)?;
    let text = std::fs::read_to_string(&path)
        .map(Zeroizing::new)
        .with_context(|| format!("{} cannot be read", path.display()))?;
    let keys =
        Keys::read(&text).with_context(|| format!("{} does not hold keys", path.display()))?;
    Ok(Some((Source::File(path), keys)))
}

/// Begins a rotation: writes a new key into the file, with the old one retired; or goes on with one that was interrupted. Keys in a
/// variable stay as they are: they are changed where they are kept.
///
/// # Errors
/// When there are no keys, or the file cannot be written; then it is as it was.
pub fn begin_rotation(database: &Database) -> anyhow::Result<Source> {
    let Some((source, keys)) = read(database)? else {
        bail!(missing(database));
    };
    match &source {
        Source::Variable if keys.retired.is_empty() => bail!(
            "set {VARIABLE} to new keys and {RETIRED} to the present ones first; `regentra rotate-key --print-new` makes new ones"
        ),
        Source::File(path) if keys.retired.is_empty() => {
            let current = keys.current.successor()?;
            let retired = vec![keys.current];
            replace(path, &Keys { current, retired })?;
        }
        Source::Variable | Source::File(_) => {}
    }
    Ok(source)
}

/// Ends a rotation: takes the retired keys out of the file. Called once nothing is sealed under them.
///
/// # Errors
/// When the file cannot be written; then it is as it was.
pub fn end_rotation(database: &Database) -> anyhow::Result<()> {
    match read(database)? {
        Some((Source::File(path), keys)) if !keys.retired.is_empty() => {
            let (current, retired) = (keys.current, Vec::new());
            replace(&path, &Keys { current, retired })
        }
        _ => Ok(()),
    }
}

/// New keys that go on with those of this database.
///
/// # Errors
/// When there are none, or the system gives no random bytes.
pub fn successor(database: &Database) -> anyhow::Result<SecretString> {
    let Some((_, keys)) = read(database)? else {
        bail!(missing(database));
    };
    Ok(keys.current.successor()?.text().as_str().into())
}

/// Puts other keys into the file: all of them or, whatever happens, none.
fn replace(path: &Path, keys: &Keys) -> anyhow::Result<()> {
    use std::io::Write as _;
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    // What was begun and never put in place sealed nothing.
    let _ = std::fs::remove_file(&beside);
    let written = only_for_this_user(&beside).and_then(|mut file| {
        file.write_all(keys.text().as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, path)?;
        // The new name is as safe as its content only once the folder is.
        match path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            Some(folder) if cfg!(unix) => std::fs::File::open(folder)?.sync_all(),
            _ => Ok(()),
        }
    });
    written.with_context(|| format!("{} cannot be written; it is as it was", path.display()))
}

/// The keys of a database: those that seal, and those that only open.
struct Keys {
    current: Key,
    retired: Vec<Key>,
}

impl Keys {
    fn read(text: &str) -> anyhow::Result<Self> {
        let (mut current, mut retired) = (None, Vec::new());
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            match line.strip_prefix(RETIRED_LINE) {
                Some(old) => retired.push(Key::read(old)?),
                None if current.is_none() => current = Some(Key::read(line)?),
                None => bail!("it holds more than one key that seals"),
            }
        }
        let current = current.with_context(|| format!("it takes {FORM}"))?;
        Ok(Self { current, retired })
    }

    fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(256));
        text.push_str(&self.current.text());
        text.push('\n');
        for old in &self.retired {
            text.push_str(RETIRED_LINE);
            text.push_str(&old.text());
            text.push('\n');
        }
        text
    }

    fn keyring(&self) -> anyhow::Result<Keyring> {
        let mut keyring = self.current.keyring()?;
        for old in &self.retired {
            keyring = keyring.with_retired(old.name()?, old.master());
        }
        Ok(keyring)
    }
}

/// Makes new keys and their file.
///
/// # Errors
/// When the database is no file, the system gives no random bytes, or the file cannot be made.
pub fn create(database: &Database) -> anyhow::Result<Keyring> {
    let path = file_of(database).with_context(|| missing(database))?;
    let key = Key::random()?;
    key.save(&path)?;
    key.keyring()
}

/// Keys of a database in memory: they last as long as it.
///
/// # Errors
/// When the system gives no random bytes.
pub fn of_memory() -> anyhow::Result<Keyring> {
    Key::random()?.keyring()
}

/// Refuses a file that others can read, that is another user's, or that others can put another in the place of.
#[cfg(unix)]
pub(crate) fn refuse_shared(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let of = |path: &Path| {
        let cannot = || format!("{} cannot be read", path.display());
        std::fs::metadata(path).with_context(cannot)
    };
    let (file, shown) = (of(path)?, path.display());
    if file.mode() & 0o077 != 0 {
        bail!(
            "{shown} can be read by others: `chmod 600 {shown}`, and connect with a new client secret if they had a chance to"
        );
    }
    let user = rustix::process::geteuid().as_raw();
    if file.uid() != user {
        bail!(
            "{shown} belongs to another user, who could change the keys: keep them in a file of your own"
        );
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let (of_folder, shown) = (of(folder)?, folder.display());
    if of_folder.mode() & 0o022 != 0 {
        bail!(
            "others can write into {shown}, and put other keys in the place of yours: `chmod go-w {shown}`, or keep the database \
             in a folder of your own"
        );
    }
    // The administrator's folders are as good as one's own.
    if of_folder.uid() != user && of_folder.uid() != 0 {
        bail!(
            "{shown} belongs to another user, who could change the keys: keep the database in a folder of your own"
        );
    }
    Ok(())
}

#[cfg(not(unix))]
pub(crate) fn refuse_shared(_path: &Path) -> anyhow::Result<()> {
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

    #[cfg(unix)]
    #[test]
    fn a_key_file_in_a_folder_that_others_can_write_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let database = Database::Sqlite(folder.path().join("a.db"));
        create(&database).unwrap();
        for (mode, is_taken) in [
            (0o700, true),
            (0o755, true),
            (0o777, false),
            (0o1777, false),
            (0o702, false),
            (0o720, false),
        ] {
            let permissions = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(folder.path(), permissions).unwrap();
            match find(&database) {
                Ok(found) => assert!(is_taken && found.is_some(), "{mode:o}"),
                Err(error) => {
                    let error = error.to_string();
                    assert!(
                        !is_taken && error.contains("chmod go-w"),
                        "{mode:o}: {error}"
                    );
                }
            }
        }
    }

    /// Another user's file can be made by the superuser alone; then the superuser is who asks.
    #[cfg(unix)]
    #[test]
    fn a_key_file_of_another_user_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::Sqlite(folder.path().join("a.db"));
        create(&database).unwrap();
        let path = file_of(&database).unwrap();
        if std::os::unix::fs::chown(&path, Some(12_345), None).is_err() {
            return;
        }
        let refused = find(&database).unwrap_err().to_string();
        assert!(refused.contains("another user"), "{refused}");
    }

    #[test]
    fn anything_but_64_bytes_is_refused_and_not_repeated() {
        for text in ["", "c2VjcmV0", "not base64!"] {
            let error = format!("{:#}", Keys::read(text).err().unwrap());
            assert!(error.contains("64 random bytes"), "{error}");
            assert!(text.is_empty() || !error.contains(text), "{error}");
        }
    }

    #[test]
    fn a_rotation_leaves_a_file_that_opens_what_is_sealed_wherever_it_is_interrupted() {
        use regentra_sync::model::{Field, MspOrgId, RegionKey};
        let folder = tempfile::tempdir().unwrap();
        let database = Database::Sqlite(folder.path().join("a.db"));
        let path = file_of(&database).unwrap();
        let (msp, us) = (
            MspOrgId::from_uuid(uuid::Uuid::nil()),
            RegionKey::parse("us").unwrap(),
        );
        let old = create(&database).unwrap();
        let before = std::fs::read(&path).unwrap();
        let sealed = old.seal(msp, &us, Field::ClientId, &"id".into()).unwrap();
        let client = "client".into();

        begin_rotation(&database).unwrap();
        let between = find(&database).unwrap().unwrap();
        assert_ne!(between.current(), old.current());
        assert!(between.open(msp, &us, Field::ClientId, &sealed).is_ok());
        assert_eq!(
            between.fingerprint("host", &client),
            old.fingerprint("host", &client)
        );
        let resealed = between
            .seal(msp, &us, Field::ClientId, &"id".into())
            .unwrap();

        // Interrupted here and begun again, it goes on with the same new key; what lies beside the file is no key.
        std::fs::write(folder.path().join("a.db.key.new"), "half of a k").unwrap();
        begin_rotation(&database).unwrap();
        let again = find(&database).unwrap().unwrap();
        assert_eq!(again.current(), between.current());
        end_rotation(&database).unwrap();
        end_rotation(&database).unwrap();
        let after = find(&database).unwrap().unwrap();
        assert!(after.open(msp, &us, Field::ClientId, &resealed).is_ok());
        assert!(after.open(msp, &us, Field::ClientId, &sealed).is_err());
        let text = std::fs::read(&path).unwrap();
        assert!(text != before && text.len() == before.len());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn two_keys_that_seal_are_refused() {
        let keys = Keys {
            current: Key::random().unwrap(),
            retired: Vec::new(),
        };
        let twice = format!("{}{}", *keys.text(), *keys.text());
        assert!(Keys::read(&twice).is_err());
        let retired = format!("{}retired {}", *keys.text(), *keys.text());
        assert_eq!(Keys::read(&retired).unwrap().retired.len(), 1);
    }
}
