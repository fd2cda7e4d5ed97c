//! The one trait that sees every MSP: what the schedule plans from.

use std::fmt::Debug;

use async_trait::async_trait;

use super::error::Result;
use crate::model::{ComplianceOrgId, CredentialId, MappingId, MspOrgId, OrganizationId, RegionKey};

/// Lists work over all MSPs. It reads ids and nothing else: no secret, no name, no signal.
#[async_trait]
pub trait Planner: Debug + Send + Sync + 'static {
    /// Active credentials with an id after `after`, ordered by id, at most `limit`.
    async fn active_credentials(
        &self,
        after: Option<CredentialId>,
        limit: u32,
    ) -> Result<Vec<ActiveCredential>>;

    /// Mapped organizations of active credentials whose company was promoted, with an id after `after`, ordered by id, at
    /// most `limit`.
    async fn promoted_mappings(
        &self,
        after: Option<MappingId>,
        limit: u32,
    ) -> Result<Vec<PromotedMapping>>;
}

/// One credential to sync assets with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveCredential {
    /// The MSP.
    pub msp: MspOrgId,
    /// The credential.
    pub credential: CredentialId,
    /// Its region.
    pub region: RegionKey,
}

/// One mapping to sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromotedMapping {
    /// The MSP.
    pub msp: MspOrgId,
    /// The customer.
    pub customer: ComplianceOrgId,
    /// The mapping.
    pub mapping: MappingId,
    /// The region of its credential.
    pub region: RegionKey,
    /// The organization in NinjaOne.
    pub external_org_id: OrganizationId,
}
