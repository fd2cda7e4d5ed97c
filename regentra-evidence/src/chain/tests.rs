use super::*;

fn start() -> ChainHead {
    ChainHead::start("customer 42, mapping 7", SignalKind::DiskEncryption)
}

fn chain(records: &[&str]) -> Vec<ChainLink> {
    let mut head = start();
    records
        .iter()
        .map(|record| {
            let link = head.append((*record).to_owned());
            head = link.head();
            link
        })
        .collect()
}

fn five() -> Vec<ChainLink> {
    chain(&["a", "b", "c", "d", "e"])
}

fn rehash(link: &mut ChainLink) {
    link.hash = link_hash(link.previous, link.sequence, &link.record);
}

/// From the shell commands of the module's documentation.
#[test]
fn a_shell_comes_to_the_same_hashes() {
    assert_eq!(
        start().hash.to_string(),
        "7da0d2b06c1eedfeeb901686641baa58a1acf31c654950f9d299741d234202dd"
    );
    assert_eq!(
        start().append("{\"a\":1}".to_owned()).hash.to_string(),
        "7b9e229b92cfd3007f21d7bd2365c3f88629b81b6e8bcaa6f20b19b0ef04a0d6"
    );
}

#[test]
fn an_untouched_chain_verifies_from_any_head_with_any_anchors() {
    let links = five();
    let heads: Vec<ChainHead> = links.iter().map(ChainLink::head).collect();
    let end = heads[4];
    assert_eq!(verify_chain(start(), &links, &[]), Ok(end));
    assert_eq!(verify_chain(start(), &links, &heads), Ok(end));
    assert_eq!(
        verify_chain(start(), &links, &[heads[3], start(), heads[1]]),
        Ok(end)
    );
    assert_eq!(verify_chain(heads[1], &links[2..], &heads), Ok(end));
    assert_eq!(verify_chain(start(), &[], &[]), Ok(start()));
    assert_eq!(verify_chain(end, &[], &[end]), Ok(end));
    assert_eq!(links[2].continues(), heads[1]);
    assert_eq!(links[0].continues(), start());
}

#[test]
fn a_changed_record_is_named() {
    for (index, sequence) in (0..5).zip(1..) {
        let mut links = five();
        links[index].record.push('!');
        assert_eq!(
            verify_chain(start(), &links, &[]),
            Err(ChainFault::Changed { sequence })
        );
    }
}

#[test]
fn a_changed_record_with_its_own_hash_written_anew_is_named() {
    for (index, sequence) in (0..4).zip(1..) {
        let mut links = five();
        links[index].record.push('!');
        rehash(&mut links[index]);
        assert_eq!(
            verify_chain(start(), &links, &[]),
            Err(ChainFault::Changed { sequence })
        );
    }
    let mut links = five();
    let end = links[4].head();
    links[4].record.push('!');
    rehash(&mut links[4]);
    assert_eq!(
        verify_chain(start(), &links, &[end]),
        Err(ChainFault::Rewritten { sequence: 1 })
    );
}

#[test]
fn a_chain_rewritten_to_its_end_differs_from_the_anchors() {
    let links = five();
    let rewritten = chain(&["a", "b", "c", "D", "e"]);
    let heads: Vec<ChainHead> = links.iter().map(ChainLink::head).collect();
    assert!(verify_chain(start(), &rewritten, &[]).is_ok());
    assert_eq!(
        verify_chain(start(), &rewritten, &[heads[4]]),
        Err(ChainFault::Rewritten { sequence: 1 })
    );
    assert_eq!(
        verify_chain(start(), &rewritten, &[heads[4], heads[1]]),
        Err(ChainFault::Rewritten { sequence: 3 })
    );
    assert_eq!(
        verify_chain(start(), &rewritten, &heads),
        Err(ChainFault::Rewritten { sequence: 4 })
    );
    assert_eq!(
        verify_chain(
            start(),
            &[],
            &[ChainHead {
                length: 0,
                ..heads[0]
            }]
        ),
        Err(ChainFault::Foreign { sequence: 1 })
    );
}

#[test]
fn a_removed_record_is_named() {
    for (index, sequence) in (0..4).zip(1..) {
        let mut links = five();
        links.remove(index);
        assert_eq!(
            verify_chain(start(), &links, &[]),
            Err(ChainFault::Removed { sequence })
        );
    }
    let mut links = five();
    links.drain(1..3);
    assert_eq!(
        verify_chain(start(), &links, &[]),
        Err(ChainFault::Removed { sequence: 2 })
    );
}

#[test]
fn a_removed_tail_is_found_by_the_anchored_head_alone() {
    let links = five();
    let end = links[4].head();
    for kept in 0..5_u64 {
        let rest = &links[..usize::try_from(kept).unwrap()];
        assert!(verify_chain(start(), rest, &[]).is_ok());
        assert_eq!(
            verify_chain(start(), rest, &[end]),
            Err(ChainFault::TailRemoved { sequence: kept + 1 })
        );
    }
}

#[test]
fn a_moved_record_is_named() {
    let mut links = five();
    links.swap(1, 3);
    assert_eq!(
        verify_chain(start(), &links, &[]),
        Err(ChainFault::Reordered { sequence: 2 })
    );
}

#[test]
fn a_record_that_stands_twice_is_named() {
    let mut links = five();
    links.insert(3, links[1].clone());
    assert_eq!(
        verify_chain(start(), &links, &[]),
        Err(ChainFault::Repeated { sequence: 2 })
    );
}

#[test]
fn records_renumbered_over_a_gap_do_not_fit() {
    let mut links = five();
    links.remove(1);
    for (link, sequence) in links.iter_mut().zip(1..) {
        link.sequence = sequence;
        rehash(link);
    }
    assert_eq!(
        verify_chain(start(), &links, &[]),
        Err(ChainFault::Changed { sequence: 1 })
    );
}

#[test]
fn a_chain_cannot_be_passed_off_as_anothers() {
    let links = five();
    for other in [
        ChainHead::start("customer 43, mapping 7", SignalKind::DiskEncryption),
        ChainHead::start("customer 42, mapping 7", SignalKind::PatchSla),
    ] {
        assert_eq!(
            verify_chain(other, &links, &[]),
            Err(ChainFault::Foreign { sequence: 1 })
        );
    }
}

#[test]
fn a_link_reads_back() {
    let link = start().append("{}".to_owned());
    let json = serde_json::to_string(&link).unwrap();
    assert_eq!(serde_json::from_str::<ChainLink>(&json).unwrap(), link);
}
