use super::integration::{Integration, RACES, superseded};
use crate::{
    error::{Error, ErrorKind, Result},
    model::{
        Actor, AuditDetails, AuditRow, CompanyId, EventId, Mapping, MappingId, MappingState,
        MspOrgId, PortalCompany, fold_name,
    },
    store::{CommitOutcome, MappingCommit},
};

/// What to do with an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Choice {
    /// Its devices are this company's.
    UseExisting(CompanyId),
    /// Its devices are a company's of the same name: one that exists is reused, else one is created.
    CreateNew,
    /// "Don't sync": nothing is read, and nobody is asked again.
    DontSync,
    /// Take the decision back; it is pending review again.
    Undecide,
}

/// A decision that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// The mapping as it is now.
    pub mapping: Mapping,
    /// The company was created for it.
    pub created: bool,
    /// `false` when it had been decided so before.
    pub changed: bool,
}

/// Whether a person decides about this organization alone, and so sees what it becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alone {
    Yes,
    /// It is one of many: nothing that only looks the same is made one.
    No,
}

/// A decision about an organization.
#[derive(Clone, Debug)]
pub struct MapOrganization {
    /// The organization's mapping.
    pub mapping: MappingId,
    /// What is decided.
    pub choice: Choice,
    /// Who asks.
    pub actor: Actor,
    /// Names the request: sent twice, it is done once.
    pub event: EventId,
}

impl Integration {
    /// Decides what an organization is. Un-mapping or ignoring a mapped organization retires its assets.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such mapping or company; [`ErrorKind::Conflict`] when the organization is mapped
    /// to another company (take that back first), or several companies have its name; [`ErrorKind::Store`].
    #[tracing::instrument(name = "regentra.map", skip_all, fields(%msp, mapping = %request.mapping))]
    pub async fn map(&self, msp: MspOrgId, request: MapOrganization) -> Result<Mapped> {
        let MapOrganization {
            mapping,
            choice,
            actor,
            event,
        } = request;
        self.decide(msp, mapping, choice, Alone::Yes, actor, event)
            .await
    }

    /// Decides about one organization, alone or as one of many.
    pub(super) async fn decide(
        &self,
        msp: MspOrgId,
        mapping: MappingId,
        choice: Choice,
        alone: Alone,
        actor: Actor,
        event: EventId,
    ) -> Result<Mapped> {
        for _ in 0..RACES {
            let stored = self
                .inner
                .store
                .mapping(msp, mapping)
                .await?
                .ok_or_else(|| {
                    Error::new(
                        ErrorKind::NotFound,
                        "there is no such organization: list the organizations for their ids",
                    )
                })?;
            if alone == Alone::No && stored.state != MappingState::PendingReview {
                let message = "a person decided about this organization meanwhile";
                return Err(Error::new(ErrorKind::Conflict, message));
            }
            let now = self.now();
            let (state, company) = match choice {
                Choice::UseExisting(company) => {
                    self.inner
                        .store
                        .company(msp, company)
                        .await?
                        .ok_or_else(|| {
                            Error::new(
                                ErrorKind::NotFound,
                                "there is no such company: list the companies for their ids",
                            )
                        })?;
                    (MappingState::Mapped { company }, None)
                }
                Choice::CreateNew => self.company_of_that_name(msp, &stored, alone, now).await?,
                Choice::DontSync => (MappingState::Ignored, None),
                Choice::Undecide => (MappingState::PendingReview, None),
            };
            let created = company.is_some();
            if stored.state == state {
                return Ok(Mapped {
                    mapping: stored,
                    created: false,
                    changed: false,
                });
            }
            if stored.state.company().is_some() && state.company().is_some() {
                let message = "this organization is mapped to another company already, and an organization belongs to exactly \
                               one: un-map it first";
                return Err(Error::new(ErrorKind::Conflict, message));
            }
            let details = match state {
                MappingState::Mapped { company } => AuditDetails::Mapped {
                    mapping,
                    company,
                    created,
                },
                MappingState::Ignored => AuditDetails::Ignored { mapping },
                MappingState::PendingReview => AuditDetails::Unmapped { mapping },
            };
            let commit = MappingCommit {
                event,
                guard: stored.guard(),
                state,
                company,
                at: now,
                audit: vec![AuditRow::new(event, now, actor, details)],
            };
            let outcome = self.inner.store.commit_mapping(msp, commit).await?;
            if let CommitOutcome::Committed | CommitOutcome::AlreadyCommitted = outcome {
                let changed = outcome == CommitOutcome::Committed;
                let mapping = self
                    .inner
                    .store
                    .mapping(msp, mapping)
                    .await?
                    .unwrap_or(stored);
                return Ok(Mapped {
                    mapping,
                    created: created && changed,
                    changed,
                });
            }
        }
        Err(superseded())
    }

    /// The company with the organization's name, and what to create if there is none.
    async fn company_of_that_name(
        &self,
        msp: MspOrgId,
        mapping: &Mapping,
        alone: Alone,
        now: time::OffsetDateTime,
    ) -> Result<(MappingState, Option<PortalCompany>)> {
        let name = fold_name(mapping.name.as_str());
        if name.is_empty() {
            return Err(Error::new(
                ErrorKind::Invalid,
                "this organization has no readable name: map it to an existing company",
            ));
        }
        let companies = self.inner.store.companies(msp).await?;
        let same: Vec<_> = companies
            .iter()
            .filter(|company| fold_name(company.name.as_str()) == name)
            .collect();
        match same.as_slice() {
            [] => {
                let id = CompanyId::of_name(msp, mapping.name.as_str());
                let name = mapping.name.as_str().trim().into();
                let company = PortalCompany {
                    id,
                    name,
                    converted_to: None,
                    created_at: now,
                };
                Ok((MappingState::Mapped { company: id }, Some(company)))
            }
            [company] if alone == Alone::No && self.has_organization(msp, company.id).await? => {
                let message = "the company of this name has an organization already: say whether this is the same customer";
                Err(Error::new(ErrorKind::Conflict, message))
            }
            [company] => Ok((
                MappingState::Mapped {
                    company: company.id,
                },
                None,
            )),
            _ => {
                let message =
                    "several companies have this organization's name: say which one it is";
                Err(Error::new(ErrorKind::Conflict, message))
            }
        }
    }

    /// Whether any organization of any region is mapped to the company.
    async fn has_organization(&self, msp: MspOrgId, company: CompanyId) -> Result<bool> {
        let store = &self.inner.store;
        for credential in store.credentials(msp).await? {
            let mappings = store.mappings(msp, credential.id).await?;
            if mappings
                .iter()
                .any(|of| of.state.company() == Some(company))
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
