//! The one trait that reads across MSPs. The schedule plans from it.

use std::fmt::Debug;

use async_trait::async_trait;

use super::error::Result;
use crate::model::{CredentialId, MspOrgId, RegionKey};

/// Lists work over all MSPs. It returns ids and regions only: no secret, no name, no signal.
#[async_trait]
pub trait Planner: Debug + Send + Sync + 'static {
    /// The active credentials with an id after `after`, ordered by id; at most `limit`.
    async fn active_credentials(
        &self,
        after: Option<CredentialId>,
        limit: u32,
    ) -> Result<Vec<ActiveCredential>>;
}

/// A credential to sync assets with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveCredential {
    /// The MSP.
    pub msp: MspOrgId,
    /// The credential.
    pub credential: CredentialId,
    /// Its region.
    pub region: RegionKey,
}
