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

    /// What the bridge to the ticket system is to do next, in order. Each row's id is an idempotency key.
    ///
    /// Let one bridge drain an MSP's outbox at a time: two get the same rows, and their order among each other is lost. Whether
    /// one or two, a row may be sent again after a crash, so hand its id to the ticket system as the key under which it
    /// acts once, or look there for it before you send. [`delivered`](crate::Integration::delivered) says who was first.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub async fn outbox(&self, msp: MspOrgId, limit: u32) -> Result<Vec<OutboxRow>> {
        Ok(self.store.outbox(msp, self.now(), limit).await?)
    }
}
