use std::collections::{BTreeMap, HashSet};

use async_trait::async_trait;
use regentra_sync::{
    model::{
        AuditRow, Credential, CredentialId, MspOrgId, NoteReason, PendingAuthorization,
        StateDigest, StoredSettings,
    },
    seal::KeyCheck,
    store::{
        CommitOutcome, ConnectCommit, Connections, DisconnectCommit, Guard, Result, SecretsCommit,
        SettingsCommit, check_begun, check_not_ahead,
    },
};
use time::OffsetDateTime;

use super::{HashMapStore, State};

#[async_trait]
impl Connections for HashMapStore {
    async fn credentials(&self, msp: MspOrgId) -> Result<Vec<Credential>> {
        let mut credentials: Vec<_> = self
            .state()
            .credentials
            .iter()
            .filter(|((owner, _), _)| *owner == msp)
            .map(|(_, credential)| credential.clone())
            .collect();
        credentials.sort_by(|a, b| a.region.cmp(&b.region));
        Ok(credentials)
    }

    async fn credential(
        &self,
        msp: MspOrgId,
        credential: CredentialId,
    ) -> Result<Option<Credential>> {
        Ok(self.state().credentials.get(&(msp, credential)).cloned())
    }

    async fn keep_key_check(&self, offered: KeyCheck) -> Result<KeyCheck> {
        let mut state = self.state();
        let is_connected = state.credentials.values().any(|stored| stored.is_active);
        let kept = state.key_check.take().filter(|_| is_connected);
        Ok(state.key_check.insert(kept.unwrap_or(offered)).clone())
    }

    async fn commit_connect(&self, msp: MspOrgId, commit: ConnectCommit) -> Result<CommitOutcome> {
        let id = commit.credential.id;
        let check = |state: &State| {
            let stored = state.credentials.get(&(msp, id));
            if stored.map(|stored| stored.generation) != commit.expected {
                return Err(Guard::Credential);
            }
            let is_elsewhere = state.credentials.values().any(|other| {
                other.id != id
                    && other.is_active
                    && other.fingerprint == commit.credential.fingerprint
            });
            if is_elsewhere && !commit.allow_duplicate {
                return Err(Guard::Fingerprint);
            }
            Ok(())
        };
        self.commit(msp, commit.event, &commit, check, |state, ()| {
            state
                .credentials
                .insert((msp, id), commit.credential.clone());
            state.append_audit(msp, commit.audit.clone());
        })
    }

    async fn commit_secrets(&self, msp: MspOrgId, commit: SecretsCommit) -> Result<CommitOutcome> {
        let key = (msp, commit.guard.credential);
        let check = |state: &State| {
            state.check_credential(msp, commit.guard)?;
            let version = state.credentials.get(&key).map(|c| c.secrets_version);
            if version == Some(commit.expected) {
                Ok(())
            } else {
                Err(Guard::Credential)
            }
        };
        self.commit(msp, commit.event, &commit, check, |state, ()| {
            if let Some(stored) = state.credentials.get_mut(&key) {
                stored.secrets = Some(commit.secrets.clone());
                stored.secrets_version = stored.secrets_version.next();
            }
            state.append_audit(msp, commit.audit.clone());
        })
    }

    async fn connection_settings(
        &self,
        msp: MspOrgId,
        credential: CredentialId,
    ) -> Result<Option<StoredSettings>> {
        Ok(self.state().settings_of((msp, credential)))
    }

    async fn commit_settings(
        &self,
        msp: MspOrgId,
        commit: SettingsCommit,
    ) -> Result<CommitOutcome> {
        let check = |state: &State| state.check_settings(msp, commit.guard);
        self.commit(msp, commit.event, &commit, check, |state, ()| {
            let stored = StoredSettings {
                settings: commit.settings.clone(),
                version: commit.guard.version.next(),
            };
            let key = (msp, commit.guard.credential);
            state.settings.insert(key, stored);
            state.append_audit(msp, commit.audit.clone());
        })
    }

    async fn commit_disconnect(
        &self,
        msp: MspOrgId,
        commit: DisconnectCommit,
    ) -> Result<CommitOutcome> {
        let DisconnectCommit {
            event,
            guard,
            at,
            audit,
        } = commit.clone();
        let check = |state: &State| state.check_credential(msp, guard);
        self.commit(msp, event, &commit, check, |state, ()| {
            if let Some(stored) = state.credentials.get_mut(&(msp, guard.credential)) {
                stored.secrets = None;
                stored.is_active = false;
                stored.disconnected_at = Some(at);
                stored.generation = stored.generation.next();
                let region = stored.region.clone();
                state
                    .authorizations
                    .retain(|(owner, _), pending| *owner != msp || pending.region != region);
            }
            let mappings: HashSet<_> = state
                .mappings
                .iter()
                .filter(|((owner, _), mapping)| {
                    *owner == msp && mapping.credential == guard.credential
                })
                .map(|((_, id), _)| *id)
                .collect();
            state.retire_and_reactivate(msp, &mappings, event, NoteReason::Disconnected, at);

            // How many mappings and unexpired signals each affected customer has.
            let mut affected: BTreeMap<_, (u64, u64)> = BTreeMap::new();
            for mapping in &mappings {
                let customer = state
                    .mappings
                    .get(&(msp, *mapping))
                    .and_then(|mapping| mapping.state.company())
                    .and_then(|company| state.companies.get(&(msp, company)))
                    .and_then(|company| company.converted_to);
                let Some(customer) = customer else { continue };
                let current = state.current_of(customer, at, at);
                let unexpired = current.iter().filter(|signal| signal.mapping == *mapping);
                let (count, signals) = affected.entry(customer).or_default();
                *count += 1;
                *signals += unexpired.count() as u64;
            }
            for (customer, (count, signals)) in affected {
                let row = AuditRow::customer_disconnected(
                    &audit,
                    customer,
                    guard.credential,
                    count,
                    signals,
                );
                state.customer_audit.entry(customer).or_default().push(row);
            }
            state.append_audit(msp, vec![audit]);
        })
    }

    async fn begin_authorization(
        &self,
        msp: MspOrgId,
        pending: PendingAuthorization,
        now: OffsetDateTime,
    ) -> Result<()> {
        let (mut state, store_time) = (self.state(), self.clock.now());
        check_begun(&pending, now, store_time)?;
        state.forget_expired_authorizations(msp, now.max(store_time));
        let key = (msp, pending.state.clone());
        state.authorizations.insert(key, pending);
        Ok(())
    }

    async fn take_authorization(
        &self,
        msp: MspOrgId,
        digest: &StateDigest,
        now: OffsetDateTime,
    ) -> Result<Option<PendingAuthorization>> {
        let (mut state, store_time) = (self.state(), self.clock.now());
        check_not_ahead(now, store_time)?;
        state.forget_expired_authorizations(msp, now.max(store_time));
        Ok(state.authorizations.remove(&(msp, digest.clone())))
    }
}

impl State {
    fn forget_expired_authorizations(&mut self, msp: MspOrgId, now: OffsetDateTime) {
        self.authorizations
            .retain(|(owner, _), pending| *owner != msp || now < pending.expires_at);
    }
}
