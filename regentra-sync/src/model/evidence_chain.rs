//! Evidence records in a customer's tenant.
//!
//! [`regentra_evidence`] defines a record and how a chain of records is verified ([`EvidenceRecord`], [`verify_chain`]). This module
//! defines which chain a record belongs to: there is one for each (compliance organization, mapping, signal). The audit row of a sweep
//! holds the head of each chain that the sweep wrote, signed if the host has a signing key. The head is also among the MSP's heads, whose
//! roots are [anchored](crate::host::anchor_sink) outside if the host has a sink.
//!
//! The chain and the audit row are in one database. They reveal faults of a program or a disk, but no change by the database's
//! administrator; signatures and anchors do.
//!
//! [`verify_chain`]: regentra_evidence::verify_chain

use regentra_evidence::{
    ChainHead, ChainLink, EvidenceRecord, FactsDigest, HeadSignature, HeadSigner, RecordError,
    Rules, Signal, SignalKind, SignedLink,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{ahead::is_ahead, id::EventId, mapping::MappingId, tenant::ComplianceOrgId};

/// The head of a chain before its first record. It is derived from the customer, mapping and signal of the chain, so a chain cannot be
/// passed off as another customer's.
#[must_use]
pub fn chain_start(customer: ComplianceOrgId, mapping: MappingId, signal: SignalKind) -> ChainHead {
    ChainHead::start(&chain_subject(customer, mapping), signal)
}

/// The subject of a customer's chains of one mapping, as [`ChainHead::start`] takes it.
#[must_use]
pub fn chain_subject(customer: ComplianceOrgId, mapping: MappingId) -> String {
    format!("{customer}/{mapping}")
}

/// The mapping of a [`chain_subject`].
#[must_use]
pub fn mapping_of(subject: &str) -> Option<MappingId> {
    subject.split_once('/')?.1.parse().ok()
}

/// One record in its chain, as a store keeps it: never changed, never deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceRow {
    /// The mapping it is about.
    pub mapping: MappingId,
    /// The signal it is about.
    pub signal: SignalKind,
    /// The sweep that wrote it.
    pub event: EventId,
    /// The record's place in the chain, its canonical text, and its hash.
    #[serde(flatten)]
    pub link: ChainLink,
    /// The signature of the chain's head after this record; `None` if the host that wrote the record had no signing key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<HeadSignature>,
    /// When the store committed the record, by the store's clock. This time is stored beside the record and not hashed with it. `None`
    /// before the commit, and for records from releases that did not store this time.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub committed_at: Option<OffsetDateTime>,
}

impl EvidenceRow {
    /// The next record of a chain that ends in `head`, signed by `signer` if there is one.
    ///
    /// # Errors
    /// [`RecordError::Unwritable`] when a time of the signal cannot be written.
    pub fn append(
        head: ChainHead,
        mapping: MappingId,
        event: EventId,
        signal: &Signal,
        rules: &Rules,
        facts: FactsDigest,
        signer: Option<&HeadSigner>,
    ) -> Result<Self, RecordError> {
        let mut record = EvidenceRecord::new(signal.clone(), rules, facts);
        if let Some(signer) = signer {
            record = record.signed_by(signer.id().clone());
        }
        let link = head.append(record.canonical()?);
        Ok(Self {
            mapping,
            signal: signal.kind(),
            event,
            signature: signer.map(|signer| signer.sign(link.head())),
            link,
            committed_at: None,
        })
    }

    /// The record as an auditor gets it.
    #[must_use]
    pub fn into_signed_link(self) -> SignedLink {
        SignedLink {
            link: self.link,
            signature: self.signature,
        }
    }
}

/// A fault in the times of a chain, which its hashes do not show. The cause is a wrong clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimeFault {
    /// The signal was collected before the signal of the previous record.
    #[error("record {sequence} was collected before the record that it follows")]
    CollectedBackwards {
        /// The place of the record.
        sequence: u64,
    },
    /// The record was committed before the previous record.
    #[error("record {sequence} was committed before the record that it follows")]
    CommittedBackwards {
        /// The place of the record.
        sequence: u64,
    },
    /// The signal was collected after the record was committed.
    #[error("record {sequence} says it was collected after it was committed")]
    CollectedAhead {
        /// The place of the record.
        sequence: u64,
    },
    /// The record cannot be read, so its times are unknown.
    #[error("record {sequence} cannot be read, so its time is not known")]
    Unreadable {
        /// The place of the record.
        sequence: u64,
    },
}

/// Finds the times of one chain that run backwards, or that lay in the future when their record was committed. `rows` are the chain, or a
/// part of it, in order. A time fault does not mean that a record was changed: [`verify_chain`] finds changes.
///
/// [`verify_chain`]: regentra_evidence::verify_chain
#[must_use]
pub fn verify_times(rows: &[EvidenceRow]) -> Vec<TimeFault> {
    let mut faults = Vec::new();
    let (mut last_collected, mut last_committed) = (None, None);
    for row in rows {
        let sequence = row.link.sequence;
        match EvidenceRecord::parse(&row.link.record) {
            Err(_) => faults.push(TimeFault::Unreadable { sequence }),
            Ok(record) => {
                let collected = record.signal.collected_at;
                if last_collected.is_some_and(|last| collected < last) {
                    faults.push(TimeFault::CollectedBackwards { sequence });
                }
                if row
                    .committed_at
                    .is_some_and(|committed| is_ahead(collected, committed))
                {
                    faults.push(TimeFault::CollectedAhead { sequence });
                }
                last_collected = Some(collected);
            }
        }
        if let Some(committed) = row.committed_at {
            if last_committed.is_some_and(|last| committed < last) {
                faults.push(TimeFault::CommittedBackwards { sequence });
            }
            last_committed = Some(committed);
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};

    use super::*;
    use crate::store::conformance::world::{facts, signal};

    const THEN: OffsetDateTime = datetime!(2026-11-23 06:30 UTC);

    /// A chain whose records were collected and committed the given minutes after [`THEN`].
    fn chain(times: &[(i64, Option<i64>)]) -> Vec<EvidenceRow> {
        let (customer, mapping) = (
            ComplianceOrgId::from_uuid(uuid::Uuid::from_u128(1)),
            MappingId::from_uuid(uuid::Uuid::from_u128(2)),
        );
        let kind = SignalKind::DeviceInventory;
        let mut head = chain_start(customer, mapping, kind);
        let mut rows = Vec::new();
        for (number, (collected, committed)) in times.iter().enumerate() {
            let event = EventId::of_request("chain", &number.to_string());
            let at = |minutes: i64| THEN + Duration::minutes(minutes);
            let signal = signal(kind, regentra_evidence::Status::Pass, at(*collected));
            let rules = Rules::default();
            let row =
                EvidenceRow::append(head, mapping, event, &signal, &rules, facts(), None).unwrap();
            head = row.link.head();
            rows.push(EvidenceRow {
                committed_at: committed.map(at),
                ..row
            });
        }
        rows
    }

    #[test]
    fn times_that_run_backwards_are_named() {
        let day = 24 * 60;
        for (times, expected) in [
            (&[(0, Some(1)), (0, Some(1)), (360, Some(362))][..], vec![]),
            (&[(0, None), (360, None), (720, Some(721))], vec![]),
            (
                &[(0, Some(1)), (20 * day, Some(360)), (720, Some(721))],
                vec![
                    TimeFault::CollectedAhead { sequence: 2 },
                    TimeFault::CollectedBackwards { sequence: 3 },
                ],
            ),
            (
                &[(0, Some(1)), (360, Some(361)), (365, Some(300))],
                vec![
                    TimeFault::CollectedAhead { sequence: 3 },
                    TimeFault::CommittedBackwards { sequence: 3 },
                ],
            ),
        ] {
            assert_eq!(verify_times(&chain(times)), expected, "{times:?}");
        }
    }

    #[test]
    fn a_record_that_cannot_be_read_is_named_and_the_others_are_looked_at() {
        let mut rows = chain(&[(0, Some(1)), (5, Some(6)), (-60, Some(7))]);
        rows[1].link.record = "{".to_owned();
        let expected = vec![
            TimeFault::Unreadable { sequence: 2 },
            TimeFault::CollectedBackwards { sequence: 3 },
        ];
        assert_eq!(verify_times(&rows), expected);
    }
}
