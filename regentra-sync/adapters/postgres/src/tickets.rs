//! [`Tickets`].

use std::collections::BTreeSet;

use async_trait::async_trait;
use regentra_sync::{
    model::{
        CompanyId, ComplianceOrgId, MappingId, MspOrgId, OutboxAction, OutboxId, OutboxRow,
        Sensitive, SignalKey, Ticket, TicketId, TicketState, Version,
    },
    regentra_evidence::SignalKind,
    store::{
        CommitOutcome, DeliveryCommit, Precondition, Result, TicketCounts, TicketFilter,
        TicketPage, Tickets,
    },
};
use sqlx::{
    PgConnection, Postgres,
    postgres::{PgArguments, PgRow},
    query::Query,
};
use time::OffsetDateTime;

use crate::{
    PostgresStore,
    column::{Columns as _, column, to_json},
    failure::{Step, Stop, holds},
    transaction::{Tenants, present_until},
};

#[async_trait]
impl Tickets for PostgresStore {
    async fn tickets(
        &self,
        msp: MspOrgId,
        customer: Option<ComplianceOrgId>,
    ) -> Result<Vec<Ticket>> {
        let query = sqlx::query(
            "SELECT * FROM regentra_sync.tickets \
             WHERE msp_org_id = $1 AND ($2::uuid IS NULL OR compliance_org_id = $2) ORDER BY opened_at DESC, ticket_id",
        )
        .bind(msp.as_uuid())
        .bind(customer.map(ComplianceOrgId::as_uuid));
        self.rows(Tenants::msp(msp), query, ticket).await
    }

    async fn tickets_page(&self, msp: MspOrgId, page: TicketPage) -> Result<Vec<Ticket>> {
        self.rows(Tenants::msp(msp), select_page(msp, page), ticket)
            .await
    }

    async fn ticket_counts(&self, msp: MspOrgId, filter: TicketFilter) -> Result<TicketCounts> {
        let query = select_counts(msp, filter);
        let counts = self.row(Tenants::msp(msp), query, ticket_counts).await?;
        Ok(counts.unwrap_or_default())
    }

    async fn outbox(
        &self,
        msp: MspOrgId,
        now: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<OutboxRow>> {
        let query = sqlx::query(
            "SELECT outbox_id, ticket_id, action::text, created_at, due_at, delivered_at FROM regentra_sync.outbox \
             WHERE msp_org_id = $1 AND delivered_at IS NULL AND (due_at <= $2 OR created_at > $4) \
             ORDER BY position LIMIT $3",
        )
        .bind(msp.as_uuid())
        .bind(now)
        .bind(i64::from(limit))
        .bind(present_until(now));
        self.rows(Tenants::msp(msp), query, outbox_row).await
    }

    async fn commit_delivery(
        &self,
        msp: MspOrgId,
        commit: DeliveryCommit,
    ) -> Result<CommitOutcome> {
        self.commit(
            Tenants::msp(msp),
            msp,
            commit.event,
            &commit,
            move |connection, commit| Box::pin(deliver(connection, msp, commit)),
        )
        .await
    }
}

fn select_page(msp: MspOrgId, page: TicketPage) -> Query<'static, Postgres, PgArguments> {
    let TicketPage {
        filter:
            TicketFilter {
                state,
                customer,
                company,
                mapping,
                signal,
            },
        after,
        limit,
    } = page;
    sqlx::query(
        "SELECT * FROM regentra_sync.tickets WHERE msp_org_id = $1 \
         AND ($2::timestamptz IS NULL OR (opened_at <= $2 AND (opened_at < $2 OR ticket_id > $3))) \
         AND ($4::text IS NULL OR state = $4) AND ($5::uuid IS NULL OR compliance_org_id = $5) \
         AND ($6::uuid IS NULL OR company_id = $6) AND ($7::uuid IS NULL OR mapping_id = $7) \
         AND ($8::text IS NULL OR signal = $8) ORDER BY opened_at DESC, ticket_id LIMIT $9",
    )
    .bind(msp.as_uuid())
    .bind(after.map(|(opened_at, _)| opened_at))
    .bind(after.map(|(_, ticket)| ticket.as_uuid()))
    .bind(state.map(TicketState::as_str))
    .bind(customer.map(ComplianceOrgId::as_uuid))
    .bind(company.map(CompanyId::as_uuid))
    .bind(mapping.map(MappingId::as_uuid))
    .bind(signal.map(SignalKind::as_str))
    .bind(i64::from(limit))
}

fn select_counts(msp: MspOrgId, filter: TicketFilter) -> Query<'static, Postgres, PgArguments> {
    let TicketFilter {
        state,
        customer,
        company,
        mapping,
        signal,
    } = filter;
    sqlx::query(
        "SELECT count(*) FILTER (WHERE state = 'open') AS open, count(*) FILTER (WHERE state = 'closed') AS closed \
         FROM regentra_sync.tickets WHERE msp_org_id = $1 AND ($2::text IS NULL OR state = $2) \
         AND ($3::uuid IS NULL OR compliance_org_id = $3) AND ($4::uuid IS NULL OR company_id = $4) \
         AND ($5::uuid IS NULL OR mapping_id = $5) AND ($6::text IS NULL OR signal = $6)",
    )
    .bind(msp.as_uuid())
    .bind(state.map(TicketState::as_str))
    .bind(customer.map(ComplianceOrgId::as_uuid))
    .bind(company.map(CompanyId::as_uuid))
    .bind(mapping.map(MappingId::as_uuid))
    .bind(signal.map(SignalKind::as_str))
}

async fn deliver(connection: &mut PgConnection, msp: MspOrgId, commit: &DeliveryCommit) -> Step {
    let DeliveryCommit {
        event: _,
        row,
        reference,
        at,
    } = commit;
    let delivered = sqlx::query(
        "UPDATE regentra_sync.outbox SET delivered_at = $3 \
         WHERE msp_org_id = $1 AND outbox_id = $2 AND delivered_at IS NULL RETURNING ticket_id",
    )
    .bind(msp.as_uuid())
    .bind(row.as_uuid())
    .bind(at)
    .fetch_optional(&mut *connection)
    .await?;
    let Some(delivered) = delivered else {
        return Err(Stop::Answer(CommitOutcome::AlreadyCommitted));
    };
    let ticket = delivered.id_if_any("ticket_id", TicketId::from_uuid)?;
    if let (Some(ticket), Some(reference)) = (ticket, reference) {
        sqlx::query(
            "UPDATE regentra_sync.tickets SET reference = $3, version = version + 1 \
             WHERE msp_org_id = $1 AND ticket_id = $2",
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
    connection: &mut PgConnection,
    msp: MspOrgId,
    mappings: &[MappingId],
) -> Step<Vec<Ticket>> {
    let rows = sqlx::query(
        "SELECT * FROM regentra_sync.tickets \
         WHERE msp_org_id = $1 AND mapping_id = ANY ($2) AND state = 'open' ORDER BY ticket_id",
    )
    .bind(msp.as_uuid())
    .bind(column(mappings, |mapping| mapping.as_uuid()))
    .fetch_all(connection)
    .await?;
    Ok(rows.iter().map(ticket).collect::<Result<_>>()?)
}

/// Writes a ticket whose stored version the commit has compared and locked.
pub(crate) async fn write_ticket(
    connection: &mut PgConnection,
    msp: MspOrgId,
    ticket: &Ticket,
    exists: bool,
) -> Step {
    sqlx::query(if exists {
        "UPDATE regentra_sync.tickets SET compliance_org_id = $3, mapping_id = $4, signal = $5, company_id = $6, \
         state = $7, version = $8, opened_at = $9, last_failed_at = $10, passes = $11, content_digest = $12, reference = $13, \
         closed_at = $14, pass_expires_at = $15 WHERE msp_org_id = $1 AND ticket_id = $2"
    } else {
        "INSERT INTO regentra_sync.tickets (msp_org_id, ticket_id, compliance_org_id, mapping_id, signal, company_id, \
         state, version, opened_at, last_failed_at, passes, content_digest, reference, closed_at, \
         pass_expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
    })
    .bind(msp.as_uuid())
    .bind(ticket.id.as_uuid())
    .bind(ticket.key.compliance_org.as_uuid())
    .bind(ticket.key.mapping.as_uuid())
    .bind(ticket.key.signal.as_str())
    .bind(ticket.company.as_uuid())
    .bind(ticket.state.as_str())
    .bind(i64::from(ticket.version.as_u32()))
    .bind(ticket.opened_at)
    .bind(ticket.last_failed_at)
    .bind(i64::from(ticket.passes))
    .bind(ticket.content_digest.as_str())
    .bind(ticket.reference.as_ref().map(Sensitive::as_str))
    .bind(ticket.closed_at)
    .bind(ticket.pass_expires_at)
    .execute(connection)
    .await?;
    Ok(())
}

/// Appends outbox rows in this order. An existing digest that is not delivered is replaced and keeps its place. Any other existing row
/// stays as it is. If a digest was delivered meanwhile, the commit is superseded.
///
/// The lock makes positions grow in the order of commits. So no row becomes visible at a position before one that was already read.
pub(crate) async fn append_outbox(
    connection: &mut PgConnection,
    msp: MspOrgId,
    rows: &[OutboxRow],
) -> Step {
    if rows.is_empty() {
        return Ok(());
    }
    let actions = rows
        .iter()
        .map(|row| to_json(&row.action))
        .collect::<Result<Vec<_>>>()?;
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('regentra.outbox ' || $1, 0))")
        .bind(msp.to_string())
        .execute(&mut *connection)
        .await?;
    let written = sqlx::query(
        "INSERT INTO regentra_sync.outbox AS stored \
         (msp_org_id, outbox_id, ticket_id, action, created_at, due_at, delivered_at) \
         SELECT $1, id, ticket, action::jsonb, created_at, due_at, delivered_at \
         FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[]) \
         WITH ORDINALITY AS new (id, ticket, action, created_at, due_at, delivered_at, place) ORDER BY place \
         ON CONFLICT (msp_org_id, outbox_id) DO UPDATE SET ticket_id = excluded.ticket_id, \
         action = excluded.action, created_at = excluded.created_at, due_at = excluded.due_at, \
         delivered_at = excluded.delivered_at WHERE excluded.action ->> 'action' = 'digest' AND stored.delivered_at IS NULL RETURNING outbox_id",
    )
    .bind(msp.as_uuid())
    .bind(column(rows, |row| row.id.as_uuid()))
    .bind(column(rows, |row| row.ticket.map(TicketId::as_uuid)))
    .bind(actions)
    .bind(column(rows, |row| row.created_at))
    .bind(column(rows, |row| row.due_at))
    .bind(column(rows, |row| row.delivered_at))
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

pub(crate) fn outbox_row(row: &PgRow) -> Result<OutboxRow> {
    Ok(OutboxRow {
        id: row.id("outbox_id", OutboxId::from_uuid)?,
        ticket: row.id_if_any("ticket_id", TicketId::from_uuid)?,
        action: row.json("action")?,
        created_at: row.time("created_at")?,
        due_at: row.time("due_at")?,
        delivered_at: row.time_if_any("delivered_at")?,
    })
}

fn ticket_counts(row: &PgRow) -> Result<TicketCounts> {
    Ok(TicketCounts {
        open: row.count("open")?,
        closed: row.count("closed")?,
    })
}

fn ticket(row: &PgRow) -> Result<Ticket> {
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
