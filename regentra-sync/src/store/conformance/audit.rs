//! Laws of [`AuditTrail`](crate::store::AuditTrail).

use super::world::{World, at, committed};
use crate::store::{AuditPage, CommitOutcome, Store};

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
        page = AuditPage::after(last, 3);
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
