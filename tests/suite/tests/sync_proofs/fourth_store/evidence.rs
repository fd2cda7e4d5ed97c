use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use regentra_sync::{
    model::{
        ComplianceOrgId, EventId, EvidenceHead, EvidenceRow, MappingId, MspOrgId, OutboxAction,
        OutboxId, OutboxRow, TicketState, chain_start, is_ahead,
    },
    regentra_evidence::SignalKind,
    store::{CommitOutcome, Evidence, Guard, Result, StoredSignal, SweepCommit, SweepState},
};
use time::OffsetDateTime;

use super::{HashMapStore, State, Stop};

pub(super) fn is_digest(row: &OutboxRow) -> bool {
    matches!(row.action, OutboxAction::Digest { .. })
}

impl State {
    /// The signal of each (mapping, signal) of a customer that was committed last of those not ahead of the store's clock, unless it
    /// is expired.
    pub(super) fn current_of(
        &self,
        customer: ComplianceOrgId,
        now: OffsetDateTime,
        store_time: OffsetDateTime,
    ) -> Vec<StoredSignal> {
        let mut current: Vec<_> = self
            .signals
            .iter()
            .filter(|((owner, ..), _)| *owner == customer)
            .filter_map(|(_, signals)| last_present(signals, store_time))
            .filter(|stored| now < stored.signal.expires_at)
            .cloned()
            .collect();
        current.sort_by_key(|stored| (stored.mapping, stored.signal.kind()));
        current
    }

    /// When the last signals of a mapping were collected.
    fn collected(
        &self,
        customer: ComplianceOrgId,
        mapping: MappingId,
        store_time: OffsetDateTime,
    ) -> BTreeMap<SignalKind, OffsetDateTime> {
        let last = SignalKind::ALL.into_iter().filter_map(|kind| {
            let signals = self.signals.get(&(customer, mapping, kind))?;
            let last = last_present(signals, store_time)?;
            Some((kind, last.signal.collected_at))
        });
        last.collect()
    }

    fn check_sweep(
        &self,
        msp: MspOrgId,
        customer: ComplianceOrgId,
        commit: &SweepCommit,
    ) -> std::result::Result<(), Guard> {
        self.check_credential(msp, commit.credential)?;
        self.check_settings(msp, commit.settings)?;
        let company = self.check_mapping(msp, commit.mapping)?;
        let promoted_to = self.companies.get(&(msp, company));
        if promoted_to.and_then(|company| company.converted_to) != Some(customer) {
            return Err(Guard::Mapping);
        }
        self.check_lease(msp, &commit.lease)?;

        let mut heads = HashMap::new();
        for row in &commit.evidence {
            let key = (customer, row.mapping, row.signal);
            let head = heads.get(&key).copied().unwrap_or_else(|| {
                let last = self.evidence.get(&key).and_then(|chain| chain.last());
                last.map_or_else(
                    || chain_start(customer, row.mapping, row.signal),
                    |last| last.link.head(),
                )
            });
            if row.link.continues() != head {
                return Err(Guard::EvidenceChain);
            }
            heads.insert(key, row.link.head());
        }

        for write in &commit.tickets {
            let ticket = &write.ticket;
            let stored = self.tickets.get(&(msp, ticket.id));
            let another_is_open = self.tickets.iter().any(|((owner, id), other)| {
                *owner == msp
                    && *id != ticket.id
                    && other.key == ticket.key
                    && other.state == TicketState::Open
            });
            let is_second = ticket.state == TicketState::Open && another_is_open;
            if stored.map(|stored| stored.version) != write.expected || is_second {
                return Err(Guard::Ticket);
            }
        }

        if let Some(tick) = &commit.tick {
            let stored = self.ticks.get(&(msp, tick.scheduled_at));
            let version = stored.map(|stored| stored.version).unwrap_or_default();
            if version != tick.version {
                return Err(Guard::TicketTick);
            }
        }
        let is_delivered = |row: &OutboxRow| {
            let stored = self.outbox.get(&(msp, row.id));
            stored.is_some_and(|(_, stored)| stored.delivered_at.is_some())
        };
        if commit
            .outbox
            .iter()
            .any(|row| is_digest(row) && is_delivered(row))
        {
            return Err(Guard::TicketTick);
        }
        Ok(())
    }

    fn write_sweep(
        &mut self,
        msp: MspOrgId,
        customer: ComplianceOrgId,
        commit: SweepCommit,
        store_time: OffsetDateTime,
    ) {
        for stored in commit.signals {
            let key = (customer, stored.mapping, stored.signal.kind());
            self.signals.entry(key).or_default().push(stored);
        }
        for row in commit.evidence {
            self.heads.entry(msp).or_default().push(EvidenceHead {
                customer,
                mapping: row.mapping,
                signal: row.signal,
                length: row.link.sequence,
                hash: row.link.hash,
                tick: commit.scheduled_at,
                root: None,
            });
            let key = (customer, row.mapping, row.signal);
            let committed_at = Some(store_time);
            let row = EvidenceRow {
                committed_at,
                ..row
            };
            self.evidence.entry(key).or_default().push(row);
        }
        let trail = self.customer_audit.entry(customer).or_default();
        trail.push(commit.audit);

        let mapping = commit.mapping.mapping;
        if let Some(stored) = self.mappings.get_mut(&(msp, mapping)) {
            let is_stamped = stored
                .first_evidence_synced_at
                .is_some_and(|at| !is_ahead(at, store_time));
            if !is_stamped && commit.first_evidence_synced_at.is_some() {
                stored.first_evidence_synced_at = commit.first_evidence_synced_at;
            }
        }
        let history = self.signatures.entry((msp, mapping)).or_default();
        for (device, record) in commit.signatures.changed {
            history.insert(device, record);
        }
        for device in &commit.signatures.forgotten {
            history.remove(device);
        }
        for write in commit.tickets {
            self.tickets.insert((msp, write.ticket.id), write.ticket);
        }
        for row in commit.outbox {
            self.put_into_outbox(msp, row);
        }
        for ((owner, scheduled_at), tick) in &mut self.ticks {
            if *owner == msp && is_ahead(*scheduled_at, store_time) && tick.opened > 0 {
                tick.opened = 0;
                tick.version = tick.version.next();
            }
        }
        if let Some(mut tick) = commit.tick {
            tick.version = tick.version.next();
            self.ticks.insert((msp, tick.scheduled_at), tick);
        }
    }
}

/// The one committed last of those not ahead of the store's clock.
fn last_present(signals: &[StoredSignal], store_time: OffsetDateTime) -> Option<&StoredSignal> {
    let mut newest_first = signals.iter().rev();
    newest_first.find(|stored| !is_ahead(stored.signal.collected_at, store_time))
}

#[async_trait]
impl Evidence for HashMapStore {
    async fn sweep_state(
        &self,
        msp: MspOrgId,
        customer: ComplianceOrgId,
        mapping: MappingId,
        event: EventId,
        tick: OffsetDateTime,
    ) -> Result<SweepState> {
        let state = self.state();
        let heads = SignalKind::ALL.into_iter().filter_map(|signal| {
            let chain = state.evidence.get(&(customer, mapping, signal))?;
            Some((signal, chain.last()?.link.head()))
        });
        let open_tickets: BTreeMap<_, _> = state
            .tickets
            .iter()
            .filter(|((owner, _), ticket)| {
                *owner == msp
                    && ticket.state == TicketState::Open
                    && ticket.key.compliance_org == customer
                    && ticket.key.mapping == mapping
            })
            .map(|(_, ticket)| (ticket.key.signal, ticket.clone()))
            .collect();
        let stored_tick = state.ticks.get(&(msp, tick)).cloned();
        let digest = stored_tick
            .as_ref()
            .and_then(|stored| {
                let id = OutboxId::digest(msp, tick, stored.digests);
                state.outbox.get(&(msp, id))
            })
            .map(|(_, row)| row.clone())
            .filter(|row| row.delivered_at.is_none());
        Ok(SweepState {
            seen: state.events.contains(&(msp, event)),
            heads: heads.collect(),
            collected: state.collected(customer, mapping, self.clock.now()),
            open_tickets,
            signature_history: state
                .signatures
                .get(&(msp, mapping))
                .cloned()
                .unwrap_or_default(),
            tick: stored_tick,
            digest,
        })
    }

    async fn commit_sweep(
        &self,
        msp: MspOrgId,
        customer: ComplianceOrgId,
        commit: SweepCommit,
    ) -> Result<CommitOutcome> {
        commit.check_tenant(customer)?;
        let store_time = self.clock.now();
        let check = |state: &State| {
            state.check_sweep(msp, customer, &commit)?;
            let collected = state.collected(customer, commit.mapping.mapping, store_time);
            commit.check_order(&collected)?;
            Ok::<_, Stop>(())
        };
        self.commit(msp, commit.event, &commit, check, |state, ()| {
            state.write_sweep(msp, customer, commit.clone(), store_time);
        })
    }

    async fn current_signals(
        &self,
        customer: ComplianceOrgId,
        now: OffsetDateTime,
    ) -> Result<Vec<StoredSignal>> {
        Ok(self.state().current_of(customer, now, self.clock.now()))
    }

    async fn signals_ahead(&self, customer: ComplianceOrgId) -> Result<Vec<StoredSignal>> {
        let (state, store_time) = (self.state(), self.clock.now());
        let of_customer = state
            .signals
            .iter()
            .filter(|((owner, ..), _)| *owner == customer);
        let last = of_customer.filter_map(|(_, signals)| signals.last());
        let mut ahead: Vec<_> = last
            .filter(|last| is_ahead(last.signal.collected_at, store_time))
            .cloned()
            .collect();
        ahead.sort_by_key(|stored| (stored.mapping, stored.signal.kind()));
        Ok(ahead)
    }

    async fn signal_history(
        &self,
        customer: ComplianceOrgId,
        mapping: MappingId,
        signal: SignalKind,
        limit: u32,
    ) -> Result<Vec<StoredSignal>> {
        let state = self.state();
        let signals = state.signals.get(&(customer, mapping, signal));
        let mut newest_first: Vec<_> = signals.into_iter().flatten().rev().cloned().collect();
        newest_first.truncate(limit as usize);
        Ok(newest_first)
    }

    async fn evidence_chain(
        &self,
        customer: ComplianceOrgId,
        mapping: MappingId,
        signal: SignalKind,
        after: u64,
        limit: u32,
    ) -> Result<Vec<EvidenceRow>> {
        let state = self.state();
        let chain = state.evidence.get(&(customer, mapping, signal));
        let rows = chain.into_iter().flatten();
        Ok(rows
            .filter(|row| row.link.sequence > after)
            .take(limit as usize)
            .cloned()
            .collect())
    }
}
