use async_trait::async_trait;
use regentra_sync::{
    model::{Actor, AuditRow, ComplianceOrgId, EventId, MspOrgId},
    store::{AuditFilter, AuditPage, AuditTrail, CommitOutcome, Result},
};
use sqlx::{QueryBuilder, Sqlite};
use uuid::Uuid;

use crate::{
    SqliteStore,
    column::{Columns as _, from_json, micros},
    commit::{append_msp_audit, begins, finish},
    failure::{Failure, Stop},
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
    tenant: "msp",
    indexes: Some(["msp_audit_action", "msp_audit_operator"]),
};
const OF_CUSTOMERS: Trails = Trails {
    table: "customer_audit",
    tenant: "compliance_org",
    indexes: None,
};

/// Only what is given stands in the statement; the index for it is named, since SQLite takes the primary key in its place.
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
    let mut select = QueryBuilder::new("SELECT entry FROM ");
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
        select
            .push(" AND entry ->> 'action' = ")
            .push_bind(action.as_str());
    }
    match actor {
        None => {}
        Some(Actor::Schedule) => {
            select.push(" AND entry ->> 'actor' = 'schedule'");
        }
        Some(Actor::Operator(operator)) => {
            let operator_is = " AND entry ->> '$.actor.operator' = ";
            select.push(operator_is).push_bind(operator.to_string());
        }
    }
    if let Some((at, id)) = before {
        select.push(" AND (\"at\", id) < (").push_bind(micros(at));
        select.push(", ").push_bind(id.as_uuid()).push(")");
    }
    // Of two bounds SQLite begins at one, so the looser one is left out.
    if let Some(until) = until.filter(|until| before.is_none_or(|(at, _)| at >= *until)) {
        select.push(" AND \"at\" < ").push_bind(micros(until));
    }
    if let Some(from) = from {
        select.push(" AND \"at\" >= ").push_bind(micros(from));
    }
    select
        .push(" ORDER BY \"at\" DESC, id DESC LIMIT ")
        .push_bind(limit);
    select
}

async fn read(
    store: &SqliteStore,
    mut select: QueryBuilder<Sqlite>,
) -> std::result::Result<Vec<AuditRow>, Failure> {
    let rows = select.build().fetch_all(&store.readers).await?;
    rows.iter()
        .map(|row| from_json(&row.text("entry")?, "entry"))
        .collect()
}

#[async_trait]
impl AuditTrail for SqliteStore {
    async fn msp_audit(&self, msp: MspOrgId, page: AuditPage) -> Result<Vec<AuditRow>> {
        Ok(read(self, select_page(OF_MSPS, msp.as_uuid(), page)).await?)
    }

    async fn customer_audit(
        &self,
        customer: ComplianceOrgId,
        page: AuditPage,
    ) -> Result<Vec<AuditRow>> {
        let select = select_page(OF_CUSTOMERS, customer.as_uuid(), page);
        Ok(read(self, select).await?)
    }

    async fn commit_audit(
        &self,
        msp: MspOrgId,
        event: EventId,
        rows: Vec<AuditRow>,
    ) -> Result<CommitOutcome> {
        let mut db = self.begin().await?;
        let written = async {
            begins(&mut db, self.clock.now(), msp, event, &rows).await?;
            Ok::<_, Stop>(append_msp_audit(&mut db, msp, &rows).await?)
        };
        let written = written.await;
        finish(db, written).await
    }
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
            (OF_MSPS, all, "PRIMARY KEY (msp=?"),
            (
                OF_MSPS,
                AuditFilter { action, ..all },
                "msp_audit_action (msp=? AND <expr>=?",
            ),
            (
                OF_MSPS,
                AuditFilter { actor, ..all },
                "msp_audit_operator (msp=? AND <expr>=?",
            ),
            (
                OF_MSPS,
                AuditFilter {
                    actor: Some(Actor::Schedule),
                    ..all
                },
                "PRIMARY KEY (msp=?",
            ),
            (
                OF_MSPS,
                AuditFilter { from, until, ..all },
                "PRIMARY KEY (msp=?",
            ),
            (
                OF_MSPS,
                AuditFilter {
                    action,
                    from,
                    until,
                    ..all
                },
                "msp_audit_action (msp=? AND <expr>=?",
            ),
            (OF_CUSTOMERS, all, "PRIMARY KEY (compliance_org=?"),
            (
                OF_CUSTOMERS,
                AuditFilter { action, ..all },
                "PRIMARY KEY (compliance_org=?",
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
