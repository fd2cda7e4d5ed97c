use time::macros::datetime;

use super::*;
use crate::{
    digest::KeyId, fixture::digest_key, fleet::Fleet, record::EvidenceRecord, rules::Rules,
    signed_head::HeadSigner,
};

const FIRST: OffsetDateTime = datetime!(2026-11-23 06:30 UTC);
const SUBJECT: &str = "customer 42, mapping 7";

/// A chain with a record every six hours, each head under a root of its own that was made six hours later.
fn world(records: i64, signer: Option<&HeadSigner>) -> (EvidenceExport, Vec<Anchor>) {
    let mut head = ChainHead::start(SUBJECT, SignalKind::DeviceInventory);
    let mut chain = ExportedChain {
        subject: SUBJECT.to_owned(),
        signal: SignalKind::DeviceInventory,
        links: Vec::new(),
        audit_heads: Vec::new(),
        proofs: Vec::new(),
    };
    let mut anchors = Vec::new();
    for (number, hours) in (1..).zip((0..records).map(|record| 6 * record)) {
        let collected_at = FIRST + Duration::hours(hours);
        let fleet = Fleet::builder(collected_at).build();
        let (signal, facts) = crate::device_inventory::finish_with_digest(&fleet, &digest_key());
        let mut record = EvidenceRecord::new(signal, &Rules::default(), facts);
        if let Some(signer) = signer {
            record = record.signed_by(signer.id().clone());
        }
        let link = head.append(record.canonical().unwrap());
        head = link.head();
        chain.links.push(SignedLink {
            signature: signer.map(|signer| signer.sign(head)),
            link,
        });
        chain.audit_heads.push(head);
        // Another customer's head stands beside it.
        let other = ChainHead::start("another", SignalKind::PatchSla).append(number.to_string());
        let tree = HeadTree::new([head, other.head()]);
        chain.proofs.push(HeadProof {
            number,
            head,
            proof: tree.proof(head).unwrap(),
        });
        anchors.push(Anchor {
            msp: "msp".to_owned(),
            number,
            tick: collected_at,
            heads: 2,
            root: tree.root(),
            at: collected_at + Duration::hours(6),
            time_stamp: None,
        });
    }
    let export = EvidenceExport {
        export_version: EXPORT_VERSION,
        msp: "msp".to_owned(),
        keys: Vec::new(),
        chains: vec![chain],
    };
    (export, anchors)
}

fn report(export: &EvidenceExport, anchors: &[Anchor]) -> ChainReport {
    verify_export(export, None, anchors).remove(0)
}

#[test]
fn anchors_cover_every_record_up_to_the_head_they_hold() {
    let (export, anchors) = world(9, None);
    let whole = report(&export, &anchors);
    assert_eq!((whole.fault, whole.records), (None, 9));
    assert_eq!((whole.anchored, whole.anchor), (9, Some(9)));
    // Of fewer anchors, as many records are covered; a day's records may wait for theirs.
    let some = report(&export, &anchors[..6]);
    assert_eq!((some.fault, some.anchored, some.anchor), (None, 6, Some(6)));
    let none = report(&export, &[]);
    assert_eq!((none.fault, none.anchored, none.anchor), (None, 0, None));
    // Another provider's anchors say nothing.
    let mut others = anchors;
    for anchor in &mut others {
        anchor.msp = "another".to_owned();
    }
    assert_eq!(report(&export, &others), none);
}

#[test]
fn an_anchor_covers_its_own_heads_and_no_others() {
    let heads = ["a", "b", "c"].map(|record| {
        ChainHead::start(SUBJECT, SignalKind::PatchSla)
            .append(record.to_owned())
            .head()
    });
    let anchor = Anchor {
        heads: 2,
        root: HeadTree::new([heads[0], heads[1]]).root(),
        number: 7,
        ..world(1, None).1.remove(0)
    };
    let others = Err(AnchorFault::OtherHeads { number: 7 });
    // In any order, each as often as one likes.
    assert_eq!(anchor.covers([heads[1], heads[0], heads[1]]), Ok(()));
    assert_eq!(anchor.covers([heads[0], heads[2]]), others, "changed");
    assert_eq!(anchor.covers(heads), others, "added");
    assert_eq!(anchor.covers([heads[0]]), others, "removed");
    assert_eq!(anchor.covers([]), others, "all removed");
    // The root is right, and the number of heads that stands beside it is not.
    let anchor = Anchor { heads: 3, ..anchor };
    assert_eq!(anchor.covers([heads[0], heads[1]]), others);
}

#[test]
fn of_two_anchors_over_one_head_the_first_is_named() {
    let (mut export, mut anchors) = world(3, None);
    anchors.push(Anchor {
        number: 4,
        at: anchors[2].at + Duration::HOUR,
        ..anchors[2].clone()
    });
    let proof = export.chains[0].proofs[2].clone();
    export.chains[0]
        .proofs
        .push(HeadProof { number: 4, ..proof });
    let both = report(&export, &anchors);
    assert_eq!((both.fault, both.anchored, both.anchor), (None, 3, Some(3)));
    // Without the first the second covers as much.
    anchors.remove(2);
    let second = report(&export, &anchors);
    assert_eq!((second.anchored, second.anchor), (3, Some(4)));
}

#[test]
fn a_history_that_was_written_anew_does_not_fit_the_anchors() {
    let (export, anchors) = world(9, None);
    let mut forged = world(9, None).0;
    let chain = &mut forged.chains[0];
    let mut head = ChainHead::start(SUBJECT, SignalKind::DeviceInventory);
    chain.audit_heads.clear();
    for signed in &mut chain.links {
        signed.link = head.append(signed.link.record.replace("warning", "pass"));
        head = signed.link.head();
        chain.audit_heads.push(head);
    }
    assert_eq!(report(&forged, &[]).fault, None, "nothing from outside");
    let other = AnchorFault::OtherRecords { sequence: 1 };
    assert_eq!(report(&forged, &anchors).fault, Some(other.into()));
    // With the proofs of the new heads, which give other roots.
    for (proof, signed) in forged.chains[0]
        .proofs
        .iter_mut()
        .zip(&export.chains[0].links)
    {
        assert_eq!(proof.head, signed.link.head());
        proof.head.hash = head.hash;
    }
    let other = AnchorFault::OtherHeads { number: 1 };
    assert_eq!(report(&forged, &anchors).fault, Some(other.into()));
}

#[test]
fn a_record_that_older_anchors_do_not_cover_is_found() {
    let (mut export, mut anchors) = world(9, None);
    // Every proof gone, as if no head had ever been written.
    let proofs = std::mem::take(&mut export.chains[0].proofs);
    let missed = |sequence| Some(AnchorFault::NotCovered { sequence }.into());
    assert_eq!(report(&export, &anchors).fault, missed(1));
    // The fourth and later ones are gone: the fourth was collected more than a day before the ninth anchor was made.
    export.chains[0].proofs = proofs[..3].to_vec();
    assert_eq!(report(&export, &anchors).fault, missed(4));
    // And anchored anew, much later: the anchors made in between should have covered it.
    let at = FIRST + Duration::days(30);
    let head = proofs[8].head;
    let tree = HeadTree::new([head]);
    anchors.push(Anchor {
        number: 10,
        heads: 1,
        root: tree.root(),
        at,
        ..anchors[8].clone()
    });
    export.chains[0].proofs.push(HeadProof {
        number: 10,
        head,
        proof: tree.proof(head).unwrap(),
    });
    assert_eq!(report(&export, &anchors).fault, missed(4));
    // Where no anchor was made in between, because none was kept yet, a late one is in time.
    let late = report(&export, &anchors[9..]);
    assert_eq!((late.fault, late.anchored), (None, 9));
}

#[test]
fn a_record_may_wait_exactly_a_day_for_its_anchor() {
    let (mut export, mut anchors) = world(1, None);
    export.chains[0].proofs.clear();
    for (at, is_found) in [
        (FIRST + ANCHOR_DELAY, false),
        (FIRST + ANCHOR_DELAY + Duration::MICROSECOND, true),
    ] {
        anchors[0].at = at;
        assert_eq!(report(&export, &anchors).fault.is_some(), is_found, "{at}");
    }
    // One that cannot be read is never taken for young.
    let (mut export, mut anchors) = world(1, None);
    let head = ChainHead::start(SUBJECT, SignalKind::DeviceInventory);
    let link = head.append("{}".to_owned());
    export.chains[0].audit_heads = vec![link.head()];
    export.chains[0].links[0].link = link;
    export.chains[0].proofs.clear();
    anchors[0].at = FIRST;
    let missed = AnchorFault::NotCovered { sequence: 1 };
    assert_eq!(report(&export, &anchors).fault, Some(missed.into()));
}

#[test]
fn a_chain_that_no_audit_row_ends_is_found() {
    let (mut export, anchors) = world(3, None);
    export.chains[0].audit_heads.pop();
    let fault = NotInAudit { sequence: 3 };
    assert_eq!(report(&export, &anchors).fault, Some(fault.into()));
    export.chains[0].audit_heads.clear();
    let fault = NotInAudit { sequence: 1 };
    assert_eq!(report(&export, &anchors).fault, Some(fault.into()));
}

#[test]
fn keys_of_the_export_count_when_a_trusted_one_signed_them() {
    let [one, two] = [("sign-a", 7), ("sign-b", 8)]
        .map(|(name, byte)| HeadSigner::new(KeyId::new(name).unwrap(), &[byte; 32]));
    let (mut export, _) = world(2, Some(&two));
    let trusted = TrustedKeys::new([one.public_key()]).unwrap();
    let fault =
        |export: &EvidenceExport| verify_export(export, Some(&trusted), &[]).remove(0).fault;
    let unknown = SignatureFault::UnknownKey { sequence: 1 };
    assert_eq!(fault(&export), Some(unknown.into()));
    export.keys = vec![two.public_key()];
    assert_eq!(fault(&export), Some(unknown.into()), "nobody signed it");
    export.keys = vec![one.endorse(two.public_key())];
    assert_eq!(fault(&export), None);
}

#[test]
fn a_file_of_anchors_is_read_whole_but_for_what_was_cut_off() {
    let (_, anchors) = world(2, None);
    let line = |anchor: &Anchor| serde_json::to_string(anchor).unwrap();
    let lines = format!("{}\n\n{}\n", line(&anchors[0]), line(&anchors[1]));
    let whole = AnchorFile {
        anchors: anchors.clone(),
        cut_off: Vec::new(),
    };
    assert_eq!(read_anchors(&lines), Ok(whole));
    // The same anchor again, with a stamp and a later time of the host: the earlier time and the stamp stay.
    let again = Anchor {
        at: anchors[0].at + Duration::DAY,
        time_stamp: Some("stamp".to_owned()),
        ..anchors[0].clone()
    };
    let read = read_anchors(&format!("{lines}{}", line(&again)))
        .unwrap()
        .anchors;
    assert_eq!(read.len(), 2);
    assert_eq!(read[0].at, anchors[0].at);
    assert_eq!(read[0].time_stamp.as_deref(), Some("stamp"));

    let other = Anchor {
        heads: 3,
        ..anchors[0].clone()
    };
    let contradicted = AnchorsError::Contradicted { line: 4, number: 1 };
    assert_eq!(
        read_anchors(&format!("{lines}{}", line(&other))),
        Err(contradicted)
    );
    let cut = AnchorFile {
        anchors: vec![anchors[0].clone()],
        cut_off: vec![3],
    };
    assert_eq!(read_anchors(&lines[..lines.len() - 9]), Ok(cut));
    let other = format!("{lines}{{}}");
    assert_eq!(
        read_anchors(&other),
        Err(AnchorsError::Unreadable { line: 4 })
    );
}

#[test]
fn an_export_reads_back() {
    let signer = HeadSigner::new(KeyId::new("sign-a").unwrap(), &[7; 32]);
    let (mut export, _) = world(2, Some(&signer));
    export.keys = vec![signer.public_key()];
    let json = serde_json::to_string(&export).unwrap();
    assert_eq!(
        serde_json::from_str::<EvidenceExport>(&json).unwrap(),
        export
    );
}
