//! [`AuditTrail`].

use async_trait::async_trait;
use regentra_sync::{
    model::{Actor, ActorId, AuditAction, AuditId, AuditRow, ComplianceOrgId, EventId, MspOrgId},
    store::{AuditFilter, AuditPage, AuditTrail, CommitOutcome, Result},
};
use serde::{Deserialize as _, de::IntoDeserializer as _};
use sqlx::{
    PgConnection, Postgres,
    postgres::{PgArguments, PgRow},
    query::Query,
    types::{Uuid, time::OffsetDateTime},
};

use crate::{
    PostgresStore,
    column::{Columns as _, to_json},
    failure::Step,
    transaction::Tenants,
};

/// A page of a trail, newest first.
const OF_MSPS: &str = "SELECT audit_id, event_id, at, actor_id, action, details::text FROM regentra_sync.msp_audit \
    WHERE msp_org_id = $1 AND ($2::timestamptz IS NULL OR (at, audit_id) < ($2, $3)) \
    AND ($4::text IS NULL OR action = $4) AND (NOT $5 OR actor_id IS NULL) \
    AND ($6::uuid IS NULL OR actor_id = $6) AND ($7::timestamptz IS NULL OR at >= $7) \
    AND ($8::timestamptz IS NULL OR at < $8) ORDER BY at DESC, audit_id DESC LIMIT $9";
const OF_CUSTOMERS: &str = "SELECT audit_id, event_id, at, actor_id, action, details::text FROM regentra_sync.customer_audit \
    WHERE compliance_org_id = $1 AND ($2::timestamptz IS NULL OR (at, audit_id) < ($2, $3)) \
    AND ($4::text IS NULL OR action = $4) AND (NOT $5 OR actor_id IS NULL) \
    AND ($6::uuid IS NULL OR actor_id = $6) AND ($7::timestamptz IS NULL OR at >= $7) \
    AND ($8::timestamptz IS NULL OR at < $8) ORDER BY at DESC, audit_id DESC LIMIT $9";

#[async_trait]
impl AuditTrail for PostgresStore {
    async fn msp_audit(&self, msp: MspOrgId, page: AuditPage) -> Result<Vec<AuditRow>> {
        let query = select_page(OF_MSPS, msp.as_uuid(), page);
        self.rows(Tenants::msp(msp), query, audit_row).await
    }

    async fn customer_audit(
        &self,
        customer: ComplianceOrgId,
        page: AuditPage,
    ) -> Result<Vec<AuditRow>> {
        let query = select_page(OF_CUSTOMERS, customer.as_uuid(), page);
        self.rows(Tenants::customer(customer), query, audit_row)
            .await
    }

    async fn commit_audit(
        &self,
        msp: MspOrgId,
        event: EventId,
        rows: Vec<AuditRow>,
    ) -> Result<CommitOutcome> {
        self.commit(
            Tenants::msp(msp),
            msp,
            event,
            &rows,
            move |connection, rows| {
                Box::pin(async move { append_msp_audit(connection, msp, rows).await })
            },
        )
        .await
    }
}

/// A page of a tenant's trail.
fn select_page(
    trails: &'static str,
    tenant: Uuid,
    page: AuditPage,
) -> Query<'static, Postgres, PgArguments> {
    let AuditPage {
        filter:
            AuditFilter {
                action,
                actor,
                from,
                until,
            },
        before,
        limit,
    } = page;
    let operator = match actor {
        None | Some(Actor::Schedule) => None,
        Some(Actor::Operator(id)) => Some(id.as_uuid()),
    };
    sqlx::query(trails)
        .bind(tenant)
        .bind(before.map(|(at, _)| at))
        .bind(before.map(|(_, id)| id.as_uuid()))
        .bind(action.map(AuditAction::as_str))
        .bind(actor == Some(Actor::Schedule))
        .bind(operator)
        .bind(from)
        .bind(until)
        .bind(i64::from(limit))
}

fn audit_row(row: &PgRow) -> Result<AuditRow> {
    let actor = row.id_if_any("actor_id", ActorId::from_uuid)?;
    Ok(AuditRow {
        id: row.id("audit_id", AuditId::from_uuid)?,
        event: row.id("event_id", EventId::from_uuid)?,
        at: row.time("at")?,
        actor: actor.map_or(Actor::Schedule, Actor::Operator),
        action: row.named("action", action)?,
        details: row.json("details")?,
    })
}

fn action(name: &str) -> Option<AuditAction> {
    let name: serde::de::value::StrDeserializer<'_, serde::de::value::Error> =
        name.into_deserializer();
    AuditAction::deserialize(name).ok()
}

/// Columns of audit rows, one array each.
#[derive(Default)]
struct AuditColumns {
    ids: Vec<Uuid>,
    events: Vec<Uuid>,
    times: Vec<OffsetDateTime>,
    actors: Vec<Option<Uuid>>,
    actions: Vec<&'static str>,
    details: Vec<String>,
}

impl AuditColumns {
    fn of(rows: &[AuditRow]) -> Result<Self> {
        let mut columns = Self::default();
        for row in rows {
            columns.ids.push(row.id.as_uuid());
            columns.events.push(row.event.as_uuid());
            columns.times.push(row.at);
            columns.actors.push(match row.actor {
                Actor::Schedule => None,
                Actor::Operator(id) => Some(id.as_uuid()),
            });
            columns.actions.push(row.action.as_str());
            columns.details.push(to_json(&row.details)?);
        }
        Ok(columns)
    }
}

/// Appends rows to an MSP's trail. A row that exists already stays as it is.
pub(crate) async fn append_msp_audit(
    connection: &mut PgConnection,
    msp: MspOrgId,
    rows: &[AuditRow],
) -> Step {
    if rows.is_empty() {
        return Ok(());
    }
    let columns = AuditColumns::of(rows)?;
    sqlx::query(
        "INSERT INTO regentra_sync.msp_audit (msp_org_id, audit_id, event_id, at, actor_id, action, details) \
         SELECT $1, id, event, at, actor, action, details::jsonb \
         FROM unnest($2::uuid[], $3::uuid[], $4::timestamptz[], $5::uuid[], $6::text[], $7::text[]) \
         AS row (id, event, at, actor, action, details) ON CONFLICT DO NOTHING",
    )
    .bind(msp.as_uuid())
    .bind(columns.ids)
    .bind(columns.events)
    .bind(columns.times)
    .bind(columns.actors)
    .bind(columns.actions)
    .bind(columns.details)
    .execute(connection)
    .await?;
    Ok(())
}

/// Appends a row to a customer's trail. A row that exists already stays as it is.
pub(crate) async fn append_customer_audit(
    connection: &mut PgConnection,
    customer: ComplianceOrgId,
    row: &AuditRow,
) -> Step {
    let actor = match row.actor {
        Actor::Schedule => None,
        Actor::Operator(id) => Some(id.as_uuid()),
    };
    sqlx::query(
        "INSERT INTO regentra_sync.customer_audit (compliance_org_id, audit_id, event_id, at, actor_id, action, details) \
         VALUES ($1, $2, $3, $4, $5, $6, $7::text::jsonb) ON CONFLICT DO NOTHING",
    )
    .bind(customer.as_uuid())
    .bind(row.id.as_uuid())
    .bind(row.event.as_uuid())
    .bind(row.at)
    .bind(actor)
    .bind(row.action.as_str())
    .bind(to_json(&row.details)?)
    .execute(connection)
    .await?;
    Ok(())
}
