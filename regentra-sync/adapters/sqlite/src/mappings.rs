use async_trait::async_trait;
use regentra_sync::{
    model::{
        CompanyId, ComplianceOrgId, CredentialId, Mapping, MappingId, MappingState, MspOrgId,
        NoteReason, OrganizationId, PortalCompany, StoredFrameworks, Version,
    },
    store::{
        CommitOutcome, CompanyFilter, CompanyPage, Decision, DiscoveryCommit, FrameworksCommit,
        Guard, MappingCommit, MappingCounts, MappingFilter, MappingPage, Mappings, PromotionCommit,
        Result, SeenOrganization, Stamped as _,
    },
};
use serde::Serialize;
use sqlx::{SqliteConnection, sqlite::SqliteRow};
use time::OffsetDateTime;

use crate::{
    SqliteStore,
    assets::{RetireScope, retire_and_reactivate},
    column::{Columns as _, bigint, from_json, json, micros},
    commit::{append_msp_audit, begins, credential_holds, finish},
    failure::{Failure, Stop, holds},
};

/// In the order of `mapping_organization`. Before the first page stands an empty credential, which is before every other one.
const PAGE: &str = "SELECT * FROM mapping WHERE msp = ?1 AND (credential, external_org_id) > (?2, ?3) \
                    AND (?4 IS NULL OR credential = ?4) AND (?5 IS NULL OR state = ?5) \
                    AND (?6 IS NULL OR company = ?6) AND (?7 IS NULL OR (missing_since IS NOT NULL) = ?7) \
                    AND (?8 IS NULL OR instr(lower(name), lower(?8)) > 0) \
                    ORDER BY credential, external_org_id LIMIT ?9";

const COMPANIES_PAGE: &str = "SELECT * FROM company WHERE msp = ?1 AND id > ?2 \
                              AND (?3 IS NULL OR (converted_to IS NOT NULL) = ?3) \
                              AND (?4 IS NULL OR instr(lower(name), lower(?4)) > 0) ORDER BY id LIMIT ?5";

/// [`PAGE`]'s filter.
const COUNTS: &str = "SELECT count(*) FILTER (WHERE state = 'pending_review') AS pending_review, \
                      count(*) FILTER (WHERE state = 'mapped') AS mapped, \
                      count(*) FILTER (WHERE state = 'ignored') AS ignored, count(missing_since) AS missing \
                      FROM mapping WHERE msp = ?1 AND (?2 IS NULL OR credential = ?2) AND (?3 IS NULL OR state = ?3) \
                      AND (?4 IS NULL OR company = ?4) AND (?5 IS NULL OR (missing_since IS NOT NULL) = ?5) \
                      AND (?6 IS NULL OR instr(lower(name), lower(?6)) > 0)";

/// Whether no name can hold this text.
fn is_in_no_name(text: Option<&String>) -> bool {
    text.is_some_and(|text| text.contains('\0'))
}

fn mapping(row: &SqliteRow) -> std::result::Result<Mapping, Failure> {
    let company = row.optional_id("company")?.map(CompanyId::from_uuid);
    let state = match (row.text("state")?.as_str(), company) {
        ("pending_review", None) => MappingState::PendingReview,
        ("mapped", Some(company)) => MappingState::Mapped { company },
        ("ignored", None) => MappingState::Ignored,
        _ => return Err(Failure::corrupt("state")),
    };
    Ok(Mapping {
        id: MappingId::from_uuid(row.id("id")?),
        credential: CredentialId::from_uuid(row.id("credential")?),
        external_org_id: OrganizationId::new(row.number("external_org_id")?),
        name: row.text("name")?.into(),
        state,
        suggestion: row.optional_id("suggestion")?.map(CompanyId::from_uuid),
        version: Version::from_u32(row.number("version")?),
        discovered_at: row.time("discovered_at")?,
        missing_since: row.optional_time("missing_since")?,
        first_evidence_synced_at: row.optional_time("first_evidence_synced_at")?,
    })
}

fn company(row: &SqliteRow) -> std::result::Result<PortalCompany, Failure> {
    Ok(PortalCompany {
        id: CompanyId::from_uuid(row.id("id")?),
        name: row.text("name")?.into(),
        converted_to: row
            .optional_id("converted_to")?
            .map(ComplianceOrgId::from_uuid),
        created_at: row.time("created_at")?,
    })
}

/// Adds a company; `false` when it exists.
async fn insert_company(
    db: &mut SqliteConnection,
    msp: MspOrgId,
    company: &PortalCompany,
) -> std::result::Result<bool, Failure> {
    let insert = "INSERT INTO company (msp, id, name, converted_to, created_at) VALUES (?1, ?2, ?3, ?4, ?5) \
                  ON CONFLICT (msp, id) DO NOTHING";
    let inserted = sqlx::query(insert)
        .bind(msp.as_uuid())
        .bind(company.id.as_uuid())
        .bind(company.name.as_str())
        .bind(company.converted_to.map(ComplianceOrgId::as_uuid))
        .bind(micros(company.created_at))
        .execute(db)
        .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Adds mappings; one that exists is left as it is.
async fn add(
    db: &mut SqliteConnection,
    msp: MspOrgId,
    added: &[Mapping],
) -> std::result::Result<(), Failure> {
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
    let rows = added.iter().map(|new| Row {
        id: new.id,
        credential: new.credential,
        external_org_id: new.external_org_id,
        name: new.name.as_str(),
        state: new.state.as_str(),
        company: new.state.company(),
        suggestion: new.suggestion,
        version: new.version,
        discovered_at: micros(new.discovered_at),
        missing_since: new.missing_since.map(micros),
        first_evidence_synced_at: new.first_evidence_synced_at.map(micros),
    });
    let insert = "INSERT INTO mapping (msp, id, credential, external_org_id, name, state, company, suggestion, version, \
                  discovered_at, missing_since, first_evidence_synced_at) \
                  SELECT ?1, unhex(value ->> 'id', '-'), unhex(value ->> 'credential', '-'), \
                  value ->> 'external_org_id', value ->> 'name', value ->> 'state', unhex(value ->> 'company', '-'), \
                  unhex(value ->> 'suggestion', '-'), value ->> 'version', value ->> 'discovered_at', \
                  value ->> 'missing_since', value ->> 'first_evidence_synced_at' FROM json_each(?2) \
                  WHERE true ON CONFLICT DO NOTHING";
    sqlx::query(insert)
        .bind(msp.as_uuid())
        .bind(json(&rows.collect::<Vec<_>>())?)
        .execute(db)
        .await?;
    Ok(())
}

/// Writes what discovery owns of mappings that exist.
async fn see(
    db: &mut SqliteConnection,
    msp: MspOrgId,
    seen: &[SeenOrganization],
) -> std::result::Result<(), Failure> {
    let update = "UPDATE mapping SET name = ?1, missing_since = ?3, \
                  suggestion = CASE state WHEN 'pending_review' THEN ?2 ELSE suggestion END WHERE msp = ?4 AND id = ?5";
    for organization in seen {
        sqlx::query(update)
            .bind(organization.name.as_str())
            .bind(organization.suggestion.map(CompanyId::as_uuid))
            .bind(organization.missing_since.map(micros))
            .bind(msp.as_uuid())
            .bind(organization.mapping.as_uuid())
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

async fn write_discovery(
    db: &mut SqliteConnection,
    store_time: OffsetDateTime,
    msp: MspOrgId,
    commit: &DiscoveryCommit,
) -> std::result::Result<(), Stop> {
    let DiscoveryCommit {
        event,
        guard,
        added,
        seen,
        lost_organizations,
        audit,
    } = commit;
    begins(db, store_time, msp, *event, commit).await?;
    credential_holds(db, msp, *guard).await?;
    if let Some(lost) = lost_organizations {
        sqlx::query("UPDATE credential SET lost_organizations = ?3 WHERE msp = ?1 AND id = ?2")
            .bind(msp.as_uuid())
            .bind(guard.credential.as_uuid())
            .bind(bigint(*lost))
            .execute(&mut *db)
            .await?;
    }
    add(db, msp, added).await?;
    see(db, msp, seen).await?;
    Ok(append_msp_audit(db, msp, audit).await?)
}

async fn write_decision(
    db: &mut SqliteConnection,
    store_time: OffsetDateTime,
    msp: MspOrgId,
    commit: &MappingCommit,
) -> std::result::Result<(), Stop> {
    let MappingCommit {
        event,
        guard,
        state,
        company,
        at,
        audit,
    } = commit;
    begins(db, store_time, msp, *event, commit).await?;
    let stored =
        sqlx::query("SELECT state FROM mapping WHERE msp = ?1 AND id = ?2 AND version = ?3")
            .bind(msp.as_uuid())
            .bind(guard.mapping.as_uuid())
            .bind(guard.version.as_u32())
            .fetch_optional(&mut *db)
            .await?;
    let Some(stored) = stored else {
        return holds(false, Guard::Mapping);
    };
    let was_mapped = stored.text("state")? == "mapped";
    if let Some(company) = company {
        holds(insert_company(db, msp, company).await?, Guard::Company)?;
    }
    if let Some(company) = state.company() {
        let exists = sqlx::query("SELECT 1 FROM company WHERE msp = ?1 AND id = ?2")
            .bind(msp.as_uuid())
            .bind(company.as_uuid())
            .fetch_optional(&mut *db)
            .await?;
        holds(exists.is_some(), Guard::Company)?;
    }
    if was_mapped {
        retire_and_reactivate(
            db,
            msp,
            RetireScope::Mapping(guard.mapping),
            *event,
            NoteReason::Unmapped,
            *at,
        )
        .await?;
    }
    let update = "UPDATE mapping SET state = ?1, company = ?2, version = ?3, suggestion = NULL, \
                  first_evidence_synced_at = NULL WHERE msp = ?4 AND id = ?5";
    sqlx::query(update)
        .bind(state.as_str())
        .bind(state.company().map(CompanyId::as_uuid))
        .bind(guard.version.next().as_u32())
        .bind(msp.as_uuid())
        .bind(guard.mapping.as_uuid())
        .execute(&mut *db)
        .await?;
    Ok(append_msp_audit(db, msp, audit).await?)
}

async fn write_promotion(
    db: &mut SqliteConnection,
    store_time: OffsetDateTime,
    msp: MspOrgId,
    commit: &PromotionCommit,
) -> std::result::Result<(), Stop> {
    let PromotionCommit {
        event,
        company,
        compliance_org,
        audit,
    } = commit;
    begins(db, store_time, msp, *event, commit).await?;
    let update = "UPDATE company SET converted_to = ?1 WHERE msp = ?2 AND id = ?3 AND converted_to IS NULL \
                  AND NOT EXISTS (SELECT 1 FROM company WHERE converted_to = ?1)";
    let updated = sqlx::query(update)
        .bind(compliance_org.as_uuid())
        .bind(msp.as_uuid())
        .bind(company.as_uuid())
        .execute(&mut *db)
        .await?;
    holds(updated.rows_affected() == 1, Guard::Company)?;
    Ok(append_msp_audit(db, msp, audit).await?)
}

fn stored_frameworks(row: &SqliteRow) -> std::result::Result<StoredFrameworks, Failure> {
    let frameworks = row.optional_text("frameworks")?;
    let frameworks = frameworks.map(|text| from_json(&text, "frameworks"));
    Ok(StoredFrameworks {
        frameworks: frameworks.transpose()?.unwrap_or_default(),
        version: Version::from_u32(row.number("frameworks_version")?),
    })
}

async fn write_frameworks(
    db: &mut SqliteConnection,
    store_time: OffsetDateTime,
    msp: MspOrgId,
    commit: &FrameworksCommit,
) -> std::result::Result<(), Stop> {
    let FrameworksCommit {
        event,
        company,
        expected,
        frameworks,
        audit,
    } = commit;
    begins(db, store_time, msp, *event, commit).await?;
    let update = "UPDATE company SET frameworks = ?1, frameworks_version = ?2 \
                  WHERE msp = ?3 AND id = ?4 AND frameworks_version = ?5";
    let decided = frameworks.is_decided().then(|| json(frameworks));
    let updated = sqlx::query(update)
        .bind(decided.transpose()?)
        .bind(expected.next().as_u32())
        .bind(msp.as_uuid())
        .bind(company.as_uuid())
        .bind(expected.as_u32())
        .execute(&mut *db)
        .await?;
    holds(updated.rows_affected() == 1, Guard::Company)?;
    Ok(append_msp_audit(db, msp, audit).await?)
}

#[async_trait]
impl Mappings for SqliteStore {
    async fn mappings(&self, msp: MspOrgId, credential: CredentialId) -> Result<Vec<Mapping>> {
        let rows = sqlx::query(
            "SELECT * FROM mapping WHERE msp = ?1 AND credential = ?2 ORDER BY external_org_id",
        )
        .bind(msp.as_uuid())
        .bind(credential.as_uuid())
        .fetch_all(&self.readers)
        .await
        .map_err(Failure::from)?;
        Ok(rows
            .iter()
            .map(mapping)
            .collect::<std::result::Result<_, _>>()?)
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
        let rows = sqlx::query(PAGE)
            .bind(msp.as_uuid())
            .bind(after_credential)
            .bind(after_organization)
            .bind(credential.map(CredentialId::as_uuid))
            .bind(decision.map(Decision::as_str))
            .bind(company.map(CompanyId::as_uuid))
            .bind(missing)
            .bind(name)
            .bind(limit)
            .fetch_all(&self.readers)
            .await
            .map_err(Failure::from)?;
        Ok(rows
            .iter()
            .map(mapping)
            .collect::<std::result::Result<_, _>>()?)
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
        let row = sqlx::query(COUNTS)
            .bind(msp.as_uuid())
            .bind(credential.map(CredentialId::as_uuid))
            .bind(decision.map(Decision::as_str))
            .bind(company.map(CompanyId::as_uuid))
            .bind(missing)
            .bind(name)
            .fetch_one(&self.readers)
            .await
            .map_err(Failure::from)?;
        Ok(MappingCounts {
            pending_review: row.number("pending_review")?,
            mapped: row.number("mapped")?,
            ignored: row.number("ignored")?,
            missing: row.number("missing")?,
        })
    }

    async fn mapping(&self, msp: MspOrgId, id: MappingId) -> Result<Option<Mapping>> {
        let row = sqlx::query("SELECT * FROM mapping WHERE msp = ?1 AND id = ?2")
            .bind(msp.as_uuid())
            .bind(id.as_uuid())
            .fetch_optional(&self.readers)
            .await
            .map_err(Failure::from)?;
        Ok(row.as_ref().map(mapping).transpose()?)
    }

    async fn companies(&self, msp: MspOrgId) -> Result<Vec<PortalCompany>> {
        let rows = sqlx::query("SELECT * FROM company WHERE msp = ?1 ORDER BY id")
            .bind(msp.as_uuid())
            .fetch_all(&self.readers)
            .await
            .map_err(Failure::from)?;
        Ok(rows
            .iter()
            .map(company)
            .collect::<std::result::Result<_, _>>()?)
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
        let rows = sqlx::query(COMPANIES_PAGE)
            .bind(msp.as_uuid())
            .bind(after)
            .bind(promoted)
            .bind(name)
            .bind(limit)
            .fetch_all(&self.readers)
            .await
            .map_err(Failure::from)?;
        Ok(rows
            .iter()
            .map(company)
            .collect::<std::result::Result<_, _>>()?)
    }

    async fn company(&self, msp: MspOrgId, id: CompanyId) -> Result<Option<PortalCompany>> {
        let row = sqlx::query("SELECT * FROM company WHERE msp = ?1 AND id = ?2")
            .bind(msp.as_uuid())
            .bind(id.as_uuid())
            .fetch_optional(&self.readers)
            .await
            .map_err(Failure::from)?;
        Ok(row.as_ref().map(company).transpose()?)
    }

    async fn add_company(&self, msp: MspOrgId, company: PortalCompany) -> Result<()> {
        company.check_not_ahead(self.clock.now())?;
        let mut db = self.writer.acquire().await.map_err(Failure::from)?;
        insert_company(&mut db, msp, &company).await?;
        Ok(())
    }

    async fn commit_discovery(
        &self,
        msp: MspOrgId,
        commit: DiscoveryCommit,
    ) -> Result<CommitOutcome> {
        let mut db = self.begin().await?;
        let written = write_discovery(&mut db, self.clock.now(), msp, &commit).await;
        finish(db, written).await
    }

    async fn commit_mapping(&self, msp: MspOrgId, commit: MappingCommit) -> Result<CommitOutcome> {
        let mut db = self.begin().await?;
        let written = write_decision(&mut db, self.clock.now(), msp, &commit).await;
        finish(db, written).await
    }

    async fn commit_promotion(
        &self,
        msp: MspOrgId,
        commit: PromotionCommit,
    ) -> Result<CommitOutcome> {
        let mut db = self.begin().await?;
        let written = write_promotion(&mut db, self.clock.now(), msp, &commit).await;
        finish(db, written).await
    }

    async fn adopted_frameworks(
        &self,
        msp: MspOrgId,
        company: CompanyId,
    ) -> Result<Option<StoredFrameworks>> {
        let row = sqlx::query(
            "SELECT frameworks, frameworks_version FROM company WHERE msp = ?1 AND id = ?2",
        )
        .bind(msp.as_uuid())
        .bind(company.as_uuid())
        .fetch_optional(&self.readers)
        .await
        .map_err(Failure::from)?;
        Ok(row.as_ref().map(stored_frameworks).transpose()?)
    }

    async fn commit_frameworks(
        &self,
        msp: MspOrgId,
        commit: FrameworksCommit,
    ) -> Result<CommitOutcome> {
        let mut db = self.begin().await?;
        let written = write_frameworks(&mut db, self.clock.now(), msp, &commit).await;
        finish(db, written).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan;

    #[tokio::test]
    async fn a_page_begins_where_the_one_before_ended_and_sorts_nothing() {
        for (statement, lookup) in [
            (PAGE, "(msp=? AND (credential,external_org_id)>(?,?))"),
            (COMPANIES_PAGE, "(msp=? AND id>?)"),
            (COUNTS, "(msp=?)"),
        ] {
            let plan = plan(statement).await.join("\n");
            assert!(plan.contains(lookup), "{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
