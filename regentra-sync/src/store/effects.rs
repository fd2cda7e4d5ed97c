//! The changes that commits make to rows they do not carry, as pure functions from the old rows to the new ones.
//!
//! A store in memory calls these functions; a store over SQL may express the same changes as statements. The laws of `conformance!` check
//! both.
//!
//! | commit | effects |
//! |---|---|
//! | [`commit_disconnect`] | [`disconnected`] of the credential; pending authorizations that [`is_revoked`] are deleted; [`EndedMappings`] of all its mappings, whatever their state; [`customer_rows`] |
//! | [`commit_mapping`] | [`decided`] of the mapping; if it was mapped before, [`EndedMappings`] of it |
//! | [`commit_sweep`] | an [`evidence_head`] of each evidence row; [`first_evidence_synced_at`] of the mapping; [`tick_to_come`] of each tick of the MSP |
//! | [`commit_root`] | the heads of its tick that are under no root are under this one |
//! | [`commit_delivery`] | with a reference, the ticket has it (the version plus one) |
//!
//! Every other commit writes what it carries and nothing else. When mappings end, their
//! [`SignatureRecords`](crate::model::SignatureRecords) are deleted; the mappings themselves, the settings, tickets, signals and evidence
//! stay as they are.
//!
//! [`commit_disconnect`]: super::Connections::commit_disconnect
//! [`commit_mapping`]: super::Mappings::commit_mapping
//! [`commit_sweep`]: super::Evidence::commit_sweep
//! [`commit_root`]: super::Anchors::commit_root
//! [`commit_delivery`]: super::Tickets::commit_delivery

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;

use super::evidence::StoredSignal;
use crate::model::{
    Asset, AssetStatus, AuditRow, CompanyId, ComplianceOrgId, Credential, CredentialId, EventId,
    EvidenceHead, EvidenceRow, Mapping, MappingId, MappingState, NoteReason, OutboxRow, RegionKey,
    Source, StoredAuthorization, Ticket, TicketState, TicketTick, is_ahead, reactivate_superseded,
};

/// The credential after a disconnect at `at`: not active, without sealed columns, its generation plus one. Because it is not active,
/// another connection may use its fingerprint.
#[must_use]
pub fn disconnected(stored: Credential, at: OffsetDateTime) -> Credential {
    Credential {
        secrets: None,
        is_active: false,
        disconnected_at: Some(at),
        generation: stored.generation.next(),
        ..stored
    }
}

/// Whether a disconnect of this region deletes this pending authorization of the MSP: a pending authorization also holds a sealed client
/// secret.
#[must_use]
pub fn is_revoked(pending: &StoredAuthorization, region: &RegionKey) -> bool {
    pending.region == *region
}

/// The effects of ending mappings. A disconnect ends all mappings of its credential; a new decision about a mapped organization ends its
/// mapping.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndedMappings {
    /// The assets that replace the stored ones.
    pub assets: Vec<Asset>,
    /// Notes for the outbox, one for each open ticket of these mappings.
    pub notes: Vec<OutboxRow>,
}

impl EndedMappings {
    /// Ends `mappings` at `at`, for an MSP with these assets and tickets.
    ///
    /// Retires every active NinjaOne asset of the mappings: the version plus one, `updated_at` = `at`. [`reactivate_superseded`] changes
    /// the assets that a retired one superseded.
    #[must_use]
    pub fn of<'a>(
        mappings: &BTreeSet<MappingId>,
        assets: impl IntoIterator<Item = &'a Asset> + Clone,
        tickets: impl IntoIterator<Item = &'a Ticket>,
        event: EventId,
        reason: NoteReason,
        at: OffsetDateTime,
    ) -> Self {
        let is_of_mappings = |asset: &Asset| asset.mapping.is_some_and(|id| mappings.contains(&id));
        let ends = |asset: &&Asset| {
            asset.source == Source::Ninjaone
                && asset.status == AssetStatus::Active
                && is_of_mappings(asset)
        };
        let retire = |asset: &Asset| Asset {
            status: AssetStatus::Retired,
            version: asset.version.next(),
            updated_at: at,
            ..asset.clone()
        };
        let retired = assets.clone().into_iter().filter(ends).map(retire);
        let mut written: Vec<_> = retired.collect();
        let ids: BTreeSet<_> = written.iter().map(|asset| asset.id).collect();
        let is_superseded = |asset: &&Asset| {
            let superseding = asset.status.superseded_by();
            superseding.is_some_and(|superseding| ids.contains(&superseding))
        };
        let superseded = assets.into_iter().filter(is_superseded).cloned();
        written.extend(reactivate_superseded(superseded.collect(), at));

        let is_open = |ticket: &&Ticket| {
            ticket.state == TicketState::Open && mappings.contains(&ticket.key.mapping)
        };
        let open = tickets.into_iter().filter(is_open);
        Self {
            assets: written,
            notes: open
                .map(|ticket| OutboxRow::note(event, ticket, reason, at))
                .collect(),
        }
    }
}

/// The rows that a disconnect appends to the customers' trails: one for **every** compliance organization to which a company mapped under
/// this credential was promoted. A row counts the organization's mappings under this credential and their current signals.
///
/// `mappings` are those of the credential. `promoted_to` returns the organization that a company was promoted to. `current_signals` returns
/// what [`current_signals`](super::Evidence::current_signals) returns at the time of the disconnect.
#[must_use]
pub fn customer_rows<'a>(
    disconnect: &AuditRow,
    credential: CredentialId,
    mappings: impl IntoIterator<Item = &'a Mapping>,
    promoted_to: impl Fn(CompanyId) -> Option<ComplianceOrgId>,
    current_signals: impl Fn(ComplianceOrgId) -> Vec<StoredSignal>,
) -> Vec<(ComplianceOrgId, AuditRow)> {
    let mut of_customers: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for mapping in mappings {
        if let Some(customer) = mapping.state.company().and_then(&promoted_to) {
            of_customers.entry(customer).or_default().insert(mapping.id);
        }
    }
    let row = |(customer, mappings): (ComplianceOrgId, BTreeSet<MappingId>)| {
        let current = current_signals(customer);
        let current = current.iter().filter(|row| mappings.contains(&row.mapping));
        let (mappings, current) = (mappings.len() as u64, current.count() as u64);
        let row =
            AuditRow::customer_disconnected(disconnect, customer, credential, mappings, current);
        (customer, row)
    };
    of_customers.into_iter().map(row).collect()
}

/// The mapping after a decision: the new state, the version plus one, no suggestion, and dry runs begin again.
#[must_use]
pub fn decided(stored: Mapping, state: MappingState) -> Mapping {
    Mapping {
        state,
        version: stored.version.next(),
        suggestion: None,
        first_evidence_synced_at: None,
        ..stored
    }
}

/// The head of an evidence row that a sweep of `tick` appends to a chain of `customer`. The head is under no root.
#[must_use]
pub fn evidence_head(
    customer: ComplianceOrgId,
    row: &EvidenceRow,
    tick: OffsetDateTime,
) -> EvidenceHead {
    EvidenceHead {
        customer,
        mapping: row.mapping,
        signal: row.signal,
        length: row.link.sequence,
        hash: row.link.hash,
        tick,
        root: None,
    }
}

/// The mapping's `first_evidence_synced_at` after a sweep: the stored time, unless it lies ahead of the store's clock and the sweep carries
/// another.
#[must_use]
pub fn first_evidence_synced_at(
    stored: Option<OffsetDateTime>,
    carried: Option<OffsetDateTime>,
    store_time: OffsetDateTime,
) -> Option<OffsetDateTime> {
    let present = stored.filter(|at| !is_ahead(*at, store_time));
    present.or(carried).or(stored)
}

/// The new row for a tick that lies ahead of the store's clock and in which tickets were opened, because a clock ran ahead: no ticket
/// opened, the version plus one. `None` for any other tick, which stays as it is.
#[must_use]
pub fn tick_to_come(tick: &TicketTick, store_time: OffsetDateTime) -> Option<TicketTick> {
    let is_to_come = tick.opened > 0 && is_ahead(tick.scheduled_at, store_time);
    is_to_come.then(|| TicketTick {
        opened: 0,
        version: tick.version.next(),
        ..tick.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{SignalKey, Version},
        regentra_evidence::SignalKind,
        store::{
            Connections as _, MemoryStore,
            conformance::world::{World, at},
        },
    };

    #[tokio::test]
    async fn the_end_of_a_mapping_changes_its_own_active_assets_and_those_they_superseded() {
        let store = MemoryStore::new();
        let world = World::new(&store, 1).await;
        let ours = world.asset(Source::Ninjaone, "1");
        let another_mapping = Asset {
            mapping: Some(MappingId::from_uuid(uuid::Uuid::from_u128(77))),
            ..world.asset(Source::Ninjaone, "2")
        };
        let another_source = Asset {
            mapping: Some(world.mapping.id),
            ..world.asset(Source::Level, "3")
        };
        let retired = Asset {
            status: AssetStatus::Retired,
            ..world.asset(Source::Ninjaone, "4")
        };
        let superseded = Asset {
            status: AssetStatus::Superseded { by: ours.id },
            ..world.asset(Source::Level, "5")
        };
        let elsewhere = Asset {
            status: AssetStatus::Superseded {
                by: another_mapping.id,
            },
            ..world.asset(Source::Level, "6")
        };
        let open = world.ticket("a", SignalKind::PatchSla);
        let closed = Ticket {
            state: TicketState::Closed,
            ..world.ticket("b", SignalKind::DiskEncryption)
        };
        let of_another = Ticket {
            key: SignalKey {
                mapping: MappingId::from_uuid(uuid::Uuid::from_u128(77)),
                ..open.key
            },
            ..world.ticket("c", SignalKind::PatchSla)
        };
        let event = world.event("end");
        let ended = EndedMappings::of(
            &BTreeSet::from([world.mapping.id]),
            &[
                ours.clone(),
                another_mapping,
                another_source,
                retired,
                superseded.clone(),
                elsewhere,
            ],
            &[open.clone(), closed, of_another],
            event,
            NoteReason::Unmapped,
            at(9),
        );
        let written: Vec<_> = ended
            .assets
            .iter()
            .map(|asset| (asset.id, asset.status, asset.version, asset.updated_at))
            .collect();
        assert_eq!(
            written,
            [
                (ours.id, AssetStatus::Retired, ours.version.next(), at(9)),
                (
                    superseded.id,
                    AssetStatus::Active,
                    superseded.version.next(),
                    at(9)
                ),
            ]
        );
        let note = OutboxRow::note(event, &open, NoteReason::Unmapped, at(9));
        assert_eq!(ended.notes, [note]);
    }

    #[tokio::test]
    async fn a_disconnected_credential_keeps_nothing_sealed() {
        let store = MemoryStore::new();
        let world = World::new(&store, 1).await;
        let found = store.credential(world.msp, world.credential.id).await;
        let stored = found.unwrap().unwrap();
        let after = disconnected(stored.clone(), at(3));
        assert!(stored.secrets.is_some() && stored.is_active);
        assert_eq!((&after.secrets, after.is_active), (&None, false));
        assert_eq!(after.disconnected_at, Some(at(3)));
        assert_eq!(after.generation, stored.generation.next());
        assert_eq!(after.connected_at, stored.connected_at);
    }

    #[test]
    fn the_first_evidence_time_stays_unless_it_lies_ahead() {
        let ahead = at(60);
        for (stored, carried, then) in [
            (None, None, None),
            (None, Some(at(5)), Some(at(5))),
            (Some(at(1)), Some(at(5)), Some(at(1))),
            (Some(at(1)), None, Some(at(1))),
            (Some(ahead), Some(at(5)), Some(at(5))),
            (Some(ahead), None, Some(ahead)),
        ] {
            assert_eq!(first_evidence_synced_at(stored, carried, at(5)), then);
        }
    }

    #[test]
    fn a_tick_to_come_has_opened_no_ticket() {
        let tick = |minutes, opened| TicketTick {
            opened,
            digests: 1,
            version: Version::FIRST,
            ..TicketTick::new(at(minutes))
        };
        for (stored, is_changed) in [
            (tick(60, 2), true),
            (tick(60, 0), false),
            (tick(5, 2), false),
            (tick(0, 2), false),
        ] {
            let then = tick_to_come(&stored, at(5));
            let changed = TicketTick {
                opened: 0,
                version: stored.version.next(),
                ..stored.clone()
            };
            assert_eq!(then, is_changed.then_some(changed), "{stored:?}");
        }
    }
}
