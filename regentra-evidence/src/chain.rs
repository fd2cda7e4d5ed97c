//! The public chain over the evidence records of one customer, mapping and signal.
//!
//! Each link's hash covers the previous hash, the link's position and its record, so verification detects a record that was changed,
//! removed or moved by accident. A comparison with heads that were kept elsewhere also detects a tail that was cut off, or a chain that was
//! rewritten to its end.
//!
//! **A chain detects accidents.** A person who can write to its database can recompute every hash, and change the heads in the same
//! database. [Signed heads](crate::signed_head), whose key is outside the database, and [anchors](crate::anchor), which are outside too,
//! protect against this.
//!
//! The chain uses no secret. An auditor can verify a link with only a shell; line feeds separate the three parts:
//!
//! ```console
//! $ printf '%s\n%s\n%s' "$previous" "$sequence" "$record" | sha256sum
//! ```
//!
//! The hash before the first link is derived from the subject of the chain, so that one customer's chain cannot be taken for another's,
//! although the records name no one:
//!
//! ```console
//! $ printf 'regentra-evidence chain 1\n%s\n%s' "$signal" "$subject" | sha256sum
//! ```

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{hash::Hash256, signal::SignalKind};

/// The end of a chain: how many links it has, and the hash of the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChainHead {
    /// How many links.
    pub length: u64,
    /// The hash of the last one; before the first, what [`ChainHead::start`] derives.
    pub hash: Hash256,
}

impl ChainHead {
    /// The head of the empty chain about `signal` of `subject`.
    ///
    /// The subject is whatever tells chains apart, such as the customer's and the mapping's ids in one text. It is not kept in
    /// the chain; a verifier has to know it.
    #[must_use]
    pub fn start(subject: &str, signal: SignalKind) -> Self {
        Self {
            length: 0,
            hash: sha256(&["regentra-evidence chain 1", signal.as_str(), subject]),
        }
    }

    /// The next link: `record` is the canonical text of an [`EvidenceRecord`](crate::EvidenceRecord).
    #[must_use]
    pub fn append(self, record: String) -> ChainLink {
        let sequence = self.length.saturating_add(1);
        ChainLink {
            sequence,
            previous: self.hash,
            hash: link_hash(self.hash, sequence, &record),
            record,
        }
    }
}

/// One record in its place in a chain. A store keeps all four as they are, and never changes or deletes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainLink {
    /// The place in the chain; the first is 1.
    pub sequence: u64,
    /// The hash of the link before it, or of the chain's start.
    pub previous: Hash256,
    /// The record's canonical text.
    pub record: String,
    /// SHA-256 over the three, as the [module](self) says.
    pub hash: Hash256,
}

impl ChainLink {
    /// The head of the chain that this link continues.
    #[must_use]
    pub const fn continues(&self) -> ChainHead {
        ChainHead {
            length: self.sequence.saturating_sub(1),
            hash: self.previous,
        }
    }

    /// The head of the chain that ends in this link.
    #[must_use]
    pub const fn head(&self) -> ChainHead {
        ChainHead {
            length: self.sequence,
            hash: self.hash,
        }
    }
}

/// The first thing that is wrong with a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainFault {
    /// This record is not the one that was written here.
    #[error("record {sequence} was changed")]
    Changed {
        /// Its place.
        sequence: u64,
    },
    /// The record that belongs here is nowhere in the chain, and later ones are.
    #[error("record {sequence} was removed")]
    Removed {
        /// Its place.
        sequence: u64,
    },
    /// The record that belongs here stands elsewhere in the chain.
    #[error("record {sequence} was moved from its place")]
    Reordered {
        /// Its place.
        sequence: u64,
    },
    /// A record stands here a second time.
    #[error("record {sequence} stands in the chain more than once")]
    Repeated {
        /// Its place.
        sequence: u64,
    },
    /// What was given does not continue the start given: it belongs to another customer, mapping or signal.
    #[error("record {sequence} continues another chain than the one it was given with")]
    Foreign {
        /// The place of the first record given.
        sequence: u64,
    },
    /// The chain ends before a head that was anchored.
    #[error("records from {sequence} on were removed from the end")]
    TailRemoved {
        /// The place of the first record that is missing.
        sequence: u64,
    },
    /// The links fit each other and not a head that was anchored: this record, or a later one up to the anchor, was changed and
    /// every hash after it written anew.
    #[error("the chain was rewritten at record {sequence} or later")]
    Rewritten {
        /// The place after the last anchor that fits.
        sequence: u64,
    },
}

/// Verifies the links that follow `start`, in the order given, against the heads anchored for this chain.
///
/// `start` is [`ChainHead::start`] for a whole chain, or a head that is trusted already for the links after it. Anchors may
/// be none, one or many, in any order; those before `start` say nothing. Links written after the last anchor are in order.
///
/// What it shows is worth as much as the anchors: heads from the same database show accidents alone.
///
/// Returns the chain's head.
///
/// # Errors
///
/// The first [`ChainFault`].
pub fn verify_chain<'a>(
    start: ChainHead,
    links: impl IntoIterator<Item = &'a ChainLink>,
    anchors: &[ChainHead],
) -> Result<ChainHead, ChainFault> {
    let links: Vec<&ChainLink> = links.into_iter().collect();
    let places: BTreeSet<u64> = links.iter().map(|link| link.sequence).collect();
    let mut anchors: Vec<ChainHead> = anchors
        .iter()
        .copied()
        .filter(|anchor| anchor.length >= start.length)
        .collect();
    anchors.sort_by_key(|anchor| anchor.length);
    let mut anchors = anchors.into_iter().peekable();

    let mut head = start;
    // The first place that no anchor vouches for yet.
    let mut unanchored = start.length.saturating_add(1);
    let mut check_anchors = |head: ChainHead| {
        while let Some(anchor) = anchors.next_if(|anchor| anchor.length == head.length) {
            if anchor != head {
                return Err(if head == start {
                    ChainFault::Foreign {
                        sequence: unanchored,
                    }
                } else {
                    ChainFault::Rewritten {
                        sequence: unanchored,
                    }
                });
            }
            unanchored = head.length.saturating_add(1);
        }
        Ok(anchors.peek().is_none())
    };

    let mut last_anchor_seen = check_anchors(head)?;
    for link in links {
        let sequence = head.length.saturating_add(1);
        if link.sequence < sequence {
            return Err(ChainFault::Repeated {
                sequence: link.sequence,
            });
        }
        if link.sequence > sequence {
            return Err(if places.contains(&sequence) {
                ChainFault::Reordered { sequence }
            } else {
                ChainFault::Removed { sequence }
            });
        }
        if link.hash != link_hash(link.previous, link.sequence, &link.record) {
            return Err(ChainFault::Changed { sequence });
        }
        if link.previous != head.hash {
            // Both links are whole and do not fit: the earlier one is the first that can have been replaced.
            return Err(if head == start {
                ChainFault::Foreign { sequence }
            } else {
                ChainFault::Changed {
                    sequence: head.length,
                }
            });
        }
        head = link.head();
        last_anchor_seen = check_anchors(head)?;
    }
    if last_anchor_seen {
        Ok(head)
    } else {
        Err(ChainFault::TailRemoved {
            sequence: head.length.saturating_add(1),
        })
    }
}

fn link_hash(previous: Hash256, sequence: u64, record: &str) -> Hash256 {
    sha256(&[&previous.to_string(), &sequence.to_string(), record])
}

/// SHA-256 over the parts, a line feed between each two. Only the last part may hold a line feed itself.
fn sha256(parts: &[&str]) -> Hash256 {
    Hash256::from_bytes(Sha256::digest(parts.join("\n")).into())
}

#[cfg(test)]
mod tests;
