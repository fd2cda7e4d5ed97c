//! The keys that the hosts of tests seal with.

use regentra_sync::seal::{KeyId, Keyring, MasterKey};

/// The keys of a host that keeps them.
pub fn keyring() -> Keyring {
    let key = |byte| MasterKey::from_bytes([byte; 32]);
    Keyring::new(KeyId::new("one").unwrap(), key(1), key(2))
}

/// The keys of a host that rotates them; with `rotated`, those after the rotation.
pub fn rotating_keyring(rotated: bool) -> Keyring {
    let key = |id: &str, byte| (KeyId::new(id).unwrap(), MasterKey::from_bytes([byte; 32]));
    let identity = MasterKey::from_bytes([9; 32]);
    let ((first, first_key), (second, second_key)) = (key("one", 1), key("two", 2));
    if rotated {
        Keyring::new(second, second_key, identity).with_retired(first, first_key)
    } else {
        Keyring::new(first, first_key, identity)
    }
}
