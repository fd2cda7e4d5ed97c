//! Anchors: roots over chain heads that are kept where the database's administrator cannot write, and what they cover.
//!
//! A host builds a [`HeadTree`] over the heads of a tick and publishes its root as an [`Anchor`]. Later an auditor checks an
//! [`EvidenceExport`] against the anchors: for each chain, [`verify_export`] reports what its own hashes, its signatures and the anchors
//! show, and which records each of them covers.
//!
//! What can be detected depends on what the auditor has from outside the database:
//!
//! | with | a history that was rewritten is found if it was rewritten by |
//! |---|---|
//! | nothing | a fault of a program or a disk; **not** by the database's administrator, who can write every hash anew |
//! | the public keys | the administrator without the signing key |
//! | the anchors | anyone, from the record before the first anchor's on, the holder of the signing key included |
//!
//! Records that no anchor covers yet, those of the last tick, are protected only by their signatures.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use time::{Duration, OffsetDateTime};

use crate::{
    chain::{ChainFault, ChainHead, verify_chain},
    hash::Hash256,
    merkle::{HeadTree, InclusionProof},
    signal::SignalKind,
    signed_head::{
        PublicKey, SignatureFault, SignedLink, SignedRecords, TrustedKeys, collected_at,
        verify_signatures,
    },
};

/// How long after its collection a record may still be without an anchor: a sweep has committed by then.
pub const ANCHOR_DELAY: Duration = Duration::hours(24);

/// The root over an MSP's heads of one tick, as it is handed out. One line of JSON in a file of anchors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// Whose heads: the MSP's id.
    pub msp: String,
    /// The MSP's first root is 1. A tick has more than one when a sweep committed after its root was made.
    pub number: u64,
    /// The tick whose sweeps wrote the heads.
    #[serde(with = "time::serde::rfc3339")]
    pub tick: OffsetDateTime,
    /// How many heads.
    pub heads: u64,
    /// The root of their [`HeadTree`].
    pub root: Hash256,
    /// When the root was made, by the host's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// A time stamp by RFC 3161 over [`Anchor::text`], in base64 of its DER, if an authority gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_stamp: Option<String>,
}

impl Anchor {
    /// What a time stamp covers: everything but the host's own time. Times are seconds since 1970.
    ///
    /// ```text
    /// regentra-evidence anchor 1
    /// <msp>
    /// <number>
    /// <tick>
    /// <heads>
    /// <root>
    /// ```
    #[must_use]
    pub fn text(&self) -> String {
        format!(
            "regentra-evidence anchor 1\n{}\n{}\n{}\n{}\n{}",
            self.msp,
            self.number,
            self.tick.unix_timestamp(),
            self.heads,
            self.root
        )
    }

    /// SHA-256 over [`Self::text`]: the message imprint of a time stamp.
    #[must_use]
    pub fn digest(&self) -> Hash256 {
        Hash256::from_bytes(Sha256::digest(self.text()).into())
    }

    /// Whether these are the heads that the anchor is over.
    ///
    /// # Errors
    ///
    /// [`AnchorFault::OtherHeads`] when they are not: heads were changed, added or removed since.
    pub fn covers(&self, heads: impl IntoIterator<Item = ChainHead>) -> Result<(), AnchorFault> {
        let tree = HeadTree::new(heads);
        if tree.len() == self.heads && tree.root() == self.root {
            Ok(())
        } else {
            Err(AnchorFault::OtherHeads {
                number: self.number,
            })
        }
    }
}

/// A file of anchors that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnchorsError {
    /// A line is not an anchor.
    #[error("line {line} is not an anchor")]
    Unreadable {
        /// Its number; the first is 1.
        line: usize,
    },
    /// Two lines give one root of one MSP differently: one of them was not written by the host, its history was rewritten, or its
    /// database was set back to a backup.
    #[error("line {line} gives root {number} otherwise than a line before it")]
    Contradicted {
        /// The number of the later line.
        line: usize,
        /// Which root.
        number: u64,
    },
}

/// What a file of anchors holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnchorFile {
    /// The anchors, by MSP and number.
    pub anchors: Vec<Anchor>,
    /// The numbers of lines that were cut off: their append did not come to its end, and the root was anchored again later.
    pub cut_off: Vec<usize>,
}

/// Reads a file of anchors: one a line, in JSON. An anchor that stands there twice counts once.
///
/// # Errors
///
/// The first [`AnchorsError`]; but for lines that were cut off, none is left out.
pub fn read_anchors(text: &str) -> Result<AnchorFile, AnchorsError> {
    let mut anchors: BTreeMap<(String, u64), Anchor> = BTreeMap::new();
    let mut cut_off = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        if line.starts_with('{') && !line.ends_with('}') {
            cut_off.push(number);
            continue;
        }
        let anchor: Anchor =
            serde_json::from_str(line).map_err(|_| AnchorsError::Unreadable { line: number })?;
        let key = (anchor.msp.clone(), anchor.number);
        match anchors.get_mut(&key) {
            Some(before) if before.text() != anchor.text() => {
                return Err(AnchorsError::Contradicted {
                    line: number,
                    number: anchor.number,
                });
            }
            Some(before) => {
                before.at = before.at.min(anchor.at);
                before.time_stamp = before.time_stamp.take().or(anchor.time_stamp);
            }
            None => {
                anchors.insert(key, anchor);
            }
        }
    }
    Ok(AnchorFile {
        anchors: anchors.into_values().collect(),
        cut_off,
    })
}

/// What anchors say against a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnchorFault {
    /// The heads give another root than the anchor has.
    #[error("the heads under anchor {number} are not those that were anchored")]
    OtherHeads {
        /// Which anchor.
        number: u64,
    },
    /// The chain has another head in this place than the one that was anchored.
    #[error("record {sequence} or one before it is not what was anchored")]
    OtherRecords {
        /// The place of the anchored head.
        sequence: u64,
    },
    /// An anchor that was made more than [`ANCHOR_DELAY`] after the record was collected should cover it, and does not: the
    /// record was written later than it says, or the head that was anchored is gone.
    #[error("record {sequence} is older than anchors that do not cover it")]
    NotCovered {
        /// Its place.
        sequence: u64,
    },
}

/// A chain that its head in the audit trail does not end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no audit row speaks of record {sequence} and those after it")]
pub struct NotInAudit {
    /// The place of the first record that the audit trail does not know.
    pub sequence: u64,
}

/// The first thing that is wrong with an exported chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportFault {
    /// With its hashes.
    #[error(transparent)]
    Chain(#[from] ChainFault),
    /// With the audit trail.
    #[error(transparent)]
    Audit(#[from] NotInAudit),
    /// With its signatures.
    #[error(transparent)]
    Signature(#[from] SignatureFault),
    /// With the anchors.
    #[error(transparent)]
    Anchor(#[from] AnchorFault),
}

/// One chain as it leaves the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedChain {
    /// What tells the chain apart, from which its start is derived: see [`ChainHead::start`].
    pub subject: String,
    /// The signal.
    pub signal: SignalKind,
    /// Every record, in order.
    pub links: Vec<SignedLink>,
    /// The heads of this chain in the customer's audit trail.
    pub audit_heads: Vec<ChainHead>,
    /// That heads of this chain are under roots of the MSP.
    pub proofs: Vec<HeadProof>,
}

/// That one head of a chain is under a root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadProof {
    /// The number of the root.
    pub number: u64,
    /// The head.
    pub head: ChainHead,
    /// The way from the head to the root.
    pub proof: InclusionProof,
}

/// A customer's chains, with everything that verifies them but the anchors and the first public key, which have to come from
/// elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceExport {
    /// [`EXPORT_VERSION`] at the time.
    pub export_version: u32,
    /// Whose roots the proofs are about: the MSP's id.
    pub msp: String,
    /// The host's public keys; each after the first is signed by one before it.
    pub keys: Vec<PublicKey>,
    /// The chains.
    pub chains: Vec<ExportedChain>,
}

/// The shape of the exports written here.
pub const EXPORT_VERSION: u32 = 1;

/// What was found of one chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChainReport {
    /// The chain's subject.
    pub subject: String,
    /// Its signal.
    pub signal: SignalKind,
    /// How many records.
    pub records: u64,
    /// What its signatures cover; nothing when something is wrong with them.
    pub signatures: SignedRecords,
    /// The records from 1 to this one are under an anchor that came from outside; 0 when none is.
    pub anchored: u64,
    /// The anchor that covers them, by its number.
    pub anchor: Option<u64>,
    /// The first thing that is wrong.
    #[serde(serialize_with = "as_text", skip_serializing_if = "Option::is_none")]
    pub fault: Option<ExportFault>,
}

#[expect(clippy::ref_option, reason = "serde gives a reference to the field")]
fn as_text<S: serde::Serializer>(fault: &Option<ExportFault>, to: S) -> Result<S::Ok, S::Error> {
    match fault {
        Some(fault) => to.collect_str(fault),
        None => to.serialize_none(),
    }
}

/// Verifies every chain of an export: its hashes against the audit trail, its signatures with `keys`, its heads against `anchors`.
///
/// Without `keys` no signature is verified; keys of the export count as far as one of `keys` has signed them, directly or through
/// others. Anchors of other MSPs say nothing; of this one each has to be there: leaving some
/// out makes records look uncovered that are not.
#[must_use]
pub fn verify_export(
    export: &EvidenceExport,
    keys: Option<&TrustedKeys>,
    anchors: &[Anchor],
) -> Vec<ChainReport> {
    let keys = keys.map(|keys| {
        let mut keys = keys.clone();
        for key in &export.keys {
            // One that nobody trusted has signed stays unknown, and so does what it signed.
            let _ = keys.add(key.clone());
        }
        keys
    });
    let anchors: BTreeMap<u64, &Anchor> = anchors
        .iter()
        .filter(|anchor| anchor.msp == export.msp)
        .map(|anchor| (anchor.number, anchor))
        .collect();
    export
        .chains
        .iter()
        .map(|chain| {
            let mut report = ChainReport {
                subject: chain.subject.clone(),
                signal: chain.signal,
                records: chain.links.len() as u64,
                signatures: SignedRecords::default(),
                anchored: 0,
                anchor: None,
                fault: None,
            };
            report.fault = verify(chain, keys.as_ref(), &anchors, &mut report).err();
            report
        })
        .collect()
}

fn verify(
    chain: &ExportedChain,
    keys: Option<&TrustedKeys>,
    anchors: &BTreeMap<u64, &Anchor>,
    report: &mut ChainReport,
) -> Result<(), ExportFault> {
    let start = ChainHead::start(&chain.subject, chain.signal);
    let links = || chain.links.iter().map(|signed| &signed.link);
    let head = verify_chain(start, links(), &chain.audit_heads)?;
    if !chain.audit_heads.contains(&head) {
        let known = chain.audit_heads.iter().map(|head| head.length).max();
        let sequence = known.unwrap_or_default().saturating_add(1);
        return Err(NotInAudit { sequence }.into());
    }
    report.signatures = verify_signatures(&chain.links, keys)?;

    // When each length was first anchored.
    let mut anchored_at: BTreeMap<u64, OffsetDateTime> = BTreeMap::new();
    for HeadProof {
        number,
        head,
        proof,
    } in &chain.proofs
    {
        let Some(anchor) = anchors.get(number) else {
            continue;
        };
        if proof.size != anchor.heads || proof.root(*head) != Some(anchor.root) {
            return Err(AnchorFault::OtherHeads { number: *number }.into());
        }
        // Places follow each other without a gap, as was verified above.
        let place = head.length.checked_sub(1).map(usize::try_from);
        let link = place.and_then(|place| chain.links.get(place.ok()?));
        if link.is_none_or(|signed| signed.link.head() != *head) {
            return Err(AnchorFault::OtherRecords {
                sequence: head.length,
            }
            .into());
        }
        let first = anchored_at.entry(head.length).or_insert(anchor.at);
        *first = anchor.at.min(*first);
        if head.length > report.anchored {
            report.anchored = head.length;
            report.anchor = Some(*number);
        }
    }
    // A later head covers every record before it: its time counts for them, too.
    let mut earliest = None;
    for at in anchored_at.values_mut().rev() {
        let at_or_before = earliest.map_or(*at, |earliest: OffsetDateTime| earliest.min(*at));
        (*at, earliest) = (at_or_before, Some(at_or_before));
    }
    let mut made: Vec<OffsetDateTime> = anchors.values().map(|anchor| anchor.at).collect();
    made.sort_unstable();
    for link in links() {
        // What cannot be read could be of any time: every anchor should cover it.
        let collected_at = collected_at(&link.record).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let late = collected_at
            .checked_add(ANCHOR_DELAY)
            .unwrap_or(collected_at);
        let Some(due) = made.get(made.partition_point(|at| *at <= late)) else {
            continue;
        };
        let covered = anchored_at.range(link.sequence..).next();
        if covered.is_none_or(|(_, at)| at > due) {
            return Err(AnchorFault::NotCovered {
                sequence: link.sequence,
            }
            .into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
