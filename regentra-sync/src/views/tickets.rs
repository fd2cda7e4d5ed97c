use super::Views;
use crate::{
    error::Result,
    model::{ComplianceOrgId, MspOrgId, OutboxRow, Ticket},
    store::{TicketCounts, TicketFilter, TicketPage},
};

impl Views {
    /// All tickets of an MSP, of one customer or of all, newest first.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub async fn tickets(
        &self,
        msp: MspOrgId,
        customer: Option<ComplianceOrgId>,
    ) -> Result<Vec<Ticket>> {
        Ok(self.store.tickets(msp, customer).await?)
    }

    /// A page of the tickets that match, newest first.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub async fn tickets_page(&self, msp: MspOrgId, page: TicketPage) -> Result<Vec<Ticket>> {
        Ok(self.store.tickets_page(msp, page).await?)
    }

    /// How many of the tickets that match are open and closed: the counts on the tabs of the list.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub async fn ticket_counts(&self, msp: MspOrgId, filter: TicketFilter) -> Result<TicketCounts> {
        Ok(self.store.ticket_counts(msp, filter).await?)
    }

    /// What the bridge to the ticket system must do next, in order. Each row's id is an idempotency key.
    ///
    /// Let only one bridge at a time drain an MSP's outbox: two bridges get the same rows and may deliver them out of order. Even with one
    /// bridge, a row may be sent again after a crash. So pass the row's id to the ticket system as an idempotency key, or search the ticket
    /// system for it before you send. [`delivered`](crate::Integration::delivered) says which bridge was first.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub async fn outbox(&self, msp: MspOrgId, limit: u32) -> Result<Vec<OutboxRow>> {
        Ok(self.store.outbox(msp, self.now(), limit).await?)
    }
}
