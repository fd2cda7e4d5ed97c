use std::collections::BTreeSet;

use regentra_evidence::Framework;

use super::integration::{Integration, RACES, superseded};
use crate::{
    error::{Error, ErrorKind, Result},
    model::{
        Actor, AdoptedFrameworks, AuditDetails, AuditRow, CompanyId, EventId, MspOrgId,
        StoredFrameworks, Version,
    },
    store::{CommitOutcome, FrameworksCommit},
};

/// Frameworks for a company to adopt.
#[derive(Clone, Debug)]
pub struct AdoptFrameworks {
    /// Names the request: sent twice, it is done once.
    pub event: EventId,
    /// Which company.
    pub company: CompanyId,
    /// The version of its frameworks that the caller showed, so that one person does not overwrite what another changed meanwhile.
    /// `None` changes whatever is stored now.
    pub expected: Option<Version>,
    /// The frameworks; an empty set is none of them. `None` takes the decision back: all are shown again.
    pub frameworks: Option<BTreeSet<Framework>>,
    /// Who asks.
    pub actor: Actor,
}

/// Frameworks that stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// The frameworks as they are now.
    pub frameworks: StoredFrameworks,
    /// `false` when they were so before.
    pub changed: bool,
}

impl Integration {
    /// Decides which frameworks a company has adopted: they decide which requirements are shown of it. A framework that a later
    /// release stored and this one does not know stays, until the decision is taken back.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such company; [`ErrorKind::Conflict`] when its frameworks were changed since the version
    /// that was shown; [`ErrorKind::Store`].
    #[tracing::instrument(name = "regentra.adopt_frameworks", skip_all, fields(%msp, company = %request.company))]
    pub async fn adopt_frameworks(
        &self,
        msp: MspOrgId,
        request: AdoptFrameworks,
    ) -> Result<Adopted> {
        let AdoptFrameworks {
            event,
            company,
            expected,
            frameworks,
            actor,
        } = request;
        for _ in 0..RACES {
            let stored = self.frameworks_of(msp, company).await?;
            let adopted = match &frameworks {
                Some(frameworks) => stored.frameworks.with(frameworks),
                None => AdoptedFrameworks::default(),
            };
            if adopted == stored.frameworks {
                return Ok(Adopted {
                    frameworks: stored,
                    changed: false,
                });
            }
            let expected = expected.unwrap_or(stored.version);
            let details = AuditDetails::FrameworksAdopted {
                company,
                frameworks: adopted.clone(),
            };
            let commit = FrameworksCommit {
                event,
                company,
                expected,
                frameworks: adopted,
                audit: vec![AuditRow::new(event, self.now(), actor, details)],
            };
            match self.inner.store.commit_frameworks(msp, commit).await? {
                CommitOutcome::Superseded(_) if stored.version != expected => {
                    let message = "the frameworks of this company were changed since they were shown: look at them again";
                    return Err(Error::new(ErrorKind::Conflict, message));
                }
                CommitOutcome::Superseded(_) => {}
                outcome @ (CommitOutcome::Committed | CommitOutcome::AlreadyCommitted) => {
                    return Ok(Adopted {
                        frameworks: self.frameworks_of(msp, company).await?,
                        changed: outcome == CommitOutcome::Committed,
                    });
                }
            }
        }
        Err(superseded())
    }

    async fn frameworks_of(&self, msp: MspOrgId, company: CompanyId) -> Result<StoredFrameworks> {
        let stored = self.inner.store.adopted_frameworks(msp, company).await?;
        stored.ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                "there is no such company: list the companies for their ids",
            )
        })
    }
}
