use time::macros::datetime;

use super::*;
use crate::{SignalKind, device_inventory, fixture::workstations, record::EvidenceRecord};

fn signer(name: &str, byte: u8) -> HeadSigner {
    HeadSigner::new(KeyId::new(name).unwrap(), &[byte; 32])
}

/// A chain of one record for each signer; `None` writes an unsigned record.
fn chain(signers: &[Option<&HeadSigner>]) -> Vec<SignedLink> {
    let fleet = workstations(3);
    let key = crate::fixture::digest_key();
    let mut head = ChainHead::start("customer 42", SignalKind::DeviceInventory);
    signers
        .iter()
        .map(|signer| {
            let (signal, facts) = device_inventory::finish_with_digest(&fleet, &key);
            let mut record = EvidenceRecord::new(signal, &fleet.rules(), facts);
            if let Some(signer) = signer {
                record = record.signed_by(signer.id().clone());
            }
            let link = head.append(record.canonical().unwrap());
            head = link.head();
            SignedLink {
                signature: signer.map(|signer| signer.sign(head)),
                link,
            }
        })
        .collect()
}

/// By RFC 8032 the key of 32 bytes 7 is this one; OpenSSL says the same.
#[test]
fn a_signer_shows_its_id_and_never_its_key() {
    let signer = signer("sign-a", 7);
    assert_eq!(format!("{signer:?}"), "HeadSigner(sign-a)");
    assert_eq!(
        signer.public_key().public_key.to_string(),
        "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c"
    );
}

#[test]
fn a_signature_reads_back_and_nothing_else_is_one() {
    let signature = signer("sign-a", 7).sign(ChainHead::start("a", SignalKind::PatchSla));
    let text = signature.to_string();
    assert_eq!(text.len(), 128);
    assert_eq!(text.parse(), Ok(signature));
    assert_eq!(format!("{signature:?}"), format!("HeadSignature({text})"));
    assert_eq!(HeadSignature::from_bytes(*signature.as_bytes()), signature);
    for other in [
        "",
        &text[1..],
        &text[..64],
        &text.to_uppercase(),
        &format!("{text}00"),
    ] {
        assert_eq!(
            other.parse::<HeadSignature>(),
            Err(NotASignature),
            "{other}"
        );
    }
}

#[test]
fn a_signed_chain_verifies_and_any_change_of_it_does_not() {
    let signer = signer("sign-a", 7);
    let keys = TrustedKeys::new([signer.public_key()]).unwrap();
    let links = chain(&[None, Some(&signer), Some(&signer)]);
    let found = SignedRecords {
        first: Some(2),
        signed: 2,
        unsigned: 1,
    };
    assert_eq!(verify_signatures(&links, Some(&keys)), Ok(found));
    assert_eq!(verify_signatures(&links, None), Ok(found));

    let mut moved = links.clone();
    moved[1].link.sequence += 1;
    let mut rehashed = links.clone();
    rehashed[1].link.hash = Hash256::from_bytes([1; 32]);
    let mut swapped = links.clone();
    swapped[1].signature = links[2].signature;
    for (what, spoilt) in [
        ("moved", moved),
        ("rehashed", rehashed),
        ("swapped", swapped),
    ] {
        let sequence = spoilt[1].link.sequence;
        let fault = SignatureFault::Invalid { sequence };
        assert_eq!(
            verify_signatures(&spoilt, Some(&keys)),
            Err(fault),
            "{what}"
        );
    }
    let other = TrustedKeys::new([self::signer("sign-b", 8).public_key()]).unwrap();
    let unknown = SignatureFault::UnknownKey { sequence: 2 };
    assert_eq!(verify_signatures(&links, Some(&other)), Err(unknown));
}

#[test]
fn a_signature_that_was_taken_away_is_missed() {
    let signer = signer("sign-a", 7);
    let keys = TrustedKeys::new([signer.public_key()]).unwrap();
    for keys in [None, Some(&keys)] {
        // The record still names its key.
        let mut links = chain(&[Some(&signer), Some(&signer)]);
        links[0].signature = None;
        let fault = SignatureFault::Unsigned { sequence: 1 };
        assert_eq!(verify_signatures(&links, keys), Err(fault));
        // The record was written anew and names none.
        let links = chain(&[Some(&signer), None]);
        let fault = SignatureFault::Unsigned { sequence: 2 };
        assert_eq!(verify_signatures(&links, keys), Err(fault));
        // A signature of a record that names no key covers nothing.
        let mut links = chain(&[None]);
        links[0].signature = Some(signer.sign(links[0].link.head()));
        let fault = SignatureFault::Invalid { sequence: 1 };
        assert_eq!(verify_signatures(&links, keys), Err(fault));
    }
}

#[test]
fn a_chain_without_any_signature_is_a_fault_from_the_time_on_that_the_first_key_says() {
    let links = chain(&[None, None]);
    for (since, expected) in [
        (None, true),
        (Some(datetime!(2026-11-23 06:30:01 UTC)), true),
        (Some(datetime!(2026-11-23 06:30 UTC)), false),
    ] {
        let key = PublicKey {
            since,
            ..signer("sign-a", 7).public_key()
        };
        let keys = TrustedKeys::new([key]).unwrap();
        let found = verify_signatures(&links, Some(&keys));
        assert_eq!(found.is_ok(), expected, "{since:?}");
    }
}

#[test]
fn a_new_key_is_trusted_when_the_old_one_signed_it_and_not_otherwise() {
    let (old, new, other) = (
        signer("sign-a", 7),
        signer("sign-b", 8),
        signer("sign-c", 9),
    );
    let endorsed = old.endorse(new.public_key());
    let keys = TrustedKeys::new([old.public_key(), endorsed.clone()]).unwrap();
    let links = chain(&[Some(&old), Some(&new), Some(&old)]);
    assert!(verify_signatures(&links, Some(&keys)).is_ok());
    // And the one after it by the new one.
    let keys = [
        old.public_key(),
        endorsed.clone(),
        new.endorse(other.public_key()),
    ];
    assert_eq!(TrustedKeys::new(keys).unwrap().keys().len(), 3);

    let id = |name: &str| KeyId::new(name).unwrap();
    let swapped = PublicKey {
        public_key: other.public_key().public_key,
        ..endorsed.clone()
    };
    for (what, key, fault) in [
        (
            "not endorsed",
            new.public_key(),
            KeyFault::NotEndorsed(id("sign-b")),
        ),
        (
            "by a stranger",
            other.endorse(new.public_key()),
            KeyFault::NotEndorsed(id("sign-b")),
        ),
        (
            "another key under the endorsement",
            swapped,
            KeyFault::NotEndorsed(id("sign-b")),
        ),
        (
            "by itself",
            new.endorse(new.public_key()),
            KeyFault::NotEndorsed(id("sign-b")),
        ),
        (
            "the first one's name",
            PublicKey {
                id: id("sign-a"),
                ..endorsed
            },
            KeyFault::Repeated(id("sign-a")),
        ),
    ] {
        assert_eq!(
            TrustedKeys::new([old.public_key(), key]),
            Err(fault),
            "{what}"
        );
    }
    assert_eq!(TrustedKeys::new([]), Err(KeyFault::Empty));
}

/// A point of small order verifies whatever is signed, by the lax rules.
#[test]
fn a_weak_public_key_verifies_nothing() {
    let mut point = [0; 32];
    point[0] = 1;
    let weak = PublicKey {
        public_key: Hash256::from_bytes(point),
        ..signer("sign-a", 7).public_key()
    };
    let keys = TrustedKeys::new([weak]).unwrap();
    let mut signature = [0; 64];
    signature[0] = 1;
    let head = ChainHead::start("a", SignalKind::PatchSla);
    let id = KeyId::new("sign-a").unwrap();
    assert!(!keys.verify(&id, head, &HeadSignature::from_bytes(signature)));
}

/// Written by the release before signed heads.
#[test]
fn a_chain_of_version_1_reads_and_verifies_as_it_did() {
    #[derive(Deserialize)]
    struct Fixture {
        subject: String,
        signal: SignalKind,
        links: Vec<SignedLink>,
    }
    let fixture = include_str!("../../tests/fixtures/chain_of_version_1.json");
    let Fixture {
        subject,
        signal,
        mut links,
    } = serde_json::from_str(fixture).unwrap();
    let start = ChainHead::start(&subject, signal);
    let chained = || links.iter().map(|signed| &signed.link);
    let head = crate::chain::verify_chain(start, chained(), &[]).unwrap();
    assert_eq!(head.length, 3);
    for link in chained() {
        let record = EvidenceRecord::parse(&link.record).unwrap();
        assert_eq!((record.record_version, &record.signing_key), (1, &None));
        assert_eq!(record.canonical().unwrap(), link.record);
    }
    let unsigned = SignedRecords {
        first: None,
        signed: 0,
        unsigned: 3,
    };
    assert_eq!(verify_signatures(&links, None), Ok(unsigned));
    // A signed record continues it.
    let signer = signer("sign-a", 7);
    let record = chain(&[Some(&signer)]).remove(0).link.record;
    let link = head.append(record);
    links.push(SignedLink {
        signature: Some(signer.sign(link.head())),
        link,
    });
    let keys = TrustedKeys::new([signer.public_key()]).unwrap();
    let found = verify_signatures(&links, Some(&keys)).unwrap();
    assert_eq!((found.first, found.unsigned), (Some(4), 3));
}
