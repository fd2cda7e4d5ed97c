use super::integration::{Integration, RACES, superseded};
use crate::{
    error::{Error, ErrorKind, Result},
    model::{Actor, AuditDetails, AuditRow, CompanyId, ComplianceOrgId, EventId, MspOrgId},
    store::{CommitOutcome, PromotionCommit},
};

/// A company that becomes a customer with evidence.
#[derive(Clone, Debug)]
pub struct Promote {
    /// The company.
    pub company: CompanyId,
    /// Its compliance tenant.
    pub compliance_org: ComplianceOrgId,
    /// Who asks.
    pub actor: Actor,
    /// Names the request: sent twice, it is done once.
    pub event: EventId,
}

impl Integration {
    /// Promotes a company to compliance: from the next tick on its organizations are swept for evidence. The host has created
    /// the compliance organization. Returns `false` when it was promoted to that one already.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such company; [`ErrorKind::Conflict`] when it was promoted to another
    /// organization, or the organization is another company's; [`ErrorKind::Store`].
    #[tracing::instrument(name = "regentra.promote", skip_all, fields(%msp, company = %request.company))]
    pub async fn promote(&self, msp: MspOrgId, request: Promote) -> Result<bool> {
        let Promote {
            company,
            compliance_org,
            actor,
            event,
        } = request;
        for _ in 0..RACES {
            let stored = self
                .inner
                .store
                .company(msp, company)
                .await?
                .ok_or_else(|| {
                    Error::new(
                        ErrorKind::NotFound,
                        "there is no such company: list the companies for their ids",
                    )
                })?;
            match stored.converted_to {
                Some(converted) if converted == compliance_org => return Ok(false),
                Some(_) => {
                    let message =
                        "this company was promoted to another compliance organization already";
                    return Err(Error::new(ErrorKind::Conflict, message));
                }
                None => {}
            }
            let details = AuditDetails::Promoted {
                company,
                compliance_org,
            };
            let audit = vec![AuditRow::new(event, self.now(), actor, details)];
            let commit = PromotionCommit {
                event,
                company,
                compliance_org,
                audit,
            };
            match self.inner.store.commit_promotion(msp, commit).await? {
                CommitOutcome::Committed => return Ok(true),
                CommitOutcome::AlreadyCommitted => return Ok(false),
                CommitOutcome::Superseded(_) => {
                    let again = self.inner.store.company(msp, company).await?;
                    if again.is_some_and(|company| company.converted_to.is_none()) {
                        let message =
                            "this compliance organization belongs to another company already";
                        return Err(Error::new(ErrorKind::Conflict, message));
                    }
                }
            }
        }
        Err(superseded())
    }
}
