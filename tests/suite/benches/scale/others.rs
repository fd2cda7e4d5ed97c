//! Other MSPs, for the planner: every one has 125 customers, all promoted.

use anyhow::{Context as _, ensure};
use regentra_sync::{
    Connect, Integration,
    model::{
        Actor, CompanyId, ComplianceOrgId, CredentialId, EventId, Mapping, MappingId, MappingState,
        MspOrgId, OrganizationId, RegionKey, Version,
    },
    store::{CommitOutcome, DiscoveryCommit, Store},
};
use uuid::Uuid;

use crate::{NOW, stores::Database};

const CUSTOMERS: usize = 125;

/// MSPs that have so many mappings.
pub(crate) const fn msps(mappings: usize) -> usize {
    mappings.div_ceil(CUSTOMERS)
}

/// Adds them; the answer is how many mappings they have.
pub(crate) async fn furnish(
    integration: &Integration,
    store: &dyn Store,
    database: &Database,
    mappings: usize,
) -> anyhow::Result<usize> {
    let region = RegionKey::parse("us")?;
    let mut companies = Vec::with_capacity(mappings);
    for number in 0..msps(mappings) {
        let msp = MspOrgId::from_uuid(Uuid::from_u128(1_000_000 + number as u128));
        let connect = Connect {
            event: EventId::of_request("bench", &format!("connect {number}")),
            region: region.clone(),
            client_id: format!("client {number}").into(),
            client_secret: "secret".into(),
            allow_duplicate: false,
            actor: Actor::Schedule,
        };
        integration.connect(msp, connect).await?;
        let credential = store
            .credential(msp, CredentialId::of(msp, &region))
            .await?
            .context("just connected")?;
        let first = number * CUSTOMERS;
        let added = (first..mappings.min(first + CUSTOMERS)).map(|customer| {
            let id = MappingId::of(
                credential.id,
                OrganizationId::new(customer.cast_signed() as i64),
            );
            let company = CompanyId::from_uuid(Uuid::from_u128(!id.as_uuid().as_u128()));
            let name = format!("Customer {customer}");
            let promoted_to = ComplianceOrgId::from_uuid(id.as_uuid());
            companies.push((msp, company, name.clone(), promoted_to));
            Mapping {
                id,
                credential: credential.id,
                external_org_id: OrganizationId::new(customer.cast_signed() as i64),
                name: name.into(),
                state: MappingState::Mapped { company },
                suggestion: None,
                version: Version::FIRST,
                discovered_at: NOW,
                missing_since: None,
                first_evidence_synced_at: None,
            }
        });
        let commit = DiscoveryCommit {
            event: EventId::of_request("bench", &format!("discover {number}")),
            guard: credential.guard(),
            added: added.collect(),
            seen: Vec::new(),
            lost_organizations: None,
            audit: Vec::new(),
        };
        let outcome = store.commit_discovery(msp, commit).await?;
        ensure!(
            outcome == CommitOutcome::Committed,
            "mappings were not added: {outcome:?}"
        );
    }
    database
        .add_companies(&serde_json::to_string(&companies)?)
        .await?;
    Ok(mappings)
}
