//! The rules of a store that depend only on rows and times, as functions. Most of them define the changes that a commit makes to rows it
//! does not carry.
//!
//! A store in memory calls these functions; a store over SQL may express the same rules as statements. The laws of `conformance!` check
//! both.
//!
//! | commit | rules |
//! |---|---|
//! | [`commit_disconnect`] | [`disconnected`] of the credential; pending authorizations that [`is_revoked`] are deleted; [`EndedMappings`] of all its mappings, whatever their state; [`customer_rows`] |
//! | [`commit_discovery`] | [`seen`] of each mapping whose organization has a change |
//! | [`commit_mapping`] | [`decided`] of the mapping; if it was mapped before, [`EndedMappings`] of it |
//! | [`commit_assets`] | the precondition [`superseding_assets_are_active`] |
//! | [`commit_sweep`] | whether a stored outbox row [`is_replaced_by`] the one with its id; an [`evidence_head`] of each evidence row; [`first_evidence_synced_at`] of the mapping; [`tick_to_come`] of each tick of the MSP |
//! | [`commit_root`] | the heads of its tick that are under no root are under this one |
//! | [`commit_delivery`] | [`delivered`] of the ticket |
//!
//! Every other commit writes what it carries and nothing else. When mappings end, their
//! [`SignatureRecords`](crate::model::SignatureRecords) are deleted; the mappings themselves, the settings, tickets, signals and evidence
//! stay as they are.
//!
//! | other methods | rules |
//! |---|---|
//! | [`Runs::take_lease`] and every method that takes a [`Lease`]; [`Runs::rows_ahead`] | [`StoredLease`] |
//! | [`Budget::spend`], [`Budget::budget_wait`], [`Budget::budget_usage`] | [`spend`], [`budget_wait`], [`budget_usage`], [`budget_kept`] |
//! | [`Evidence::sweep_state`], [`Evidence::current_signals`] | [`last_present`] |
//! | [`Tickets::outbox`] | [`OutboxRow::is_due`] |
//! | [`Mappings::mapping_counts`], [`Tickets::ticket_counts`] | [`mapping_counts`], [`ticket_counts`] |
//!
//! [`Budget::budget_usage`]: super::Budget::budget_usage
//! [`Budget::budget_wait`]: super::Budget::budget_wait
//! [`Budget::spend`]: super::Budget::spend
//! [`Evidence::current_signals`]: super::Evidence::current_signals
//! [`Evidence::sweep_state`]: super::Evidence::sweep_state
//! [`Mappings::mapping_counts`]: super::Mappings::mapping_counts
//! [`Runs::rows_ahead`]: super::Runs::rows_ahead
//! [`Runs::take_lease`]: super::Runs::take_lease
//! [`Tickets::outbox`]: super::Tickets::outbox
//! [`Tickets::ticket_counts`]: super::Tickets::ticket_counts
//! [`commit_disconnect`]: super::Connections::commit_disconnect
//! [`commit_discovery`]: super::Mappings::commit_discovery
//! [`commit_mapping`]: super::Mappings::commit_mapping
//! [`commit_assets`]: super::Assets::commit_assets
//! [`commit_sweep`]: super::Evidence::commit_sweep
//! [`commit_root`]: super::Anchors::commit_root
//! [`commit_delivery`]: super::Tickets::commit_delivery

use std::collections::{BTreeMap, BTreeSet};

use time::{Duration, OffsetDateTime};

use super::{
    assets::AssetWrite,
    commit::Precondition,
    evidence::StoredSignal,
    mappings::{MappingCounts, MappingFilter, SeenOrganization},
    tickets::{TicketCounts, TicketFilter},
};
use crate::model::{
    Asset, AssetStatus, AuditRow, BudgetUsage, CompanyId, ComplianceOrgId, Credential,
    CredentialId, EventId, EvidenceHead, EvidenceRow, Fence, Lease, Mapping, MappingId,
    MappingState, NoteReason, OutboxAction, OutboxRow, RegionKey, Sensitive, Source, Spend,
    StoredAuthorization, Ticket, TicketState, TicketTick, Window, WorkerId, is_ahead,
    reactivate_superseded,
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

/// The mapping after a discovery saw a change of its organization: the new name and `missing_since`. It has the new suggestion only if its
/// state is pending review, because a person may have decided meanwhile.
#[must_use]
pub fn seen(stored: &Mapping, organization: SeenOrganization) -> Mapping {
    let SeenOrganization {
        mapping: _,
        name,
        suggestion,
        missing_since,
    } = organization;
    let suggestion = match stored.state {
        MappingState::PendingReview => suggestion,
        MappingState::Mapped { .. } | MappingState::Ignored => stored.suggestion,
    };
    Mapping {
        name,
        suggestion,
        missing_since,
        ..*stored
    }
}

/// The mapping after a decision: the new state, the version plus one, and no suggestion. Its sweeps are dry runs again.
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

/// Whether `writes` leave every superseded asset that they concern with an active superseding asset of the same MSP. `stored` holds all
/// assets of the MSP. The writes concern the assets that they write, and the assets that a written asset supersedes.
#[must_use]
pub fn superseding_assets_are_active<'a>(
    stored: impl Iterator<Item = &'a Asset> + Clone,
    writes: &[AssetWrite],
) -> bool {
    let written = writes.iter().map(|write| (write.id(), write.asset.status));
    let written: BTreeMap<_, _> = written.collect();
    let kept = stored.filter(|asset| !written.contains_key(&asset.id));
    let kept = kept.map(|asset| (asset.id, asset.status));
    let after = kept.chain(written.iter().map(|(id, status)| (*id, *status)));
    let superseding = after.clone().filter_map(|(id, status)| {
        let by = status.superseded_by()?;
        let is_concerned = written.contains_key(&id) || written.contains_key(&by);
        is_concerned.then_some(by)
    });
    let superseding: BTreeSet<_> = superseding.collect();
    let active = after.filter(|(_, status)| *status == AssetStatus::Active);
    let active = active.filter(|(id, _)| superseding.contains(id));
    active.count() == superseding.len()
}

/// Whether a stored outbox row is replaced by `row`, which a sweep writes under the same id. A digest replaces the stored one and keeps its
/// place. Any other row is not written, and the stored one stays as it is.
///
/// # Errors
/// [`Precondition::TicketTick`] when `row` is a digest and the stored one was delivered.
pub fn is_replaced_by(stored: &OutboxRow, row: &OutboxRow) -> Result<bool, Precondition> {
    let is_digest = matches!(row.action, OutboxAction::Digest { .. });
    if is_digest && stored.delivered_at.is_some() {
        return Err(Precondition::TicketTick);
    }
    Ok(is_digest)
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

/// The ticket after a row about it was delivered: with a reference, the ticket has it, and the version plus one.
#[must_use]
pub fn delivered(stored: Ticket, reference: Option<Sensitive>) -> Ticket {
    let Some(reference) = reference else {
        return stored;
    };
    Ticket {
        reference: Some(reference),
        version: stored.version.next(),
        ..stored
    }
}

/// The signal that counts among those of one (mapping, signal), given in the order of their commits: the last one that does not lie ahead
/// of the store's clock.
#[must_use]
pub fn last_present(signals: &[StoredSignal], store_time: OffsetDateTime) -> Option<&StoredSignal> {
    let is_present = |stored: &&StoredSignal| !is_ahead(stored.signal.collected_at, store_time);
    signals.iter().rev().find(is_present)
}

/// The mappings that match, counted by decision, and how many of them NinjaOne no longer lists.
#[must_use]
pub fn mapping_counts<'a>(
    mappings: impl IntoIterator<Item = &'a Mapping>,
    filter: &MappingFilter,
) -> MappingCounts {
    let mut counts = MappingCounts::default();
    for mapping in mappings {
        if filter.matches(mapping) {
            match mapping.state {
                MappingState::PendingReview => counts.pending_review += 1,
                MappingState::Mapped { .. } => counts.mapped += 1,
                MappingState::Ignored => counts.ignored += 1,
            }
            counts.missing += u64::from(mapping.missing_since.is_some());
        }
    }
    counts
}

/// The tickets that match, counted by state.
#[must_use]
pub fn ticket_counts<'a>(
    tickets: impl IntoIterator<Item = &'a Ticket>,
    filter: &TicketFilter,
) -> TicketCounts {
    let mut counts = TicketCounts::default();
    for ticket in tickets {
        if filter.matches(ticket) {
            match ticket.state {
                TicketState::Open => counts.open += 1,
                TicketState::Closed => counts.closed += 1,
            }
        }
    }
    counts
}

/// A lease as a store keeps it, from the first taking on. It is kept when it is released, because the next taking raises its fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredLease {
    /// Who holds the lease; `None` once it is released.
    pub worker: Option<WorkerId>,
    /// The fence of the last taking.
    pub fence: Fence,
    /// When the lease expires.
    pub expires_at: OffsetDateTime,
    /// The length that it was last taken or renewed for.
    pub length: Duration,
}

impl StoredLease {
    /// The lease after `worker` takes it at `now`. `None` if another worker holds it and it has not expired. `stored` is `None` if it was
    /// never taken.
    #[must_use]
    pub fn taken(
        stored: Option<Self>,
        worker: WorkerId,
        length: Duration,
        now: OffsetDateTime,
    ) -> Option<Self> {
        let is_anothers = stored.is_some_and(|stored| {
            let has_expired = stored.expires_at <= now || stored.is_ahead(now);
            stored.worker.is_some_and(|holder| holder != worker) && !has_expired
        });
        (!is_anothers).then(|| Self {
            worker: Some(worker),
            fence: stored.map_or(Fence::FIRST, |stored| stored.fence.next()),
            expires_at: now.saturating_add(length),
            length,
        })
    }

    /// Whether the lease is held and ends later than twice its own length from `now`. A clock that ran ahead took it, and it counts as
    /// expired.
    #[must_use]
    pub fn is_ahead(&self, now: OffsetDateTime) -> bool {
        let latest = now.saturating_add(self.length.saturating_mul(2));
        self.worker.is_some() && self.expires_at > latest
    }

    /// Whether the worker of `lease` holds it under the fence of `lease`. A lease that expired is still held until another run takes it.
    #[must_use]
    pub fn is_held_under(&self, lease: &Lease) -> bool {
        self.worker == Some(lease.worker) && self.fence == lease.fence
    }
}

/// Counts a request that starts at `now`, if every window has room.
///
/// `started` holds the times at which the requests to one NinjaOne tenant started, the oldest first. Times ahead of `now` become `now`,
/// whatever the function returns. Times that are no longer needed ([`budget_kept`]) are removed when a request is counted.
#[must_use]
pub fn spend(started: &mut Vec<OffsetDateTime>, windows: &[Window], now: OffsetDateTime) -> Spend {
    for ahead in started.iter_mut().rev().take_while(|at| **at > now) {
        *ahead = now;
    }
    if let Some(retry_after) = budget_wait(started, windows, now) {
        return Spend::Exhausted { retry_after };
    }
    let before = now.saturating_sub(budget_kept(windows));
    let removed = started.partition_point(|at| *at <= before);
    started.drain(..removed);
    started.push(now);
    Spend::Granted
}

/// How long until every window has room, for requests that started at these times, the oldest first; `None` if every window has room now.
///
/// A window is full when it holds as many requests as its limit. It has room again when the oldest of these requests leaves it. A window
/// with a limit of 0 never has room, and its length is reported. A time ahead of `now` counts as `now`.
#[must_use]
pub fn budget_wait(
    started: &[OffsetDateTime],
    windows: &[Window],
    now: OffsetDateTime,
) -> Option<Duration> {
    let waits = windows.iter().filter_map(|window| {
        let Some(newer) = window.limit.checked_sub(1) else {
            return Some(window.length);
        };
        let leaves_first = started.iter().rev().nth(newer as usize)?;
        let wait = now.min(*leaves_first).saturating_add(window.length) - now;
        wait.is_positive().then_some(wait)
    });
    waits.max()
}

/// How long a store keeps the times of requests: an hour, or the longest of the windows if that is longer.
#[must_use]
pub fn budget_kept(windows: &[Window]) -> Duration {
    let lengths = windows.iter().map(|window| window.length);
    lengths.fold(Duration::HOUR, Duration::max)
}

/// How many of the requests that started at these times, the oldest first, started within the last minute and the last hour before `now`,
/// and how many are stamped ahead of it.
#[must_use]
pub fn budget_usage(started: &[OffsetDateTime], now: OffsetDateTime) -> BudgetUsage {
    let after = |time: OffsetDateTime| {
        let until_then = started.partition_point(|at| *at <= time);
        u32::try_from(started.len().saturating_sub(until_then)).unwrap_or(u32::MAX)
    };
    BudgetUsage {
        last_minute: after(now.saturating_sub(Duration::MINUTE)),
        last_hour: after(now.saturating_sub(Duration::HOUR)),
        ahead: after(now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{LeaseKey, SignalKey, Version},
        regentra_evidence::{SignalKind, Status},
        store::{
            Connections as _, MemoryStore,
            conformance::world::{World, at, signal},
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
    fn a_discovery_suggests_only_while_nobody_has_decided() {
        let store = MemoryStore::new();
        let world = World::empty(&store, 1);
        let company = world.company.id;
        for (state, suggestion) in [
            (MappingState::PendingReview, Some(company)),
            (MappingState::Mapped { company }, None),
            (MappingState::Ignored, None),
        ] {
            let stored = Mapping {
                state,
                ..world.mapping.clone()
            };
            let organization = SeenOrganization {
                mapping: stored.id,
                name: "renamed".into(),
                suggestion: Some(company),
                missing_since: Some(at(4)),
            };
            let expected = Mapping {
                name: "renamed".into(),
                suggestion,
                missing_since: Some(at(4)),
                ..stored.clone()
            };
            assert_eq!(seen(&stored, organization), expected);
        }
    }

    #[test]
    fn a_superseded_asset_has_an_active_superseding_one() {
        let store = MemoryStore::new();
        let world = World::empty(&store, 1);
        let active = world.asset(Source::Ninjaone, "1");
        let retired = Asset {
            status: AssetStatus::Retired,
            ..active.clone()
        };
        let reactivated = world.asset(Source::Level, "2");
        let superseded = Asset {
            status: AssetStatus::Superseded { by: active.id },
            ..reactivated.clone()
        };
        let another = world.asset(Source::Intune, "3");
        let cases: [(&[&Asset], &[&Asset], bool); 9] = [
            (&[], &[], true),
            (&[], &[&active, &superseded], true),
            (&[&active], &[&superseded], true),
            (&[], &[&superseded], false),
            (&[&retired], &[&superseded], false),
            (&[&active], &[&retired, &superseded], false),
            (&[&active, &superseded], &[&retired], false),
            (&[&active, &superseded], &[&retired, &reactivated], true),
            // The commit concerns neither of these two assets.
            (&[&retired, &superseded], &[&another], true),
        ];
        for (stored, written, expected) in cases {
            let writes = written.iter().map(|asset| AssetWrite {
                asset: (*asset).clone(),
                expected: None,
            });
            let writes: Vec<_> = writes.collect();
            let are_active = superseding_assets_are_active(stored.iter().copied(), &writes);
            assert_eq!(are_active, expected, "{written:?} over {stored:?}");
        }
    }

    #[test]
    fn only_a_digest_is_replaced_and_only_until_it_is_delivered() {
        let store = MemoryStore::new();
        let world = World::empty(&store, 1);
        let ticket = world.ticket("a", SignalKind::PatchSla);
        let row = OutboxRow::note(world.event("x"), &ticket, NoteReason::Unmapped, at(3));
        let digest = OutboxAction::Digest {
            entries: BTreeMap::new(),
        };
        for (action, delivered_at, expected) in [
            (&row.action, None, Ok(false)),
            (&row.action, Some(at(4)), Ok(false)),
            (&digest, None, Ok(true)),
            (&digest, Some(at(4)), Err(Precondition::TicketTick)),
        ] {
            let row = OutboxRow {
                action: action.clone(),
                ..row.clone()
            };
            let stored = OutboxRow {
                delivered_at,
                ..row.clone()
            };
            assert_eq!(is_replaced_by(&stored, &row), expected, "{stored:?}");
        }
    }

    #[test]
    fn a_delivery_with_a_reference_changes_the_ticket() {
        let store = MemoryStore::new();
        let stored = World::empty(&store, 1).ticket("a", SignalKind::PatchSla);
        let with_reference = Ticket {
            reference: Some("T-1".into()),
            version: stored.version.next(),
            ..stored.clone()
        };
        let again = Ticket {
            reference: Some("T-2".into()),
            version: with_reference.version.next(),
            ..stored.clone()
        };
        for (before, reference, after) in [
            (&stored, None, &stored),
            (&stored, Some("T-1"), &with_reference),
            (&with_reference, None, &with_reference),
            (&with_reference, Some("T-2"), &again),
        ] {
            let reference = reference.map(Sensitive::from);
            assert_eq!(delivered(before.clone(), reference), *after);
        }
    }

    #[test]
    fn the_last_signal_that_does_not_lie_ahead_counts() {
        let store = MemoryStore::new();
        let world = World::empty(&store, 1);
        let cases: [(&[i64], Option<i64>); 5] = [
            (&[], None),
            (&[1, 2], Some(2)),
            (&[2, 1], Some(1)),
            (&[1, 10, 60], Some(10)),
            (&[60], None),
        ];
        for (collected, expected) in cases {
            let signals = collected.iter().map(|minutes| StoredSignal {
                mapping: world.mapping.id,
                event: world.event("sweep"),
                signal: signal(SignalKind::PatchSla, Status::Pass, at(*minutes)),
            });
            let signals: Vec<_> = signals.collect();
            let last = last_present(&signals, at(5));
            let last = last.map(|stored| stored.signal.collected_at);
            assert_eq!(last, expected.map(at), "{collected:?}");
        }
    }

    #[test]
    fn the_rows_that_match_are_counted() {
        let store = MemoryStore::new();
        let world = World::empty(&store, 1);
        let company = world.company.id;
        let mapping = |state, missing_since| Mapping {
            state,
            missing_since,
            ..world.mapping.clone()
        };
        let mappings = [
            mapping(MappingState::PendingReview, None),
            mapping(MappingState::Mapped { company }, None),
            mapping(MappingState::Mapped { company }, Some(at(1))),
            mapping(MappingState::Ignored, Some(at(1))),
        ];
        let missing = MappingFilter {
            missing: Some(true),
            ..MappingFilter::default()
        };
        for (filter, counts) in [
            (MappingFilter::default(), (1, 2, 1, 2)),
            (missing, (0, 1, 1, 2)),
        ] {
            let (pending_review, mapped, ignored, missing) = counts;
            let expected = MappingCounts {
                pending_review,
                mapped,
                ignored,
                missing,
            };
            assert_eq!(mapping_counts(&mappings, &filter), expected, "{filter:?}");
        }

        let open = world.ticket("a", SignalKind::PatchSla);
        let closed = Ticket {
            state: TicketState::Closed,
            ..world.ticket("b", SignalKind::DiskEncryption)
        };
        let tickets = [open.clone(), open, closed];
        let of_signal = TicketFilter {
            signal: Some(SignalKind::PatchSla),
            ..TicketFilter::default()
        };
        for (filter, (open, closed)) in [(TicketFilter::default(), (2, 1)), (of_signal, (2, 0))] {
            let expected = TicketCounts { open, closed };
            assert_eq!(ticket_counts(&tickets, &filter), expected, "{filter:?}");
        }
    }

    #[test]
    fn a_lease_is_taken_when_nobody_else_holds_it() {
        let worker = |number| WorkerId::from_uuid(uuid::Uuid::from_u128(number));
        let (ours, anothers, length) = (worker(1), worker(2), Duration::minutes(5));
        let stored = |worker, minutes| StoredLease {
            worker,
            fence: Fence::FIRST,
            expires_at: at(minutes),
            length,
        };
        let fence = Fence::FIRST.next();
        for (stored, is_ahead, fence) in [
            (None, false, Some(Fence::FIRST)),
            (Some(stored(None, 12)), false, Some(fence)),
            (Some(stored(None, 60)), false, Some(fence)),
            (Some(stored(Some(ours), 12)), false, Some(fence)),
            (Some(stored(Some(anothers), 10)), false, Some(fence)),
            (Some(stored(Some(anothers), 11)), false, None),
            (Some(stored(Some(anothers), 20)), false, None),
            (Some(stored(Some(anothers), 21)), true, Some(fence)),
        ] {
            let expected = fence.map(|fence| StoredLease {
                worker: Some(ours),
                fence,
                expires_at: at(15),
                length,
            });
            let taken = StoredLease::taken(stored, ours, length, at(10));
            assert_eq!(taken, expected, "{stored:?}");
            let found = stored.is_some_and(|stored| stored.is_ahead(at(10)));
            assert_eq!(found, is_ahead, "{stored:?}");
        }
    }

    #[test]
    fn a_lease_is_held_under_its_last_fence() {
        let worker = |number| WorkerId::from_uuid(uuid::Uuid::from_u128(number));
        let stored = |worker| StoredLease {
            worker,
            fence: Fence::FIRST.next(),
            expires_at: at(10),
            length: Duration::minutes(5),
        };
        for (holder, fence, is_held) in [
            (Some(worker(1)), Fence::FIRST.next(), true),
            (Some(worker(1)), Fence::FIRST, false),
            (Some(worker(2)), Fence::FIRST.next(), false),
            (None, Fence::FIRST.next(), false),
        ] {
            let lease = Lease {
                key: LeaseKey::Discovery(CredentialId::from_uuid(uuid::Uuid::nil())),
                worker: worker(1),
                fence,
                expires_at: at(10),
            };
            assert_eq!(stored(holder).is_held_under(&lease), is_held, "{lease:?}");
        }
    }

    #[test]
    fn a_budget_waits_for_its_fullest_window() {
        let window = |limit, minutes| Window {
            limit,
            length: Duration::minutes(minutes),
        };
        let windows = [window(2, 10), window(3, 60)];
        // `now` is minute 100.
        let cases: [(&[i64], &[Window], Option<i64>); 9] = [
            (&[], &windows, None),
            (&[90, 95], &windows, None),
            (&[91, 95], &windows, Some(1)),
            (&[91, 95, 99], &windows, Some(51)),
            (&[40, 91, 95], &windows, Some(1)),
            (&[41, 42, 43], &windows, Some(1)),
            // Requests stamped ahead of `now` count as started now.
            (&[95, 300], &windows, Some(5)),
            (&[300, 300, 300], &windows, Some(60)),
            (&[], &[window(0, 7)], Some(7)),
        ];
        for (started, windows, wait) in cases {
            let mut started: Vec<_> = started.iter().map(|minutes| at(*minutes)).collect();
            let wait = wait.map(Duration::minutes);
            assert_eq!(budget_wait(&started, windows, at(100)), wait, "{started:?}");

            let mut expected: Vec<_> = started.iter().map(|time| at(100).min(*time)).collect();
            let spent = wait.map_or(Spend::Granted, |retry_after| Spend::Exhausted {
                retry_after,
            });
            if spent == Spend::Granted {
                expected.retain(|time| *time > at(40));
                expected.push(at(100));
            }
            assert_eq!(spend(&mut started, windows, at(100)), spent);
            assert_eq!(started, expected);
        }
    }

    #[test]
    fn requests_are_kept_for_an_hour_and_for_every_window() {
        let of = |minutes| Window {
            limit: 9,
            length: Duration::minutes(minutes),
        };
        for (windows, minutes, started) in [
            (vec![], 60, [41, 100]),
            (vec![of(1)], 60, [41, 100]),
            (vec![of(1), of(60)], 60, [41, 100]),
            (vec![of(61), of(1)], 61, [40, 100]),
        ] {
            assert_eq!(budget_kept(&windows), Duration::minutes(minutes));
            let oldest = started.map(at);
            let mut kept = vec![at(1), at(39), oldest[0]];
            assert_eq!(spend(&mut kept, &windows, at(100)), Spend::Granted);
            assert_eq!(kept, oldest, "{windows:?}");
        }
    }

    #[test]
    fn the_use_of_a_budget_counts_what_lies_ahead() {
        let second = |seconds| at(100) + Duration::seconds(seconds);
        let cases: [(&[i64], [u32; 3]); 5] = [
            (&[], [0, 0, 0]),
            (&[-3_601, -3_600], [0, 0, 0]),
            (&[-3_599, -60], [0, 2, 0]),
            (&[-3_599, -59, 0], [2, 3, 0]),
            (&[-59, 1, 9_000], [3, 3, 2]),
        ];
        for (started, [last_minute, last_hour, ahead]) in cases {
            let started: Vec<_> = started.iter().map(|seconds| second(*seconds)).collect();
            let expected = BudgetUsage {
                last_minute,
                last_hour,
                ahead,
            };
            assert_eq!(budget_usage(&started, at(100)), expected, "{started:?}");
        }
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
