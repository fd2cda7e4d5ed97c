use std::collections::BTreeMap;

use async_trait::async_trait;
use regentra_evidence::{ChainHead, SignalKind};
use time::OffsetDateTime;

use super::{CommitStop, MemoryStore, State, holds};
use crate::{
    model::{
        ComplianceOrgId, EventId, EvidenceRow, MappingId, MspOrgId, OutboxId, TicketState, Version,
        chain_start, is_ahead,
    },
    store::{
        CommitOutcome, Evidence, Precondition, Result, StoredSignal, SweepCommit, SweepState,
        effects,
    },
};

impl State {
    fn head(
        &self,
        customer: ComplianceOrgId,
        mapping: MappingId,
        signal: SignalKind,
    ) -> Option<ChainHead> {
        self.evidence
            .get(&(customer, mapping, signal))?
            .last()
            .map(|row| row.link.head())
    }

    /// The signal of each key that was committed last of those not ahead of the store's clock, unless it is expired at `now`, in
    /// the order of keys.
    pub(super) fn current(
        &self,
        customer: ComplianceOrgId,
        now: OffsetDateTime,
        store_time: OffsetDateTime,
    ) -> Vec<StoredSignal> {
        let of_customer = self
            .signals
            .iter()
            .filter(|((owner, ..), _)| *owner == customer);
        let last =
            of_customer.filter_map(|(_, signals)| effects::last_present(signals, store_time));
        last.filter(|stored| !stored.signal.is_expired(now))
            .cloned()
            .collect()
    }

    /// When the last signals of the mapping were collected that are not ahead of the store's clock.
    fn collected(
        &self,
        customer: ComplianceOrgId,
        mapping: MappingId,
        store_time: OffsetDateTime,
    ) -> BTreeMap<SignalKind, OffsetDateTime> {
        let last = SignalKind::ALL.into_iter().filter_map(|kind| {
            let signals = self.signals.get(&(customer, mapping, kind))?;
            let last = effects::last_present(signals, store_time)?;
            Some((kind, last.signal.collected_at))
        });
        last.collect()
    }
}

impl State {
    /// The guards of a sweep's commit, and its times.
    fn sweep_holds(
        &self,
        msp: MspOrgId,
        customer: ComplianceOrgId,
        commit: &SweepCommit,
        store_time: OffsetDateTime,
    ) -> std::result::Result<(), CommitStop> {
        self.begins(msp, commit.event, commit, store_time)?;
        self.credential_holds(msp, commit.credential)?;
        self.settings_hold(msp, commit.settings)?;
        let company = self.mapping_holds(msp, commit.mapping)?;
        let company = self.companies.get(&(msp, company));
        holds(
            company.is_some_and(|company| company.converted_to == Some(customer)),
            Precondition::Mapping,
        )?;
        self.lease_holds(msp, &commit.lease)?;
        let continues = |row: &EvidenceRow| {
            let head = self.head(customer, row.mapping, row.signal);
            row.link.continues()
                == head.unwrap_or_else(|| chain_start(customer, row.mapping, row.signal))
        };
        holds(
            commit.evidence.iter().all(continues),
            Precondition::EvidenceChain,
        )?;
        let tickets_hold = commit.tickets.iter().all(|write| {
            let ticket = &write.ticket;
            let another = self.tickets.iter().any(|((owner, _), other)| {
                *owner == msp
                    && other.state == TicketState::Open
                    && other.key == ticket.key
                    && other.id != ticket.id
            });
            let stored = self
                .tickets
                .get(&(msp, ticket.id))
                .map(|stored| stored.version);
            stored == write.expected && !(another && ticket.state == TicketState::Open)
        });
        holds(tickets_hold, Precondition::Ticket)?;
        if let Some(tick) = &commit.tick {
            let stored = self
                .ticks
                .get(&(msp, tick.scheduled_at))
                .map_or(Version::default(), |tick| tick.version);
            holds(stored == tick.version, Precondition::TicketTick)?;
        }
        for row in &commit.outbox {
            let mut stored = self.outbox.get(&msp).into_iter().flatten();
            if let Some(stored) = stored.find(|stored| stored.id == row.id) {
                effects::is_replaced_by(stored, row).map_err(CommitOutcome::Superseded)?;
            }
        }
        let collected = self.collected(customer, commit.mapping.mapping, store_time);
        Ok(commit.check_order(&collected)?)
    }
}

#[async_trait]
impl Evidence for MemoryStore {
    async fn sweep_state(
        &self,
        msp: MspOrgId,
        customer: ComplianceOrgId,
        mapping: MappingId,
        event: EventId,
        tick: OffsetDateTime,
    ) -> Result<SweepState> {
        self.with(|state| {
            let tick = state.ticks.get(&(msp, tick)).cloned();
            let digest = tick.as_ref().and_then(|tick| {
                let id = OutboxId::digest(msp, tick.scheduled_at, tick.digests);
                state
                    .outbox_row(msp, id)
                    .filter(|row| row.delivered_at.is_none())
                    .cloned()
            });
            let heads = SignalKind::ALL
                .into_iter()
                .filter_map(|signal| Some((signal, state.head(customer, mapping, signal)?)));
            let heads = heads.collect();
            let is_open = |key: &crate::model::SignalKey| {
                key.compliance_org == customer && key.mapping == mapping
            };
            let open_tickets = state
                .tickets
                .iter()
                .filter(|((owner, _), t)| {
                    *owner == msp && t.state == TicketState::Open && is_open(&t.key)
                })
                .map(|(_, ticket)| (ticket.key.signal, ticket.clone()))
                .collect();
            Ok(SweepState {
                seen: state.events.contains(&(msp, event)),
                heads,
                collected: state.collected(customer, mapping, self.clock.now()),
                open_tickets,
                signature_history: state
                    .signatures
                    .get(&(msp, mapping))
                    .cloned()
                    .unwrap_or_default(),
                tick,
                digest,
            })
        })
        .await
    }

    async fn commit_sweep(
        &self,
        msp: MspOrgId,
        customer: ComplianceOrgId,
        commit: SweepCommit,
    ) -> Result<CommitOutcome> {
        commit.check_tenant(customer)?;
        self.with(|state| {
            let store_time = self.clock.now();
            match state.sweep_holds(msp, customer, &commit, store_time) {
                Ok(()) => {}
                Err(CommitStop::Outcome(outcome)) => return Ok(outcome),
                Err(CommitStop::Refused(refused)) => return Err(refused),
            }
            let head = |row| effects::evidence_head(customer, row, commit.scheduled_at);
            let heads = commit.evidence.iter().map(head);
            state.heads.entry(msp).or_default().extend(heads);
            for stored in commit.signals {
                let key = (customer, stored.mapping, stored.signal.kind());
                state.signals.entry(key).or_default().push(stored);
            }
            for mut row in commit.evidence {
                row.committed_at = Some(store_time);
                state
                    .evidence
                    .entry((customer, row.mapping, row.signal))
                    .or_default()
                    .push(row);
            }
            state
                .customer_audit
                .entry(customer)
                .or_default()
                .push(commit.audit);
            if let Some(mapping) = state.mappings.get_mut(&(msp, commit.mapping.mapping)) {
                mapping.first_evidence_synced_at = effects::first_evidence_synced_at(
                    mapping.first_evidence_synced_at,
                    commit.first_evidence_synced_at,
                    store_time,
                );
            }
            let history = state
                .signatures
                .entry((msp, commit.mapping.mapping))
                .or_default();
            history.extend(commit.signatures.changed);
            for device in commit.signatures.forgotten {
                history.remove(&device);
            }
            for write in commit.tickets {
                state.tickets.insert((msp, write.ticket.id), write.ticket);
            }
            for row in commit.outbox {
                match state.outbox_row(msp, row.id) {
                    Some(stored) if effects::is_replaced_by(stored, &row) == Ok(true) => {
                        *stored = row;
                    }
                    Some(_) => {}
                    None => state.outbox.entry(msp).or_default().push(row),
                }
            }
            for ((owner, _), tick) in &mut state.ticks {
                if *owner == msp
                    && let Some(cleared) = effects::tick_to_come(tick, store_time)
                {
                    *tick = cleared;
                }
            }
            if let Some(mut tick) = commit.tick {
                tick.version = tick.version.next();
                state.ticks.insert((msp, tick.scheduled_at), tick);
            }
            Ok(state.committed(msp, commit.event))
        })
        .await
    }

    async fn current_signals(
        &self,
        customer: ComplianceOrgId,
        now: OffsetDateTime,
    ) -> Result<Vec<StoredSignal>> {
        self.with(|state| Ok(state.current(customer, now, self.clock.now())))
            .await
    }

    async fn signals_ahead(&self, customer: ComplianceOrgId) -> Result<Vec<StoredSignal>> {
        self.with(|state| {
            let store_time = self.clock.now();
            let of_customer = state
                .signals
                .iter()
                .filter(|((owner, ..), _)| *owner == customer);
            let last = of_customer.filter_map(|(_, signals)| signals.last());
            let ahead = last.filter(|last| is_ahead(last.signal.collected_at, store_time));
            Ok(ahead.cloned().collect())
        })
        .await
    }

    async fn signal_history(
        &self,
        customer: ComplianceOrgId,
        mapping: MappingId,
        signal: SignalKind,
        limit: u32,
    ) -> Result<Vec<StoredSignal>> {
        self.with(|state| {
            let mut signals = state
                .signals
                .get(&(customer, mapping, signal))
                .cloned()
                .unwrap_or_default();
            signals.reverse();
            signals.truncate(limit as usize);
            Ok(signals)
        })
        .await
    }

    async fn evidence_chain(
        &self,
        customer: ComplianceOrgId,
        mapping: MappingId,
        signal: SignalKind,
        after: u64,
        limit: u32,
    ) -> Result<Vec<EvidenceRow>> {
        self.with(|state| {
            let rows = state
                .evidence
                .get(&(customer, mapping, signal))
                .map(Vec::as_slice)
                .unwrap_or_default();
            Ok(rows
                .iter()
                .filter(|row| row.link.sequence > after)
                .take(limit as usize)
                .cloned()
                .collect())
        })
        .await
    }
}
