//! Whatever is done to a chain whose head is anchored, it is found; and where it can be named, it is named.

use proptest::prelude::*;
use regentra_evidence::{ChainFault, ChainHead, ChainLink, SignalKind, verify_chain};

fn start() -> ChainHead {
    ChainHead::start("customer 42, mapping 7", SignalKind::PatchSla)
}

/// Records may repeat: two sweeps may find the same.
fn chain() -> impl Strategy<Value = Vec<ChainLink>> {
    prop::collection::vec("[ab]{0,2}", 1..12).prop_map(|records| {
        let mut head = start();
        records
            .into_iter()
            .map(|record| {
                let link = head.append(record);
                head = link.head();
                link
            })
            .collect()
    })
}

fn place(links: &[ChainLink], index: prop::sample::Index) -> (usize, u64) {
    let sequence = index.get(links).sequence;
    (index.index(links.len()), sequence)
}

proptest! {
    #[test]
    fn an_untouched_chain_verifies(links in chain(), anchors in prop::collection::vec(any::<prop::sample::Index>(), 0..4)) {
        let anchors: Vec<_> = anchors.into_iter().map(|index| links[index.index(links.len())].head()).collect();
        let end = links[links.len() - 1].head();
        prop_assert_eq!(verify_chain(start(), &links, &anchors), Ok(end));
    }

    #[test]
    fn a_changed_record_is_named(mut links in chain(), index in any::<prop::sample::Index>()) {
        let (index, sequence) = place(&links, index);
        links[index].record.push('!');
        prop_assert_eq!(verify_chain(start(), &links, &[]), Err(ChainFault::Changed { sequence }));
    }

    #[test]
    fn a_removed_record_is_named(mut links in chain(), index in any::<prop::sample::Index>()) {
        let (index, sequence) = place(&links, index);
        let (end, last) = (links[links.len() - 1].head(), index + 1 == links.len());
        links.remove(index);
        let expected = if last { ChainFault::TailRemoved { sequence } } else { ChainFault::Removed { sequence } };
        prop_assert_eq!(verify_chain(start(), &links, &[end]), Err(expected));
    }

    #[test]
    fn a_moved_record_is_found(
        mut links in chain(),
        from in any::<prop::sample::Index>(),
        to in any::<prop::sample::Index>(),
    ) {
        let ((from, _), (to, _)) = (place(&links, from), place(&links, to));
        let before = links.clone();
        let link = links.remove(from);
        links.insert(to, link);
        let end = before[before.len() - 1].head();
        let verdict = verify_chain(start(), &links, &[end]);
        if links == before {
            prop_assert_eq!(verdict, Ok(end));
        } else {
            let first = links.iter().zip(&before).position(|(now, then)| now != then).unwrap();
            prop_assert_eq!(verdict, Err(ChainFault::Reordered { sequence: before[first].sequence }));
        }
    }

    #[test]
    fn a_chain_written_anew_from_some_record_on_is_found(links in chain(), index in any::<prop::sample::Index>()) {
        let (index, sequence) = place(&links, index);
        let mut head = start();
        let rewritten: Vec<_> = links
            .iter()
            .enumerate()
            .map(|(place, link)| {
                let mark = if place == index { "!" } else { "" };
                let link = head.append(format!("{}{mark}", link.record));
                head = link.head();
                link
            })
            .collect();
        let anchors: Vec<_> = links.iter().map(ChainLink::head).collect();
        prop_assert!(verify_chain(start(), &rewritten, &[]).is_ok());
        prop_assert_eq!(verify_chain(start(), &rewritten, &anchors), Err(ChainFault::Rewritten { sequence }));
    }
}
