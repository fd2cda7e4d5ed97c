//! Section 3: mapping, and promotion.

use regentra_sync::{
    Choice, ErrorKind, Promote, SyncCompany,
    model::{
        AssetStatus, AuditAction, AuditDetails, CompanyId, ComplianceOrgId, MappingState,
        NoteReason, OutboxAction, Source,
    },
    regentra_evidence::{SignalKind, Status},
};
use uuid::Uuid;

use crate::{
    asset_sync::{foreign_asset, write_foreign},
    host::{Host, operator},
    scripted::device,
};

on_every_store!(
    an_organization_is_mapped_to_an_existing_company,
    create_new_creates_a_company_of_that_name,
    create_new_reuses_a_company_of_that_name,
    create_new_asks_when_several_companies_have_that_name,
    two_that_create_the_same_company_at_once_create_one,
    dont_sync_ignores,
    one_organization_binds_to_exactly_one_company,
    a_company_may_have_several_organizations,
    a_decision_that_stands_is_not_written_again,
    an_unknown_company_is_said_as_such,
    unmapping_retires_the_assets,
    ignoring_a_mapped_organization_retires_its_assets,
    unmapping_leaves_a_note_on_open_tickets_and_purges_signature_history,
    a_company_is_promoted_to_an_organization_of_its_own,
    promotion_is_for_life,
);

async fn pending(host: &Host, organizations: &[(i64, &str)]) {
    host.organizations(organizations);
    host.connect().await;
    host.discover().await;
}

async fn an_organization_is_mapped_to_an_existing_company(host: Host) {
    pending(&host, &[(1, "Alpha")]).await;
    let company = host.add_company("Something else").await;
    let mapping = host.map(1, Choice::UseExisting(company)).await.unwrap();
    assert_eq!(mapping.state, MappingState::Mapped { company });
    let audit = host.msp_audit(AuditAction::NinjaoneMapped).await;
    assert_eq!(
        audit[0].details,
        AuditDetails::Mapped {
            mapping: mapping.id,
            company,
            created: false
        }
    );
}

async fn create_new_creates_a_company_of_that_name(host: Host) {
    pending(&host, &[(1, " Alpha ")]).await;
    let mapping = host.map(1, Choice::CreateNew).await.unwrap();
    let companies = host.store.companies(host.msp).await.unwrap();
    assert_eq!(companies.len(), 1);
    assert_eq!(
        (Some(companies[0].id), companies[0].name.as_str()),
        (mapping.state.company(), "Alpha")
    );
    let audit = host.msp_audit(AuditAction::NinjaoneMapped).await;
    assert!(matches!(
        audit[0].details,
        AuditDetails::Mapped { created: true, .. }
    ));
}

async fn create_new_reuses_a_company_of_that_name(host: Host) {
    pending(&host, &[(1, "Alpha"), (2, "ALPHA ")]).await;
    let company = host.add_company("alpha").await;
    for organization in [1, 2] {
        let mapping = host.map(organization, Choice::CreateNew).await.unwrap();
        assert_eq!(mapping.state, MappingState::Mapped { company });
    }
    assert_eq!(host.store.companies(host.msp).await.unwrap().len(), 1);
}

async fn create_new_asks_when_several_companies_have_that_name(host: Host) {
    pending(&host, &[(1, "Alpha")]).await;
    host.add_company("Alpha").await;
    host.add_company("alpha").await;
    let error = host.map(1, Choice::CreateNew).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(host.mapping(1).await.state, MappingState::PendingReview);
}

async fn two_that_create_the_same_company_at_once_create_one(host: Host) {
    pending(&host, &[(1, "Alpha"), (2, "alpha")]).await;
    let (one, two) = tokio::join!(
        host.map(1, Choice::CreateNew),
        host.map(2, Choice::CreateNew)
    );
    assert_eq!(one.unwrap().state, two.unwrap().state);
    assert_eq!(host.store.companies(host.msp).await.unwrap().len(), 1);
}

async fn dont_sync_ignores(host: Host) {
    pending(&host, &[(1, "Alpha")]).await;
    let mapping = host.map(1, Choice::DontSync).await.unwrap();
    assert_eq!(mapping.state, MappingState::Ignored);
    let audit = host.msp_audit(AuditAction::NinjaoneIgnored).await;
    assert_eq!(
        audit[0].details,
        AuditDetails::Ignored {
            mapping: mapping.id
        }
    );
    assert!(host.sync().await.is_empty(), "nothing is read");
}

async fn one_organization_binds_to_exactly_one_company(host: Host) {
    let companies = host.mapped(&[(1, "Alpha"), (2, "Beta")]).await;
    let before = host.mapping(1).await;
    let error = host
        .map(1, Choice::UseExisting(companies[1]))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("un-map it first"), "{error}");
    assert_eq!(host.mapping(1).await, before, "the store is as it was");
    host.map(1, Choice::Undecide).await.unwrap();
    host.map(1, Choice::UseExisting(companies[1]))
        .await
        .unwrap();
}

async fn a_company_may_have_several_organizations(host: Host) {
    let companies = host.mapped(&[(1, "Alpha")]).await;
    host.organizations(&[(1, "Alpha"), (2, "Alpha Berlin")]);
    host.discover().await;
    host.map(2, Choice::UseExisting(companies[0]))
        .await
        .unwrap();
    let customer = host.promote(companies[0]).await;
    host.ninjaone
        .script()
        .verdicts_of
        .insert((2, SignalKind::PatchSla), Status::Fail);
    host.sweep_all().await;
    assert_eq!(
        host.store
            .current_signals(customer, host.tick())
            .await
            .unwrap()
            .len(),
        10,
        "each has its own signals"
    );
    let posture = host
        .integration
        .views()
        .posture(host.msp, companies[0])
        .await
        .unwrap();
    assert_eq!(posture.mappings.len(), 2);
    let of = |kind| {
        posture
            .posture
            .iter()
            .find(|posture| posture.signal == kind)
            .unwrap()
            .status
    };
    assert_eq!(
        of(SignalKind::PatchSla),
        Status::Fail,
        "posture reads the worst"
    );
    assert_eq!(of(SignalKind::DiskEncryption), Status::Pass);
}

async fn a_decision_that_stands_is_not_written_again(host: Host) {
    let companies = host.mapped(&[(1, "Alpha")]).await;
    let before = host.mapping(1).await;
    host.map(1, Choice::UseExisting(companies[0]))
        .await
        .unwrap();
    host.map(1, Choice::CreateNew).await.unwrap();
    assert_eq!(host.mapping(1).await, before);
    assert_eq!(host.msp_audit(AuditAction::NinjaoneMapped).await.len(), 1);
}

async fn an_unknown_company_is_said_as_such(host: Host) {
    pending(&host, &[(1, "Alpha")]).await;
    let unknown = CompanyId::from_uuid(Uuid::from_u128(404));
    let error = host.map(1, Choice::UseExisting(unknown)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("no such company"), "{error}");
    let customer = ComplianceOrgId::from_uuid(Uuid::from_u128(5));
    let promoted = host
        .integration
        .promote(
            host.msp,
            Promote {
                company: unknown,
                compliance_org: customer,
                actor: operator(),
                event: host.event(),
            },
        )
        .await;
    assert_eq!(promoted.unwrap_err().kind(), ErrorKind::NotFound);
    let synced = host
        .integration
        .sync_company(
            host.msp,
            SyncCompany {
                company: unknown,
                actor: operator(),
                event: host.event(),
            },
        )
        .await;
    assert_eq!(synced.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(
        host.integration
            .views()
            .posture(host.msp, unknown)
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::NotFound
    );
}

async fn retires(host: &Host, choice: Choice) {
    let companies = host.mapped(&[(1, "Alpha"), (2, "Beta")]).await;
    let level = foreign_asset(host, Source::Level, companies[0], "l", "PC-1");
    write_foreign(host, vec![level]).await;
    host.ninjaone
        .script()
        .devices
        .insert(1, vec![device(10, "PC-1")]);
    host.ninjaone
        .script()
        .devices
        .insert(2, vec![device(20, "PC-2")]);
    host.sync().await;
    host.map(1, choice).await.unwrap();
    let statuses: Vec<_> = host
        .assets()
        .await
        .into_iter()
        .map(|asset| (asset.external_id.to_string(), asset.status))
        .collect();
    let expected = [
        ("10", AssetStatus::Retired),
        ("20", AssetStatus::Active),
        ("l", AssetStatus::Active),
    ];
    assert_eq!(
        statuses,
        expected.map(|(id, status)| (id.to_owned(), status))
    );
}

async fn unmapping_retires_the_assets(host: Host) {
    retires(&host, Choice::Undecide).await;
    let audit = host.msp_audit(AuditAction::NinjaoneUnmapped).await;
    assert_eq!(
        audit[0].details,
        AuditDetails::Unmapped {
            mapping: host.mapping_id(1)
        }
    );
}

async fn ignoring_a_mapped_organization_retires_its_assets(host: Host) {
    retires(&host, Choice::DontSync).await;
}

async fn unmapping_leaves_a_note_on_open_tickets_and_purges_signature_history(host: Host) {
    let customers = host.promoted(&[(1, "Alpha")]).await;
    host.ninjaone.script().signatures.insert(10, true);
    host.sweep_one().await;
    host.ninjaone
        .script()
        .verdicts
        .insert(SignalKind::PatchSla, Status::Fail);
    host.sweep_one().await;
    host.map(1, Choice::Undecide).await.unwrap();
    let outbox = host.integration.views().outbox(host.msp, 9).await.unwrap();
    let last = &outbox.last().unwrap().action;
    assert!(
        matches!(
            last,
            OutboxAction::Note {
                reason: NoteReason::Unmapped,
                ..
            }
        ),
        "{last:?}"
    );
    let (mapping, event) = (host.mapping_id(1), host.event());
    let state = host
        .store
        .sweep_state(host.msp, customers[0], mapping, event, host.tick())
        .await
        .unwrap();
    assert!(state.signature_history.is_empty());
    assert_eq!(
        host.mapping(1).await.first_evidence_synced_at,
        None,
        "another decision begins with a dry run"
    );
}

async fn a_company_is_promoted_to_an_organization_of_its_own(host: Host) {
    let companies = host.mapped(&[(1, "Alpha"), (2, "Beta")]).await;
    let customer = host.promote(companies[0]).await;
    let audit = host.msp_audit(AuditAction::NinjaonePromoted).await;
    let expected = AuditDetails::Promoted {
        company: companies[0],
        compliance_org: customer,
    };
    assert_eq!(
        audit.iter().map(|row| &row.details).collect::<Vec<_>>(),
        [&expected]
    );
    let taken = host
        .integration
        .promote(
            host.msp,
            Promote {
                company: companies[1],
                compliance_org: customer,
                actor: operator(),
                event: host.event(),
            },
        )
        .await;
    assert_eq!(taken.unwrap_err().kind(), ErrorKind::Conflict);
}

async fn promotion_is_for_life(host: Host) {
    let companies = host.mapped(&[(1, "Alpha")]).await;
    let customer = host.promote(companies[0]).await;
    let again = host
        .integration
        .promote(
            host.msp,
            Promote {
                company: companies[0],
                compliance_org: customer,
                actor: operator(),
                event: host.event(),
            },
        )
        .await;
    assert!(!again.unwrap());
    let other = ComplianceOrgId::from_uuid(Uuid::from_u128(5));
    let other = host
        .integration
        .promote(
            host.msp,
            Promote {
                company: companies[0],
                compliance_org: other,
                actor: operator(),
                event: host.event(),
            },
        )
        .await;
    assert_eq!(other.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(host.msp_audit(AuditAction::NinjaonePromoted).await.len(), 1);
}
