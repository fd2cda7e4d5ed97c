//! [`Tickets`].

use std::collections::BTreeSet;

use async_trait::async_trait;
use regentra_sync::{
    model::{
        CompanyId, ComplianceOrgId, MappingId, MspOrgId, OutboxAction, OutboxId, OutboxRow,
        Sensitive, SignalKey, Ticket, TicketId, TicketState, Version,
    },
    store::{
        CommitOutcome, DeliveryCommit, Precondition, Result, TicketCounts, TicketFilter,
        TicketPage, Tickets,
    },
};
use serde::Serialize;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection, sqlite::SqliteRow};
use time::OffsetDateTime;

use crate::{
    SqliteStore,
    column::{Columns as _, micros, to_json},
    failure::{Step, Stop, holds},
    transaction::present_until,
};

#[async_trait]
impl Tickets for SqliteStore {
    async fn tickets(
        &self,
        msp: MspOrgId,
        customer: Option<ComplianceOrgId>,
    ) -> Result<Vec<Ticket>> {
        let query = sqlx::query(
            "SELECT * FROM tickets \
             WHERE msp_org_id = ?1 AND (?2 IS NULL OR compliance_org_id = ?2) ORDER BY opened_at DESC, ticket_id",
        )
        .bind(msp.as_uuid())
        .bind(customer.map(ComplianceOrgId::as_uuid));
        self.rows(query, ticket).await
    }

    async fn tickets_page(&self, msp: MspOrgId, page: TicketPage) -> Result<Vec<Ticket>> {
        let mut query = select_page(msp, page);
        self.rows(query.build(), ticket).await
    }

    async fn ticket_counts(&self, msp: MspOrgId, filter: TicketFilter) -> Result<TicketCounts> {
        let mut query = select_counts(msp, filter);
        let counts = self.row(query.build(), ticket_counts).await?;
        Ok(counts.unwrap_or_default())
    }

    async fn outbox(
        &self,
        msp: MspOrgId,
        now: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<OutboxRow>> {
        let query = sqlx::query(
            "SELECT outbox_id, ticket_id, action, created_at, due_at, delivered_at FROM outbox \
             WHERE msp_org_id = ?1 AND delivered_at IS NULL AND (due_at <= ?2 OR created_at > ?4) \
             ORDER BY position LIMIT ?3",
        )
        .bind(msp.as_uuid())
        .bind(micros(now))
        .bind(i64::from(limit))
        .bind(micros(present_until(now)));
        self.rows(query, outbox_row).await
    }

    async fn commit_delivery(
        &self,
        msp: MspOrgId,
        commit: DeliveryCommit,
    ) -> Result<CommitOutcome> {
        self.commit(msp, commit.event, &commit, move |connection, commit| {
            Box::pin(deliver(connection, msp, commit))
        })
        .await
    }
}

fn select_page(msp: MspOrgId, page: TicketPage) -> QueryBuilder<Sqlite> {
    let TicketPage {
        filter,
        after,
        limit,
    } = page;
    let mut select = QueryBuilder::new("SELECT * FROM tickets WHERE msp_org_id = ");
    select.push_bind(msp.as_uuid());
    push_filter(&mut select, filter);
    if let Some((opened_at, id)) = after {
        let opened_at = micros(opened_at);
        select.push(" AND opened_at <= ").push_bind(opened_at);
        select.push(" AND (opened_at < ").push_bind(opened_at);
        select
            .push(" OR ticket_id > ")
            .push_bind(id.as_uuid())
            .push(")");
    }
    select
        .push(" ORDER BY opened_at DESC, ticket_id LIMIT ")
        .push_bind(i64::from(limit));
    select
}

fn select_counts(msp: MspOrgId, filter: TicketFilter) -> QueryBuilder<Sqlite> {
    let mut select = QueryBuilder::new(
        "SELECT count(*) FILTER (WHERE state = 'open') AS open, count(*) FILTER (WHERE state = 'closed') AS closed \
         FROM tickets WHERE msp_org_id = ",
    );
    select.push_bind(msp.as_uuid());
    push_filter(&mut select, filter);
    select
}

/// The statement contains only the conditions that are given, so that SQLite uses the index for them.
fn push_filter(select: &mut QueryBuilder<Sqlite>, filter: TicketFilter) {
    let TicketFilter {
        state,
        customer,
        company,
        mapping,
        signal,
    } = filter;
    if let Some(state) = state {
        // The state is part of the text, so that SQLite sees that a partial index covers the condition.
        select.push(format_args!(" AND state = '{}'", state.as_str()));
    }
    if let Some(customer) = customer {
        select
            .push(" AND compliance_org_id = ")
            .push_bind(customer.as_uuid());
    }
    if let Some(company) = company {
        select
            .push(" AND company_id = ")
            .push_bind(company.as_uuid());
    }
    if let Some(mapping) = mapping {
        select
            .push(" AND mapping_id = ")
            .push_bind(mapping.as_uuid());
    }
    if let Some(signal) = signal {
        select.push(" AND signal = ").push_bind(signal.as_str());
    }
}

async fn deliver(
    connection: &mut SqliteConnection,
    msp: MspOrgId,
    commit: &DeliveryCommit,
) -> Step {
    let DeliveryCommit {
        event: _,
        row,
        reference,
        at,
    } = commit;
    let delivered = sqlx::query(
        "UPDATE outbox SET delivered_at = ?3 \
         WHERE msp_org_id = ?1 AND outbox_id = ?2 AND delivered_at IS NULL RETURNING ticket_id",
    )
    .bind(msp.as_uuid())
    .bind(row.as_uuid())
    .bind(micros(*at))
    .fetch_optional(&mut *connection)
    .await?;
    let Some(delivered) = delivered else {
        return Err(Stop::Answer(CommitOutcome::AlreadyCommitted));
    };
    let ticket = delivered.id_if_any("ticket_id", TicketId::from_uuid)?;
    if let (Some(ticket), Some(reference)) = (ticket, reference) {
        sqlx::query(
            "UPDATE tickets SET reference = ?3, version = version + 1 \
             WHERE msp_org_id = ?1 AND ticket_id = ?2",
        )
        .bind(msp.as_uuid())
        .bind(ticket.as_uuid())
        .bind(reference.as_str())
        .execute(connection)
        .await?;
    }
    Ok(())
}

/// The open tickets of these mappings, of any customer.
pub(crate) async fn open_tickets(
    connection: &mut SqliteConnection,
    msp: MspOrgId,
    mappings: &[MappingId],
) -> Step<Vec<Ticket>> {
    let rows = sqlx::query(
        "SELECT * FROM tickets \
         WHERE msp_org_id = ?1 AND mapping_id IN (SELECT unhex(value, '-') FROM json_each(?2)) AND state = 'open' ORDER BY +ticket_id",
    )
    .bind(msp.as_uuid())
    .bind(to_json(&mappings)?)
    .fetch_all(connection)
    .await?;
    Ok(rows.iter().map(ticket).collect::<Result<_>>()?)
}

/// Writes a ticket whose stored version the commit has compared.
pub(crate) async fn write_ticket(
    connection: &mut SqliteConnection,
    msp: MspOrgId,
    ticket: &Ticket,
    exists: bool,
) -> Step {
    sqlx::query(if exists {
        "UPDATE tickets SET compliance_org_id = ?3, mapping_id = ?4, signal = ?5, company_id = ?6, \
         state = ?7, version = ?8, opened_at = ?9, last_failed_at = ?10, passes = ?11, content_digest = ?12, reference = ?13, \
         closed_at = ?14, pass_expires_at = ?15 WHERE msp_org_id = ?1 AND ticket_id = ?2"
    } else {
        "INSERT INTO tickets (msp_org_id, ticket_id, compliance_org_id, mapping_id, signal, company_id, \
         state, version, opened_at, last_failed_at, passes, content_digest, reference, closed_at, \
         pass_expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
    })
    .bind(msp.as_uuid())
    .bind(ticket.id.as_uuid())
    .bind(ticket.key.compliance_org.as_uuid())
    .bind(ticket.key.mapping.as_uuid())
    .bind(ticket.key.signal.as_str())
    .bind(ticket.company.as_uuid())
    .bind(ticket.state.as_str())
    .bind(i64::from(ticket.version.as_u32()))
    .bind(micros(ticket.opened_at))
    .bind(micros(ticket.last_failed_at))
    .bind(i64::from(ticket.passes))
    .bind(ticket.content_digest.as_str())
    .bind(ticket.reference.as_ref().map(Sensitive::as_str))
    .bind(ticket.closed_at.map(micros))
    .bind(ticket.pass_expires_at.map(micros))
    .execute(connection)
    .await?;
    Ok(())
}

/// Appends outbox rows in this order. An existing digest that is not delivered is replaced and keeps its place. Any other existing row
/// stays as it is. If a digest was delivered meanwhile, the commit is superseded.
pub(crate) async fn append_outbox(
    connection: &mut SqliteConnection,
    msp: MspOrgId,
    rows: &[OutboxRow],
) -> Step {
    #[derive(Serialize)]
    struct Row {
        id: OutboxId,
        ticket: Option<TicketId>,
        action: String,
        created_at: i64,
        due_at: i64,
        delivered_at: Option<i64>,
    }
    if rows.is_empty() {
        return Ok(());
    }
    let new = |row: &OutboxRow| {
        Ok(Row {
            id: row.id,
            ticket: row.ticket,
            action: to_json(&row.action)?,
            created_at: micros(row.created_at),
            due_at: micros(row.due_at),
            delivered_at: row.delivered_at.map(micros),
        })
    };
    let new = rows.iter().map(new).collect::<Result<Vec<_>>>()?;
    let written = sqlx::query(
        "INSERT INTO outbox AS stored \
         (msp_org_id, outbox_id, ticket_id, action, created_at, due_at, delivered_at) \
         SELECT ?1, unhex(value ->> 'id', '-'), unhex(value ->> 'ticket', '-'), value ->> 'action', \
         value ->> 'created_at', value ->> 'due_at', value ->> 'delivered_at' FROM json_each(?2) WHERE true ORDER BY json_each.key \
         ON CONFLICT (msp_org_id, outbox_id) DO UPDATE SET ticket_id = excluded.ticket_id, \
         action = excluded.action, created_at = excluded.created_at, due_at = excluded.due_at, \
         delivered_at = excluded.delivered_at \
         WHERE excluded.action ->> 'action' = 'digest' AND stored.delivered_at IS NULL RETURNING outbox_id",
    )
    .bind(msp.as_uuid())
    .bind(to_json(&new)?)
    .fetch_all(connection)
    .await?;
    let written = written
        .iter()
        .map(|row| row.id("outbox_id", OutboxId::from_uuid))
        .collect::<Result<BTreeSet<_>>>()?;
    let is_kept = |row: &OutboxRow| {
        !matches!(row.action, OutboxAction::Digest { .. }) || written.contains(&row.id)
    };
    holds(rows.iter().all(is_kept), Precondition::TicketTick)
}

pub(crate) fn outbox_row(row: &SqliteRow) -> Result<OutboxRow> {
    Ok(OutboxRow {
        id: row.id("outbox_id", OutboxId::from_uuid)?,
        ticket: row.id_if_any("ticket_id", TicketId::from_uuid)?,
        action: row.json("action")?,
        created_at: row.time("created_at")?,
        due_at: row.time("due_at")?,
        delivered_at: row.time_if_any("delivered_at")?,
    })
}

fn ticket_counts(row: &SqliteRow) -> Result<TicketCounts> {
    Ok(TicketCounts {
        open: row.count("open")?,
        closed: row.count("closed")?,
    })
}

fn ticket(row: &SqliteRow) -> Result<Ticket> {
    Ok(Ticket {
        id: row.id("ticket_id", TicketId::from_uuid)?,
        key: SignalKey {
            compliance_org: row.id("compliance_org_id", ComplianceOrgId::from_uuid)?,
            mapping: row.id("mapping_id", MappingId::from_uuid)?,
            signal: row.signal_kind("signal")?,
        },
        company: row.id("company_id", CompanyId::from_uuid)?,
        state: row.named("state", TicketState::from_name)?,
        version: Version::from_u32(row.counter("version")?),
        opened_at: row.time("opened_at")?,
        last_failed_at: row.time("last_failed_at")?,
        passes: row.counter("passes")?,
        pass_expires_at: row.time_if_any("pass_expires_at")?,
        content_digest: row.text("content_digest")?,
        reference: row.text_if_any("reference")?.map(Sensitive::from),
        closed_at: row.time_if_any("closed_at")?,
    })
}

#[cfg(test)]
mod tests {
    use regentra_sync::regentra_evidence::SignalKind;
    use uuid::Uuid;

    use super::*;
    use crate::plan;

    fn id() -> Uuid {
        Uuid::from_u128(1)
    }

    #[tokio::test]
    async fn a_page_of_tickets_begins_where_the_one_before_ended_and_sorts_nothing() {
        let all = TicketFilter::default();
        let (open, closed) = (Some(TicketState::Open), Some(TicketState::Closed));
        let customer = Some(ComplianceOrgId::from_uuid(id()));
        let mapping = Some(MappingId::from_uuid(id()));
        let company = Some(CompanyId::from_uuid(id()));
        let signal = Some(SignalKind::PatchSla);
        for (filter, index) in [
            (all, "tickets_newest (msp_org_id=?"),
            (
                TicketFilter { signal, ..all },
                "tickets_newest (msp_org_id=?",
            ),
            (
                TicketFilter {
                    state: closed,
                    ..all
                },
                "tickets_newest (msp_org_id=?",
            ),
            (
                TicketFilter { state: open, ..all },
                "tickets_newest_open (msp_org_id=?",
            ),
            (
                TicketFilter { customer, ..all },
                "tickets_of_customer (msp_org_id=? AND compliance_org_id=?",
            ),
            (
                TicketFilter { company, ..all },
                "tickets_of_company (msp_org_id=? AND company_id=?",
            ),
            (
                TicketFilter { mapping, ..all },
                "tickets_of_mapping (msp_org_id=? AND mapping_id=?",
            ),
            (
                TicketFilter {
                    customer,
                    state: open,
                    signal,
                    ..all
                },
                "tickets_of_customer (msp_org_id=? AND compliance_org_id=?",
            ),
        ] {
            let first = TicketPage::first(filter, 50);
            let after = Some((OffsetDateTime::UNIX_EPOCH, TicketId::from_uuid(id())));
            for page in [first, TicketPage { after, ..first }] {
                let begins = if page.after.is_some() {
                    " AND opened_at<?)"
                } else {
                    ")"
                };
                let plan = plan(select_page(MspOrgId::from_uuid(id()), page).sql().as_str()).await;
                let [step] = plan.as_slice() else {
                    panic!("{filter:?}: {plan:?}");
                };
                let step = step.replace("INDEX ", "");
                assert!(
                    step.starts_with("SEARCH tickets USING ")
                        && step.contains(&format!("{index}{begins}")),
                    "{filter:?}: {step}"
                );
            }
        }
    }

    #[tokio::test]
    async fn tickets_of_other_msps_are_not_counted_through() {
        let plan = plan(
            select_counts(MspOrgId::from_uuid(id()), TicketFilter::default())
                .sql()
                .as_str(),
        )
        .await;
        assert!(
            matches!(plan.as_slice(), [step] if step.contains("(msp_org_id=?")),
            "{plan:?}"
        );
    }
}
