use std::collections::BTreeSet;

use async_trait::async_trait;
use regentra_sync::{
    model::{
        CompanyId, ComplianceOrgId, MappingId, MspOrgId, OutboxAction, OutboxId, OutboxRow,
        Sensitive, SignalKey, Ticket, TicketId, TicketState, Version,
    },
    store::{
        CommitOutcome, DeliveryCommit, Guard, Result, TicketCounts, TicketFilter, TicketPage,
        TicketWrite, Tickets,
    },
};
use serde::Serialize;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection, sqlite::SqliteRow};
use time::OffsetDateTime;

use crate::{
    SqliteStore,
    column::{Columns as _, from_json, json, micros, present_until, signal_kind},
    commit::{begins, finish},
    failure::{Failure, Stop, holds},
};

/// Only what is given stands in the statement, so that SQLite takes the index for it.
fn push_filter(select: &mut QueryBuilder<Sqlite>, filter: TicketFilter) {
    let TicketFilter {
        state,
        customer,
        company,
        mapping,
        signal,
    } = filter;
    if let Some(state) = state {
        // As text, by which SQLite sees that a partial index holds all that is asked for.
        select.push(format_args!(" AND state = '{}'", state.as_str()));
    }
    if let Some(customer) = customer {
        select
            .push(" AND compliance_org = ")
            .push_bind(customer.as_uuid());
    }
    if let Some(company) = company {
        select.push(" AND company = ").push_bind(company.as_uuid());
    }
    if let Some(mapping) = mapping {
        select.push(" AND mapping = ").push_bind(mapping.as_uuid());
    }
    if let Some(signal) = signal {
        select.push(" AND signal = ").push_bind(signal.as_str());
    }
}

fn select_page(msp: MspOrgId, page: TicketPage) -> QueryBuilder<Sqlite> {
    let TicketPage {
        filter,
        after,
        limit,
    } = page;
    let mut select = QueryBuilder::new("SELECT * FROM ticket WHERE msp = ");
    select.push_bind(msp.as_uuid());
    push_filter(&mut select, filter);
    if let Some((opened_at, id)) = after {
        let opened_at = micros(opened_at);
        select.push(" AND opened_at <= ").push_bind(opened_at);
        select.push(" AND (opened_at < ").push_bind(opened_at);
        select.push(" OR id > ").push_bind(id.as_uuid()).push(")");
    }
    select
        .push(" ORDER BY opened_at DESC, id LIMIT ")
        .push_bind(limit);
    select
}

fn select_counts(msp: MspOrgId, filter: TicketFilter) -> QueryBuilder<Sqlite> {
    let mut select = QueryBuilder::new(
        "SELECT count(*) FILTER (WHERE state = 'open') AS open, count(*) FILTER (WHERE state = 'closed') AS closed \
         FROM ticket WHERE msp = ",
    );
    select.push_bind(msp.as_uuid());
    push_filter(&mut select, filter);
    select
}

pub(crate) fn ticket(row: &SqliteRow) -> std::result::Result<Ticket, Failure> {
    Ok(Ticket {
        id: TicketId::from_uuid(row.id("id")?),
        key: SignalKey {
            compliance_org: ComplianceOrgId::from_uuid(row.id("compliance_org")?),
            mapping: MappingId::from_uuid(row.id("mapping")?),
            signal: signal_kind(&row.text("signal")?)?,
        },
        company: CompanyId::from_uuid(row.id("company")?),
        state: TicketState::from_name(&row.text("state")?)
            .ok_or_else(|| Failure::corrupt("state"))?,
        version: Version::from_u32(row.number("version")?),
        opened_at: row.time("opened_at")?,
        last_failed_at: row.time("last_failed_at")?,
        passes: row.number("passes")?,
        pass_expires_at: row.optional_time("pass_expires_at")?,
        content_digest: row.text("said")?,
        reference: row.optional_text("reference")?.map(Sensitive::new),
        closed_at: row.optional_time("closed_at")?,
    })
}

pub(crate) fn outbox_row(row: &SqliteRow) -> std::result::Result<OutboxRow, Failure> {
    Ok(OutboxRow {
        id: OutboxId::from_uuid(row.id("id")?),
        ticket: row.optional_id("ticket")?.map(TicketId::from_uuid),
        action: from_json(&row.text("action")?, "action")?,
        created_at: row.time("created_at")?,
        due_at: row.time("due_at")?,
        delivered_at: row.optional_time("delivered_at")?,
    })
}

/// Writes one ticket whole; `false` when the stored version is not the expected one.
pub(crate) async fn write_ticket(
    db: &mut SqliteConnection,
    msp: MspOrgId,
    write: &TicketWrite,
) -> std::result::Result<bool, Failure> {
    let insert = "INSERT INTO ticket (msp, id, compliance_org, mapping, signal, company, state, version, opened_at, \
                  last_failed_at, passes, said, reference, closed_at, pass_expires_at) \
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) ON CONFLICT (msp, id) DO NOTHING";
    let update = "UPDATE ticket SET compliance_org = ?3, mapping = ?4, signal = ?5, company = ?6, state = ?7, \
                  version = ?8, opened_at = ?9, last_failed_at = ?10, passes = ?11, said = ?12, reference = ?13, \
                  closed_at = ?14, pass_expires_at = ?15 WHERE msp = ?1 AND id = ?2 AND version = ?16";
    let TicketWrite { ticket, expected } = write;
    let query = sqlx::query(if expected.is_none() { insert } else { update })
        .bind(msp.as_uuid())
        .bind(ticket.id.as_uuid())
        .bind(ticket.key.compliance_org.as_uuid())
        .bind(ticket.key.mapping.as_uuid())
        .bind(ticket.key.signal.as_str())
        .bind(ticket.company.as_uuid())
        .bind(ticket.state.as_str())
        .bind(ticket.version.as_u32())
        .bind(micros(ticket.opened_at))
        .bind(micros(ticket.last_failed_at))
        .bind(ticket.passes)
        .bind(&ticket.content_digest)
        .bind(ticket.reference.as_ref().map(Sensitive::as_str))
        .bind(ticket.closed_at.map(micros))
        .bind(ticket.pass_expires_at.map(micros));
    let query = match expected {
        None => query,
        Some(expected) => query.bind(expected.as_u32()),
    };
    Ok(query.execute(db).await?.rows_affected() == 1)
}

/// Appends rows in this order. A digest that exists and is undelivered is replaced where it stands; any other row that exists
/// is left, and a digest that was delivered meanwhile holds the commit back.
pub(crate) async fn append_outbox(
    db: &mut SqliteConnection,
    msp: MspOrgId,
    rows: &[OutboxRow],
) -> std::result::Result<(), Stop> {
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
    let new = rows.iter().map(|row| {
        Ok::<_, Failure>(Row {
            id: row.id,
            ticket: row.ticket,
            action: json(&row.action)?,
            created_at: micros(row.created_at),
            due_at: micros(row.due_at),
            delivered_at: row.delivered_at.map(micros),
        })
    });
    let new = new.collect::<std::result::Result<Vec<_>, _>>()?;
    let insert = "INSERT INTO outbox (msp, id, ticket, action, created_at, due_at, delivered_at) \
                  SELECT ?1, unhex(value ->> 'id', '-'), unhex(value ->> 'ticket', '-'), value ->> 'action', \
                  value ->> 'created_at', value ->> 'due_at', value ->> 'delivered_at' FROM json_each(?2) ORDER BY key \
                  ON CONFLICT (msp, id) DO UPDATE SET action = excluded.action, due_at = excluded.due_at \
                  WHERE excluded.action ->> 'action' = 'digest' AND outbox.delivered_at IS NULL RETURNING id";
    let written = sqlx::query(insert)
        .bind(msp.as_uuid())
        .bind(json(&new)?)
        .fetch_all(db)
        .await?;
    let written = written
        .iter()
        .map(|row| row.id("id").map(OutboxId::from_uuid))
        .collect::<std::result::Result<BTreeSet<_>, _>>()?;
    let is_kept = |row: &OutboxRow| {
        !matches!(row.action, OutboxAction::Digest { .. }) || written.contains(&row.id)
    };
    holds(rows.iter().all(is_kept), Guard::TicketTick)
}

async fn write_delivery(
    db: &mut SqliteConnection,
    store_time: OffsetDateTime,
    msp: MspOrgId,
    commit: &DeliveryCommit,
) -> std::result::Result<(), Stop> {
    let DeliveryCommit {
        event,
        row,
        reference,
        at,
    } = commit;
    begins(db, store_time, msp, *event, commit).await?;
    let deliver = "UPDATE outbox SET delivered_at = ?1 WHERE msp = ?2 AND id = ?3 AND delivered_at IS NULL RETURNING ticket";
    let delivered = sqlx::query(deliver)
        .bind(micros(*at))
        .bind(msp.as_uuid())
        .bind(row.as_uuid())
        .fetch_optional(&mut *db)
        .await?;
    let Some(delivered) = delivered else {
        return Err(Stop::Outcome(CommitOutcome::AlreadyCommitted));
    };
    if let (Some(ticket), Some(reference)) = (delivered.optional_id("ticket")?, reference) {
        sqlx::query(
            "UPDATE ticket SET reference = ?1, version = version + 1 WHERE msp = ?2 AND id = ?3",
        )
        .bind(reference.as_str())
        .bind(msp.as_uuid())
        .bind(ticket)
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

#[async_trait]
impl Tickets for SqliteStore {
    async fn tickets(
        &self,
        msp: MspOrgId,
        customer: Option<ComplianceOrgId>,
    ) -> Result<Vec<Ticket>> {
        let select = "SELECT * FROM ticket WHERE msp = ?1 AND (?2 IS NULL OR compliance_org = ?2) \
                      ORDER BY opened_at DESC, id";
        let rows = sqlx::query(select)
            .bind(msp.as_uuid())
            .bind(customer.map(ComplianceOrgId::as_uuid))
            .fetch_all(&self.readers)
            .await
            .map_err(Failure::from)?;
        Ok(rows
            .iter()
            .map(ticket)
            .collect::<std::result::Result<_, _>>()?)
    }

    async fn tickets_page(&self, msp: MspOrgId, page: TicketPage) -> Result<Vec<Ticket>> {
        let rows = select_page(msp, page)
            .build()
            .fetch_all(&self.readers)
            .await
            .map_err(Failure::from)?;
        Ok(rows
            .iter()
            .map(ticket)
            .collect::<std::result::Result<_, _>>()?)
    }

    async fn ticket_counts(&self, msp: MspOrgId, filter: TicketFilter) -> Result<TicketCounts> {
        let row = select_counts(msp, filter)
            .build()
            .fetch_one(&self.readers)
            .await
            .map_err(Failure::from)?;
        Ok(TicketCounts {
            open: row.number("open")?,
            closed: row.number("closed")?,
        })
    }

    async fn outbox(
        &self,
        msp: MspOrgId,
        now: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<OutboxRow>> {
        let select = "SELECT * FROM outbox WHERE msp = ?1 AND delivered_at IS NULL \
                      AND (due_at <= ?2 OR created_at > ?4) ORDER BY position LIMIT ?3";
        let rows = sqlx::query(select)
            .bind(msp.as_uuid())
            .bind(micros(now))
            .bind(limit)
            .bind(micros(present_until(now)))
            .fetch_all(&self.readers)
            .await
            .map_err(Failure::from)?;
        Ok(rows
            .iter()
            .map(outbox_row)
            .collect::<std::result::Result<_, _>>()?)
    }

    async fn commit_delivery(
        &self,
        msp: MspOrgId,
        commit: DeliveryCommit,
    ) -> Result<CommitOutcome> {
        let mut db = self.begin().await?;
        let written = write_delivery(&mut db, self.clock.now(), msp, &commit).await;
        finish(db, written).await
    }
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
            (all, "ticket_newest (msp=?"),
            (TicketFilter { signal, ..all }, "ticket_newest (msp=?"),
            (
                TicketFilter {
                    state: closed,
                    ..all
                },
                "ticket_newest (msp=?",
            ),
            (
                TicketFilter { state: open, ..all },
                "ticket_newest_open (msp=?",
            ),
            (
                TicketFilter { customer, ..all },
                "ticket_customer (msp=? AND compliance_org=?",
            ),
            (
                TicketFilter { company, ..all },
                "ticket_company (msp=? AND company=?",
            ),
            (
                TicketFilter { mapping, ..all },
                "ticket_mapping (msp=? AND mapping=?",
            ),
            (
                TicketFilter {
                    customer,
                    state: open,
                    signal,
                    ..all
                },
                "ticket_customer (msp=? AND compliance_org=?",
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
                    step.starts_with("SEARCH ticket USING ")
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
            matches!(plan.as_slice(), [step] if step.contains("(msp=?")),
            "{plan:?}"
        );
    }
}
