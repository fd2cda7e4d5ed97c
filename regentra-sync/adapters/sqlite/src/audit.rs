//! [`AuditTrail`].

use async_trait::async_trait;
use regentra_sync::{
    model::{Actor, ActorId, AuditAction, AuditId, AuditRow, ComplianceOrgId, EventId, MspOrgId},
    store::{AuditFilter, AuditPage, AuditTrail, CommitOutcome, Result},
};
use serde::{Deserialize as _, Serialize, de::IntoDeserializer as _};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection, sqlite::SqliteRow};
use uuid::Uuid;

use crate::{
    SqliteStore,
    column::{Columns as _, micros, to_json},
    failure::Step,
};

/// A table of trails.
#[derive(Clone, Copy)]
struct Trails {
    table: &'static str,
    tenant: &'static str,
    /// The indexes by action and by operator. A customer's trail has its sweeps and little else.
    indexes: Option<[&'static str; 2]>,
}

const OF_MSPS: Trails = Trails {
    table: "msp_audit",
    tenant: "msp_org_id",
    indexes: Some(["msp_audit_by_action", "msp_audit_by_operator"]),
};
const OF_CUSTOMERS: Trails = Trails {
    table: "customer_audit",
    tenant: "compliance_org_id",
    indexes: None,
};

#[async_trait]
impl AuditTrail for SqliteStore {
    async fn msp_audit(&self, msp: MspOrgId, page: AuditPage) -> Result<Vec<AuditRow>> {
        let mut query = select_page(OF_MSPS, msp.as_uuid(), page);
        self.rows(query.build(), audit_row).await
    }

    async fn customer_audit(
        &self,
        customer: ComplianceOrgId,
        page: AuditPage,
    ) -> Result<Vec<AuditRow>> {
        let mut query = select_page(OF_CUSTOMERS, customer.as_uuid(), page);
        self.rows(query.build(), audit_row).await
    }

    async fn commit_audit(
        &self,
        msp: MspOrgId,
        event: EventId,
        rows: Vec<AuditRow>,
    ) -> Result<CommitOutcome> {
        self.commit(msp, event, &rows, move |connection, rows| {
            Box::pin(async move { append_msp_audit(connection, msp, rows).await })
        })
        .await
    }
}

/// A page of a tenant's trail. The statement contains only the conditions that are given. It names the index for them, because SQLite would
/// use the primary key instead.
fn select_page(trails: Trails, tenant: Uuid, page: AuditPage) -> QueryBuilder<Sqlite> {
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
    let mut select =
        QueryBuilder::new("SELECT audit_id, event_id, at, actor_id, action, details FROM ");
    select.push(trails.table);
    let index = match (trails.indexes, actor, action) {
        (Some([_, by_operator]), Some(Actor::Operator(_)), _) => Some(by_operator),
        (Some([by_action, _]), _, Some(_)) => Some(by_action),
        _ => None,
    };
    if let Some(index) = index {
        select.push(" INDEXED BY ").push(index);
    }
    select.push(" WHERE ").push(trails.tenant);
    select.push(" = ").push_bind(tenant);
    if let Some(action) = action {
        select.push(" AND action = ").push_bind(action.as_str());
    }
    match actor {
        None => {}
        Some(Actor::Schedule) => {
            select.push(" AND actor_id IS NULL");
        }
        Some(Actor::Operator(operator)) => {
            select
                .push(" AND actor_id = ")
                .push_bind(operator.as_uuid());
        }
    }
    if let Some((at, id)) = before {
        select.push(" AND (at, audit_id) < (").push_bind(micros(at));
        select.push(", ").push_bind(id.as_uuid()).push(")");
    }
    // With two upper bounds, SQLite begins at either of them, so the looser one is left out.
    if let Some(until) = until.filter(|until| before.is_none_or(|(at, _)| at >= *until)) {
        select.push(" AND at < ").push_bind(micros(until));
    }
    if let Some(from) = from {
        select.push(" AND at >= ").push_bind(micros(from));
    }
    select
        .push(" ORDER BY at DESC, audit_id DESC LIMIT ")
        .push_bind(i64::from(limit));
    select
}

fn audit_row(row: &SqliteRow) -> Result<AuditRow> {
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

/// Columns of an audit row, for a parameter that `json_each` turns into rows again.
#[derive(Serialize)]
struct AuditColumns {
    id: AuditId,
    event: EventId,
    at: i64,
    actor: Option<ActorId>,
    action: &'static str,
    details: String,
}

impl AuditColumns {
    fn of(rows: &[AuditRow]) -> Result<Vec<Self>> {
        let columns = |row: &AuditRow| {
            Ok(Self {
                id: row.id,
                event: row.event,
                at: micros(row.at),
                actor: match row.actor {
                    Actor::Schedule => None,
                    Actor::Operator(id) => Some(id),
                },
                action: row.action.as_str(),
                details: to_json(&row.details)?,
            })
        };
        rows.iter().map(columns).collect()
    }
}

/// Appends rows to an MSP's trail. A row that exists already stays as it is.
pub(crate) async fn append_msp_audit(
    connection: &mut SqliteConnection,
    msp: MspOrgId,
    rows: &[AuditRow],
) -> Step {
    if rows.is_empty() {
        return Ok(());
    }
    // A trigger refuses every insert that conflicts with an existing row, even one that would do nothing.
    sqlx::query(
        "INSERT INTO msp_audit (msp_org_id, audit_id, event_id, at, actor_id, action, details) \
         SELECT ?1, unhex(value ->> 'id', '-'), unhex(value ->> 'event', '-'), value ->> 'at', \
         unhex(value ->> 'actor', '-'), value ->> 'action', value ->> 'details' FROM json_each(?2) \
         WHERE NOT EXISTS (SELECT 1 FROM msp_audit WHERE msp_org_id = ?1 AND at = value ->> 'at' \
         AND audit_id = unhex(value ->> 'id', '-'))",
    )
    .bind(msp.as_uuid())
    .bind(to_json(&AuditColumns::of(rows)?)?)
    .execute(connection)
    .await?;
    Ok(())
}

/// Appends a row to a customer's trail. A row that exists already stays as it is.
pub(crate) async fn append_customer_audit(
    connection: &mut SqliteConnection,
    customer: ComplianceOrgId,
    row: &AuditRow,
) -> Step {
    sqlx::query(
        "INSERT INTO customer_audit (compliance_org_id, audit_id, event_id, at, actor_id, action, details) \
         SELECT ?1, unhex(value ->> 'id', '-'), unhex(value ->> 'event', '-'), value ->> 'at', \
         unhex(value ->> 'actor', '-'), value ->> 'action', value ->> 'details' FROM json_each(?2) \
         WHERE NOT EXISTS (SELECT 1 FROM customer_audit WHERE compliance_org_id = ?1 AND at = value ->> 'at' \
         AND audit_id = unhex(value ->> 'id', '-'))",
    )
    .bind(customer.as_uuid())
    .bind(to_json(&AuditColumns::of(std::slice::from_ref(row))?)?)
    .execute(connection)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use regentra_sync::model::{ActorId, AuditAction, AuditId};
    use time::{Duration, OffsetDateTime};

    use super::*;
    use crate::plan;

    #[tokio::test]
    async fn a_page_of_a_trail_begins_where_the_one_before_ended_and_sorts_nothing() {
        let id = Uuid::from_u128(1);
        let all = AuditFilter::default();
        let action = Some(AuditAction::NinjaoneMapped);
        let actor = Some(Actor::Operator(ActorId::from_uuid(id)));
        let until = Some(OffsetDateTime::UNIX_EPOCH);
        let from = until.map(|until| until - Duration::DAY);
        for (trails, filter, lookup) in [
            (OF_MSPS, all, "PRIMARY KEY (msp_org_id=?"),
            (
                OF_MSPS,
                AuditFilter { action, ..all },
                "msp_audit_by_action (msp_org_id=? AND action=?",
            ),
            (
                OF_MSPS,
                AuditFilter { actor, ..all },
                "msp_audit_by_operator (msp_org_id=? AND actor_id=?",
            ),
            (
                OF_MSPS,
                AuditFilter {
                    actor: Some(Actor::Schedule),
                    ..all
                },
                "PRIMARY KEY (msp_org_id=?",
            ),
            (
                OF_MSPS,
                AuditFilter { from, until, ..all },
                "PRIMARY KEY (msp_org_id=?",
            ),
            (
                OF_MSPS,
                AuditFilter {
                    action,
                    from,
                    until,
                    ..all
                },
                "msp_audit_by_action (msp_org_id=? AND action=?",
            ),
            (OF_CUSTOMERS, all, "PRIMARY KEY (compliance_org_id=?"),
            (
                OF_CUSTOMERS,
                AuditFilter { action, ..all },
                "PRIMARY KEY (compliance_org_id=?",
            ),
        ] {
            let first = AuditPage::first(filter, 50);
            // Later than `until`, and earlier.
            let before = [Duration::DAY, -Duration::HOUR].map(|by| AuditPage {
                before: until.map(|until| (until + by, AuditId::from_uuid(id))),
                ..first
            });
            for page in [first, before[0], before[1]] {
                let select = select_page(trails, id, page);
                let plan = plan(select.sql().as_str()).await;
                let [step] = plan.as_slice() else {
                    panic!("{filter:?}: {plan:?}");
                };
                assert!(
                    step.starts_with("SEARCH ") && step.contains(lookup),
                    "{filter:?}: {step}"
                );
                let is_bound = page.before.is_some() || filter.until.is_some();
                assert_eq!(
                    step.contains("<?") || step.contains("<(?,?)"),
                    is_bound,
                    "{page:?}: {step}"
                );
            }
        }
    }
}
