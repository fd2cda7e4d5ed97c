//! Laws of [`Planner`](crate::store::Planner).

use uuid::Uuid;

use super::world::{World, committed, mapping};
use crate::{
    model::{ComplianceOrgId, MappingState},
    store::{ActiveCredential, PromotedMapping, Store},
};

fn promoted(
    world: &World<'_>,
    customer: ComplianceOrgId,
    mapping: &crate::model::Mapping,
) -> PromotedMapping {
    PromotedMapping {
        msp: world.msp,
        customer,
        mapping: mapping.id,
        region: world.credential.region.clone(),
        external_org_id: mapping.external_org_id,
    }
}

pub async fn the_plan_pages_through_every_msp(store: &dyn Store) {
    let (mut credentials, mut mappings) = (Vec::new(), Vec::new());
    for number in 1..=5 {
        let world = World::new(store, number).await;
        let customer = ComplianceOrgId::from_uuid(Uuid::from_u128(1_000 + number));
        let second = world.another_customer(8, customer).await;
        mappings.push(promoted(&world, world.customer, &world.mapping));
        mappings.push(promoted(&world, customer, &second));
        credentials.push(ActiveCredential {
            msp: world.msp,
            credential: world.credential.id,
            region: world.credential.region.clone(),
        });
    }
    credentials.sort_by_key(|active| active.credential);
    mappings.sort_by_key(|promoted| promoted.mapping);

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
    let mut listed = Vec::new();
    loop {
        let after = listed
            .last()
            .map(|promoted: &PromotedMapping| promoted.mapping);
        let page = store.promoted_mappings(after, 3).await.unwrap();
        assert!(page.len() <= 3);
        if page.is_empty() {
            break;
        }
        listed.extend(page);
    }
    assert_eq!(listed, mappings);
}

pub async fn the_plan_holds_only_what_is_active_mapped_and_promoted(store: &dyn Store) {
    let world = World::new(store, 1).await;
    world
        .discover(vec![
            mapping(world.credential.id, 8),
            mapping(world.credential.id, 9),
        ])
        .await;
    let not_promoted = crate::model::PortalCompany {
        id: crate::model::CompanyId::of_name(world.msp, "other"),
        converted_to: None,
        ..world.company.clone()
    };
    store
        .add_company(world.msp, not_promoted.clone())
        .await
        .unwrap();
    let state = MappingState::Mapped {
        company: not_promoted.id,
    };
    let mut decision = world.deciding("mapped", state);
    decision.guard = mapping(world.credential.id, 8).guard();
    committed(store.commit_mapping(world.msp, decision).await.unwrap());
    let expected = vec![promoted(&world, world.customer, &world.mapping)];
    assert_eq!(store.promoted_mappings(None, 9).await.unwrap(), expected);

    committed(
        store
            .commit_mapping(world.msp, world.deciding("ignore", MappingState::Ignored))
            .await
            .unwrap(),
    );
    assert_eq!(store.promoted_mappings(None, 9).await.unwrap(), Vec::new());
    let disconnected = World::new(store, 2).await;
    disconnected.disconnect(5).await;
    assert_eq!(store.promoted_mappings(None, 9).await.unwrap(), Vec::new());
    let credentials = store.active_credentials(None, 9).await.unwrap();
    assert_eq!(
        credentials
            .iter()
            .map(|active| active.credential)
            .collect::<Vec<_>>(),
        vec![world.credential.id]
    );
}
