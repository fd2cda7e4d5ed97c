use std::collections::BTreeSet;

use async_trait::async_trait;

use super::{MemoryStore, holds, of_msp, outcome};
use crate::{
    model::{
        CompanyId, CredentialId, Mapping, MappingId, MspOrgId, NoteReason, PortalCompany,
        StoredFrameworks,
    },
    store::{
        CommitOutcome, CompanyPage, DiscoveryCommit, FrameworksCommit, MappingCommit,
        MappingCounts, MappingFilter, MappingPage, Mappings, Precondition, PromotionCommit, Result,
        Stamped as _, effects,
    },
};

#[async_trait]
impl Mappings for MemoryStore {
    async fn mappings(&self, msp: MspOrgId, credential: CredentialId) -> Result<Vec<Mapping>> {
        self.with(|state| {
            let of_credential = |((owner, _), mapping): &(&(MspOrgId, _), &Mapping)| {
                *owner == msp && mapping.credential == credential
            };
            let mut mappings: Vec<_> = state
                .mappings
                .iter()
                .filter(of_credential)
                .map(|(_, m)| m.clone())
                .collect();
            mappings.sort_by_key(|mapping| mapping.external_org_id);
            Ok(mappings)
        })
        .await
    }

    async fn mappings_page(&self, msp: MspOrgId, page: MappingPage) -> Result<Vec<Mapping>> {
        self.with(|state| {
            let MappingPage {
                filter,
                after,
                limit,
            } = page;
            let key = |mapping: &Mapping| (mapping.credential, mapping.external_org_id);
            let of_msp = state
                .mappings
                .iter()
                .filter(|((owner, _), _)| *owner == msp);
            let mut found: Vec<_> = of_msp
                .map(|(_, mapping)| mapping)
                .filter(|mapping| after.is_none_or(|after| key(mapping) > after))
                .filter(|mapping| filter.matches(mapping))
                .collect();
            found.sort_by_key(|mapping| key(mapping));
            found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            Ok(found.into_iter().cloned().collect())
        })
        .await
    }

    async fn mapping_counts(&self, msp: MspOrgId, filter: MappingFilter) -> Result<MappingCounts> {
        self.with(|state| {
            let mappings = of_msp(&state.mappings, msp);
            Ok(effects::mapping_counts(mappings, &filter))
        })
        .await
    }

    async fn mapping(&self, msp: MspOrgId, mapping: MappingId) -> Result<Option<Mapping>> {
        self.with(|state| Ok(state.mappings.get(&(msp, mapping)).cloned()))
            .await
    }

    async fn companies(&self, msp: MspOrgId) -> Result<Vec<PortalCompany>> {
        self.with(|state| {
            Ok(state
                .companies
                .iter()
                .filter(|((owner, _), _)| *owner == msp)
                .map(|(_, c)| c.clone())
                .collect())
        })
        .await
    }

    async fn companies_page(&self, msp: MspOrgId, page: CompanyPage) -> Result<Vec<PortalCompany>> {
        self.with(|state| {
            let CompanyPage {
                filter,
                after,
                limit,
            } = page;
            let of_msp = state
                .companies
                .iter()
                .filter(|((owner, _), _)| *owner == msp);
            let found = of_msp
                .map(|(_, company)| company)
                .filter(|company| after.is_none_or(|after| company.id > after))
                .filter(|company| filter.matches(company));
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            Ok(found.take(limit).cloned().collect())
        })
        .await
    }

    async fn company(&self, msp: MspOrgId, company: CompanyId) -> Result<Option<PortalCompany>> {
        self.with(|state| Ok(state.companies.get(&(msp, company)).cloned()))
            .await
    }

    async fn add_company(&self, msp: MspOrgId, company: PortalCompany) -> Result<()> {
        self.with(|state| {
            company.check_not_ahead(self.clock.now())?;
            state.companies.entry((msp, company.id)).or_insert(company);
            Ok(())
        })
        .await
    }

    async fn commit_discovery(
        &self,
        msp: MspOrgId,
        commit: DiscoveryCommit,
    ) -> Result<CommitOutcome> {
        self.with(|state| {
            outcome((|| {
                state.begins(msp, commit.event, &commit, self.clock.now())?;
                let DiscoveryCommit {
                    event,
                    guard,
                    added,
                    seen,
                    lost_organizations,
                    audit,
                } = commit;
                state.credential_holds(msp, guard)?;
                if let Some(lost) = lost_organizations
                    && let Some(credential) = state.credentials.get_mut(&(msp, guard.credential))
                {
                    credential.lost_organizations = lost;
                }

                for mapping in added {
                    state.mappings.entry((msp, mapping.id)).or_insert(mapping);
                }
                for organization in seen {
                    if let Some(stored) = state.mappings.get_mut(&(msp, organization.mapping)) {
                        *stored = effects::seen(stored, organization);
                    }
                }
                state.append_msp_audit(msp, audit);
                Ok(state.committed(msp, event))
            })())
        })
        .await
    }

    async fn commit_mapping(&self, msp: MspOrgId, commit: MappingCommit) -> Result<CommitOutcome> {
        self.with(|state| {
            outcome((|| {
                state.begins(msp, commit.event, &commit, self.clock.now())?;
                let MappingCommit {
                    event,
                    guard,
                    state: decided,
                    company,
                    at,
                    audit,
                } = commit;
                let key = (msp, guard.mapping);
                let stored = state
                    .mappings
                    .get(&key)
                    .filter(|mapping| mapping.version == guard.version);
                let was = stored
                    .ok_or(CommitOutcome::Superseded(Precondition::Mapping))?
                    .state;
                let exists = |id| state.companies.contains_key(&(msp, id));
                let created = company.as_ref().map(|company| company.id);
                holds(!created.is_some_and(exists), Precondition::Company)?;
                holds(
                    decided
                        .company()
                        .is_none_or(|id| exists(id) || created == Some(id)),
                    Precondition::Company,
                )?;

                if let Some(company) = company {
                    state.companies.insert((msp, company.id), company);
                }
                if let Some(mapping) = state.mappings.get_mut(&key) {
                    *mapping = effects::decided(mapping.clone(), decided);
                }
                if was.company().is_some() {
                    state.end_mappings(
                        msp,
                        &BTreeSet::from([guard.mapping]),
                        event,
                        NoteReason::Unmapped,
                        at,
                    );
                }
                state.append_msp_audit(msp, audit);
                Ok(state.committed(msp, event))
            })())
        })
        .await
    }

    async fn commit_promotion(
        &self,
        msp: MspOrgId,
        commit: PromotionCommit,
    ) -> Result<CommitOutcome> {
        self.with(|state| {
            outcome((|| {
                state.begins(msp, commit.event, &commit, self.clock.now())?;
                let PromotionCommit {
                    event,
                    company,
                    compliance_org,
                    audit,
                } = commit;
                let taken = state
                    .companies
                    .values()
                    .any(|other| other.converted_to == Some(compliance_org));
                holds(!taken, Precondition::Company)?;
                let stored = state
                    .companies
                    .get_mut(&(msp, company))
                    .filter(|stored| stored.converted_to.is_none());
                let stored = stored.ok_or(CommitOutcome::Superseded(Precondition::Company))?;

                stored.converted_to = Some(compliance_org);
                state.append_msp_audit(msp, audit);
                Ok(state.committed(msp, event))
            })())
        })
        .await
    }

    async fn adopted_frameworks(
        &self,
        msp: MspOrgId,
        company: CompanyId,
    ) -> Result<Option<StoredFrameworks>> {
        self.with(|state| {
            let key = (msp, company);
            let stored = state.frameworks.get(&key).cloned().unwrap_or_default();
            Ok(state.companies.contains_key(&key).then_some(stored))
        })
        .await
    }

    async fn commit_frameworks(
        &self,
        msp: MspOrgId,
        commit: FrameworksCommit,
    ) -> Result<CommitOutcome> {
        self.with(|state| {
            outcome((|| {
                state.begins(msp, commit.event, &commit, self.clock.now())?;
                let FrameworksCommit {
                    event,
                    company,
                    expected,
                    frameworks,
                    audit,
                } = commit;
                let key = (msp, company);
                let stored = state.frameworks.get(&key).cloned().unwrap_or_default();
                let is_as_read = state.companies.contains_key(&key) && stored.version == expected;
                holds(is_as_read, Precondition::Company)?;

                let version = expected.next();
                let stored = StoredFrameworks {
                    frameworks,
                    version,
                };
                state.frameworks.insert(key, stored);
                state.append_msp_audit(msp, audit);
                Ok(state.committed(msp, event))
            })())
        })
        .await
    }
}
