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
use serde::Serialize;
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use crate::{
    SqliteStore,
    audit::append_msp_audit,
    column::{Columns as _, column, micros, to_bigint, to_json},
    commit::{credential_holds, mapping_version_holds},
    failure::{Step, corrupt, failed, holds},
    retire_and_reactivate::retire_and_reactivate,
};

/// In the order of `mappings_by_organization`. For the first page, the place is an empty credential, which sorts before every other one.
const PAGE: &str = "SELECT * FROM mappings WHERE msp_org_id = ?1 AND (credential_id, external_org_id) > (?2, ?3) \
    AND (?4 IS NULL OR credential_id = ?4) AND (?5 IS NULL OR state = ?5) AND (?6 IS NULL OR company_id = ?6) \
    AND (?7 IS NULL OR (missing_since IS NOT NULL) = ?7) AND (?8 IS NULL OR instr(lower(name), lower(?8)) > 0) \
    ORDER BY credential_id, external_org_id LIMIT ?9";

/// The filter of [`PAGE`].
const COUNTS: &str = "SELECT count(*) FILTER (WHERE state = 'pending_review') AS pending_review, \
    count(*) FILTER (WHERE state = 'mapped') AS mapped, count(*) FILTER (WHERE state = 'ignored') AS ignored, \
    count(missing_since) AS missing FROM mappings WHERE msp_org_id = ?1 AND (?2 IS NULL OR credential_id = ?2) \
    AND (?3 IS NULL OR state = ?3) AND (?4 IS NULL OR company_id = ?4) \
    AND (?5 IS NULL OR (missing_since IS NOT NULL) = ?5) AND (?6 IS NULL OR instr(lower(name), lower(?6)) > 0)";

/// For the first page, the place is an empty company, which sorts before every other one.
const COMPANIES_PAGE: &str = "SELECT * FROM companies WHERE msp_org_id = ?1 AND company_id > ?2 \
    AND (?3 IS NULL OR (converted_to_organization_id IS NOT NULL) = ?3) \
    AND (?4 IS NULL OR instr(lower(name), lower(?4)) > 0) ORDER BY company_id LIMIT ?5";

/// Whether no name can contain this text.
fn is_in_no_name(text: Option<&String>) -> bool {
    text.is_some_and(|text| text.contains('\0'))
}

#[async_trait]
impl Mappings for SqliteStore {
    async fn mappings(&self, msp: MspOrgId, credential: CredentialId) -> Result<Vec<Mapping>> {
        let query = sqlx::query(
            "SELECT * FROM mappings WHERE msp_org_id = ?1 AND credential_id = ?2 ORDER BY external_org_id",
        )
        .bind(msp.as_uuid())
        .bind(credential.as_uuid());
        self.rows(query, mapping).await
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
        let (after_credential, after_organization) =
            after.map_or((Vec::new(), i64::MIN), |(credential, organization)| {
                (credential.as_uuid().as_bytes().to_vec(), organization.get())
            });
        let query = sqlx::query(PAGE)
            .bind(msp.as_uuid())
            .bind(after_credential)
            .bind(after_organization)
            .bind(credential.map(CredentialId::as_uuid))
            .bind(decision.map(Decision::as_str))
            .bind(company.map(CompanyId::as_uuid))
            .bind(missing)
            .bind(name)
            .bind(i64::from(limit));
        self.rows(query, mapping).await
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
        let query = sqlx::query(COUNTS)
            .bind(msp.as_uuid())
            .bind(credential.map(CredentialId::as_uuid))
            .bind(decision.map(Decision::as_str))
            .bind(company.map(CompanyId::as_uuid))
            .bind(missing)
            .bind(name);
        let counts = self.row(query, mapping_counts).await?;
        Ok(counts.unwrap_or_default())
    }

    async fn mapping(&self, msp: MspOrgId, id: MappingId) -> Result<Option<Mapping>> {
        let query = sqlx::query("SELECT * FROM mappings WHERE msp_org_id = ?1 AND mapping_id = ?2")
            .bind(msp.as_uuid())
            .bind(id.as_uuid());
        self.row(query, mapping).await
    }

    async fn companies(&self, msp: MspOrgId) -> Result<Vec<PortalCompany>> {
        let query =
            sqlx::query("SELECT * FROM companies WHERE msp_org_id = ?1 ORDER BY company_id")
                .bind(msp.as_uuid());
        self.rows(query, company).await
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
        let after = after.map_or_else(Vec::new, |after| after.as_uuid().as_bytes().to_vec());
        let query = sqlx::query(COMPANIES_PAGE)
            .bind(msp.as_uuid())
            .bind(after)
            .bind(promoted)
            .bind(name)
            .bind(i64::from(limit));
        self.rows(query, company).await
    }

    async fn company(&self, msp: MspOrgId, id: CompanyId) -> Result<Option<PortalCompany>> {
        let query =
            sqlx::query("SELECT * FROM companies WHERE msp_org_id = ?1 AND company_id = ?2")
                .bind(msp.as_uuid())
                .bind(id.as_uuid());
        self.row(query, company).await
    }

    async fn add_company(&self, msp: MspOrgId, company: PortalCompany) -> Result<()> {
        let mut transaction = self.write().await?;
        company.check_not_ahead(self.clock.now())?;
        sqlx::query(
            "INSERT INTO companies \
             (msp_org_id, company_id, name, converted_to_organization_id, created_at) \
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (msp_org_id, company_id) DO NOTHING",
        )
        .bind(msp.as_uuid())
        .bind(company.id.as_uuid())
        .bind(company.name.as_str())
        .bind(company.converted_to.map(ComplianceOrgId::as_uuid))
        .bind(micros(company.created_at))
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
        self.commit(msp, commit.event, &commit, move |connection, commit| {
            Box::pin(discover(connection, msp, commit))
        })
        .await
    }

    async fn commit_mapping(&self, msp: MspOrgId, commit: MappingCommit) -> Result<CommitOutcome> {
        self.commit(msp, commit.event, &commit, move |connection, commit| {
            Box::pin(decide(connection, msp, commit))
        })
        .await
    }

    async fn commit_promotion(
        &self,
        msp: MspOrgId,
        commit: PromotionCommit,
    ) -> Result<CommitOutcome> {
        self.commit(msp, commit.event, &commit, move |connection, commit| {
            Box::pin(promote(connection, msp, commit))
        })
        .await
    }

    async fn adopted_frameworks(
        &self,
        msp: MspOrgId,
        company: CompanyId,
    ) -> Result<Option<StoredFrameworks>> {
        let query = sqlx::query(
            "SELECT frameworks, frameworks_version FROM companies \
             WHERE msp_org_id = ?1 AND company_id = ?2",
        )
        .bind(msp.as_uuid())
        .bind(company.as_uuid());
        self.row(query, stored_frameworks).await
    }

    async fn commit_frameworks(
        &self,
        msp: MspOrgId,
        commit: FrameworksCommit,
    ) -> Result<CommitOutcome> {
        self.commit(msp, commit.event, &commit, move |connection, commit| {
            Box::pin(adopt(connection, msp, commit))
        })
        .await
    }
}

async fn discover(
    connection: &mut SqliteConnection,
    msp: MspOrgId,
    commit: &DiscoveryCommit,
) -> Step {
    let DiscoveryCommit {
        event: _,
        guard,
        added,
        seen,
        lost_organizations,
        audit,
    } = commit;
    credential_holds(connection, msp, *guard).await?;
    if let Some(lost) = lost_organizations {
        sqlx::query(
            "UPDATE credentials SET lost_organizations = ?3 WHERE msp_org_id = ?1 AND credential_id = ?2",
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
async fn add(connection: &mut SqliteConnection, msp: MspOrgId, added: &[Mapping]) -> Step {
    #[derive(Serialize)]
    struct Row<'a> {
        id: MappingId,
        credential: CredentialId,
        external_org_id: OrganizationId,
        name: &'a str,
        state: &'static str,
        company: Option<CompanyId>,
        suggestion: Option<CompanyId>,
        version: Version,
        discovered_at: i64,
        missing_since: Option<i64>,
        first_evidence_synced_at: Option<i64>,
    }
    if added.is_empty() {
        return Ok(());
    }
    let rows = column(added, |mapping| Row {
        id: mapping.id,
        credential: mapping.credential,
        external_org_id: mapping.external_org_id,
        name: mapping.name.as_str(),
        state: mapping.state.as_str(),
        company: mapping.state.company(),
        suggestion: mapping.suggestion,
        version: mapping.version,
        discovered_at: micros(mapping.discovered_at),
        missing_since: mapping.missing_since.map(micros),
        first_evidence_synced_at: mapping.first_evidence_synced_at.map(micros),
    });
    sqlx::query(
        "INSERT INTO mappings (msp_org_id, mapping_id, credential_id, external_org_id, name, state, \
         company_id, suggestion, version, discovered_at, missing_since, first_evidence_synced_at) \
         SELECT ?1, unhex(value ->> 'id', '-'), unhex(value ->> 'credential', '-'), value ->> 'external_org_id', \
         value ->> 'name', value ->> 'state', unhex(value ->> 'company', '-'), unhex(value ->> 'suggestion', '-'), \
         value ->> 'version', value ->> 'discovered_at', value ->> 'missing_since', value ->> 'first_evidence_synced_at' \
         FROM json_each(?2) WHERE true ON CONFLICT (msp_org_id, mapping_id) DO NOTHING",
    )
    .bind(msp.as_uuid())
    .bind(to_json(&rows)?)
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes the fields of existing mappings that discovery owns.
async fn see(connection: &mut SqliteConnection, msp: MspOrgId, seen: &[SeenOrganization]) -> Step {
    #[derive(Serialize)]
    struct Row<'a> {
        mapping: MappingId,
        name: &'a str,
        suggestion: Option<CompanyId>,
        missing_since: Option<i64>,
    }
    if seen.is_empty() {
        return Ok(());
    }
    let rows = column(seen, |seen| Row {
        mapping: seen.mapping,
        name: seen.name.as_str(),
        suggestion: seen.suggestion,
        missing_since: seen.missing_since.map(micros),
    });
    sqlx::query(
        "UPDATE mappings \
         SET name = seen.value ->> 'name', missing_since = seen.value ->> 'missing_since', suggestion = \
         CASE state WHEN 'pending_review' THEN unhex(seen.value ->> 'suggestion', '-') ELSE mappings.suggestion END \
         FROM json_each(?2) AS seen \
         WHERE mappings.msp_org_id = ?1 AND mappings.mapping_id = unhex(seen.value ->> 'mapping', '-')",
    )
    .bind(msp.as_uuid())
    .bind(to_json(&rows)?)
    .execute(connection)
    .await?;
    Ok(())
}

async fn decide(connection: &mut SqliteConnection, msp: MspOrgId, commit: &MappingCommit) -> Step {
    let MappingCommit {
        event,
        guard,
        state,
        company: created,
        at,
        audit,
    } = commit;
    let was_mapped_to = mapping_version_holds(connection, msp, *guard).await?;
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
        "UPDATE mappings \
         SET state = ?3, company_id = ?4, version = ?5, suggestion = NULL, first_evidence_synced_at = NULL \
         WHERE msp_org_id = ?1 AND mapping_id = ?2",
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
    connection: &mut SqliteConnection,
    msp: MspOrgId,
    company: CompanyId,
) -> Step<bool> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM companies WHERE msp_org_id = ?1 AND company_id = ?2)",
    )
    .bind(msp.as_uuid())
    .bind(company.as_uuid())
    .fetch_one(connection)
    .await?)
}

/// Inserts a company that does not exist.
async fn create_company(
    connection: &mut SqliteConnection,
    msp: MspOrgId,
    company: &PortalCompany,
) -> Step {
    sqlx::query(
        "INSERT INTO companies \
         (msp_org_id, company_id, name, converted_to_organization_id, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
    )
    .bind(msp.as_uuid())
    .bind(company.id.as_uuid())
    .bind(company.name.as_str())
    .bind(company.converted_to.map(ComplianceOrgId::as_uuid))
    .bind(micros(company.created_at))
    .execute(connection)
    .await?;
    Ok(())
}

async fn promote(
    connection: &mut SqliteConnection,
    msp: MspOrgId,
    commit: &PromotionCommit,
) -> Step {
    let PromotionCommit {
        event: _,
        company,
        compliance_org,
        audit,
    } = commit;
    let stored = sqlx::query(
        "SELECT converted_to_organization_id FROM companies \
         WHERE msp_org_id = ?1 AND company_id = ?2",
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
    let taken: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM companies WHERE converted_to_organization_id = ?1)",
    )
    .bind(compliance_org.as_uuid())
    .fetch_one(&mut *connection)
    .await?;
    holds(!taken, Precondition::Company)?;

    sqlx::query(
        "UPDATE companies SET converted_to_organization_id = ?3 WHERE msp_org_id = ?1 AND company_id = ?2",
    )
    .bind(msp.as_uuid())
    .bind(company.as_uuid())
    .bind(compliance_org.as_uuid())
    .execute(&mut *connection)
    .await?;
    append_msp_audit(connection, msp, audit).await
}

async fn adopt(
    connection: &mut SqliteConnection,
    msp: MspOrgId,
    commit: &FrameworksCommit,
) -> Step {
    let FrameworksCommit {
        event: _,
        company,
        expected,
        frameworks,
        audit,
    } = commit;
    let decided = frameworks.is_decided().then(|| to_json(frameworks));
    let adopted = sqlx::query(
        "UPDATE companies SET frameworks = ?3, frameworks_version = ?4 \
         WHERE msp_org_id = ?1 AND company_id = ?2 AND frameworks_version = ?5",
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

fn stored_frameworks(row: &SqliteRow) -> Result<StoredFrameworks> {
    let frameworks = row.text_if_any("frameworks")?;
    Ok(StoredFrameworks {
        frameworks: match frameworks {
            Some(_) => row.json("frameworks")?,
            None => AdoptedFrameworks::default(),
        },
        version: Version::from_u32(row.counter("frameworks_version")?),
    })
}

fn company(row: &SqliteRow) -> Result<PortalCompany> {
    Ok(PortalCompany {
        id: row.id("company_id", CompanyId::from_uuid)?,
        name: row.text("name")?.into(),
        converted_to: row.id_if_any("converted_to_organization_id", ComplianceOrgId::from_uuid)?,
        created_at: row.time("created_at")?,
    })
}

fn mapping_counts(row: &SqliteRow) -> Result<MappingCounts> {
    Ok(MappingCounts {
        pending_review: row.count("pending_review")?,
        mapped: row.count("mapped")?,
        ignored: row.count("ignored")?,
        missing: row.count("missing")?,
    })
}

fn mapping(row: &SqliteRow) -> Result<Mapping> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan;

    #[tokio::test]
    async fn a_page_begins_where_the_one_before_ended_and_sorts_nothing() {
        for (statement, lookup) in [
            (
                PAGE,
                "(msp_org_id=? AND (credential_id,external_org_id)>(?,?))",
            ),
            (COMPANIES_PAGE, "(msp_org_id=? AND company_id>?)"),
            (COUNTS, "(msp_org_id=?)"),
        ] {
            let plan = plan(statement).await.join("\n");
            assert!(plan.contains(lookup), "{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
