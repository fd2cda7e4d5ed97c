//! Laws of [`Planner`](crate::store::Planner).

use super::world::World;
use crate::store::{ActiveCredential, Store};

fn active(world: &World<'_>) -> ActiveCredential {
    ActiveCredential {
        msp: world.msp,
        credential: world.credential.id,
        region: world.credential.region.clone(),
    }
}

pub async fn the_plan_pages_through_every_msp(store: &dyn Store) {
    let mut credentials = Vec::new();
    for number in 1..=5 {
        credentials.push(active(&World::new(store, number).await));
    }
    credentials.sort_by_key(|active| active.credential);

    let mut listed = Vec::new();
    loop {
        let after = listed
            .last()
            .map(|active: &ActiveCredential| active.credential);
        let page = store.active_credentials(after, 2).await.unwrap();
        assert!(page.len() <= 2);
        if page.is_empty() {
            break;
        }
        listed.extend(page);
    }
    assert_eq!(listed, credentials);
}

pub async fn the_plan_holds_only_what_is_active(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let disconnected = World::new(store, 2).await;
    disconnected.disconnect(5).await;
    let credentials = store.active_credentials(None, 9).await.unwrap();
    assert_eq!(credentials, [active(&world)]);
}
