use std::collections::{HashSet, hash_map::Entry};

use async_trait::async_trait;
use regentra_sync::{
    model::{
        CompanyId, CredentialId, Mapping, MappingId, MappingState, MspOrgId, NoteReason,
        PortalCompany, StoredFrameworks,
    },
    store::{
        CommitOutcome, CompanyPage, DiscoveryCommit, FrameworksCommit, Guard, MappingCommit,
        MappingCounts, MappingFilter, MappingPage, Mappings, PromotionCommit, Result, Stamped as _,
    },
};

use super::{HashMapStore, State};

#[async_trait]
impl Mappings for HashMapStore {
    async fn mappings(&self, msp: MspOrgId, credential: CredentialId) -> Result<Vec<Mapping>> {
        let mut mappings: Vec<_> = self
            .state()
            .mappings
            .iter()
            .filter(|((owner, _), mapping)| *owner == msp && mapping.credential == credential)
            .map(|(_, mapping)| mapping.clone())
            .collect();
        mappings.sort_by_key(|mapping| mapping.external_org_id);
        Ok(mappings)
    }

    async fn mappings_page(&self, msp: MspOrgId, page: MappingPage) -> Result<Vec<Mapping>> {
        let mut mappings: Vec<_> = self
            .state()
            .mappings
            .iter()
            .filter(|((owner, _), mapping)| *owner == msp && page.filter.matches(mapping))
            .map(|(_, mapping)| mapping.clone())
            .collect();
        let key = |mapping: &Mapping| (mapping.credential, mapping.external_org_id);
        mappings.sort_by_key(key);
        mappings.retain(|mapping| page.after.is_none_or(|after| key(mapping) > after));
        mappings.truncate(page.limit as usize);
        Ok(mappings)
    }

    async fn mapping_counts(&self, msp: MspOrgId, filter: MappingFilter) -> Result<MappingCounts> {
        let all = MappingPage::first(filter, u32::MAX);
        let mappings = self.mappings_page(msp, all).await?;
        let decided = |name| {
            mappings
                .iter()
                .filter(|of| of.state.as_str() == name)
                .count() as u64
        };
        let missing = mappings.iter().filter(|of| of.missing_since.is_some());
        Ok(MappingCounts {
            pending_review: decided("pending_review"),
            mapped: decided("mapped"),
            ignored: decided("ignored"),
            missing: missing.count() as u64,
        })
    }

    async fn mapping(&self, msp: MspOrgId, mapping: MappingId) -> Result<Option<Mapping>> {
        Ok(self.state().mappings.get(&(msp, mapping)).cloned())
    }

    async fn companies(&self, msp: MspOrgId) -> Result<Vec<PortalCompany>> {
        let mut companies: Vec<_> = self
            .state()
            .companies
            .iter()
            .filter(|((owner, _), _)| *owner == msp)
            .map(|(_, company)| company.clone())
            .collect();
        companies.sort_by_key(|company| company.id);
        Ok(companies)
    }

    async fn companies_page(&self, msp: MspOrgId, page: CompanyPage) -> Result<Vec<PortalCompany>> {
        let mut companies = self.companies(msp).await?;
        companies.retain(|company| {
            page.filter.matches(company) && page.after.is_none_or(|after| company.id > after)
        });
        companies.truncate(page.limit as usize);
        Ok(companies)
    }

    async fn company(&self, msp: MspOrgId, company: CompanyId) -> Result<Option<PortalCompany>> {
        Ok(self.state().companies.get(&(msp, company)).cloned())
    }

    async fn add_company(&self, msp: MspOrgId, company: PortalCompany) -> Result<()> {
        company.check_not_ahead(self.clock.now())?;
        let mut state = self.state();
        state.companies.entry((msp, company.id)).or_insert(company);
        Ok(())
    }

    async fn commit_discovery(
        &self,
        msp: MspOrgId,
        commit: DiscoveryCommit,
    ) -> Result<CommitOutcome> {
        let check = |state: &State| state.check_credential(msp, commit.guard);
        self.commit(msp, commit.event, &commit, check, |state, ()| {
            let credential = state.credentials.get_mut(&(msp, commit.guard.credential));
            if let (Some(credential), Some(lost)) = (credential, commit.lost_organizations) {
                credential.lost_organizations = lost;
            }
            for mapping in commit.added.clone() {
                state.mappings.entry((msp, mapping.id)).or_insert(mapping);
            }
            for seen in commit.seen.clone() {
                if let Some(stored) = state.mappings.get_mut(&(msp, seen.mapping)) {
                    stored.name = seen.name;
                    if stored.state == MappingState::PendingReview {
                        stored.suggestion = seen.suggestion;
                    }
                    stored.missing_since = seen.missing_since;
                }
            }
            state.append_audit(msp, commit.audit.clone());
        })
    }

    async fn commit_mapping(&self, msp: MspOrgId, commit: MappingCommit) -> Result<CommitOutcome> {
        let key = (msp, commit.guard.mapping);
        let check = |state: &State| {
            let stored = state
                .mappings
                .get(&key)
                .filter(|stored| stored.version == commit.guard.version)
                .ok_or(Guard::Mapping)?;
            let exists = |company| state.companies.contains_key(&(msp, company));
            let created = commit.company.as_ref().map(|company| company.id);
            if created.is_some_and(exists) {
                return Err(Guard::Company);
            }
            match commit.state.company() {
                Some(company) if created != Some(company) && !exists(company) => {
                    Err(Guard::Company)
                }
                _ => Ok(stored.state.company().is_some()),
            }
        };
        self.commit(msp, commit.event, &commit, check, |state, was_mapped| {
            if let Some(company) = commit.company.clone() {
                state.companies.insert((msp, company.id), company);
            }
            if let Entry::Occupied(mut stored) = state.mappings.entry(key) {
                let stored = stored.get_mut();
                stored.state = commit.state;
                stored.version = stored.version.next();
                stored.suggestion = None;
                stored.first_evidence_synced_at = None;
            }
            if was_mapped {
                let mapping = HashSet::from([commit.guard.mapping]);
                let (event, reason) = (commit.event, NoteReason::Unmapped);
                state.retire_and_reactivate(msp, &mapping, event, reason, commit.at);
            }
            state.append_audit(msp, commit.audit.clone());
        })
    }

    async fn commit_promotion(
        &self,
        msp: MspOrgId,
        commit: PromotionCommit,
    ) -> Result<CommitOutcome> {
        let key = (msp, commit.company);
        let check = |state: &State| {
            let is_free = state.companies.get(&key).ok_or(Guard::Company)?;
            let is_free = is_free.converted_to.is_none();
            let is_taken = state
                .companies
                .values()
                .any(|other| other.converted_to == Some(commit.compliance_org));
            if is_free && !is_taken {
                Ok(())
            } else {
                Err(Guard::Company)
            }
        };
        self.commit(msp, commit.event, &commit, check, |state, ()| {
            if let Some(company) = state.companies.get_mut(&key) {
                company.converted_to = Some(commit.compliance_org);
            }
            state.append_audit(msp, commit.audit.clone());
        })
    }

    async fn adopted_frameworks(
        &self,
        msp: MspOrgId,
        company: CompanyId,
    ) -> Result<Option<StoredFrameworks>> {
        Ok(self.state().frameworks_of((msp, company)))
    }

    async fn commit_frameworks(
        &self,
        msp: MspOrgId,
        commit: FrameworksCommit,
    ) -> Result<CommitOutcome> {
        let key = (msp, commit.company);
        let check = |state: &State| {
            state
                .frameworks_of(key)
                .filter(|stored| stored.version == commit.expected)
                .map(|_| ())
                .ok_or(Guard::Company)
        };
        self.commit(msp, commit.event, &commit, check, |state, ()| {
            let stored = StoredFrameworks {
                frameworks: commit.frameworks.clone(),
                version: commit.expected.next(),
            };
            state.frameworks.insert(key, stored);
            state.append_audit(msp, commit.audit.clone());
        })
    }
}

impl State {
    fn frameworks_of(&self, key: (MspOrgId, CompanyId)) -> Option<StoredFrameworks> {
        let _: &PortalCompany = self.companies.get(&key)?;
        Some(self.frameworks.get(&key).cloned().unwrap_or_default())
    }
}
