//! Organizations without a readable name, rows that could not be read, and connections that see a part of the tenant: nothing
//! vanishes, and nothing is called gone that only was not read.

use regentra_sync::{
    Bulk, BulkStep, Choice, Connect, ErrorKind, LeftReason, MapPending, SuggestionReason,
    SyncOutcome, TestConnection,
    model::{
        AssetStatus, AuditAction, AuditDetails, AuditRow, MappingState, PortalCompany, RunOutcome,
        TenantView,
    },
    views::{Diagnosis, Finding},
};

use crate::{
    authorization,
    host::{Host, operator, us},
    scripted::device,
};

on_every_store!(
    organizations_without_a_readable_name_are_listed_and_counted_as_visible,
    an_organization_keeps_the_name_it_had_when_it_cannot_be_read,
    rows_of_organizations_that_could_not_be_read_are_said_wherever_the_list_is_counted,
    nothing_is_called_gone_by_a_list_that_lost_rows,
    a_nameless_organization_is_no_proof_of_the_same_tenant,
    an_incomplete_list_that_shows_no_mapped_organization_is_no_proof_of_the_same_tenant,
    a_user_who_sees_a_part_of_the_tenant_is_noticed_and_retires_nothing,
    a_shrunk_list_holds_assets_until_the_next_complete_one_says_the_same,
    two_pending_organizations_of_one_name_never_become_one_company,
    an_organization_is_never_given_a_company_that_has_another_in_bulk,
    a_nameless_organization_does_not_stop_the_bulk,
    the_exact_ones_are_shown_before_they_are_applied,
    a_company_is_suggested_by_the_serial_numbers_of_most_devices,
    what_is_ambiguous_is_listed_with_its_reason_on_card_and_diagnosis,
);

async fn test(host: &Host) -> regentra_sync::views::ConnectionTest {
    let request = TestConnection {
        region: us(),
        client_id: "client".into(),
        client_secret: "hunter2".into(),
        try_other_regions: false,
        actor: operator(),
    };
    host.integration
        .test_connection(host.msp, request)
        .await
        .unwrap()
}

async fn found(host: &Host) -> Vec<Finding> {
    let found = host.integration.diagnose(host.msp, None).await.unwrap();
    found.into_iter().map(|of| of.finding).collect()
}

async fn organizations_without_a_readable_name_are_listed_and_counted_as_visible(host: Host) {
    host.organizations(&[(1, "Alpha"), (7, ""), (8, "\u{200b}\u{202e} ")]);
    let test = test(&host).await;
    assert_eq!((test.organizations_visible, test.nameless), (3, 2));
    assert_eq!((test.unreadable_rows, test.warning), (0, None));
    host.connect().await;
    let discovery = host.discover().await;
    assert_eq!(
        (discovery.listed, discovery.added, discovery.nameless),
        (3, 3, 2)
    );
    assert_eq!(host.mapping(7).await.state, MappingState::PendingReview);
    let audit = host.msp_audit(AuditAction::NinjaoneDiscovered).await;
    let AuditDetails::Discovered {
        listed, nameless, ..
    } = audit[0].details
    else {
        panic!("{:?}", audit[0].details);
    };
    assert_eq!((listed, nameless), (3, 2));
    let all = host.integration.diagnose(host.msp, None).await.unwrap();
    let of = all
        .iter()
        .find(|of| of.finding == Finding::NoReadableName)
        .unwrap();
    assert_eq!(of.mappings, [host.mapping_id(7), host.mapping_id(8)]);
    let card = host
        .integration
        .views()
        .connection_status(host.msp)
        .await
        .unwrap();
    assert_eq!(
        (
            card[0].organizations.pending_review,
            card[0].organizations.nameless
        ),
        (3, 2)
    );
    // Two that cannot be read are no company of one name, and neither is any company theirs.
    host.add_company("\u{200b}").await;
    host.discover().await;
    assert_eq!(host.mapping(7).await.suggestion, None);
    // It is mapped by its id, to a company that exists.
    let error = host.map(7, Choice::CreateNew).await.unwrap_err();
    assert!(error.to_string().contains("no readable name"), "{error}");
    let company = host.add_company("Gamma").await;
    host.map(7, Choice::UseExisting(company)).await.unwrap();
    host.ninjaone
        .script()
        .devices
        .insert(7, vec![device(70, "PC-70")]);
    assert!(matches!(host.sync_one().await, SyncOutcome::Synced { .. }));
}

async fn an_organization_keeps_the_name_it_had_when_it_cannot_be_read(host: Host) {
    host.mapped(&[(1, "Alpha")]).await;
    host.organizations(&[(1, "")]);
    let discovery = host.discover().await;
    assert_eq!((discovery.renamed, discovery.nameless), (0, 1));
    assert_eq!(host.mapping(1).await.name.as_str(), "Alpha");
}

async fn rows_of_organizations_that_could_not_be_read_are_said_wherever_the_list_is_counted(
    host: Host,
) {
    host.organizations(&[(1, "Alpha"), (2, "Beta")]);
    host.ninjaone.script().organizations_malformed = 2;
    let test = test(&host).await;
    assert_eq!((test.organizations_visible, test.unreadable_rows), (4, 2));
    let of_test = Diagnosis::of_test(&us(), Ok(&test)).unwrap();
    assert_eq!(
        of_test.finding,
        Finding::OrganizationsUnreadable { rows: 2 }
    );
    let tested = host.msp_audit(AuditAction::NinjaoneTested).await;
    assert!(matches!(
        tested[0].details,
        AuditDetails::Tested {
            organizations_visible: Some(4),
            unreadable_rows: 2,
            ..
        }
    ));
    host.connect().await;
    let discovery = host.discover().await;
    assert_eq!((discovery.listed, discovery.unreadable_rows), (2, 2));
    let audit = host.msp_audit(AuditAction::NinjaoneDiscovered).await;
    assert!(matches!(
        audit[0].details,
        AuditDetails::Discovered {
            listed: 2,
            unreadable_rows: 2,
            ..
        }
    ));
    assert!(
        found(&host)
            .await
            .contains(&Finding::OrganizationsUnreadable { rows: 2 })
    );
    let card = host
        .integration
        .views()
        .connection_status(host.msp)
        .await
        .unwrap();
    assert_eq!(card[0].organizations.unreadable_rows, 2);
    assert_eq!(
        card[0].last_discovery.as_ref().unwrap().outcome,
        RunOutcome::PARTIAL
    );
    // A second list that lost as much writes nothing; one that lost nothing ends it.
    let rows = host.msp_audit(AuditAction::NinjaoneDiscovered).await.len();
    host.discover().await;
    assert_eq!(
        host.msp_audit(AuditAction::NinjaoneDiscovered).await.len(),
        rows
    );
    host.ninjaone.script().organizations_malformed = 0;
    host.discover().await;
    assert!(
        !found(&host)
            .await
            .contains(&Finding::OrganizationsUnreadable { rows: 2 })
    );
    // All rows lost is not "no organization".
    host.organizations(&[]);
    host.ninjaone.script().organizations_malformed = 3;
    let only_lost = self::test(&host).await;
    assert_eq!(
        (only_lost.organizations_visible, only_lost.warning),
        (3, None)
    );
    host.discover().await;
    assert!(!found(&host).await.contains(&Finding::NoOrganizationVisible));
}

async fn nothing_is_called_gone_by_a_list_that_lost_rows(host: Host) {
    host.mapped(&[(1, "Alpha"), (2, "Beta")]).await;
    host.ninjaone
        .script()
        .devices
        .insert(2, vec![device(20, "PC-20")]);
    host.sync().await;
    host.organizations(&[(1, "Alpha")]);
    host.ninjaone.script().organizations_malformed = 1;
    let discovery = host.discover().await;
    assert_eq!(discovery.missing, 0);
    assert_eq!(host.mapping(2).await.missing_since, None);
    assert!(!found(&host).await.contains(&Finding::GoneFromNinjaone));
    // It is asked for all the same.
    let synced = host.sync().await;
    assert!(
        matches!(synced[1].outcome, Ok(SyncOutcome::Synced { .. })),
        "{:?}",
        synced[1]
    );
}

fn reconnecting(host: &Host) -> Connect {
    Connect {
        client_id: "another client".into(),
        ..host.connecting()
    }
}

async fn a_nameless_organization_is_no_proof_of_the_same_tenant(host: Host) {
    host.mapped(&[(1, "Alpha")]).await;
    host.organizations(&[(1, "")]);
    let error = host
        .integration
        .connect(host.msp, reconnecting(&host))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    host.organizations(&[(1, " ALPHA\u{200b}")]);
    host.integration
        .connect(host.msp, reconnecting(&host))
        .await
        .unwrap();
}

async fn an_incomplete_list_that_shows_no_mapped_organization_is_no_proof_of_the_same_tenant(
    host: Host,
) {
    host.mapped(&[(1, "Alpha"), (2, "Beta")]).await;
    host.organizations(&[(9, "Zeta")]);
    host.ninjaone.script().organizations_malformed = 1;
    let error = host
        .integration
        .connect(host.msp, reconnecting(&host))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    host.organizations(&[(1, "Alpha")]);
    host.integration
        .connect(host.msp, reconnecting(&host))
        .await
        .unwrap();
}

async fn authorize(host: &Host, view: TenantView) {
    host.ninjaone.script().view = view;
    let begun = authorization::begin(host).await;
    let authorized = authorization::complete(host, &begun).await.unwrap();
    assert_eq!(authorized.view, view);
}

async fn a_user_who_sees_a_part_of_the_tenant_is_noticed_and_retires_nothing(host: Host) {
    host.mapped(&[(1, "Alpha"), (2, "Beta")]).await;
    let of = |ids: std::ops::RangeInclusive<i64>| {
        ids.map(|id| device(id, &format!("PC-{id}")))
            .collect::<Vec<_>>()
    };
    host.ninjaone
        .script()
        .devices
        .extend([(1, of(10..=12)), (2, of(20..=22))]);
    host.sync().await;
    authorize(&host, TenantView::Part).await;
    let card = host
        .integration
        .views()
        .connection_status(host.msp)
        .await
        .unwrap();
    assert_eq!(card[0].view, TenantView::Part);
    assert!(found(&host).await.contains(&Finding::PartialView));
    let connected = host.msp_audit(AuditAction::NinjaoneConnected).await;
    let of_part = |row: &AuditRow| {
        let view = TenantView::Part;
        matches!(row.details, AuditDetails::Connected { view: of, .. } if of == view)
    };
    assert!(connected.iter().any(of_part));
    // One organization is not listed to this user, and of the other a device is not.
    host.organizations(&[(1, "Alpha")]);
    host.ninjaone
        .script()
        .devices
        .extend([(1, of(10..=11)), (2, Vec::new())]);
    for _ in 0..3 {
        assert_eq!(host.discover().await.missing, 0);
        let synced = host.sync().await;
        let Ok(SyncOutcome::Synced {
            counts,
            partial_view: true,
            ..
        }) = &synced[0].outcome
        else {
            panic!("{synced:?}");
        };
        assert_eq!((counts.retired, counts.held), (0, 1));
        assert!(
            matches!(synced[1].outcome, Ok(SyncOutcome::OutOfView)),
            "{synced:?}"
        );
    }
    assert!(
        host.assets()
            .await
            .iter()
            .all(|asset| asset.status == AssetStatus::Active)
    );
    assert!(!found(&host).await.contains(&Finding::GoneFromNinjaone));
    // Another user sees it all: what is gone is gone.
    authorize(&host, TenantView::Whole).await;
    assert!(!found(&host).await.contains(&Finding::PartialView));
    assert_eq!(host.discover().await.missing, 1);
    host.sync().await;
    let retired = host
        .assets()
        .await
        .into_iter()
        .filter(|asset| asset.status == AssetStatus::Retired);
    assert_eq!(
        retired
            .map(|asset| asset.external_id.to_string())
            .collect::<Vec<_>>(),
        ["12"]
    );
}

async fn a_shrunk_list_holds_assets_until_the_next_complete_one_says_the_same(host: Host) {
    host.mapped(&[(1, "Alpha")]).await;
    let of = |n: i64| {
        (1..=n)
            .map(|id| device(id, &format!("PC-{id}")))
            .collect::<Vec<_>>()
    };
    host.ninjaone.script().devices.insert(1, of(20));
    host.sync_one().await;
    host.ninjaone.script().devices.insert(1, of(10));
    let SyncOutcome::Synced {
        counts,
        suspect_shrunk: true,
        ..
    } = host.sync_one().await
    else {
        panic!("not suspect");
    };
    assert_eq!((counts.retired, counts.held), (0, 10));
    let audit = host.msp_audit(AuditAction::NinjaoneSynced).await;
    assert!(matches!(
        audit[0].details,
        AuditDetails::Synced {
            suspect_shrunk: true,
            ..
        }
    ));
    assert!(
        found(&host)
            .await
            .contains(&Finding::AssetsHeld { assets: 10 })
    );
    let card = host
        .integration
        .views()
        .connection_status(host.msp)
        .await
        .unwrap();
    assert_eq!(card[0].assets.held, 10);
    assert_eq!(
        card[0].last_asset_sync.as_ref().unwrap().outcome,
        RunOutcome::PARTIAL
    );
    let SyncOutcome::Synced {
        counts,
        suspect_shrunk: false,
        ..
    } = host.sync_one().await
    else {
        panic!("suspect still");
    };
    assert_eq!((counts.retired, counts.held), (10, 0));
    assert!(
        !found(&host)
            .await
            .contains(&Finding::AssetsHeld { assets: 10 })
    );
}

async fn bulk(host: &Host, bulk: Bulk) -> Vec<(i64, Option<LeftReason>)> {
    let mapped = host
        .integration
        .map_pending(
            host.msp,
            MapPending {
                region: None,
                bulk,
                actor: operator(),
                event: host.event(),
            },
        )
        .await
        .unwrap();
    let of = mapped.into_iter().map(|of| {
        let left = of.is_left();
        let why = of.outcome.unwrap().err();
        assert_eq!(left, why.is_some());
        (of.mapping.external_org_id.get(), why)
    });
    of.collect()
}

async fn names(host: &Host) -> Vec<String> {
    let companies = host.store.companies(host.msp).await.unwrap();
    let mut names: Vec<_> = companies
        .iter()
        .map(|PortalCompany { name, .. }| name.as_str().to_owned())
        .collect();
    names.sort();
    names
}

async fn two_pending_organizations_of_one_name_never_become_one_company(host: Host) {
    host.connect().await;
    host.organizations(&[
        (1, "Alpha"),
        (2, " ALPHA\u{200b}"),
        (3, "\u{ff21}lpha"),
        (4, "Al pha"),
        (5, "Beta"),
    ]);
    host.discover().await;
    let same = Some(LeftReason::SameNameAsAnother);
    assert_eq!(
        bulk(&host, Bulk::CreateNew).await,
        [(1, same), (2, same), (3, same), (4, same), (5, None)]
    );
    assert_eq!(names(&host).await, ["Beta"]);
    // Nor when a company of that name exists, nor one after the other.
    host.add_company("alpha").await;
    for choice in [Bulk::CreateNew, Bulk::ApplyExact] {
        assert_eq!(bulk(&host, choice).await, [1, 2, 3, 4].map(|id| (id, same)));
    }
    for organization in 1..=4 {
        assert_eq!(
            host.mapping(organization).await.state,
            MappingState::PendingReview
        );
    }
}

async fn an_organization_is_never_given_a_company_that_has_another_in_bulk(host: Host) {
    host.connect().await;
    host.organizations(&[(1, "Alpha"), (2, "alpha"), (3, "Beta")]);
    host.discover().await;
    host.map(1, Choice::CreateNew).await.unwrap();
    let expected = [(2, Some(LeftReason::CompanyHasOrganization)), (3, None)];
    assert_eq!(bulk(&host, Bulk::CreateNew).await, expected);
    // A person may say that it is the same customer.
    assert_eq!(
        host.map(2, Choice::CreateNew).await.unwrap().state,
        host.mapping(1).await.state
    );
}

async fn a_nameless_organization_does_not_stop_the_bulk(host: Host) {
    host.connect().await;
    host.organizations(&[(1, ""), (2, "Alpha"), (3, "\u{feff}"), (4, "Beta")]);
    host.discover().await;
    let nameless = Some(LeftReason::NoReadableName);
    assert_eq!(
        bulk(&host, Bulk::CreateNew).await,
        [(1, nameless), (2, None), (3, nameless), (4, None)]
    );
    assert_eq!(names(&host).await, ["Alpha", "Beta"]);
    // Not syncing what has no name is a decision like any other.
    assert_eq!(bulk(&host, Bulk::DontSync).await, [(1, None), (3, None)]);
}

async fn the_exact_ones_are_shown_before_they_are_applied(host: Host) {
    host.connect().await;
    let alpha = host.add_company("Alpha").await;
    host.add_company("Beta").await;
    host.add_company("beta").await;
    host.organizations(&[(1, "ALPHA"), (2, "Beta"), (3, "Gamma")]);
    host.discover().await;
    let shown = host
        .integration
        .preview_pending(host.msp, None, Bulk::ApplyExact)
        .await
        .unwrap();
    let reason = SuggestionReason::ExactName;
    let steps: Vec<_> = shown.into_iter().map(|of| of.step).collect();
    assert_eq!(
        steps,
        [
            BulkStep::Map {
                company: alpha,
                reason
            },
            BulkStep::Leave {
                left: LeftReason::SeveralCompanies
            },
            BulkStep::Leave {
                left: LeftReason::NoExactCompany
            },
        ]
    );
    assert_eq!(
        host.mapping(1).await.state,
        MappingState::PendingReview,
        "a preview changes nothing"
    );
    bulk(&host, Bulk::ApplyExact).await;
    assert_eq!(
        host.mapping(1).await.state,
        MappingState::Mapped { company: alpha }
    );
    assert_eq!(host.mapping(3).await.state, MappingState::PendingReview);
    assert_eq!(names(&host).await.len(), 3, "none is created");
}

async fn a_company_is_suggested_by_the_serial_numbers_of_most_devices(host: Host) {
    let companies = host.mapped(&[(1, "Alpha"), (2, "Beta")]).await;
    let with = |id: i64, serial: &str| {
        let mut device = device(id, &format!("PC-{id}"));
        device.content.serial_number = Some(serial.into());
        device
    };
    {
        let mut script = host.ninjaone.script();
        script.devices.insert(
            1,
            vec![with(10, "SN-A0001"), with(11, "SN-A0002"), with(12, "None")],
        );
        script
            .devices
            .insert(2, vec![with(20, "SN-B0001"), with(21, "SN-A0009")]);
    }
    host.sync().await;
    host.organizations(&[
        (1, "Alpha"),
        (2, "Beta"),
        (3, "Alpha GmbH"),
        (4, "Half"),
        (5, "beta"),
        (6, "Junk"),
    ]);
    host.discover().await;
    {
        let mut script = host.ninjaone.script();
        script.devices.insert(
            3,
            vec![
                with(30, "sn a0001"),
                with(31, "SN-A0002"),
                with(32, "SN-X0001"),
            ],
        );
        script
            .devices
            .insert(4, vec![with(40, "SN-A0001"), with(41, "SN-B0001")]);
        script
            .devices
            .insert(6, vec![with(60, "None"), with(61, "None")]);
    }
    let suggestions = host.integration.suggestions(host.msp, &us()).await.unwrap();
    let of: Vec<_> = suggestions
        .into_iter()
        .map(|of| (of.mapping, of.company, of.reason))
        .collect();
    assert_eq!(
        of,
        [
            (
                host.mapping_id(3),
                companies[0],
                SuggestionReason::Devices { known: 2, of: 3 }
            ),
            (
                host.mapping_id(5),
                companies[1],
                SuggestionReason::ExactName
            ),
        ]
    );
    // It is a suggestion: the exact ones alone are applied in bulk.
    let left = bulk(&host, Bulk::ApplyExact).await;
    assert_eq!(left[0], (3, Some(LeftReason::NoExactCompany)));
    assert_eq!(left[2], (5, Some(LeftReason::CompanyHasOrganization)));
}

async fn what_is_ambiguous_is_listed_with_its_reason_on_card_and_diagnosis(host: Host) {
    use regentra_sync::{model::Source, rules::Ambiguity, views::Doubt};

    use crate::asset_sync::{foreign_asset, write_foreign};
    let companies = host.mapped(&[(1, "Alpha")]).await;
    let clone = |id: i64| {
        let mut device = device(id, &format!("VD-{id}"));
        device.content.serial_number = Some("CLONE-0077".into());
        device
    };
    let mut other = foreign_asset(&host, Source::Intune, companies[0], "i", "");
    other.content.host_name = None;
    other.content.serial_number = Some("clone 0077".into());
    write_foreign(&host, vec![other]).await;
    host.ninjaone
        .script()
        .devices
        .insert(1, vec![clone(10), clone(11)]);
    let SyncOutcome::Synced { counts, .. } = host.sync_one().await else {
        panic!("not synced");
    };
    assert_eq!((counts.ambiguous, counts.superseded), (3, 0));
    let doubts = host
        .integration
        .views()
        .asset_doubts(host.msp, Some(companies[0]))
        .await
        .unwrap();
    let reason = Ambiguity::SerialNumberShared;
    assert_eq!(doubts.len(), 3);
    assert!(
        doubts
            .iter()
            .all(|of| of.doubt == Doubt::Ambiguous { reason })
    );
    let all = host.integration.diagnose(host.msp, None).await.unwrap();
    let of = all
        .iter()
        .find(|of| of.finding == Finding::AmbiguousAssets { assets: 3 })
        .unwrap();
    assert_eq!(of.mappings, [host.mapping_id(1)]);
    let card = host
        .integration
        .views()
        .connection_status(host.msp)
        .await
        .unwrap();
    assert_eq!(card[0].assets.ambiguous, 3);
}
