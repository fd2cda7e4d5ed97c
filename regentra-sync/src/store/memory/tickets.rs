use async_trait::async_trait;
use time::OffsetDateTime;

use super::{MemoryStore, outcome};
use crate::{
    model::{ComplianceOrgId, MspOrgId, OutboxRow, Ticket, is_ahead},
    store::{CommitOutcome, DeliveryCommit, Result, Tickets},
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

    async fn outbox(
        &self,
        msp: MspOrgId,
        now: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<OutboxRow>> {
        self.with(|state| {
            let rows = state
                .outbox
                .get(&msp)
                .map(Vec::as_slice)
                .unwrap_or_default();
            let due = rows
                .iter()
                .filter(|row| row.delivered_at.is_none())
                .filter(|row| row.due_at <= now || is_ahead(row.created_at, now));
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
                if let (Some(ticket), Some(reference)) = (ticket, reference) {
                    ticket.reference = Some(reference);
                    ticket.version = ticket.version.next();
                }
                Ok(state.committed(msp, event))
            })())
        })
        .await
    }
}
