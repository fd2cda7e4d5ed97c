use proptest::prelude::*;

use super::*;

fn head(number: u64) -> ChainHead {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    ChainHead {
        length: number % 5 + 1,
        hash: Hash256::from_bytes(Sha256::digest(bytes).into()),
    }
}

/// By the definition of RFC 6962, section 2.1, written down a second time, from the bottom up.
fn level_by_level(mut level: Vec<Hash256>) -> Hash256 {
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => node(*left, *right),
                [alone] => *alone,
                _ => unreachable!("chunks of two"),
            })
            .collect();
    }
    level[0]
}

/// `printf '\0regentra-evidence head 1\n1\n%064d' 0 | sha256sum`
#[test]
fn a_shell_comes_to_the_same_leaf() {
    let zero = ChainHead {
        length: 1,
        hash: Hash256::from_bytes([0; 32]),
    };
    assert_eq!(
        HeadTree::new([zero]).root().to_string(),
        "82d2afe2497fb200f800b1b50137f71a74bb8c51a6f84c3a6141278ca9617125"
    );
    assert_eq!(
        HeadTree::new([]).root().to_string(),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
}

#[test]
fn a_tree_says_how_many_heads_it_has() {
    for count in 0..4 {
        let tree = HeadTree::new((0..count).chain(0..count).map(head));
        assert_eq!((tree.len(), tree.is_empty()), (count, count == 0));
    }
}

#[test]
fn the_root_of_a_subtree_is_not_accepted_as_a_leaf() {
    let heads: Vec<ChainHead> = (0..4).map(head).collect();
    let whole = HeadTree::new(heads);
    let [left, right] = [0, 2].map(|from| root(&whole.leaves[from..from + 2]));
    assert_eq!(whole.root(), node(left, right));
    // A tree of two leaves that are the inner nodes would have this root, were leaves hashed as nodes are.
    let forged = [left, right].map(|hash| ChainHead { length: 1, hash });
    assert_ne!(HeadTree::new(forged).root(), whole.root());
}

#[test]
fn a_head_that_is_not_in_the_tree_has_no_proof() {
    assert_eq!(HeadTree::new((0..3).map(head)).proof(head(9)), None);
    assert_eq!(HeadTree::new([]).proof(head(0)), None);
    let nothing = InclusionProof {
        index: 0,
        size: 0,
        path: Vec::new(),
    };
    assert_eq!(nothing.root(head(0)), None);
}

#[test]
fn every_head_of_every_tree_has_a_proof_that_no_other_head_shares() {
    for size in 1..20 {
        let tree = HeadTree::new((0..size).map(head));
        assert_eq!(tree.root(), level_by_level(tree.leaves.clone()));
        for number in 0..size {
            let proof = tree.proof(head(number)).unwrap();
            assert_eq!(proof.root(head(number)), Some(tree.root()));
            assert_ne!(proof.root(head(size)), Some(tree.root()));
            let longer = ChainHead {
                length: 99,
                ..head(number)
            };
            assert_ne!(proof.root(longer), Some(tree.root()));
            for index in (0..=size).filter(|index| *index != proof.index) {
                let moved = InclusionProof {
                    index,
                    ..proof.clone()
                };
                assert_ne!(moved.root(head(number)), Some(tree.root()));
            }
            let mut longer = proof.clone();
            longer.path.push(tree.root());
            assert_eq!(longer.root(head(number)), None);
            let mut shorter = proof.clone();
            if shorter.path.pop().is_some() {
                assert_eq!(shorter.root(head(number)), None);
            }
        }
    }
}

proptest! {
    #[test]
    fn the_order_and_the_repetition_of_heads_change_nothing(numbers in proptest::collection::vec(0_u64..20, 1..20)) {
        let mut other = numbers.clone();
        other.reverse();
        other.extend(&numbers);
        let [one, two] = [numbers, other].map(|numbers| HeadTree::new(numbers.into_iter().map(head)));
        prop_assert_eq!(one.root(), two.root());
        prop_assert_eq!(one.len(), two.len());
    }
}
