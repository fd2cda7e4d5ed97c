//! [`Connections`].

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use regentra_sync::{
    model::{
        AuditRow, ComplianceOrgId, Credential, CredentialId, Fingerprint, Generation, Grant,
        MappingId, MspOrgId, NoteReason, RegionKey, SealedSecrets, StateDigest,
        StoredAuthorization, StoredSettings, TenantView, Version,
    },
    seal::{KeyCheck, Sealed},
    store::{
        CommitOutcome, ConnectCommit, Connections, DisconnectCommit, Precondition, Result,
        SecretsCommit, SettingsCommit, check_begun, check_not_ahead,
    },
};
use sqlx::{PgConnection, postgres::PgRow};
use time::OffsetDateTime;

use crate::{
    PostgresStore,
    audit::{append_customer_audit, append_msp_audit},
    column::{Columns as _, to_bigint, to_json},
    commit::{Lock, credential_holds, settings_hold},
    failure::{Step, failed, holds},
    retire_and_reactivate::retire_and_reactivate,
    transaction::{Tenants, enter_customer, present_until, store_time},
};

#[async_trait]
impl Connections for PostgresStore {
    async fn credentials(&self, msp: MspOrgId) -> Result<Vec<Credential>> {
        let query = sqlx::query(
            "SELECT * FROM regentra_sync.credentials WHERE msp_org_id = $1 ORDER BY region",
        )
        .bind(msp.as_uuid());
        self.rows(Tenants::msp(msp), query, credential).await
    }

    async fn credential(&self, msp: MspOrgId, id: CredentialId) -> Result<Option<Credential>> {
        let query = sqlx::query(
            "SELECT * FROM regentra_sync.credentials WHERE msp_org_id = $1 AND credential_id = $2",
        )
        .bind(msp.as_uuid())
        .bind(id.as_uuid());
        self.row(Tenants::msp(msp), query, credential).await
    }

    async fn keep_key_check(&self, offered: KeyCheck) -> Result<KeyCheck> {
        let mut transaction = self.write(Tenants::NONE).await?;
        // Whether any MSP is connected is a question across tenants, which the planner's function answers.
        let row = sqlx::query(
            "INSERT INTO regentra_sync.key_check AS kept (value) VALUES ($1) ON CONFLICT (one) DO UPDATE SET value = \
             CASE WHEN EXISTS (SELECT FROM regentra_sync.active_credentials(NULL, 1)) THEN kept.value ELSE excluded.value END \
             RETURNING value",
        )
        .bind(offered.as_str())
        .fetch_one(&mut *transaction)
        .await
        .map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        Ok(KeyCheck::from_stored(row.text("value")?))
    }

    async fn commit_connect(&self, msp: MspOrgId, commit: ConnectCommit) -> Result<CommitOutcome> {
        self.commit(
            Tenants::msp(msp),
            msp,
            commit.event,
            &commit,
            move |connection, commit| Box::pin(connect(connection, msp, commit)),
        )
        .await
    }

    async fn commit_secrets(&self, msp: MspOrgId, commit: SecretsCommit) -> Result<CommitOutcome> {
        self.commit(
            Tenants::msp(msp),
            msp,
            commit.event,
            &commit,
            move |connection, commit| Box::pin(rewrite_secrets(connection, msp, commit)),
        )
        .await
    }

    async fn connection_settings(
        &self,
        msp: MspOrgId,
        credential: CredentialId,
    ) -> Result<Option<StoredSettings>> {
        let query = sqlx::query(
            "SELECT settings, settings_version FROM regentra_sync.credentials \
             WHERE msp_org_id = $1 AND credential_id = $2",
        )
        .bind(msp.as_uuid())
        .bind(credential.as_uuid());
        self.row(Tenants::msp(msp), query, stored_settings).await
    }

    async fn commit_settings(
        &self,
        msp: MspOrgId,
        commit: SettingsCommit,
    ) -> Result<CommitOutcome> {
        self.commit(
            Tenants::msp(msp),
            msp,
            commit.event,
            &commit,
            move |connection, commit| Box::pin(change_settings(connection, msp, commit)),
        )
        .await
    }

    async fn commit_disconnect(
        &self,
        msp: MspOrgId,
        commit: DisconnectCommit,
    ) -> Result<CommitOutcome> {
        self.commit(
            Tenants::msp(msp),
            msp,
            commit.event,
            &commit,
            move |connection, commit| Box::pin(disconnect(connection, msp, commit)),
        )
        .await
    }

    async fn begin_authorization(
        &self,
        msp: MspOrgId,
        pending: StoredAuthorization,
        now: OffsetDateTime,
    ) -> Result<()> {
        let mut transaction = self.write(Tenants::msp(msp)).await?;
        let store_time = store_time(&mut transaction, &self.clock)
            .await
            .map_err(failed)?;
        check_begun(&pending, now, store_time)?;
        forget_expired_authorizations(&mut transaction, msp, now.max(store_time))
            .await
            .map_err(failed)?;
        sqlx::query(
            "INSERT INTO regentra_sync.authorizations (msp_org_id, state_digest, region, sealed, expires_at) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (msp_org_id, state_digest) DO UPDATE \
             SET region = excluded.region, sealed = excluded.sealed, expires_at = excluded.expires_at",
        )
        .bind(msp.as_uuid())
        .bind(pending.state.as_str())
        .bind(pending.region.as_str())
        .bind(pending.sealed.as_str())
        .bind(pending.expires_at)
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
        transaction.commit().await.map_err(failed)
    }

    async fn take_authorization(
        &self,
        msp: MspOrgId,
        state: &StateDigest,
        now: OffsetDateTime,
    ) -> Result<Option<StoredAuthorization>> {
        let mut transaction = self.write(Tenants::msp(msp)).await?;
        let store_time = store_time(&mut transaction, &self.clock)
            .await
            .map_err(failed)?;
        check_not_ahead(now, store_time)?;
        forget_expired_authorizations(&mut transaction, msp, now.max(store_time))
            .await
            .map_err(failed)?;
        let row = sqlx::query(
            "DELETE FROM regentra_sync.authorizations WHERE msp_org_id = $1 AND state_digest = $2 \
             RETURNING region, sealed, expires_at",
        )
        .bind(msp.as_uuid())
        .bind(state.as_str())
        .fetch_optional(&mut *transaction)
        .await
        .map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(StoredAuthorization {
            state: state.clone(),
            region: RegionKey::from_stored(row.text("region")?),
            sealed: Sealed::from_stored(row.text("sealed")?),
            expires_at: row.time("expires_at")?,
        }))
    }
}

fn stored_settings(row: &PgRow) -> Result<StoredSettings> {
    Ok(StoredSettings {
        settings: row.json("settings")?,
        version: Version::from_u32(row.counter("settings_version")?),
    })
}

async fn change_settings(
    connection: &mut PgConnection,
    msp: MspOrgId,
    commit: &SettingsCommit,
) -> Step {
    let SettingsCommit {
        event: _,
        guard,
        settings,
        audit,
    } = commit;
    settings_hold(connection, msp, *guard, Lock::Change).await?;
    sqlx::query(
        "UPDATE regentra_sync.credentials SET settings = $3, settings_version = $4 \
         WHERE msp_org_id = $1 AND credential_id = $2",
    )
    .bind(msp.as_uuid())
    .bind(guard.credential.as_uuid())
    .bind(to_json(settings)?)
    .bind(i64::from(guard.version.next().as_u32()))
    .execute(&mut *connection)
    .await?;
    append_msp_audit(connection, msp, audit).await
}

async fn forget_expired_authorizations(
    connection: &mut PgConnection,
    msp: MspOrgId,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query(
        "DELETE FROM regentra_sync.authorizations WHERE msp_org_id = $1 AND expires_at <= $2",
    )
    .bind(msp.as_uuid())
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

async fn connect(connection: &mut PgConnection, msp: MspOrgId, commit: &ConnectCommit) -> Step {
    let ConnectCommit {
        event: _,
        credential,
        expected,
        allow_duplicate,
        audit,
    } = commit;
    let stored = sqlx::query(
        "SELECT generation FROM regentra_sync.credentials \
         WHERE msp_org_id = $1 AND credential_id = $2 FOR NO KEY UPDATE",
    )
    .bind(msp.as_uuid())
    .bind(credential.id.as_uuid())
    .fetch_optional(&mut *connection)
    .await?;
    let stored = stored
        .map(|row| row.counter("generation").map(Generation::from_u32))
        .transpose()?;
    holds(stored == *expected, Precondition::Credential)?;

    // If two MSPs connect one client id at the same time, the second waits here until the first has ended, and then finds its credential.
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('regentra.fingerprint ' || $1, 0))")
        .bind(credential.fingerprint.as_str())
        .execute(&mut *connection)
        .await?;
    let taken: bool =
        sqlx::query_scalar("SELECT regentra_sync.client_id_is_connected_elsewhere($1, $2, $3)")
            .bind(credential.fingerprint.as_str())
            .bind(msp.as_uuid())
            .bind(credential.id.as_uuid())
            .fetch_one(&mut *connection)
            .await?;
    holds(*allow_duplicate || !taken, Precondition::Fingerprint)?;

    write_credential(connection, msp, credential, stored.is_some()).await?;
    append_msp_audit(connection, msp, audit).await
}

/// Inserts the row, or rewrites the locked row. If two commits insert the same row at the same time, the second fails and begins again.
async fn write_credential(
    connection: &mut PgConnection,
    msp: MspOrgId,
    credential: &Credential,
    exists: bool,
) -> Step {
    let secrets = credential.secrets.as_ref();
    sqlx::query(if exists {
        "UPDATE regentra_sync.credentials SET region = $3, grant_name = $4, sealed_client_id = $5, \
         sealed_client_secret = $6, sealed_refresh_token = $7, fingerprint = $8, is_active = $9, generation = $10, \
         secrets_version = $11, connected_at = $12, disconnected_at = $13, tenant_view = $14, lost_organizations = $15 \
         WHERE msp_org_id = $1 AND credential_id = $2"
    } else {
        "INSERT INTO regentra_sync.credentials (msp_org_id, credential_id, region, grant_name, sealed_client_id, \
         sealed_client_secret, sealed_refresh_token, fingerprint, is_active, generation, secrets_version, connected_at, \
         disconnected_at, tenant_view, lost_organizations) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
    })
    .bind(msp.as_uuid())
    .bind(credential.id.as_uuid())
    .bind(credential.region.as_str())
    .bind(credential.grant.as_str())
    .bind(secrets.map(|secrets| secrets.client_id.as_str()))
    .bind(secrets.and_then(|secrets| secrets.client_secret.as_ref()).map(Sealed::as_str))
    .bind(secrets.and_then(|secrets| secrets.refresh_token.as_ref()).map(Sealed::as_str))
    .bind(credential.fingerprint.as_str())
    .bind(credential.is_active)
    .bind(i64::from(credential.generation.as_u32()))
    .bind(i64::from(credential.secrets_version.as_u32()))
    .bind(credential.connected_at)
    .bind(credential.disconnected_at)
    .bind(credential.view.as_str())
    .bind(to_bigint(credential.lost_organizations)?)
    .execute(connection)
    .await?;
    Ok(())
}

async fn rewrite_secrets(
    connection: &mut PgConnection,
    msp: MspOrgId,
    commit: &SecretsCommit,
) -> Step {
    let SecretsCommit {
        event: _,
        guard,
        expected,
        secrets,
        audit,
    } = commit;
    let rewritten = sqlx::query(
        "UPDATE regentra_sync.credentials SET sealed_client_id = $5, sealed_client_secret = $6, \
         sealed_refresh_token = $7, secrets_version = $8 \
         WHERE msp_org_id = $1 AND credential_id = $2 AND is_active AND generation = $3 AND secrets_version = $4",
    )
    .bind(msp.as_uuid())
    .bind(guard.credential.as_uuid())
    .bind(i64::from(guard.generation.as_u32()))
    .bind(i64::from(expected.as_u32()))
    .bind(secrets.client_id.as_str())
    .bind(secrets.client_secret.as_ref().map(Sealed::as_str))
    .bind(secrets.refresh_token.as_ref().map(Sealed::as_str))
    .bind(i64::from(expected.next().as_u32()))
    .execute(&mut *connection)
    .await?;
    holds(rewritten.rows_affected() > 0, Precondition::Credential)?;
    append_msp_audit(connection, msp, audit).await
}

async fn disconnect(
    connection: &mut PgConnection,
    msp: MspOrgId,
    commit: &DisconnectCommit,
) -> Step {
    let DisconnectCommit {
        event,
        guard,
        at,
        audit,
    } = commit;
    credential_holds(connection, msp, *guard, Lock::Change).await?;
    sqlx::query(
        "UPDATE regentra_sync.credentials SET sealed_client_id = NULL, sealed_client_secret = NULL, \
         sealed_refresh_token = NULL, is_active = false, disconnected_at = $3, generation = $4 \
         WHERE msp_org_id = $1 AND credential_id = $2",
    )
    .bind(msp.as_uuid())
    .bind(guard.credential.as_uuid())
    .bind(at)
    .bind(i64::from(guard.generation.next().as_u32()))
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "DELETE FROM regentra_sync.authorizations WHERE msp_org_id = $1 AND region = \
         (SELECT region FROM regentra_sync.credentials WHERE msp_org_id = $1 AND credential_id = $2)",
    )
    .bind(msp.as_uuid())
    .bind(guard.credential.as_uuid())
    .execute(&mut *connection)
    .await?;

    let (mappings, customers) = affected(connection, msp, guard.credential).await?;
    retire_and_reactivate(
        connection,
        msp,
        &mappings,
        *event,
        NoteReason::Disconnected,
        *at,
    )
    .await?;
    for (customer, mappings) in customers {
        tell(
            connection,
            customer,
            &mappings,
            guard.credential,
            audit,
            *at,
        )
        .await?;
    }
    append_msp_audit(connection, msp, std::slice::from_ref(audit)).await
}

/// The mappings of a credential, and those of each customer under it. They are locked, so that no decision changes them meanwhile.
async fn affected(
    connection: &mut PgConnection,
    msp: MspOrgId,
    credential: CredentialId,
) -> Step<(
    Vec<MappingId>,
    BTreeMap<ComplianceOrgId, BTreeSet<MappingId>>,
)> {
    let ids = sqlx::query(
        "SELECT mapping_id FROM regentra_sync.mappings \
         WHERE msp_org_id = $1 AND credential_id = $2 ORDER BY mapping_id FOR SHARE",
    )
    .bind(msp.as_uuid())
    .bind(credential.as_uuid())
    .fetch_all(&mut *connection)
    .await?;
    let mappings = ids
        .iter()
        .map(|row| row.id("mapping_id", MappingId::from_uuid))
        .collect::<Result<Vec<_>>>()?;
    let promoted = sqlx::query(
        "SELECT m.mapping_id, c.converted_to_organization_id FROM regentra_sync.mappings m \
         JOIN regentra_sync.companies c ON c.msp_org_id = m.msp_org_id AND c.company_id = m.company_id \
         WHERE m.msp_org_id = $1 AND m.credential_id = $2 AND c.converted_to_organization_id IS NOT NULL",
    )
    .bind(msp.as_uuid())
    .bind(credential.as_uuid())
    .fetch_all(&mut *connection)
    .await?;
    let mut customers: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for row in &promoted {
        let customer = row.id("converted_to_organization_id", ComplianceOrgId::from_uuid)?;
        let mapping = row.id("mapping_id", MappingId::from_uuid)?;
        customers.entry(customer).or_default().insert(mapping);
    }
    Ok((mappings, customers))
}

/// Records the disconnect on the trail of one customer, in that customer's tenant.
async fn tell(
    connection: &mut PgConnection,
    customer: ComplianceOrgId,
    mappings: &BTreeSet<MappingId>,
    credential: CredentialId,
    disconnect: &AuditRow,
    at: OffsetDateTime,
) -> Step {
    enter_customer(connection, customer).await?;
    let ids: Vec<_> = mappings.iter().map(|mapping| mapping.as_uuid()).collect();
    let counted = sqlx::query(
        "SELECT count(DISTINCT (mapping_id, signal)) AS unexpired FROM regentra_sync.signals \
         WHERE compliance_org_id = $1 AND mapping_id = ANY ($2) AND expires_at > $3 \
         AND collected_at <= $4",
    )
    .bind(customer.as_uuid())
    .bind(ids)
    .bind(at)
    .bind(present_until(at))
    .fetch_one(&mut *connection)
    .await?;
    let row = AuditRow::customer_disconnected(
        disconnect,
        customer,
        credential,
        mappings.len() as u64,
        counted.count("unexpired")?,
    );
    append_customer_audit(connection, customer, &row).await
}

fn credential(row: &PgRow) -> Result<Credential> {
    let sealed = |column| Ok(row.text_if_any(column)?.map(Sealed::from_stored));
    let secrets = match sealed("sealed_client_id")? {
        None => None,
        Some(client_id) => Some(SealedSecrets {
            client_id,
            client_secret: sealed("sealed_client_secret")?,
            refresh_token: sealed("sealed_refresh_token")?,
        }),
    };
    Ok(Credential {
        id: row.id("credential_id", CredentialId::from_uuid)?,
        region: RegionKey::from_stored(row.text("region")?),
        grant: row.named("grant_name", Grant::from_name)?,
        secrets,
        fingerprint: row.named("fingerprint", |text| Fingerprint::parse(text).ok())?,
        view: row.named("tenant_view", TenantView::from_name)?,
        lost_organizations: row.count("lost_organizations")?,
        is_active: row.value("is_active")?,
        generation: Generation::from_u32(row.counter("generation")?),
        secrets_version: Version::from_u32(row.counter("secrets_version")?),
        connected_at: row.time("connected_at")?,
        disconnected_at: row.time_if_any("disconnected_at")?,
    })
}
