use std::cmp::Reverse;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::{MemoryStore, of_msp, outcome};
use crate::{
    model::{ComplianceOrgId, MspOrgId, OutboxRow, Ticket},
    store::{
        CommitOutcome, DeliveryCommit, Result, TicketCounts, TicketFilter, TicketPage, Tickets,
        effects,
    },
};

#[async_trait]
impl Tickets for MemoryStore {
    async fn tickets(
        &self,
        msp: MspOrgId,
        customer: Option<ComplianceOrgId>,
    ) -> Result<Vec<Ticket>> {
        self.with(|state| {
            let of_customer = |ticket: &Ticket| {
                customer.is_none_or(|customer| ticket.key.compliance_org == customer)
            };
            let matching = state
                .tickets
                .iter()
                .filter(|((owner, _), ticket)| *owner == msp && of_customer(ticket));
            let mut tickets: Vec<_> = matching.map(|(_, ticket)| ticket.clone()).collect();
            tickets.sort_by(|a, b| b.opened_at.cmp(&a.opened_at).then(a.id.cmp(&b.id)));
            Ok(tickets)
        })
        .await
    }

    async fn tickets_page(&self, msp: MspOrgId, page: TicketPage) -> Result<Vec<Ticket>> {
        self.with(|state| {
            let TicketPage {
                filter,
                after,
                limit,
            } = page;
            let key = |ticket: &Ticket| (Reverse(ticket.opened_at), ticket.id);
            let after = after.map(|(opened_at, id)| (Reverse(opened_at), id));
            let of_msp = state.tickets.iter().filter(|((owner, _), _)| *owner == msp);
            let mut found: Vec<_> = of_msp
                .map(|(_, ticket)| ticket)
                .filter(|ticket| after.is_none_or(|after| key(ticket) > after))
                .filter(|ticket| filter.matches(ticket))
                .collect();
            found.sort_by_key(|ticket| key(ticket));
            found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            Ok(found.into_iter().cloned().collect())
        })
        .await
    }

    async fn ticket_counts(&self, msp: MspOrgId, filter: TicketFilter) -> Result<TicketCounts> {
        self.with(|state| {
            let tickets = of_msp(&state.tickets, msp);
            Ok(effects::ticket_counts(tickets, &filter))
        })
        .await
    }

    async fn outbox(
        &self,
        msp: MspOrgId,
        now: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<OutboxRow>> {
        self.with(|state| {
            let rows = state.outbox.get(&msp).into_iter().flatten();
            let due = rows.filter(|row| row.is_due(now));
            Ok(due.take(limit as usize).cloned().collect())
        })
        .await
    }

    async fn commit_delivery(
        &self,
        msp: MspOrgId,
        commit: DeliveryCommit,
    ) -> Result<CommitOutcome> {
        self.with(|state| {
            outcome((|| {
                state.begins(msp, commit.event, &commit, self.clock.now())?;
                let DeliveryCommit {
                    event,
                    row,
                    reference,
                    at,
                } = commit;
                let row = state
                    .outbox_row(msp, row)
                    .filter(|row| row.delivered_at.is_none());
                let row = row.ok_or(CommitOutcome::AlreadyCommitted)?;

                row.delivered_at = Some(at);
                let ticket = row.ticket;
                let ticket = ticket.and_then(|ticket| state.tickets.get_mut(&(msp, ticket)));
                if let Some(ticket) = ticket {
                    *ticket = effects::delivered(ticket.clone(), reference);
                }
                Ok(state.committed(msp, event))
            })())
        })
        .await
    }
}
