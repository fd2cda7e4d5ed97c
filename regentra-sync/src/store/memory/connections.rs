use async_trait::async_trait;
use time::OffsetDateTime;

use super::{MemoryStore, State, holds, of_msp, outcome};
use crate::{
    model::{
        Credential, CredentialId, MspOrgId, NoteReason, StateDigest, StoredAuthorization,
        StoredSettings,
    },
    seal::KeyCheck,
    store::{
        CommitOutcome, ConnectCommit, Connections, DisconnectCommit, Precondition, Result,
        SecretsCommit, SettingsCommit, check_begun, check_not_ahead, effects,
    },
};

#[async_trait]
impl Connections for MemoryStore {
    async fn credentials(&self, msp: MspOrgId) -> Result<Vec<Credential>> {
        self.with(|state| {
            let mut credentials: Vec<_> = state
                .credentials
                .iter()
                .filter(|((owner, _), _)| *owner == msp)
                .map(|(_, c)| c.clone())
                .collect();
            credentials.sort_by(|a, b| a.region.cmp(&b.region));
            Ok(credentials)
        })
        .await
    }

    async fn credential(
        &self,
        msp: MspOrgId,
        credential: CredentialId,
    ) -> Result<Option<Credential>> {
        self.with(|state| Ok(state.credentials.get(&(msp, credential)).cloned()))
            .await
    }

    async fn keep_key_check(&self, offered: KeyCheck) -> Result<KeyCheck> {
        self.with(|state| {
            if !state.credentials.values().any(|stored| stored.is_active) {
                state.key_check = None;
            }
            Ok(state.key_check.get_or_insert(offered).clone())
        })
        .await
    }

    async fn commit_connect(&self, msp: MspOrgId, commit: ConnectCommit) -> Result<CommitOutcome> {
        self.with(|state| {
            outcome((|| {
                state.begins(msp, commit.event, &commit, self.clock.now())?;
                let ConnectCommit {
                    event,
                    credential,
                    expected,
                    allow_duplicate,
                    audit,
                } = commit;
                let key = (msp, credential.id);
                holds(
                    state.credentials.get(&key).map(|stored| stored.generation) == expected,
                    Precondition::Credential,
                )?;
                let taken = state.credentials.iter().any(|(other, stored)| {
                    *other != key
                        && stored.is_active
                        && stored.fingerprint == credential.fingerprint
                });
                holds(allow_duplicate || !taken, Precondition::Fingerprint)?;

                state.credentials.insert(key, credential);
                state.append_msp_audit(msp, audit);
                Ok(state.committed(msp, event))
            })())
        })
        .await
    }

    async fn commit_secrets(&self, msp: MspOrgId, commit: SecretsCommit) -> Result<CommitOutcome> {
        self.with(|state| {
            outcome((|| {
                state.begins(msp, commit.event, &commit, self.clock.now())?;
                let SecretsCommit {
                    event,
                    guard,
                    expected,
                    secrets,
                    audit,
                } = commit;
                state.credential_holds(msp, guard)?;
                let stored = state.credentials.get_mut(&(msp, guard.credential));
                let stored = stored.filter(|stored| stored.secrets_version == expected);
                let stored = stored.ok_or(CommitOutcome::Superseded(Precondition::Credential))?;

                stored.secrets = Some(secrets);
                stored.secrets_version = expected.next();
                state.append_msp_audit(msp, audit);
                Ok(state.committed(msp, event))
            })())
        })
        .await
    }

    async fn connection_settings(
        &self,
        msp: MspOrgId,
        credential: CredentialId,
    ) -> Result<Option<StoredSettings>> {
        self.with(|state| Ok(state.stored_settings(msp, credential)))
            .await
    }

    async fn commit_settings(
        &self,
        msp: MspOrgId,
        commit: SettingsCommit,
    ) -> Result<CommitOutcome> {
        self.with(|state| {
            outcome((|| {
                state.begins(msp, commit.event, &commit, self.clock.now())?;
                let SettingsCommit {
                    event,
                    guard,
                    settings,
                    audit,
                } = commit;
                state.settings_hold(msp, guard)?;

                let version = guard.version.next();
                let stored = StoredSettings { settings, version };
                state.settings.insert((msp, guard.credential), stored);
                state.append_msp_audit(msp, audit);
                Ok(state.committed(msp, event))
            })())
        })
        .await
    }

    async fn commit_disconnect(
        &self,
        msp: MspOrgId,
        commit: DisconnectCommit,
    ) -> Result<CommitOutcome> {
        self.with(|state| {
            outcome((|| {
                state.begins(msp, commit.event, &commit, self.clock.now())?;
                let DisconnectCommit {
                    event,
                    guard,
                    at,
                    audit,
                } = commit;
                state.credential_holds(msp, guard)?;
                if let Some(stored) = state.credentials.get_mut(&(msp, guard.credential)) {
                    *stored = effects::disconnected(stored.clone(), at);
                    let region = stored.region.clone();
                    state.authorizations.retain(|(owner, _), pending| {
                        *owner != msp || !effects::is_revoked(pending, &region)
                    });
                }
                let mappings = of_msp(&state.mappings, msp)
                    .filter(|mapping| mapping.credential == guard.credential);
                let rows = effects::customer_rows(
                    &audit,
                    guard.credential,
                    mappings.clone(),
                    |company| state.companies.get(&(msp, company))?.converted_to,
                    |customer| state.current(customer, at, at),
                );
                let mappings = mappings.map(|mapping| mapping.id).collect();
                state.end_mappings(msp, &mappings, event, NoteReason::Disconnected, at);
                for (customer, row) in rows {
                    state.customer_audit.entry(customer).or_default().push(row);
                }
                state.append_msp_audit(msp, vec![audit]);
                Ok(state.committed(msp, event))
            })())
        })
        .await
    }

    async fn begin_authorization(
        &self,
        msp: MspOrgId,
        pending: StoredAuthorization,
        now: OffsetDateTime,
    ) -> Result<()> {
        self.with(|state| {
            let store_time = self.clock.now();
            check_begun(&pending, now, store_time)?;
            state.forget_expired_authorizations(msp, now.max(store_time));
            state
                .authorizations
                .insert((msp, pending.state.clone()), pending);
            Ok(())
        })
        .await
    }

    async fn take_authorization(
        &self,
        msp: MspOrgId,
        digest: &StateDigest,
        now: OffsetDateTime,
    ) -> Result<Option<StoredAuthorization>> {
        self.with(|state| {
            let store_time = self.clock.now();
            check_not_ahead(now, store_time)?;
            state.forget_expired_authorizations(msp, now.max(store_time));
            Ok(state.authorizations.remove(&(msp, digest.clone())))
        })
        .await
    }
}

impl State {
    fn forget_expired_authorizations(&mut self, msp: MspOrgId, now: OffsetDateTime) {
        self.authorizations
            .retain(|(owner, _), pending| *owner != msp || now < pending.expires_at);
    }
}
