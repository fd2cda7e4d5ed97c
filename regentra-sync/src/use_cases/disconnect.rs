use super::integration::{Integration, RACES, superseded};
use crate::{
    error::Result,
    model::{Actor, AuditDetails, AuditRow, CredentialId, EventId, MspOrgId, RegionKey},
    store::{CommitOutcome, DisconnectCommit},
};

/// A region that was disconnected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disconnected {
    /// Which credential.
    pub credential: CredentialId,
    /// `false` when it was disconnected already.
    pub changed: bool,
}

/// What to disconnect.
#[derive(Clone, Debug)]
pub struct Disconnect {
    /// The region.
    pub region: RegionKey,
    /// Who asks.
    pub actor: Actor,
    /// Names the request: sent twice, it is done once.
    pub event: EventId,
}

impl Integration {
    /// Disconnects a region, in one step: its secrets are deleted, its assets retired, every affected customer's trail says so,
    /// and no run in flight writes afterwards. Mappings, signals and evidence stay; signals are left to age out.
    ///
    /// With an anchor sink, the heads that are under no root yet are put under one and handed out afterwards, for ten seconds at most:
    /// no tick is planned for an MSP without a connection. What fails there is shown by [`diagnose`](Self::diagnose).
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::error::ErrorKind::NotFound) when the region was never connected;
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    #[tracing::instrument(name = "regentra.disconnect", skip_all, fields(%msp, region = %request.region))]
    pub async fn disconnect(&self, msp: MspOrgId, request: Disconnect) -> Result<Disconnected> {
        let disconnected = self.disconnect_region(msp, request).await?;
        self.anchor_last(msp).await;
        Ok(disconnected)
    }

    async fn disconnect_region(&self, msp: MspOrgId, request: Disconnect) -> Result<Disconnected> {
        let Disconnect {
            region,
            actor,
            event,
        } = request;
        let id = CredentialId::of(msp, &region);
        for _ in 0..RACES {
            let stored = self.inner.store.credential(msp, id).await?.ok_or_else(|| {
                crate::error::Error::new(
                    crate::error::ErrorKind::NotFound,
                    "this NinjaOne region was never connected",
                )
            })?;
            if !stored.is_active {
                self.inner.ninjaone.forget(id);
                return Ok(Disconnected {
                    credential: id,
                    changed: false,
                });
            }
            let mappings = self.inner.store.mappings(msp, id).await?;
            let mapped = mappings
                .iter()
                .filter(|mapping| mapping.state.company().is_some())
                .count() as u64;
            let at = self.now();
            let details = AuditDetails::Disconnected {
                credential: id,
                mappings: mapped,
                unexpired_signals: None,
            };
            let audit = AuditRow::new(event, at, actor, details);
            let commit = DisconnectCommit {
                event,
                guard: stored.guard(),
                at,
                audit,
            };
            let committed = self.inner.store.commit_disconnect(msp, commit).await?;
            if !matches!(committed, CommitOutcome::Superseded(_)) {
                self.inner.ninjaone.forget(id);
            }
            match committed {
                CommitOutcome::Committed => {
                    tracing::info!(credential = %id, "disconnected");
                    return Ok(Disconnected {
                        credential: id,
                        changed: true,
                    });
                }
                CommitOutcome::AlreadyCommitted => {
                    return Ok(Disconnected {
                        credential: id,
                        changed: false,
                    });
                }
                CommitOutcome::Superseded(_) => {}
            }
        }
        Err(superseded())
    }
}
