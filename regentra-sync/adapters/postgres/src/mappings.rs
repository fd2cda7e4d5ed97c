//! [`Mappings`].

use async_trait::async_trait;
use regentra_sync::{
    model::{
        AdoptedFrameworks, CompanyId, ComplianceOrgId, CredentialId, Mapping, MappingId,
        MappingState, MspOrgId, NoteReason, OrganizationId, PortalCompany, StoredFrameworks,
        Version,
    },
    store::{
        CommitOutcome, CompanyFilter, CompanyPage, Decision, DiscoveryCommit, FrameworksCommit,
        MappingCommit, MappingCounts, MappingFilter, MappingPage, Mappings, Precondition,
        PromotionCommit, Result, SeenOrganization, Stamped as _,
    },
};
use sqlx::{PgConnection, postgres::PgRow};

use crate::{
    PostgresStore,
    audit::append_msp_audit,
    column::{Columns as _, column, to_bigint, to_json},
    commit::{Lock, credential_holds, mapping_version_holds},
    failure::{Step, corrupt, failed, holds},
    retire_and_reactivate::retire_and_reactivate,
    transaction::{Tenants, store_time},
};

/// Whether no name can contain this text.
fn is_in_no_name(text: Option<&String>) -> bool {
    text.is_some_and(|text| text.contains('\0'))
}

#[async_trait]
impl Mappings for PostgresStore {
    async fn mappings(&self, msp: MspOrgId, credential: CredentialId) -> Result<Vec<Mapping>> {
        let query = sqlx::query(
            "SELECT * FROM regentra_sync.mappings WHERE msp_org_id = $1 AND credential_id = $2 ORDER BY external_org_id",
        )
        .bind(msp.as_uuid())
        .bind(credential.as_uuid());
        self.rows(Tenants::msp(msp), query, mapping).await
    }

    async fn mappings_page(&self, msp: MspOrgId, page: MappingPage) -> Result<Vec<Mapping>> {
        let MappingPage {
            filter:
                MappingFilter {
                    credential,
                    decision,
                    company,
                    missing,
                    name,
                },
            after,
            limit,
        } = page;
        if is_in_no_name(name.as_ref()) {
            return Ok(Vec::new());
        }
        // In the collation "C", only ASCII letters have a case.
        let query = sqlx::query(
            "SELECT * FROM regentra_sync.mappings WHERE msp_org_id = $1 \
             AND ($2::uuid IS NULL OR (credential_id, external_org_id) > ($2, $3)) \
             AND ($4::uuid IS NULL OR credential_id = $4) AND ($5::text IS NULL OR state = $5) \
             AND ($6::uuid IS NULL OR company_id = $6) \
             AND ($7::boolean IS NULL OR (missing_since IS NOT NULL) = $7) \
             AND ($8::text IS NULL OR position(lower($8 COLLATE \"C\") in lower(name COLLATE \"C\")) > 0) \
             ORDER BY credential_id, external_org_id LIMIT $9",
        )
        .bind(msp.as_uuid())
        .bind(after.map(|(credential, _)| credential.as_uuid()))
        .bind(after.map(|(_, organization)| organization.get()))
        .bind(credential.map(CredentialId::as_uuid))
        .bind(decision.map(Decision::as_str))
        .bind(company.map(CompanyId::as_uuid))
        .bind(missing)
        .bind(name)
        .bind(i64::from(limit));
        self.rows(Tenants::msp(msp), query, mapping).await
    }

    async fn mapping_counts(&self, msp: MspOrgId, filter: MappingFilter) -> Result<MappingCounts> {
        let MappingFilter {
            credential,
            decision,
            company,
            missing,
            name,
        } = filter;
        if is_in_no_name(name.as_ref()) {
            return Ok(MappingCounts::default());
        }
        let query = sqlx::query(
            "SELECT count(*) FILTER (WHERE state = 'pending_review') AS pending_review, \
             count(*) FILTER (WHERE state = 'mapped') AS mapped, count(*) FILTER (WHERE state = 'ignored') AS ignored, \
             count(missing_since) AS missing FROM regentra_sync.mappings WHERE msp_org_id = $1 \
             AND ($2::uuid IS NULL OR credential_id = $2) AND ($3::text IS NULL OR state = $3) \
             AND ($4::uuid IS NULL OR company_id = $4) \
             AND ($5::boolean IS NULL OR (missing_since IS NOT NULL) = $5) \
             AND ($6::text IS NULL OR position(lower($6 COLLATE \"C\") in lower(name COLLATE \"C\")) > 0)",
        )
        .bind(msp.as_uuid())
        .bind(credential.map(CredentialId::as_uuid))
        .bind(decision.map(Decision::as_str))
        .bind(company.map(CompanyId::as_uuid))
        .bind(missing)
        .bind(name);
        let counts = self.row(Tenants::msp(msp), query, mapping_counts).await?;
        Ok(counts.unwrap_or_default())
    }

    async fn mapping(&self, msp: MspOrgId, id: MappingId) -> Result<Option<Mapping>> {
        let query = sqlx::query(
            "SELECT * FROM regentra_sync.mappings WHERE msp_org_id = $1 AND mapping_id = $2",
        )
        .bind(msp.as_uuid())
        .bind(id.as_uuid());
        self.row(Tenants::msp(msp), query, mapping).await
    }

    async fn companies(&self, msp: MspOrgId) -> Result<Vec<PortalCompany>> {
        let query = sqlx::query(
            "SELECT * FROM regentra_sync.companies WHERE msp_org_id = $1 ORDER BY company_id",
        )
        .bind(msp.as_uuid());
        self.rows(Tenants::msp(msp), query, company).await
    }

    async fn companies_page(&self, msp: MspOrgId, page: CompanyPage) -> Result<Vec<PortalCompany>> {
        let CompanyPage {
            filter: CompanyFilter { promoted, name },
            after,
            limit,
        } = page;
        if is_in_no_name(name.as_ref()) {
            return Ok(Vec::new());
        }
        let query = sqlx::query(
            "SELECT * FROM regentra_sync.companies WHERE msp_org_id = $1 AND ($2::uuid IS NULL OR company_id > $2) \
             AND ($3::boolean IS NULL OR (converted_to_organization_id IS NOT NULL) = $3) \
             AND ($4::text IS NULL OR position(lower($4 COLLATE \"C\") in lower(name COLLATE \"C\")) > 0) \
             ORDER BY company_id LIMIT $5",
        )
        .bind(msp.as_uuid())
        .bind(after.map(CompanyId::as_uuid))
        .bind(promoted)
        .bind(name)
        .bind(i64::from(limit));
        self.rows(Tenants::msp(msp), query, company).await
    }

    async fn company(&self, msp: MspOrgId, id: CompanyId) -> Result<Option<PortalCompany>> {
        let query = sqlx::query(
            "SELECT * FROM regentra_sync.companies WHERE msp_org_id = $1 AND company_id = $2",
        )
        .bind(msp.as_uuid())
        .bind(id.as_uuid());
        self.row(Tenants::msp(msp), query, company).await
    }

    async fn add_company(&self, msp: MspOrgId, company: PortalCompany) -> Result<()> {
        let mut transaction = self.write(Tenants::msp(msp)).await?;
        let now = store_time(&mut transaction, &self.clock).await;
        company.check_not_ahead(now.map_err(failed)?)?;
        sqlx::query(
            "INSERT INTO regentra_sync.companies \
             (msp_org_id, company_id, name, converted_to_organization_id, created_at) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (msp_org_id, company_id) DO NOTHING",
        )
        .bind(msp.as_uuid())
        .bind(company.id.as_uuid())
        .bind(company.name.as_str())
        .bind(company.converted_to.map(ComplianceOrgId::as_uuid))
        .bind(company.created_at)
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
        transaction.commit().await.map_err(failed)
    }

    async fn commit_discovery(
        &self,
        msp: MspOrgId,
        commit: DiscoveryCommit,
    ) -> Result<CommitOutcome> {
        self.commit(
            Tenants::msp(msp),
            msp,
            commit.event,
            &commit,
            move |connection, commit| Box::pin(discover(connection, msp, commit)),
        )
        .await
    }

    async fn commit_mapping(&self, msp: MspOrgId, commit: MappingCommit) -> Result<CommitOutcome> {
        self.commit(
            Tenants::msp(msp),
            msp,
            commit.event,
            &commit,
            move |connection, commit| Box::pin(decide(connection, msp, commit)),
        )
        .await
    }

    async fn commit_promotion(
        &self,
        msp: MspOrgId,
        commit: PromotionCommit,
    ) -> Result<CommitOutcome> {
        self.commit(
            Tenants::msp(msp),
            msp,
            commit.event,
            &commit,
            move |connection, commit| Box::pin(promote(connection, msp, commit)),
        )
        .await
    }

    async fn adopted_frameworks(
        &self,
        msp: MspOrgId,
        company: CompanyId,
    ) -> Result<Option<StoredFrameworks>> {
        let query = sqlx::query(
            "SELECT frameworks, frameworks_version FROM regentra_sync.companies \
             WHERE msp_org_id = $1 AND company_id = $2",
        )
        .bind(msp.as_uuid())
        .bind(company.as_uuid());
        self.row(Tenants::msp(msp), query, stored_frameworks).await
    }

    async fn commit_frameworks(
        &self,
        msp: MspOrgId,
        commit: FrameworksCommit,
    ) -> Result<CommitOutcome> {
        self.commit(
            Tenants::msp(msp),
            msp,
            commit.event,
            &commit,
            move |connection, commit| Box::pin(adopt(connection, msp, commit)),
        )
        .await
    }
}

async fn discover(connection: &mut PgConnection, msp: MspOrgId, commit: &DiscoveryCommit) -> Step {
    let DiscoveryCommit {
        event: _,
        guard,
        added,
        seen,
        lost_organizations,
        audit,
    } = commit;
    let lock = if lost_organizations.is_some() {
        Lock::Change
    } else {
        Lock::Share
    };
    credential_holds(connection, msp, *guard, lock).await?;
    if let Some(lost) = lost_organizations {
        sqlx::query(
            "UPDATE regentra_sync.credentials SET lost_organizations = $3 WHERE msp_org_id = $1 AND credential_id = $2",
        )
        .bind(msp.as_uuid())
        .bind(guard.credential.as_uuid())
        .bind(to_bigint(*lost)?)
        .execute(&mut *connection)
        .await?;
    }
    add(connection, msp, added).await?;
    see(connection, msp, seen).await?;
    append_msp_audit(connection, msp, audit).await
}

/// Adds mappings. A mapping that exists already stays as it is.
async fn add(connection: &mut PgConnection, msp: MspOrgId, added: &[Mapping]) -> Step {
    if added.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO regentra_sync.mappings (msp_org_id, mapping_id, credential_id, external_org_id, name, state, \
         company_id, suggestion, version, discovered_at, missing_since, first_evidence_synced_at) \
         SELECT $1, added.* FROM unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::uuid[], \
         $8::uuid[], $9::bigint[], $10::timestamptz[], $11::timestamptz[], $12::timestamptz[]) AS added \
         ON CONFLICT (msp_org_id, mapping_id) DO NOTHING",
    )
    .bind(msp.as_uuid())
    .bind(column(added, |mapping| mapping.id.as_uuid()))
    .bind(column(added, |mapping| mapping.credential.as_uuid()))
    .bind(column(added, |mapping| mapping.external_org_id.get()))
    .bind(column(added, |mapping| mapping.name.as_str()))
    .bind(column(added, |mapping| mapping.state.as_str()))
    .bind(column(added, |mapping| mapping.state.company().map(CompanyId::as_uuid)))
    .bind(column(added, |mapping| mapping.suggestion.map(CompanyId::as_uuid)))
    .bind(column(added, |mapping| i64::from(mapping.version.as_u32())))
    .bind(column(added, |mapping| mapping.discovered_at))
    .bind(column(added, |mapping| mapping.missing_since))
    .bind(column(added, |mapping| mapping.first_evidence_synced_at))
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes the fields of existing mappings that discovery owns.
async fn see(connection: &mut PgConnection, msp: MspOrgId, seen: &[SeenOrganization]) -> Step {
    if seen.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE regentra_sync.mappings \
         SET name = seen.name, missing_since = seen.missing_since, suggestion = \
         CASE state WHEN 'pending_review' THEN seen.suggestion ELSE mappings.suggestion END \
         FROM unnest($2::uuid[], $3::text[], $4::uuid[], $5::timestamptz[]) AS seen (id, name, suggestion, missing_since) \
         WHERE mappings.msp_org_id = $1 AND mappings.mapping_id = seen.id",
    )
    .bind(msp.as_uuid())
    .bind(column(seen, |seen| seen.mapping.as_uuid()))
    .bind(column(seen, |seen| seen.name.as_str()))
    .bind(column(seen, |seen| seen.suggestion.map(CompanyId::as_uuid)))
    .bind(column(seen, |seen| seen.missing_since))
    .execute(connection)
    .await?;
    Ok(())
}

async fn decide(connection: &mut PgConnection, msp: MspOrgId, commit: &MappingCommit) -> Step {
    let MappingCommit {
        event,
        guard,
        state,
        company: created,
        at,
        audit,
    } = commit;
    let was_mapped_to = mapping_version_holds(connection, msp, *guard, Lock::Change).await?;
    if let Some(created) = created {
        holds(
            !company_exists(connection, msp, created.id).await?,
            Precondition::Company,
        )?;
    }
    if let Some(company) = state.company() {
        let is_created = created.as_ref().map(|created| created.id) == Some(company);
        holds(
            is_created || company_exists(connection, msp, company).await?,
            Precondition::Company,
        )?;
    }

    if let Some(created) = created {
        create_company(connection, msp, created).await?;
    }
    sqlx::query(
        "UPDATE regentra_sync.mappings \
         SET state = $3, company_id = $4, version = $5, suggestion = NULL, first_evidence_synced_at = NULL \
         WHERE msp_org_id = $1 AND mapping_id = $2",
    )
    .bind(msp.as_uuid())
    .bind(guard.mapping.as_uuid())
    .bind(state.as_str())
    .bind(state.company().map(CompanyId::as_uuid))
    .bind(i64::from(guard.version.next().as_u32()))
    .execute(&mut *connection)
    .await?;
    if was_mapped_to.is_some() {
        retire_and_reactivate(
            connection,
            msp,
            &[guard.mapping],
            *event,
            NoteReason::Unmapped,
            *at,
        )
        .await?;
    }
    append_msp_audit(connection, msp, audit).await
}

async fn company_exists(
    connection: &mut PgConnection,
    msp: MspOrgId,
    company: CompanyId,
) -> Step<bool> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM regentra_sync.companies WHERE msp_org_id = $1 AND company_id = $2)",
    )
    .bind(msp.as_uuid())
    .bind(company.as_uuid())
    .fetch_one(connection)
    .await?)
}

/// Inserts a company that did not exist when it was read. If another session inserted it meanwhile, the commit begins again and finds it.
async fn create_company(
    connection: &mut PgConnection,
    msp: MspOrgId,
    company: &PortalCompany,
) -> Step {
    sqlx::query(
        "INSERT INTO regentra_sync.companies \
         (msp_org_id, company_id, name, converted_to_organization_id, created_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(msp.as_uuid())
    .bind(company.id.as_uuid())
    .bind(company.name.as_str())
    .bind(company.converted_to.map(ComplianceOrgId::as_uuid))
    .bind(company.created_at)
    .execute(connection)
    .await?;
    Ok(())
}

async fn promote(connection: &mut PgConnection, msp: MspOrgId, commit: &PromotionCommit) -> Step {
    let PromotionCommit {
        event: _,
        company,
        compliance_org,
        audit,
    } = commit;
    let stored = sqlx::query(
        "SELECT converted_to_organization_id FROM regentra_sync.companies \
         WHERE msp_org_id = $1 AND company_id = $2 FOR NO KEY UPDATE",
    )
    .bind(msp.as_uuid())
    .bind(company.as_uuid())
    .fetch_optional(&mut *connection)
    .await?;
    let may_be_promoted = match stored {
        None => false,
        Some(row) => row
            .id_if_any("converted_to_organization_id", ComplianceOrgId::from_uuid)?
            .is_none(),
    };
    holds(may_be_promoted, Precondition::Company)?;
    let taken: bool = sqlx::query_scalar("SELECT regentra_sync.compliance_org_is_taken($1)")
        .bind(compliance_org.as_uuid())
        .fetch_one(&mut *connection)
        .await?;
    holds(!taken, Precondition::Company)?;

    // If two MSPs promote companies to one organization at the same time, the unique index stops the second, which then begins again.
    sqlx::query(
        "UPDATE regentra_sync.companies SET converted_to_organization_id = $3 WHERE msp_org_id = $1 AND company_id = $2",
    )
    .bind(msp.as_uuid())
    .bind(company.as_uuid())
    .bind(compliance_org.as_uuid())
    .execute(&mut *connection)
    .await?;
    append_msp_audit(connection, msp, audit).await
}

async fn adopt(connection: &mut PgConnection, msp: MspOrgId, commit: &FrameworksCommit) -> Step {
    let FrameworksCommit {
        event: _,
        company,
        expected,
        frameworks,
        audit,
    } = commit;
    let decided = frameworks.is_decided().then(|| to_json(frameworks));
    let adopted = sqlx::query(
        "UPDATE regentra_sync.companies SET frameworks = $3, frameworks_version = $4 \
         WHERE msp_org_id = $1 AND company_id = $2 AND frameworks_version = $5",
    )
    .bind(msp.as_uuid())
    .bind(company.as_uuid())
    .bind(decided.transpose()?)
    .bind(i64::from(expected.next().as_u32()))
    .bind(i64::from(expected.as_u32()))
    .execute(&mut *connection)
    .await?;
    holds(adopted.rows_affected() == 1, Precondition::Company)?;
    append_msp_audit(connection, msp, audit).await
}

fn stored_frameworks(row: &PgRow) -> Result<StoredFrameworks> {
    let frameworks = row.text_if_any("frameworks")?;
    Ok(StoredFrameworks {
        frameworks: match frameworks {
            Some(_) => row.json("frameworks")?,
            None => AdoptedFrameworks::default(),
        },
        version: Version::from_u32(row.counter("frameworks_version")?),
    })
}

fn company(row: &PgRow) -> Result<PortalCompany> {
    Ok(PortalCompany {
        id: row.id("company_id", CompanyId::from_uuid)?,
        name: row.text("name")?.into(),
        converted_to: row.id_if_any("converted_to_organization_id", ComplianceOrgId::from_uuid)?,
        created_at: row.time("created_at")?,
    })
}

fn mapping_counts(row: &PgRow) -> Result<MappingCounts> {
    Ok(MappingCounts {
        pending_review: row.count("pending_review")?,
        mapped: row.count("mapped")?,
        ignored: row.count("ignored")?,
        missing: row.count("missing")?,
    })
}

fn mapping(row: &PgRow) -> Result<Mapping> {
    let company = row.id_if_any("company_id", CompanyId::from_uuid)?;
    let state = match (row.text("state")?.as_str(), company) {
        ("pending_review", None) => MappingState::PendingReview,
        ("mapped", Some(company)) => MappingState::Mapped { company },
        ("ignored", None) => MappingState::Ignored,
        _ => return Err(corrupt("state")),
    };
    Ok(Mapping {
        id: row.id("mapping_id", MappingId::from_uuid)?,
        credential: row.id("credential_id", CredentialId::from_uuid)?,
        external_org_id: OrganizationId::new(row.value("external_org_id")?),
        name: row.text("name")?.into(),
        state,
        suggestion: row.id_if_any("suggestion", CompanyId::from_uuid)?,
        version: Version::from_u32(row.counter("version")?),
        discovered_at: row.time("discovered_at")?,
        missing_since: row.time_if_any("missing_since")?,
        first_evidence_synced_at: row.time_if_any("first_evidence_synced_at")?,
    })
}
