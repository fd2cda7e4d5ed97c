//! An MSP on its way from credentials to customers that are swept.

use regentra_sync::{
    Choice, Connect, Discover, Integration, MapOrganization, Promote,
    model::{ComplianceOrgId, CredentialId, EventId, MappingId, MspOrgId},
    store::Store,
};
use uuid::Uuid;

/// Connects an MSP, maps each of its organizations to a company of its own, and promotes each company: what became a customer of what.
/// `event` names the requests.
pub async fn connect_and_promote_all(
    host: &Integration,
    store: &dyn Store,
    msp: MspOrgId,
    connect: Connect,
    event: impl Fn(&str) -> EventId,
) -> Vec<(MappingId, ComplianceOrgId)> {
    let (region, actor) = (connect.region.clone(), connect.actor);
    let credential = CredentialId::of(msp, &region);
    let discover = Discover {
        region,
        actor,
        event: event(&format!("discover {msp}")),
    };
    host.connect(msp, connect).await.unwrap();
    host.discover(msp, discover).await.unwrap();
    let mut customers = Vec::new();
    for mapping in store.mappings(msp, credential).await.unwrap() {
        let mapping = mapping.id;
        let map = MapOrganization {
            mapping,
            choice: Choice::CreateNew,
            actor,
            event: event(&format!("map {mapping}")),
        };
        let mapped = host.map(msp, map).await.unwrap().mapping;
        let company = mapped.state.company().unwrap();
        let compliance_org = Uuid::from_u128(company.as_uuid().as_u128() ^ 0xc0de);
        let compliance_org = ComplianceOrgId::from_uuid(compliance_org);
        let promote = Promote {
            company,
            compliance_org,
            actor,
            event: event(&format!("promote {mapping}")),
        };
        host.promote(msp, promote).await.unwrap();
        customers.push((mapping, compliance_org));
    }
    customers
}
