use async_trait::async_trait;
use regentra_sync::{
    model::{
        AuditRow, ComplianceOrgId, ConnectionSettings, Credential, CredentialId, Fingerprint,
        Generation, Grant, MspOrgId, NoteReason, PendingAuthorization, RegionKey, SealedSecrets,
        StateDigest, StoredSettings, TenantView, Version,
    },
    seal::{KeyCheck, Sealed},
    store::{
        CommitOutcome, ConnectCommit, Connections, DisconnectCommit, Guard, Result, SecretsCommit,
        SettingsCommit, check_begun, check_not_ahead,
    },
};
use sqlx::{SqliteConnection, sqlite::SqliteRow};
use time::OffsetDateTime;

use crate::{
    SqliteStore,
    assets::{RetireScope, retire_and_reactivate},
    column::{Columns as _, bigint, from_json, json, micros, present_until},
    commit::{
        append_customer_audit, append_msp_audit, begins, credential_holds, finish, settings_hold,
    },
    failure::{Failure, Stop, holds},
};

fn credential(row: &SqliteRow) -> std::result::Result<Credential, Failure> {
    let secrets = row.optional_text("client_id")?.map(|client_id| {
        Ok::<_, Failure>(SealedSecrets {
            client_id: Sealed::from_stored(client_id),
            client_secret: row.optional_text("client_secret")?.map(Sealed::from_stored),
            refresh_token: row.optional_text("refresh_token")?.map(Sealed::from_stored),
        })
    });
    Ok(Credential {
        id: CredentialId::from_uuid(row.id("id")?),
        region: RegionKey::from_stored(row.text("region")?),
        grant: Grant::from_name(&row.text("grant")?).ok_or_else(|| Failure::corrupt("grant"))?,
        secrets: secrets.transpose()?,
        fingerprint: Fingerprint::from_hex(row.text("fingerprint")?),
        view: TenantView::from_name(&row.text("tenant_view")?)
            .ok_or_else(|| Failure::corrupt("tenant_view"))?,
        lost_organizations: row.number("lost_organizations")?,
        is_active: row.flag("is_active")?,
        generation: Generation::from_u32(row.number("generation")?),
        secrets_version: Version::from_u32(row.number("secrets_version")?),
        connected_at: row.time("connected_at")?,
        disconnected_at: row.optional_time("disconnected_at")?,
    })
}

async fn write_credential(
    db: &mut SqliteConnection,
    store_time: OffsetDateTime,
    msp: MspOrgId,
    commit: &ConnectCommit,
) -> std::result::Result<(), Stop> {
    let ConnectCommit {
        event,
        credential,
        expected,
        allow_duplicate,
        audit,
    } = commit;
    begins(db, store_time, msp, *event, commit).await?;
    let stored = sqlx::query("SELECT generation FROM credential WHERE msp = ?1 AND id = ?2")
        .bind(msp.as_uuid())
        .bind(credential.id.as_uuid())
        .fetch_optional(&mut *db)
        .await?;
    let stored = stored
        .map(|row| row.number("generation").map(Generation::from_u32))
        .transpose()?;
    holds(stored == *expected, Guard::Credential)?;
    let taken = "SELECT 1 FROM credential WHERE fingerprint = ?1 AND is_active = 1 AND NOT (msp = ?2 AND id = ?3)";
    let taken = sqlx::query(taken)
        .bind(credential.fingerprint.as_str())
        .bind(msp.as_uuid())
        .bind(credential.id.as_uuid())
        .fetch_optional(&mut *db)
        .await?;
    holds(*allow_duplicate || taken.is_none(), Guard::Fingerprint)?;

    let insert = "INSERT INTO credential (msp, id, region, \"grant\", client_id, client_secret, \
                  refresh_token, fingerprint, is_active, generation, secrets_version, connected_at, disconnected_at, \
                  tenant_view, lost_organizations) \
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) \
                  ON CONFLICT (msp, id) DO UPDATE SET region = excluded.region, \"grant\" = excluded.\"grant\", \
                  client_id = excluded.client_id, client_secret = excluded.client_secret, \
                  refresh_token = excluded.refresh_token, fingerprint = excluded.fingerprint, \
                  is_active = excluded.is_active, generation = excluded.generation, \
                  secrets_version = excluded.secrets_version, connected_at = excluded.connected_at, \
                  disconnected_at = excluded.disconnected_at, tenant_view = excluded.tenant_view, \
                  lost_organizations = excluded.lost_organizations";
    let secrets = credential.secrets.as_ref();
    sqlx::query(insert)
        .bind(msp.as_uuid())
        .bind(credential.id.as_uuid())
        .bind(credential.region.as_str())
        .bind(credential.grant.as_str())
        .bind(secrets.map(|secrets| secrets.client_id.as_str()))
        .bind(
            secrets
                .and_then(|secrets| secrets.client_secret.as_ref())
                .map(Sealed::as_str),
        )
        .bind(
            secrets
                .and_then(|secrets| secrets.refresh_token.as_ref())
                .map(Sealed::as_str),
        )
        .bind(credential.fingerprint.as_str())
        .bind(credential.is_active)
        .bind(credential.generation.as_u32())
        .bind(credential.secrets_version.as_u32())
        .bind(micros(credential.connected_at))
        .bind(credential.disconnected_at.map(micros))
        .bind(credential.view.as_str())
        .bind(bigint(credential.lost_organizations))
        .execute(&mut *db)
        .await?;
    Ok(append_msp_audit(db, msp, audit).await?)
}

async fn write_secrets(
    db: &mut SqliteConnection,
    store_time: OffsetDateTime,
    msp: MspOrgId,
    commit: &SecretsCommit,
) -> std::result::Result<(), Stop> {
    let SecretsCommit {
        event,
        guard,
        expected,
        secrets,
        audit,
    } = commit;
    begins(db, store_time, msp, *event, commit).await?;
    credential_holds(db, msp, *guard).await?;
    let update = "UPDATE credential SET client_id = ?1, client_secret = ?2, refresh_token = ?3, secrets_version = ?4 \
                  WHERE msp = ?5 AND id = ?6 AND secrets_version = ?7";
    let updated = sqlx::query(update)
        .bind(secrets.client_id.as_str())
        .bind(secrets.client_secret.as_ref().map(Sealed::as_str))
        .bind(secrets.refresh_token.as_ref().map(Sealed::as_str))
        .bind(expected.next().as_u32())
        .bind(msp.as_uuid())
        .bind(guard.credential.as_uuid())
        .bind(expected.as_u32())
        .execute(&mut *db)
        .await?;
    holds(updated.rows_affected() == 1, Guard::Credential)?;
    Ok(append_msp_audit(db, msp, audit).await?)
}

fn stored_settings(row: &SqliteRow) -> std::result::Result<StoredSettings, Failure> {
    let settings: ConnectionSettings = from_json(&row.text("settings")?, "settings")?;
    let version = Version::from_u32(row.number("settings_version")?);
    Ok(StoredSettings { settings, version })
}

async fn write_settings(
    db: &mut SqliteConnection,
    store_time: OffsetDateTime,
    msp: MspOrgId,
    commit: &SettingsCommit,
) -> std::result::Result<(), Stop> {
    let SettingsCommit {
        event,
        guard,
        settings,
        audit,
    } = commit;
    begins(db, store_time, msp, *event, commit).await?;
    settings_hold(db, msp, *guard).await?;
    let update =
        "UPDATE credential SET settings = ?1, settings_version = ?2 WHERE msp = ?3 AND id = ?4";
    sqlx::query(update)
        .bind(json(settings)?)
        .bind(guard.version.next().as_u32())
        .bind(msp.as_uuid())
        .bind(guard.credential.as_uuid())
        .execute(&mut *db)
        .await?;
    Ok(append_msp_audit(db, msp, audit).await?)
}

async fn write_disconnect(
    db: &mut SqliteConnection,
    store_time: OffsetDateTime,
    msp: MspOrgId,
    commit: &DisconnectCommit,
) -> std::result::Result<(), Stop> {
    let DisconnectCommit {
        event,
        guard,
        at,
        audit,
    } = commit;
    let credential = guard.credential;
    begins(db, store_time, msp, *event, commit).await?;
    credential_holds(db, msp, *guard).await?;
    let update = "UPDATE credential SET client_id = NULL, client_secret = NULL, refresh_token = NULL, is_active = 0, \
                  disconnected_at = ?1, generation = ?2 WHERE msp = ?3 AND id = ?4";
    sqlx::query(update)
        .bind(micros(*at))
        .bind(guard.generation.next().as_u32())
        .bind(msp.as_uuid())
        .bind(credential.as_uuid())
        .execute(&mut *db)
        .await?;
    let forget = "DELETE FROM authorization WHERE msp = ?1 \
                  AND region = (SELECT region FROM credential WHERE msp = ?1 AND id = ?2)";
    sqlx::query(forget)
        .bind(msp.as_uuid())
        .bind(credential.as_uuid())
        .execute(&mut *db)
        .await?;

    retire_and_reactivate(
        db,
        msp,
        RetireScope::Credential(credential),
        *event,
        NoteReason::Disconnected,
        *at,
    )
    .await?;
    let affected = "SELECT c.converted_to AS customer, count(*) AS mappings, (SELECT count(*) FROM (\
                      SELECT 1 FROM signal s JOIN mapping o ON o.msp = m.msp AND o.id = s.mapping \
                      WHERE s.compliance_org = c.converted_to AND o.credential = m.credential AND s.expires_at > ?3 \
                        AND s.collected_at <= ?4 AND o.company = c.id GROUP BY s.mapping, s.signal)) AS unexpired \
                    FROM mapping m JOIN company c ON c.msp = m.msp AND c.id = m.company \
                    WHERE m.msp = ?1 AND m.credential = ?2 AND c.converted_to IS NOT NULL GROUP BY c.converted_to";
    let affected = sqlx::query(affected)
        .bind(msp.as_uuid())
        .bind(credential.as_uuid())
        .bind(micros(*at))
        .bind(micros(present_until(*at)))
        .fetch_all(&mut *db)
        .await?;
    for row in affected {
        let customer = ComplianceOrgId::from_uuid(row.id("customer")?);
        let (mappings, unexpired) = (row.number("mappings")?, row.number("unexpired")?);
        let row = AuditRow::customer_disconnected(audit, customer, credential, mappings, unexpired);
        append_customer_audit(db, customer, &row).await?;
    }
    Ok(append_msp_audit(db, msp, std::slice::from_ref(audit)).await?)
}

async fn forget_expired_authorizations(
    db: &mut SqliteConnection,
    msp: MspOrgId,
    now: OffsetDateTime,
) -> std::result::Result<(), Failure> {
    sqlx::query("DELETE FROM authorization WHERE msp = ?1 AND expires_at <= ?2")
        .bind(msp.as_uuid())
        .bind(micros(now))
        .execute(db)
        .await?;
    Ok(())
}

#[async_trait]
impl Connections for SqliteStore {
    async fn credentials(&self, msp: MspOrgId) -> Result<Vec<Credential>> {
        let rows = sqlx::query("SELECT * FROM credential WHERE msp = ?1 ORDER BY region")
            .bind(msp.as_uuid())
            .fetch_all(&self.readers)
            .await
            .map_err(Failure::from)?;
        Ok(rows
            .iter()
            .map(credential)
            .collect::<std::result::Result<_, _>>()?)
    }

    async fn credential(&self, msp: MspOrgId, id: CredentialId) -> Result<Option<Credential>> {
        let row = sqlx::query("SELECT * FROM credential WHERE msp = ?1 AND id = ?2")
            .bind(msp.as_uuid())
            .bind(id.as_uuid())
            .fetch_optional(&self.readers)
            .await
            .map_err(Failure::from)?;
        Ok(row.as_ref().map(credential).transpose()?)
    }

    async fn keep_key_check(&self, offered: KeyCheck) -> Result<KeyCheck> {
        let keep = "INSERT INTO key_check (one, value) VALUES (1, ?1) ON CONFLICT (one) DO UPDATE SET value = \
                    CASE WHEN EXISTS (SELECT 1 FROM credential WHERE is_active = 1) THEN key_check.value ELSE excluded.value END \
                    RETURNING value";
        let row = sqlx::query(keep)
            .bind(offered.as_str())
            .fetch_one(&self.writer)
            .await
            .map_err(Failure::from)?;
        Ok(KeyCheck::from_stored(row.text("value")?))
    }

    async fn commit_connect(&self, msp: MspOrgId, commit: ConnectCommit) -> Result<CommitOutcome> {
        let mut db = self.begin().await?;
        let written = write_credential(&mut db, self.clock.now(), msp, &commit).await;
        finish(db, written).await
    }

    async fn commit_secrets(&self, msp: MspOrgId, commit: SecretsCommit) -> Result<CommitOutcome> {
        let mut db = self.begin().await?;
        let written = write_secrets(&mut db, self.clock.now(), msp, &commit).await;
        finish(db, written).await
    }

    async fn connection_settings(
        &self,
        msp: MspOrgId,
        credential: CredentialId,
    ) -> Result<Option<StoredSettings>> {
        let row = sqlx::query(
            "SELECT settings, settings_version FROM credential WHERE msp = ?1 AND id = ?2",
        )
        .bind(msp.as_uuid())
        .bind(credential.as_uuid())
        .fetch_optional(&self.readers)
        .await
        .map_err(Failure::from)?;
        Ok(row.as_ref().map(stored_settings).transpose()?)
    }

    async fn commit_settings(
        &self,
        msp: MspOrgId,
        commit: SettingsCommit,
    ) -> Result<CommitOutcome> {
        let mut db = self.begin().await?;
        let written = write_settings(&mut db, self.clock.now(), msp, &commit).await;
        finish(db, written).await
    }

    async fn commit_disconnect(
        &self,
        msp: MspOrgId,
        commit: DisconnectCommit,
    ) -> Result<CommitOutcome> {
        let mut db = self.begin().await?;
        let written = write_disconnect(&mut db, self.clock.now(), msp, &commit).await;
        finish(db, written).await
    }

    async fn begin_authorization(
        &self,
        msp: MspOrgId,
        pending: PendingAuthorization,
        now: OffsetDateTime,
    ) -> Result<()> {
        let store_time = self.clock.now();
        check_begun(&pending, now, store_time)?;
        let mut db = self.begin().await?;
        forget_expired_authorizations(&mut db, msp, now.max(store_time)).await?;
        let insert = "INSERT OR REPLACE INTO authorization (msp, state, region, sealed, expires_at) \
                      VALUES (?1, ?2, ?3, ?4, ?5)";
        sqlx::query(insert)
            .bind(msp.as_uuid())
            .bind(pending.state.as_str())
            .bind(pending.region.as_str())
            .bind(pending.sealed.as_str())
            .bind(micros(pending.expires_at))
            .execute(&mut *db)
            .await
            .map_err(Failure::from)?;
        Ok(db.commit().await.map_err(Failure::from)?)
    }

    async fn take_authorization(
        &self,
        msp: MspOrgId,
        state: &StateDigest,
        now: OffsetDateTime,
    ) -> Result<Option<PendingAuthorization>> {
        let mut db = self.begin().await?;
        let store_time = self.clock.now();
        check_not_ahead(now, store_time)?;
        forget_expired_authorizations(&mut db, msp, now.max(store_time)).await?;
        let take = "DELETE FROM authorization WHERE msp = ?1 AND state = ?2 RETURNING region, sealed, expires_at";
        let row = sqlx::query(take)
            .bind(msp.as_uuid())
            .bind(state.as_str())
            .fetch_optional(&mut *db)
            .await
            .map_err(Failure::from)?;
        db.commit().await.map_err(Failure::from)?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(PendingAuthorization {
            state: state.clone(),
            region: RegionKey::from_stored(row.text("region")?),
            sealed: Sealed::from_stored(row.text("sealed")?),
            expires_at: row.time("expires_at")?,
        }))
    }
}
