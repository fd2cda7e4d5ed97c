//! Laws of [`AuditTrail`](crate::store::AuditTrail).

use uuid::Uuid;

use super::world::{World, at, committed};
use crate::{
    model::{Actor, ActorId, AuditAction, AuditDetails, AuditRow},
    store::{AuditFilter, AuditPage, CommitOutcome, Store},
};

pub async fn trails_are_read_newest_first_in_pages(store: &dyn Store) {
    let world = World::empty(store, 1);
    let mut rows: Vec<_> = (0..7)
        .map(|n| world.audit(&format!("row {n}"), n / 2))
        .collect();
    committed(
        store
            .commit_audit(world.msp, world.event("rows"), rows.clone())
            .await
            .unwrap(),
    );
    rows.sort_by_key(|row| std::cmp::Reverse((row.at, row.id)));
    assert_eq!(
        store
            .msp_audit(world.msp, AuditPage::newest(100))
            .await
            .unwrap(),
        rows
    );
    let mut paged = Vec::new();
    let mut page = AuditPage::newest(3);
    loop {
        let part = store.msp_audit(world.msp, page).await.unwrap();
        assert!(part.len() <= 3);
        let Some(last) = part.last() else { break };
        page = page.next(last);
        paged.extend(part);
    }
    assert_eq!(paged, rows);
}

pub async fn trails_of_tenants_are_apart(store: &dyn Store) {
    let (one, two) = (World::new(store, 1).await, World::new(store, 2).await);
    one.sweep("sweep", 3).await;
    let page = AuditPage::newest(100);
    let customer = store.customer_audit(one.customer, page).await.unwrap();
    assert_eq!(customer.len(), 1);
    assert!(
        !store
            .msp_audit(one.msp, page)
            .await
            .unwrap()
            .contains(&customer[0])
    );
    assert_eq!(
        store.customer_audit(two.customer, page).await.unwrap(),
        Vec::new()
    );
    committed(
        store
            .commit_audit(two.msp, two.event("row"), vec![two.audit("row", 1)])
            .await
            .unwrap(),
    );
    assert!(
        !store
            .msp_audit(one.msp, page)
            .await
            .unwrap()
            .contains(&two.audit("row", 1))
    );
    assert!(
        store
            .msp_audit(two.msp, page)
            .await
            .unwrap()
            .contains(&two.audit("row", 1))
    );
    assert_eq!(at(1), two.audit("row", 1).at);
}

pub async fn audit_rows_delivered_twice_are_written_once(store: &dyn Store) {
    let world = World::empty(store, 1);
    let commit = || store.commit_audit(world.msp, world.event("row"), vec![world.audit("row", 1)]);
    committed(commit().await.unwrap());
    assert_eq!(commit().await.unwrap(), CommitOutcome::AlreadyCommitted);
    assert_eq!(
        store
            .msp_audit(world.msp, AuditPage::newest(9))
            .await
            .unwrap(),
        vec![world.audit("row", 1)]
    );
}

/// All pages of a filter, three rows each.
async fn filtered(world: &World<'_>, filter: AuditFilter) -> Vec<AuditRow> {
    let (mut page, mut read) = (AuditPage::first(filter, 3), Vec::new());
    loop {
        let rows = world.store.msp_audit(world.msp, page).await.unwrap();
        let next = rows.last().map(|last| page.next(last));
        read.extend(rows);
        let Some(next) = next else { return read };
        page = next;
    }
}

pub async fn trails_are_filtered_by_everything_that_is_given(store: &dyn Store) {
    let (world, other) = (World::empty(store, 1), World::empty(store, 2));
    let (credential, mapping) = (world.credential.id, world.mapping.id);
    let operator = |n| Actor::Operator(ActorId::from_uuid(Uuid::from_u128(n)));
    let rows: Vec<_> = (0_i64..12)
        .map(|n| {
            let actor = match n % 3 {
                0 => Actor::Schedule,
                of_three => operator(of_three.unsigned_abs().into()),
            };
            let details = if n < 8 {
                AuditDetails::Ignored { mapping }
            } else {
                AuditDetails::KeyRotated { credential }
            };
            AuditRow::new(world.event(&format!("row {n}")), at(n / 2), actor, details)
        })
        .collect();
    let commit = store.commit_audit(world.msp, world.event("rows"), rows);
    committed(commit.await.unwrap());
    let all = AuditFilter::default();
    let whole = filtered(&world, all).await;
    assert_eq!(whole.len(), 12);
    let ignored = Some(AuditAction::NinjaoneIgnored);
    let swept = Some(AuditAction::NinjaoneSwept);
    for (action, actor, from, until, expected) in [
        (ignored, None, None, None, 8),
        (Some(AuditAction::NinjaoneKeyRotated), None, None, None, 4),
        (swept, None, None, None, 0),
        (None, Some(Actor::Schedule), None, None, 4),
        (None, Some(operator(1)), None, None, 4),
        (None, Some(operator(3)), None, None, 0),
        (ignored, Some(operator(2)), None, None, 2),
        (None, None, Some(at(0)), Some(at(6)), 12),
        (None, None, Some(at(1)), None, 10),
        (None, None, None, Some(at(1)), 2),
        (None, None, Some(at(2)), Some(at(4)), 4),
        (None, None, Some(at(4)), Some(at(4)), 0),
        (ignored, Some(Actor::Schedule), Some(at(1)), Some(at(5)), 2),
    ] {
        let filter = AuditFilter {
            action,
            actor,
            from,
            until,
        };
        let found = filtered(&world, filter).await;
        assert_eq!(found.len(), expected, "{filter:?}");
        let matching = whole.iter().filter(|row| filter.matches(row));
        assert!(found.iter().eq(matching), "{filter:?}");
        assert_eq!(filtered(&other, filter).await, []);
    }
    // A cursor later than the end of the filter's time reads what is before that end.
    let until = AuditFilter {
        until: Some(at(1)),
        ..all
    };
    let page = AuditPage::first(until, 9).next(&whole[0]);
    let found = store.msp_audit(world.msp, page).await.unwrap();
    assert_eq!(found.len(), 2);

    let swept_world = World::new(store, 3).await;
    for minutes in [3, 4] {
        let label = format!("sweep {minutes}");
        swept_world.sweep(&label, minutes).await;
    }
    for (action, from, expected) in [
        (swept, None, 2),
        (ignored, None, 0),
        (swept, Some(at(4)), 1),
    ] {
        let filter = AuditFilter {
            action,
            from,
            ..all
        };
        let page = AuditPage::first(filter, 9);
        let customer = swept_world.customer;
        let found = store.customer_audit(customer, page).await.unwrap();
        assert_eq!(found.len(), expected, "{filter:?}");
        let found = store.customer_audit(world.customer, page).await.unwrap();
        assert_eq!(found, []);
    }
}
