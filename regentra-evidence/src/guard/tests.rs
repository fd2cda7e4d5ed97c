use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::{
    claim::Claim,
    crosswalk, device_inventory,
    fixture::{NOW, digest_key, workstations},
    framework::Framework,
    posture::posture,
    public_view::PublicView,
    record::EvidenceRecord,
    rules::Rules,
};

fn kinds(text: &str) -> Vec<LeakKind> {
    Guard::new().scan_text(text).into_iter().collect()
}

#[test]
fn every_shape_is_found_wherever_it_stands() {
    use LeakKind::{DomainUser, Drive, Email, Fqdn, Ipv4, Ipv6, Mac, Serial, Uuid};
    let table = [
        (Ipv4, "10.1.2.3"),
        (Ipv4, "10.1.2.3:443"),
        (Ipv4, "192.168.000.001"),
        (Ipv4, "10.0.0.0/8"),
        (Ipv4, "255.255.255.255."),
        (Ipv4, "http://127.0.0.1/x"),
        (Ipv6, "fe80::1"),
        (Ipv6, "::1"),
        (Ipv6, "fe80::"),
        (Ipv6, "fe80::1%eth0"),
        (Ipv6, "[2001:db8::8a2e:370:7334]:443"),
        (Ipv6, "2001:0db8:0000:0000:0000:8a2e:0370:7334"),
        (Ipv6, "::ffff:10.1.2.3"),
        (Mac, "00:1B:44:11:3a:b7"),
        (Mac, "00-1b-44-11-3a-b7"),
        (Mac, "001b.4411.3ab7"),
        (Drive, "C:"),
        (Drive, "C:\\"),
        (Drive, "c:\\Users"),
        (Drive, "d:/data"),
        (Uuid, "6f9619ff-8b86-d011-b42d-00c04fc964ff"),
        (Uuid, "6F9619FF8B86D011B42D00C04FC964FF"),
        (Uuid, "urn:uuid:6f9619ff-8b86-d011-b42d-00c04fc964ff"),
        (Email, "jane.doe@example.com"),
        (Email, "<jane@intranet>"),
        (DomainUser, "CONTOSO\\jane"),
        (DomainUser, "CONTOSO\\\\jane"),
        (DomainUser, "\\\\fileserver\\share"),
        (Fqdn, "srv01.contoso.local"),
        (Fqdn, "contoso.com"),
        (Fqdn, "my_pc.corp"),
        (Fqdn, "https://contoso.com/x"),
        (Fqdn, "münchen.example"),
        (Serial, "5CD1234ABC"),
        (Serial, "7XK3PQ2"),
        (Serial, "C02XL0GTJGH5"),
        (Serial, "DESKTOP-AB12CD3"),
        (Serial, "VMware-564d12ab"),
        (Serial, "123456789"),
        (Serial, "7149-6004-6720"),
    ];
    for (kind, text) in table {
        for text in [
            text.to_owned(),
            format!("seen at {text} today"),
            format!("(\"{text}\")"),
            format!("device={text};"),
            format!("key:{text}"),
            format!("a.b:{text}"),
            format!("a.b_{text}"),
            format!("{text}."),
            format!("{text}!"),
            format!("{text}?"),
        ] {
            assert!(kinds(&text).contains(&kind), "{kind}: {text}");
        }
    }
}

#[test]
fn an_address_behind_a_label_is_found() {
    use LeakKind::{Ipv6, Mac};
    let table = [
        (Mac, "mac:00:1B:44:11:3a:b7"),
        (Mac, "mac:00-1b-44-11-3a-b7"),
        (Mac, "mac-00-1b-44-11-3a-b7"),
        (Mac, "mac.001b.4411.3ab7"),
        (Mac, "ad:00:1b:44:11:3a:b7"),
        (Mac, "00:1B:44:11:3a:b7:eth0"),
        (Ipv6, "ip:fe80::1"),
        (Ipv6, "src:fe80::1"),
        (Ipv6, "addr:2001:db8::8a2e:370:7334"),
        (Ipv6, "ip:::1"),
        (Ipv6, "dad:2001:0db8:0000:0000:0000:8a2e:0370:7334"),
        (Ipv6, "a:b:c:fe80::1"),
        (Ipv6, "fe80::1:eth0"),
    ];
    for (kind, text) in table {
        assert!(kinds(text).contains(&kind), "{kind}: {text}");
    }
}

#[test]
fn what_hangs_on_a_label_by_its_own_separator_is_found() {
    use LeakKind::{Ipv4, Serial};
    let table = [
        (Ipv4, "ip.10.0.0.17"),
        (Ipv4, "client.10.0.0.17"),
        (Ipv4, "10.0.0.17.lan"),
        (Serial, "sn-1234-5678-9012"),
        (Serial, "1234-5678-9012-r"),
    ];
    for (kind, text) in table {
        assert!(kinds(text).contains(&kind), "{kind}: {text}");
    }
    assert!(kinds("v1.2.3.4").is_empty());
}

#[test]
fn a_drive_at_the_end_of_a_sentence_is_found() {
    for text in ["the disk is C:.", "C:!", "is it C:?", "C:…", "drive:C:."] {
        assert_eq!(kinds(text), [LeakKind::Drive], "{text}");
    }
}

/// Looking behind every colon must not take the square of a text's length.
#[test]
fn a_long_row_of_colons_is_looked_through_at_once() {
    for text in [
        ":".repeat(100_000),
        "1:".repeat(50_000),
        "a-".repeat(50_000),
    ] {
        assert!(!kinds(&text).contains(&LeakKind::Ipv4));
    }
}

#[test]
fn ordinary_words_are_no_shapes() {
    let table = [
        "",
        "pass",
        "disk_encryption",
        "signatures_over_30_days",
        "aged_7_to_30",
        "2026-11-23T06:30:00Z",
        "2026-11-23T06:30:00.123456789Z",
        "until 2026-11-30T06:30:00+01:00.",
        "06:30:00",
        "at:06:30:00",
        "2026-11-23-06-30-00",
        "note:06:30",
        "a:b:c",
        "std::fs::read",
        "2026-11-23",
        "IC-024 Encryption at Rest",
        "45 CFR 164 Subpart C",
        "TSC 2017 (rev. POF 2022)",
        "Regulation (EU) 2016/679",
        "PCI DSS 4.0.1 9.4.1.1",
        "PCI DSS 4.0.1 9.4.1.1: Offline backups",
        "e.g. this, i.e. that",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        "1.2.3.4567",
        "a sentence. Another one.",
        "regentra_evidence::verify_chain",
        "a: b",
        "https://",
        "C",
        "::",
        "sha256",
        "12345678",
        "1234-5678",
        "12-12-12",
        "@",
        "a @ b",
        "and\\ or",
        "95 %",
        "x.y",
        "..",
        "...and",
        "5c0fcbbfa3eeaa2ae0dd3b2d4a3b8e0a0b1c2d3e4f5061728394a5b6c7d8e9f0",
    ];
    for text in table {
        assert_eq!(kinds(text), [], "{text}");
    }
}

#[test]
fn an_at_sign_alone_is_no_address() {
    for text in ["@daily", "5@", "a @ b"] {
        assert_eq!(kinds(text), [], "{text}");
    }
}

#[test]
fn runs_are_whole_words() {
    // Letters and digits that touch make another word of it.
    for text in [
        "x10.1.2.3",
        "10.1.2.3x",
        "zfe80::1",
        "00:1B:44:11:3a:b7z",
        "x00-1b-44-11-3a-b7",
    ] {
        let found = kinds(text);
        for kind in [LeakKind::Ipv4, LeakKind::Ipv6, LeakKind::Mac] {
            assert!(!found.contains(&kind), "{kind}: {text}");
        }
    }
    assert!(kinds("x1/10.1.2.3/y").contains(&LeakKind::Ipv4));
    assert!(kinds("1.2.3.4x 10.1.2.3").contains(&LeakKind::Ipv4));
    assert!(kinds("a10.1.2.3-10.1.2.3").contains(&LeakKind::Ipv4));
}

#[test]
fn keys_are_looked_at_like_values_and_never_repeated() {
    let value =
        json!({"counts": {"10.1.2.3": {"ok": "C:"}, "a/b~c": ["pass", "jane@example.com"]}});
    let leaks = Guard::new().scan(&value).unwrap();
    let found: Vec<_> = leaks
        .iter()
        .map(|leak| (leak.path.as_str(), leak.kind, leak.in_key))
        .collect();
    assert_eq!(
        found,
        [
            ("/counts/*", LeakKind::Ipv4, true),
            ("/counts/*/ok", LeakKind::Drive, false),
            ("/counts/a~1b~0c/1", LeakKind::Email, false),
            ("/counts/a~1b~0c/1", LeakKind::Fqdn, false),
        ]
    );
    assert_eq!(leaks[0].to_string(), "ipv4 in the key at /counts/*");
    assert_eq!(leaks[1].to_string(), "drive in the value at /counts/*/ok");
    assert!(!format!("{leaks:?}").contains("10.1.2.3"));
}

#[test]
fn a_host_denies_words_of_its_own() {
    let guard = Guard::new().deny(["Reception-PC", "  ", "", "amy"]);
    let denied = |text| guard.scan_text(text).contains(&LeakKind::Denied);
    assert!(denied("the RECEPTION-PC2 is off"));
    assert!(denied("Amy"));
    assert!(denied("for amy."));
    assert!(!denied("foamy"));
    assert!(!denied("reception"));
    assert!(!denied(""));
    assert_eq!(format!("{guard:?}"), "Guard(2 denied words)");
}

#[test]
fn a_documents_own_ids_are_allowed_where_the_host_says() {
    let uuid = "6f9619ff-8b86-5011-b42d-00c04fc964ff";
    let guard = Guard::new().allow_uuids_at(["uuid", "href"]);
    let clean = json!({"uuid": uuid, "href": format!("#{uuid}"), "list": [{"uuid": uuid}]});
    assert_eq!(guard.scan(&clean), Ok(vec![]));
    for leak in [
        json!({"device": uuid}),
        json!({"uuid": format!("{uuid} of 10.1.2.3")}),
        json!({"uuid": "10.1.2.3"}),
        // In groups of the same lengths.
        json!({"uuid": "10.0.0.1-8b86-5011-b42d-00c04fc964ff"}),
        json!({"uuid": {"device": uuid}}),
    ] {
        assert!(guard.check(&leak).is_err(), "{leak}");
    }
    assert!(guard.deny([uuid]).check(&clean).is_err());
}

#[test]
fn a_refusal_names_the_first_place() {
    let guard = Guard::new();
    assert_eq!(
        guard.check(&json!({"status": "pass", "count": 123_456_789})),
        Ok(())
    );
    assert_eq!(
        guard.check(&json!(["10.1.2.3"])).unwrap_err().to_string(),
        "1 place must not be published, first: ipv4 in the value at /0"
    );
    assert_eq!(
        guard
            .check(&json!(["ok", "10.1.2.3", "C:"]))
            .unwrap_err()
            .to_string(),
        "2 places must not be published, first: ipv4 in the value at /1"
    );
    let unserializable = BTreeMap::from([((1, 2), 3)]);
    assert_eq!(
        guard.check(&unserializable),
        Err(GuardError::Unserializable)
    );
}

#[test]
fn names_of_kinds_are_those_of_json() {
    for kind in [
        LeakKind::Ipv4,
        LeakKind::Ipv6,
        LeakKind::Mac,
        LeakKind::Drive,
        LeakKind::Uuid,
        LeakKind::Email,
        LeakKind::DomainUser,
        LeakKind::Fqdn,
        LeakKind::Serial,
        LeakKind::Denied,
    ] {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
    }
}

#[test]
fn nothing_this_crate_writes_is_a_finding() {
    let guard = Guard::new();
    let (signal, facts) = device_inventory::finish_with_digest(&workstations(9), &digest_key());
    assert_eq!(guard.check(&signal), Ok(()));
    assert_eq!(guard.check(&PublicView::of(&signal)), Ok(()));
    assert_eq!(guard.check(&posture([[&signal]], NOW)), Ok(()));
    assert_eq!(guard.check(crosswalk::all()), Ok(()));
    for claim in Claim::all_of(&signal, Framework::ALL, NOW) {
        assert_eq!(guard.check(&claim), Ok(()));
        assert_eq!(kinds(&claim.to_string()), [], "{claim}");
    }
    let record = EvidenceRecord::new(signal, &Rules::default(), facts);
    assert_eq!(guard.check(&record), Ok(()));
    let start = crate::chain::ChainHead::start("customer 42", record.signal.kind());
    let link = start.append(record.canonical().unwrap());
    assert_eq!(guard.check(&start), Ok(()));
    assert_eq!(
        (
            link.previous.to_string().len(),
            kinds(&link.hash.to_string())
        ),
        (64, vec![])
    );
    // The record inside a link is JSON within a string.
    assert_eq!(kinds(&link.record), []);
}
