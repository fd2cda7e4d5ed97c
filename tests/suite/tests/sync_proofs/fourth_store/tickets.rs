use std::cmp::Reverse;

use async_trait::async_trait;
use regentra_sync::{
    model::{ComplianceOrgId, MspOrgId, OutboxRow, Ticket, TicketState, is_ahead},
    store::{
        CommitOutcome, DeliveryCommit, Result, Stamped as _, TicketCounts, TicketFilter,
        TicketPage, Tickets,
    },
};
use time::OffsetDateTime;

use super::HashMapStore;

#[async_trait]
impl Tickets for HashMapStore {
    async fn tickets(
        &self,
        msp: MspOrgId,
        customer: Option<ComplianceOrgId>,
    ) -> Result<Vec<Ticket>> {
        let mut tickets: Vec<_> = self
            .state()
            .tickets
            .iter()
            .filter(|((owner, _), ticket)| {
                *owner == msp
                    && customer.is_none_or(|customer| ticket.key.compliance_org == customer)
            })
            .map(|(_, ticket)| ticket.clone())
            .collect();
        tickets.sort_by_key(|ticket| (Reverse(ticket.opened_at), ticket.id));
        Ok(tickets)
    }

    async fn tickets_page(&self, msp: MspOrgId, page: TicketPage) -> Result<Vec<Ticket>> {
        let mut tickets = self.tickets(msp, None).await?;
        tickets.retain(|ticket| {
            page.filter.matches(ticket)
                && page.after.is_none_or(|(opened_at, id)| {
                    (Reverse(ticket.opened_at), ticket.id) > (Reverse(opened_at), id)
                })
        });
        tickets.truncate(page.limit as usize);
        Ok(tickets)
    }

    async fn ticket_counts(&self, msp: MspOrgId, filter: TicketFilter) -> Result<TicketCounts> {
        let mut tickets = self.tickets(msp, None).await?;
        tickets.retain(|ticket| filter.matches(ticket));
        let (open, closed): (Vec<_>, Vec<_>) = tickets
            .into_iter()
            .partition(|ticket| ticket.state == TicketState::Open);
        Ok(TicketCounts {
            open: open.len() as u64,
            closed: closed.len() as u64,
        })
    }

    async fn outbox(
        &self,
        msp: MspOrgId,
        now: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<OutboxRow>> {
        let state = self.state();
        let mut due: Vec<_> = state
            .outbox
            .iter()
            .filter(|((owner, _), (_, row))| {
                let is_due = row.due_at <= now || is_ahead(row.created_at, now);
                *owner == msp && row.delivered_at.is_none() && is_due
            })
            .map(|(_, (place, row))| (*place, row))
            .collect();
        due.sort_by_key(|(place, _)| *place);
        Ok(due
            .into_iter()
            .take(limit as usize)
            .map(|(_, row)| row.clone())
            .collect())
    }

    async fn commit_delivery(
        &self,
        msp: MspOrgId,
        commit: DeliveryCommit,
    ) -> Result<CommitOutcome> {
        let mut state = self.state();
        let state = &mut *state;
        if state.events.contains(&(msp, commit.event)) {
            return Ok(CommitOutcome::AlreadyCommitted);
        }
        commit.check_not_ahead(self.clock.now())?;
        let undelivered = state
            .outbox
            .get_mut(&(msp, commit.row))
            .filter(|(_, row)| row.delivered_at.is_none());
        let Some((_, row)) = undelivered else {
            return Ok(CommitOutcome::AlreadyCommitted);
        };
        row.delivered_at = Some(commit.at);
        let ticket = row.ticket.and_then(|id| state.tickets.get_mut(&(msp, id)));
        if let (Some(ticket), Some(reference)) = (ticket, commit.reference) {
            ticket.reference = Some(reference);
            ticket.version = ticket.version.next();
        }
        state.events.insert((msp, commit.event));
        Ok(CommitOutcome::Committed)
    }
}
