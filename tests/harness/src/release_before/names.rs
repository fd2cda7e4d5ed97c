//! What the story calls things. The release before had the same under other paths.

use std::sync::Arc;

pub(super) use regentra_sync::{
    BeginAuthorization, Callback, Choice, Connect, Integration, IntegrationBuilder,
    RequestedAccess, SweepOutcome,
    host::{AnchorSink, FileSink, ManualClock, StoreClock},
    model::{
        Actor, ActorId, Asset, AssetContent, AssetId, AssetStatus, CompanyId, ComplianceOrgId,
        CredentialId, EventId, LeaseKey, MappingId, MspOrgId, NINJAONE_WINDOWS, OutboxId,
        OutboxRow, PortalCompany, RegionKey, Source, Spend, Version, WorkerId,
    },
    ninjaone_client::OrganizationId as ExternalOrgId,
    regentra_evidence::{HeadSigner, KeyId as SignatureKeyId},
    schedule::{Cadence, Event, PlanKind},
    store::{AssetCommit, AssetWrite, CommitOutcome, Store},
};
use regentra_sync::{
    host::HostPolicy, ninjaone::NinjaOneApi, ninjaone_client::RateLimit, seal::Keyring,
};

use super::story::Host;
use crate::keys::keyring;

/// A process of the story's host.
pub(super) fn builder(host: &Host) -> IntegrationBuilder {
    builder_with(host, keyring())
}

/// The same with other keys.
pub(super) fn builder_with(host: &Host, keyring: Keyring) -> IntegrationBuilder {
    let keyring = Arc::new(keyring);
    let ninjaone = NinjaOneApi::new()
        .rate_limit(RateLimit::unlimited())
        .transport(Arc::new(host.answers.clone()))
        .shared_budget(Arc::clone(&host.store), Arc::clone(&keyring));
    Integration::builder(Arc::clone(&host.store), keyring, Arc::new(ninjaone))
        .clock(Arc::new(host.clock.clone()))
        .policy(HostPolicy::default().tickets_per_tick(3))
}

/// What a bridge finds to do.
pub(super) async fn outbox(process: &Integration, msp: MspOrgId) -> Vec<OutboxRow> {
    process.views().outbox(msp, 100).await.unwrap()
}
