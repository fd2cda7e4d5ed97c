//! One hash for many chain heads: the Merkle tree of RFC 6962, so that one external anchor covers every chain of a tick.
//!
//! Leaves and inner nodes are hashed with different first bytes (0 and 1), so that no inner node can be passed off as a leaf. Leaves are
//! sorted by their heads' hashes, without duplicates, so the root can be recomputed without another order.
//!
//! A leaf is SHA-256 over a zero byte and this text:
//!
//! ```text
//! regentra-evidence head 1
//! <number of links>
//! <hash of the last one, in hexadecimal>
//! ```

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{chain::ChainHead, hash::Hash256};

/// The tree over the heads of a tick.
///
/// ```
/// use regentra_evidence::{ChainHead, HeadTree, SignalKind};
///
/// let heads = ["customer 42", "customer 43", "customer 44"]
///     .map(|customer| ChainHead::start(customer, SignalKind::PatchSla).append("{}".to_owned()).head());
/// let tree = HeadTree::new(heads);
/// let proof = tree.proof(heads[1]).unwrap();
/// assert_eq!(proof.root(heads[1]), Some(tree.root()));
/// assert_ne!(proof.root(heads[0]), Some(tree.root()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadTree {
    heads: Vec<ChainHead>,
    leaves: Vec<Hash256>,
}

impl HeadTree {
    /// The tree over these heads, given in any order.
    #[must_use]
    pub fn new(heads: impl IntoIterator<Item = ChainHead>) -> Self {
        let mut heads: Vec<ChainHead> = heads.into_iter().collect();
        heads.sort_by_key(|head| (head.hash, head.length));
        heads.dedup();
        let leaves = heads.iter().map(|head| leaf(*head)).collect();
        Self { heads, leaves }
    }

    /// How many heads.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.heads.len() as u64
    }

    /// Whether there is no head.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// The hash that covers every head. Of no head, it is SHA-256 over nothing.
    #[must_use]
    pub fn root(&self) -> Hash256 {
        root(&self.leaves)
    }

    /// What shows that a head is in the tree; `None` when it is not.
    #[must_use]
    pub fn proof(&self, head: ChainHead) -> Option<InclusionProof> {
        let index = self.heads.iter().position(|other| *other == head)?;
        let mut path = Vec::new();
        let (mut leaves, mut at) = (self.leaves.as_slice(), index);
        while leaves.len() > 1 {
            let (left, right) = leaves.split_at(split(leaves.len()));
            let sibling;
            if at < left.len() {
                (sibling, leaves) = (right, left);
            } else {
                at = at.saturating_sub(left.len());
                (sibling, leaves) = (left, right);
            }
            path.push(root(sibling));
        }
        path.reverse();
        Some(InclusionProof {
            index: index as u64,
            size: self.len(),
            path,
        })
    }
}

/// What shows that one head is in a tree, without the other heads: the audit path of RFC 6962, section 2.1.1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InclusionProof {
    /// The head's place among the leaves; the first is 0.
    pub index: u64,
    /// How many leaves the tree has.
    pub size: u64,
    /// The hashes beside the way from the leaf to the root, the nearest first.
    pub path: Vec<Hash256>,
}

impl InclusionProof {
    /// The root of a tree that holds `head` in this place; `None` when the path does not fit the place. It proves something only
    /// where the same root is known from outside.
    #[must_use]
    pub fn root(&self, head: ChainHead) -> Option<Hash256> {
        let (mut index, mut last) = (self.index, self.size.checked_sub(1)?);
        if index > last {
            return None;
        }
        let mut hash = leaf(head);
        for sibling in &self.path {
            if last == 0 {
                return None;
            }
            if index & 1 == 1 || index == last {
                hash = node(*sibling, hash);
                // A node without a sibling moves up unchanged.
                while index & 1 == 0 && index != 0 {
                    (index, last) = (index >> 1, last >> 1);
                }
            } else {
                hash = node(hash, *sibling);
            }
            (index, last) = (index >> 1, last >> 1);
        }
        (last == 0).then_some(hash)
    }
}

/// The largest power of two below a number above one.
const fn split(leaves: usize) -> usize {
    leaves.next_power_of_two() / 2
}

fn root(leaves: &[Hash256]) -> Hash256 {
    match leaves {
        [] => Hash256::from_bytes(Sha256::digest([]).into()),
        [leaf] => *leaf,
        leaves => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node(root(left), root(right))
        }
    }
}

fn leaf(head: ChainHead) -> Hash256 {
    let text = format!("regentra-evidence head 1\n{}\n{}", head.length, head.hash);
    let hash = Sha256::new()
        .chain_update([0])
        .chain_update(text)
        .finalize();
    Hash256::from_bytes(hash.into())
}

fn node(left: Hash256, right: Hash256) -> Hash256 {
    let hash = Sha256::new()
        .chain_update([1])
        .chain_update(left.as_bytes())
        .chain_update(right.as_bytes())
        .finalize();
    Hash256::from_bytes(hash.into())
}

#[cfg(test)]
mod tests;
