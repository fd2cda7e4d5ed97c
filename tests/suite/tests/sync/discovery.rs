//! Section 3: discovery.

use regentra_sync::{
    Choice, Discover, Discovery, ErrorKind,
    model::{AuditAction, AuditDetails, MappingState, RunOutcome},
    ninjaone_client::ErrorKind as Vendor,
};

use crate::host::{Host, operator, us};

on_every_store!(
    new_organizations_are_pending_review,
    a_suggestion_is_made_when_exactly_one_company_has_that_name,
    a_second_discovery_writes_no_row,
    discovery_never_changes_a_decision,
    an_ignored_organization_is_never_prompted_again,
    a_renamed_organization_keeps_its_mapping,
    an_organization_gone_from_ninjaone_is_flagged_and_not_deleted,
    a_list_that_is_not_whole_flags_nothing,
    the_ceiling_of_5_000_is_recorded_and_exactly_5_000_is_complete,
    a_discovery_that_fails_says_so_on_the_card_and_changes_nothing,
);

async fn new_organizations_are_pending_review(host: Host) {
    host.connect().await;
    host.organizations(&[(1, "Alpha"), (2, "Beta")]);
    let discovery = host.discover().await;
    assert_eq!(
        discovery,
        Discovery {
            listed: 2,
            added: 2,
            ..Discovery::default()
        }
    );
    let mapping = host.mapping(2).await;
    assert_eq!(
        (mapping.state, mapping.name.as_str()),
        (MappingState::PendingReview, "Beta")
    );
    let audit = host.msp_audit(AuditAction::NinjaoneDiscovered).await;
    assert!(matches!(
        audit[0].details,
        AuditDetails::Discovered {
            listed: 2,
            added: 2,
            truncated: false,
            ..
        }
    ));
}

async fn a_suggestion_is_made_when_exactly_one_company_has_that_name(host: Host) {
    host.connect().await;
    let alpha = host.add_company("alpha ").await;
    host.add_company("Beta").await;
    host.add_company("BETA").await;
    host.organizations(&[(1, " ALPHA"), (2, "Beta"), (3, "Gamma")]);
    host.discover().await;
    assert_eq!(
        host.mapping(1).await.suggestion,
        Some(alpha),
        "without regard to case, trimmed"
    );
    assert_eq!(
        host.mapping(2).await.suggestion,
        None,
        "two companies have that name"
    );
    assert_eq!(host.mapping(3).await.suggestion, None);
    let gamma = host.add_company("Gamma").await;
    host.discover().await;
    assert_eq!(
        host.mapping(3).await.suggestion,
        Some(gamma),
        "a company that was added later"
    );
}

async fn a_second_discovery_writes_no_row(host: Host) {
    host.connect().await;
    host.add_company("Alpha").await;
    host.organizations(&[(1, "Alpha"), (2, "Beta")]);
    host.discover().await;
    let before = host
        .store
        .mappings(host.msp, host.mapping(1).await.credential)
        .await
        .unwrap();
    let again = host.discover().await;
    assert_eq!(
        again,
        Discovery {
            listed: 2,
            ..Discovery::default()
        }
    );
    assert_eq!(
        host.store
            .mappings(host.msp, host.mapping(1).await.credential)
            .await
            .unwrap(),
        before
    );
    assert_eq!(
        host.msp_audit(AuditAction::NinjaoneDiscovered).await.len(),
        1
    );
}

async fn discovery_never_changes_a_decision(host: Host) {
    let companies = host.mapped(&[(1, "Alpha"), (2, "Beta")]).await;
    host.map(2, Choice::DontSync).await.unwrap();
    host.organizations(&[(1, "Beta"), (2, "Alpha")]);
    host.discover().await;
    assert_eq!(
        host.mapping(1).await.state,
        MappingState::Mapped {
            company: companies[0]
        }
    );
    assert_eq!(host.mapping(2).await.state, MappingState::Ignored);
}

async fn an_ignored_organization_is_never_prompted_again(host: Host) {
    host.organizations(&[(1, "Alpha")]);
    host.connect().await;
    host.discover().await;
    host.map(1, Choice::DontSync).await.unwrap();
    host.add_company("Alpha").await;
    let again = host.discover().await;
    assert_eq!(again.added, 0);
    let mapping = host.mapping(1).await;
    assert_eq!(
        (mapping.state, mapping.suggestion),
        (MappingState::Ignored, None)
    );
}

async fn a_renamed_organization_keeps_its_mapping(host: Host) {
    let companies = host.mapped(&[(1, "Alpha")]).await;
    host.organizations(&[(1, "Alpha Ltd")]);
    assert_eq!(host.discover().await.renamed, 1);
    let mapping = host.mapping(1).await;
    assert_eq!(mapping.name.as_str(), "Alpha Ltd");
    assert_eq!(
        mapping.state,
        MappingState::Mapped {
            company: companies[0]
        }
    );
}

async fn an_organization_gone_from_ninjaone_is_flagged_and_not_deleted(host: Host) {
    let companies = host.mapped(&[(1, "Alpha"), (2, "Beta")]).await;
    host.organizations(&[(2, "Beta")]);
    assert_eq!(host.discover().await.missing, 1);
    let mapping = host.mapping(1).await;
    assert_eq!(mapping.missing_since, Some(crate::host::now()));
    assert_eq!(
        mapping.state,
        MappingState::Mapped {
            company: companies[0]
        }
    );
    host.clock.advance(time::Duration::hours(1));
    assert_eq!(
        host.discover().await.missing,
        0,
        "since when, and not again"
    );
    assert_eq!(
        host.mapping(1).await.missing_since,
        Some(crate::host::now())
    );
    host.organizations(&[(1, "Alpha"), (2, "Beta")]);
    assert_eq!(host.discover().await.returned, 1);
    assert_eq!(host.mapping(1).await.missing_since, None);
}

async fn a_list_that_is_not_whole_flags_nothing(host: Host) {
    host.mapped(&[(1, "Alpha"), (2, "Beta")]).await;
    host.organizations(&[(2, "Beta")]);
    host.ninjaone.script().organizations_truncated = true;
    assert_eq!(host.discover().await.missing, 0);
    host.ninjaone.script().organizations_truncated = false;
    host.ninjaone.script().organizations_malformed = 1;
    assert_eq!(host.discover().await.missing, 0);
    assert_eq!(host.mapping(1).await.missing_since, None);
}

async fn the_ceiling_of_5_000_is_recorded_and_exactly_5_000_is_complete(host: Host) {
    host.connect().await;
    host.ninjaone.script().organizations = (1..=5_000)
        .map(|id| (id, format!("Organization {id}")))
        .collect();
    let exactly = host.discover().await;
    assert_eq!((exactly.added, exactly.truncated), (5_000, false));
    host.ninjaone.script().organizations = (0..=5_000)
        .map(|id| (id, format!("Organization {id}")))
        .collect();
    let more = host.discover().await;
    assert_eq!((more.listed, more.truncated), (5_000, true));
    let audit = host.msp_audit(AuditAction::NinjaoneDiscovered).await;
    let truncated = |row: &regentra_sync::model::AuditRow| {
        matches!(
            row.details,
            AuditDetails::Discovered {
                truncated: true,
                ..
            }
        )
    };
    assert_eq!(audit.iter().filter(|row| truncated(row)).count(), 1);
}

async fn a_discovery_that_fails_says_so_on_the_card_and_changes_nothing(host: Host) {
    host.mapped(&[(1, "Alpha")]).await;
    let before = host.mapping(1).await;
    host.ninjaone.script().fails = Some(Vendor::Timeout);
    let error = host
        .integration
        .discover(
            host.msp,
            Discover {
                region: us(),
                actor: operator(),
                event: host.event(),
            },
        )
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Ninjaone(Vendor::Timeout));
    assert_eq!(host.mapping(1).await, before);
    let status = host
        .integration
        .views()
        .connection_status(host.msp)
        .await
        .unwrap();
    let failed = RunOutcome::failed(ErrorKind::Ninjaone(Vendor::Timeout));
    assert_eq!(status[0].last_error.as_ref().unwrap().outcome, failed);
    host.ninjaone.script().fails = None;
    host.discover().await;
    let status = host
        .integration
        .views()
        .connection_status(host.msp)
        .await
        .unwrap();
    assert_eq!(
        status[0].last_error, None,
        "a success takes the error off the card"
    );
}
