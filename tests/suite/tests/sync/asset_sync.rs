//! Section 4: assets.

use regentra_harness::plan::PlanAll as _;
use regentra_sync::{
    Choice, Connect, Discover, ErrorKind, MapOrganization, MappingSync, SyncAssets, SyncCompany,
    SyncOutcome,
    model::{
        Asset, AssetContent, AssetId, AssetStatus, AuditAction, AuditDetails, CompanyId,
        CredentialId, EventId, ExternalId, LeaseKey, ListedDevice, MappingId, OrganizationId,
        RegionKey, RunKind, RunOutcome, Source, SyncCounts, Version,
    },
    ninjaone_client::{ErrorKind as Vendor, Lane},
    schedule::EventOutcome,
    store::{AssetCommit, AssetWrite, CommitOutcome},
};
use time::Duration;
use uuid::Uuid;

use crate::{
    host::{Host, now, operator, us},
    scripted::device,
};

on_every_store!(
    approved_devices_become_assets_bound_to_the_company,
    a_second_run_over_the_same_data_writes_nothing,
    only_what_changed_is_rewritten,
    one_organizations_list_then_one_device_walk_each,
    a_device_no_longer_listed_is_retired,
    nothing_is_retired_after_a_truncated_pull,
    nothing_is_retired_after_rows_that_did_not_decode,
    nothing_is_retired_after_a_failed_pull,
    an_empty_list_while_assets_exist_holds_them_and_is_audited_as_suspect,
    an_organization_that_is_gone_holds_its_assets,
    what_is_seen_again_is_active_again,
    the_highest_source_wins_and_the_lower_ones_link_to_it,
    what_presence_had_retired_in_lower_sources_is_active_again,
    identity_is_the_serial_number_first,
    identity_is_the_entra_device_id_next,
    identity_is_the_host_name_last,
    junk_serial_numbers_never_match,
    ambiguous_matches_keep_both_and_are_counted,
    other_companies_never_match,
    a_device_moved_to_another_organization_follows_it_when_its_old_one_syncs_first,
    a_device_moved_to_another_organization_follows_it_when_its_new_one_syncs_first,
    what_a_moved_device_had_superseded_is_active_again_in_its_old_company,
    a_device_that_moved_to_an_organization_that_fails_is_back_when_it_answers,
    u_0000_in_a_text_does_not_keep_it_from_being_stored,
    the_ceiling_of_10_000_devices_is_truncated_any,
    foreign_rows_are_counted_and_audited,
    one_organization_that_fails_does_not_keep_the_others,
    one_run_per_mapping_at_a_time,
    a_frozen_run_that_wakes_after_another_took_over_writes_nothing,
    a_mapping_decided_upon_in_mid_sync_supersedes_the_run,
    a_row_that_another_source_writes_meanwhile_is_planned_again,
    a_company_is_synced_on_demand_before_the_schedule,
    a_company_of_two_regions_is_synced_in_both_and_what_is_new_in_each_is_seen,
    a_region_that_fails_does_not_keep_a_companys_other_region_from_being_synced,
    what_keeps_a_region_from_being_synced_stands_on_the_card_until_it_is_over,
    a_company_without_a_mapped_organization_cannot_be_synced,
    a_customer_that_is_mapped_and_not_promoted_contributes_assets_only,
    with_nothing_mapped_the_organizations_are_listed_all_the_same,
    a_delivery_that_finds_other_devices_writes_them_too,
);

/// An asset that another source of the host keeps.
pub(crate) fn foreign_asset(
    host: &Host,
    source: Source,
    company: CompanyId,
    id: &str,
    name: &str,
) -> Asset {
    let key = format!("{}/{source:?}/{id}", host.msp);
    Asset {
        id: AssetId::from_uuid(EventId::of_request("asset", &key).as_uuid()),
        company,
        source,
        credential: None,
        mapping: None,
        external_id: ExternalId::Other(id.to_owned()),
        status: AssetStatus::Active,
        content: AssetContent {
            name: name.into(),
            host_name: Some(name.into()),
            ..AssetContent::default()
        },
        missing_since: None,
        possible_duplicate_of: None,
        version: Version::FIRST,
        created_at: now(),
        updated_at: now(),
    }
}

/// Writes assets as a host's other sources do.
pub(crate) async fn write_foreign(host: &Host, assets: Vec<Asset>) {
    let commit = AssetCommit {
        event: host.event(),
        credential: None,
        settings: None,
        mapping: None,
        lease: None,
        writes: assets
            .into_iter()
            .map(|asset| AssetWrite {
                asset,
                expected: None,
            })
            .collect(),
        audit: Vec::new(),
    };
    assert_eq!(
        host.store.commit_assets(host.msp, commit).await.unwrap(),
        CommitOutcome::Committed
    );
}

fn list(host: &Host, organization: i64, devices: Vec<ListedDevice>) {
    host.ninjaone.script().devices.insert(organization, devices);
}

async fn statuses(host: &Host) -> Vec<(String, AssetStatus)> {
    host.assets()
        .await
        .into_iter()
        .map(|asset| (asset.external_id.to_string(), asset.status))
        .collect()
}

fn synced(outcome: &SyncOutcome) -> SyncCounts {
    match outcome {
        SyncOutcome::Synced { counts, .. } => *counts,
        other => panic!("not synced: {other:?}"),
    }
}

fn with(mut device: ListedDevice, serial: Option<&str>, entra: Option<&str>) -> ListedDevice {
    device.content.serial_number = serial.map(Into::into);
    device.content.entra_device_id = entra.map(Into::into);
    device
}

async fn approved_devices_become_assets_bound_to_the_company(host: Host) {
    let companies = host.mapped(&[(1, "Alpha"), (2, "Beta")]).await;
    list(&host, 1, vec![device(10, "PC-1"), device(11, "PC-2")]);
    list(&host, 2, vec![device(20, "PC-1")]);
    let outcomes = host.sync().await;
    assert_eq!(
        synced(outcomes[0].outcome.as_ref().unwrap()),
        SyncCounts {
            listed: 2,
            created: 2,
            ..SyncCounts::default()
        }
    );
    let assets = host.assets().await;
    let bound: Vec<_> = assets
        .iter()
        .map(|asset| (asset.device().unwrap().get(), asset.company, asset.mapping))
        .collect();
    let (one, two) = (Some(host.mapping_id(1)), Some(host.mapping_id(2)));
    assert_eq!(
        bound,
        [
            (10, companies[0], one),
            (11, companies[0], one),
            (20, companies[1], two)
        ]
    );
    assert!(
        assets
            .iter()
            .all(|asset| asset.source == Source::Ninjaone && asset.status == AssetStatus::Active)
    );
    assert_eq!(host.msp_audit(AuditAction::NinjaoneSynced).await.len(), 2);
}

async fn a_second_run_over_the_same_data_writes_nothing(host: Host) {
    let companies = host.mapped(&[(1, "Alpha")]).await;
    write_foreign(
        &host,
        vec![foreign_asset(
            &host,
            Source::Level,
            companies[0],
            "l",
            "PC-1",
        )],
    )
    .await;
    list(&host, 1, vec![device(10, "PC-1"), device(11, "PC-2")]);
    host.sync_one().await;
    let (assets, audit) = (
        host.assets().await,
        host.msp_audit(AuditAction::NinjaoneSynced).await,
    );
    host.clock.advance(Duration::hours(4));
    let again = host.sync_one().await;
    assert!(
        matches!(again, SyncOutcome::Synced { changed: false, .. }),
        "{again:?}"
    );
    assert_eq!(host.assets().await, assets);
    assert_eq!(host.msp_audit(AuditAction::NinjaoneSynced).await, audit);
}

async fn only_what_changed_is_rewritten(host: Host) {
    host.mapped(&[(1, "Alpha")]).await;
    list(&host, 1, vec![device(10, "PC-1"), device(11, "PC-2")]);
    host.sync_one().await;
    let before = host.assets().await;
    host.clock.advance(Duration::hours(4));
    list(
        &host,
        1,
        vec![device(10, "PC-1"), device(11, "PC-2 renamed")],
    );
    assert_eq!(synced(&host.sync_one().await).updated, 1);
    let after = host.assets().await;
    assert_eq!(after[0], before[0]);
    assert_eq!(after[1].content.name.as_str(), "PC-2 renamed");
    assert_eq!(
        (after[1].id, after[1].created_at),
        (before[1].id, before[1].created_at)
    );
    assert_eq!(
        after[1].updated_at,
        before[1].updated_at + Duration::hours(4)
    );
}

async fn one_organizations_list_then_one_device_walk_each(host: Host) {
    host.mapped(&[(1, "Alpha"), (2, "Beta")]).await;
    host.organizations(&[(1, "Alpha"), (2, "Beta"), (3, "Gamma")]);
    host.ninjaone.script().asked.clear();
    host.sync().await;
    let asked: Vec<_> = host
        .ninjaone
        .script()
        .asked
        .iter()
        .map(|asked| (asked.0, asked.1))
        .collect();
    assert_eq!(
        asked,
        [
            ("organizations", None),
            ("devices", Some(1)),
            ("devices", Some(2))
        ]
    );
}

async fn a_device_no_longer_listed_is_retired(host: Host) {
    host.mapped(&[(1, "Alpha")]).await;
    list(&host, 1, vec![device(10, "PC-1"), device(11, "PC-2")]);
    host.sync_one().await;
    list(&host, 1, vec![device(11, "PC-2")]);
    assert_eq!(synced(&host.sync_one().await).retired, 1);
    assert_eq!(
        statuses(&host).await,
        [
            ("10".to_owned(), AssetStatus::Retired),
            ("11".to_owned(), AssetStatus::Active)
        ]
    );
}

async fn nothing_is_retired_when(host: &Host, spoil: impl FnOnce(&Host)) -> MappingSync {
    host.mapped(&[(1, "Alpha")]).await;
    list(host, 1, vec![device(10, "PC-1"), device(11, "PC-2")]);
    host.sync_one().await;
    list(host, 1, vec![device(11, "PC-2 renamed")]);
    spoil(host);
    let outcome = host.sync().await.remove(0);
    let active = AssetStatus::Active;
    assert_eq!(
        statuses(host).await,
        [("10".to_owned(), active), ("11".to_owned(), active)]
    );
    outcome
}

async fn nothing_is_retired_after_a_truncated_pull(host: Host) {
    let sync = nothing_is_retired_when(&host, |host| {
        host.ninjaone.script().devices_truncated = true;
    })
    .await;
    assert_eq!(
        synced(sync.outcome.as_ref().unwrap()).updated,
        1,
        "what was seen is written"
    );
}

async fn nothing_is_retired_after_rows_that_did_not_decode(host: Host) {
    let sync =
        nothing_is_retired_when(&host, |host| host.ninjaone.script().malformed_rows = 1).await;
    assert_eq!(synced(sync.outcome.as_ref().unwrap()).malformed_rows, 1);
    let runs = host.store.runs(host.msp).await.unwrap();
    assert!(runs.iter().any(|run| run.outcome == RunOutcome::PARTIAL));
}

async fn nothing_is_retired_after_a_failed_pull(host: Host) {
    let fail = |host: &Host| {
        host.ninjaone
            .script()
            .fails_for
            .insert(1, Vendor::Truncated);
    };
    let sync = nothing_is_retired_when(&host, fail).await;
    assert_eq!(
        sync.outcome.unwrap_err().kind(),
        ErrorKind::Ninjaone(Vendor::Truncated)
    );
}

async fn an_empty_list_while_assets_exist_holds_them_and_is_audited_as_suspect(host: Host) {
    host.mapped(&[(1, "Alpha"), (2, "Beta")]).await;
    list(&host, 1, vec![device(10, "PC-1")]);
    host.sync().await;
    list(&host, 1, vec![]);
    let outcomes = host.sync().await;
    let outcome = outcomes[0].outcome.as_ref().unwrap();
    assert!(
        matches!(
            outcome,
            SyncOutcome::Synced {
                suspect_empty: true,
                changed: false,
                ..
            }
        ),
        "{outcome:?}"
    );
    let empty = outcomes[1].outcome.as_ref().unwrap();
    assert!(
        matches!(
            empty,
            SyncOutcome::Synced {
                suspect_empty: false,
                ..
            }
        ),
        "empty from the start is not suspect"
    );
    assert_eq!(
        statuses(&host).await,
        [("10".to_owned(), AssetStatus::Active)]
    );
    let audit = host.msp_audit(AuditAction::NinjaoneSynced).await;
    let suspect = |details: &AuditDetails| {
        matches!(
            details,
            AuditDetails::Synced {
                suspect_empty: true,
                ..
            }
        )
    };
    assert_eq!(audit.iter().filter(|row| suspect(&row.details)).count(), 1);
}

async fn an_organization_that_is_gone_holds_its_assets(host: Host) {
    host.mapped(&[(1, "Alpha")]).await;
    list(&host, 1, vec![device(10, "PC-1")]);
    host.sync_one().await;
    host.organizations(&[]);
    assert_eq!(host.sync_one().await, SyncOutcome::Missing);
    assert_eq!(
        statuses(&host).await,
        [("10".to_owned(), AssetStatus::Active)]
    );
    assert!(host.mapping(1).await.missing_since.is_some());
}

async fn what_is_seen_again_is_active_again(host: Host) {
    host.mapped(&[(1, "Alpha")]).await;
    let both = vec![device(10, "PC-1"), device(11, "PC-2")];
    list(&host, 1, both.clone());
    host.sync_one().await;
    list(&host, 1, vec![device(10, "PC-1")]);
    host.sync_one().await;
    list(&host, 1, both);
    assert_eq!(synced(&host.sync_one().await).updated, 1);
    let assets = host.assets().await;
    assert!(
        assets
            .iter()
            .all(|asset| asset.status == AssetStatus::Active)
    );
    assert_eq!(assets.len(), 2, "the same row, not another");
}

async fn the_highest_source_wins_and_the_lower_ones_link_to_it(host: Host) {
    let companies = host.mapped(&[(1, "Alpha")]).await;
    let lower = [Source::Entra, Source::Intune, Source::Level]
        .map(|source| foreign_asset(&host, source, companies[0], "x", "PC-1"));
    write_foreign(&host, lower.to_vec()).await;
    list(&host, 1, vec![device(10, "pc-1")]);
    assert_eq!(synced(&host.sync_one().await).superseded, 3);
    let assets = host.assets().await;
    let by = AssetStatus::Superseded { by: assets[0].id };
    let expected = [AssetStatus::Active, by, by, by];
    assert_eq!(
        assets.iter().map(|asset| asset.status).collect::<Vec<_>>(),
        expected
    );
}

async fn what_presence_had_retired_in_lower_sources_is_active_again(host: Host) {
    let companies = host.mapped(&[(1, "Alpha")]).await;
    let lower = [Source::Intune, Source::Level]
        .map(|source| foreign_asset(&host, source, companies[0], "x", "PC-1"));
    write_foreign(&host, lower.to_vec()).await;
    list(&host, 1, vec![device(10, "PC-1"), device(11, "PC-2")]);
    host.sync_one().await;
    list(&host, 1, vec![device(11, "PC-2")]);
    let counts = synced(&host.sync_one().await);
    assert_eq!(counts.retired, 1);
    let assets = host.assets().await;
    let of = |source| assets.iter().find(|asset| asset.source == source).unwrap();
    assert_eq!(of(Source::Level).status, AssetStatus::Active);
    let level = of(Source::Level).id;
    assert_eq!(
        of(Source::Intune).status,
        AssetStatus::Superseded { by: level },
        "Level comes before Intune"
    );
}

/// Whether a Level asset with these and a NinjaOne device with those are taken for the same machine.
async fn is_same(
    host: &Host,
    level: (&str, Option<&str>, Option<&str>),
    ours: ListedDevice,
) -> bool {
    let companies = host.mapped(&[(1, "Alpha")]).await;
    let mut asset = foreign_asset(host, Source::Level, companies[0], "l", level.0);
    asset.content.serial_number = level.1.map(Into::into);
    asset.content.entra_device_id = level.2.map(Into::into);
    write_foreign(host, vec![asset]).await;
    list(host, 1, vec![ours]);
    synced(&host.sync_one().await).superseded == 1
}

async fn identity_is_the_serial_number_first(host: Host) {
    let ours = with(device(10, "other name"), Some(" ab-12 cd34"), Some("e2"));
    assert!(is_same(&host, ("PC-1", Some("AB12CD34"), Some("e1")), ours).await);
}

async fn identity_is_the_entra_device_id_next(host: Host) {
    let ours = with(device(10, "other name"), None, Some("{E1}"));
    assert!(is_same(&host, ("PC-1", Some("AB12"), Some("e1")), ours).await);
}

async fn identity_is_the_host_name_last(host: Host) {
    let ours = with(device(10, "pc-1"), None, None);
    assert!(is_same(&host, ("PC-1", Some("AB12"), Some("e1")), ours).await);
}

async fn junk_serial_numbers_never_match(host: Host) {
    let ours = with(
        device(10, "other name"),
        Some("To Be Filled By O.E.M."),
        None,
    );
    assert!(!is_same(&host, ("PC-1", Some("To be filled by O.E.M."), None), ours).await);
}

async fn ambiguous_matches_keep_both_and_are_counted(host: Host) {
    let companies = host.mapped(&[(1, "Alpha")]).await;
    let mut level = foreign_asset(&host, Source::Level, companies[0], "l", "PC-3");
    level.content.serial_number = Some("AB12".into());
    write_foreign(&host, vec![level]).await;
    // Two with the serial number of one, and no other key that decides.
    let twins =
        [device(10, "PC-1"), device(11, "PC-2")].map(|device| with(device, Some("AB12"), None));
    list(&host, 1, twins.to_vec());
    let counts = synced(&host.sync_one().await);
    assert_eq!((counts.ambiguous, counts.superseded), (3, 0));
    assert!(
        host.assets()
            .await
            .iter()
            .all(|asset| asset.status == AssetStatus::Active)
    );
}

async fn other_companies_never_match(host: Host) {
    let companies = host.mapped(&[(1, "Alpha"), (2, "Beta")]).await;
    write_foreign(
        &host,
        vec![foreign_asset(
            &host,
            Source::Level,
            companies[1],
            "l",
            "PC-1",
        )],
    )
    .await;
    list(&host, 1, vec![device(10, "PC-1")]);
    host.sync().await;
    assert!(
        host.assets()
            .await
            .iter()
            .all(|asset| asset.status == AssetStatus::Active)
    );
}

/// Two mapped organizations with one device each, and a Level asset that the first one's superseded.
async fn two_organizations(host: &Host) -> Vec<CompanyId> {
    let companies = host.mapped(&[(1, "Alpha"), (2, "Beta")]).await;
    write_foreign(
        host,
        vec![foreign_asset(
            host,
            Source::Level,
            companies[0],
            "l",
            "PC-1",
        )],
    )
    .await;
    list(host, 1, vec![device(10, "PC-1"), device(11, "PC-2")]);
    list(host, 2, vec![device(20, "PC-3")]);
    host.sync().await;
    list(host, 1, vec![device(11, "PC-2")]);
    list(host, 2, vec![device(20, "PC-3"), device(10, "PC-1")]);
    companies
}

async fn sync_company(host: &Host, company: CompanyId) -> SyncCounts {
    let mut synced_ = host
        .integration
        .sync_company(
            host.msp,
            SyncCompany {
                company,
                actor: operator(),
                event: host.event(),
            },
        )
        .await
        .unwrap();
    synced(&synced_.remove(0).outcome.unwrap())
}

async fn followed(host: &Host, companies: &[CompanyId]) {
    let assets = host.assets().await;
    let moved = assets
        .iter()
        .find(|asset| asset.external_id.to_string() == "10")
        .unwrap();
    assert_eq!(
        (moved.company, moved.mapping, moved.status),
        (companies[1], Some(host.mapping_id(2)), AssetStatus::Active)
    );
    assert_eq!(assets.len(), 4, "the row followed, and no other was made");
    let level = assets
        .iter()
        .find(|asset| asset.source == Source::Level)
        .unwrap();
    assert_eq!(level.status, AssetStatus::Active);
    host.sync().await;
    assert_eq!(host.assets().await, assets, "and it stays");
}

async fn a_device_moved_to_another_organization_follows_it_when_its_old_one_syncs_first(
    host: Host,
) {
    let companies = two_organizations(&host).await;
    assert_eq!(sync_company(&host, companies[0]).await.retired, 1);
    assert_eq!(sync_company(&host, companies[1]).await.moved, 1);
    followed(&host, &companies).await;
}

async fn a_device_moved_to_another_organization_follows_it_when_its_new_one_syncs_first(
    host: Host,
) {
    let companies = two_organizations(&host).await;
    assert_eq!(sync_company(&host, companies[1]).await.moved, 1);
    assert_eq!(sync_company(&host, companies[0]).await.retired, 0);
    followed(&host, &companies).await;
}

async fn what_a_moved_device_had_superseded_is_active_again_in_its_old_company(host: Host) {
    let companies = two_organizations(&host).await;
    assert_eq!(sync_company(&host, companies[1]).await.restored, 1);
}

/// Its old organization says for certain that it left, and nobody says where to: what it had superseded counts meanwhile.
async fn a_device_that_moved_to_an_organization_that_fails_is_back_when_it_answers(host: Host) {
    let companies = two_organizations(&host).await;
    host.ninjaone.script().fails_for.insert(2, Vendor::Timeout);
    host.sync().await;
    let status = |assets: &[Asset], id: &str| {
        let mut assets = assets.iter();
        assets
            .find(|asset| asset.external_id.to_string() == id)
            .unwrap()
            .status
    };
    let meanwhile = host.assets().await;
    assert_eq!(status(&meanwhile, "10"), AssetStatus::Retired);
    assert_eq!(status(&meanwhile, "l"), AssetStatus::Active);
    assert_eq!(
        status(&meanwhile, "20"),
        AssetStatus::Active,
        "what was not pulled is held"
    );
    for _ in 0..3 {
        host.sync().await;
        assert_eq!(host.assets().await, meanwhile, "it retires once");
    }
    host.ninjaone.script().fails_for.clear();
    host.sync().await;
    followed(&host, &companies).await;
}

async fn u_0000_in_a_text_does_not_keep_it_from_being_stored(host: Host) {
    host.mapped(&[(1, "Al\0pha")]).await;
    let mut listed = with(device(10, "PC\0-1"), Some("S\0-1"), Some("\0entra"));
    listed.content.model = Some("Model\0".to_owned());
    list(&host, 1, vec![listed]);
    host.sync().await;
    assert_eq!(host.mapping(1).await.name.as_str(), "Alpha");
    let content = host.assets().await.remove(0).content;
    assert_eq!(content.name.as_str(), "PC-1");
    assert_eq!(content.serial_number.unwrap().as_str(), "S-1");
    assert_eq!(content.entra_device_id.unwrap().as_str(), "entra");
    assert_eq!(content.model.unwrap(), "Model");
    assert_eq!(
        synced(&host.sync_one().await).updated,
        0,
        "and nothing is rewritten"
    );
}

async fn the_ceiling_of_10_000_devices_is_truncated_any(host: Host) {
    host.mapped(&[(1, "Alpha")]).await;
    let devices: Vec<_> = (1..=10_001)
        .map(|id| device(id, &format!("PC-{id}")))
        .collect();
    list(&host, 1, devices[..10_000].to_vec());
    let exactly = host.sync_one().await;
    assert!(matches!(
        exactly,
        SyncOutcome::Synced {
            truncated: false,
            counts: SyncCounts {
                created: 10_000,
                ..
            },
            ..
        }
    ));
    list(&host, 1, devices);
    let more = host.sync_one().await;
    assert!(
        matches!(
            more,
            SyncOutcome::Synced {
                truncated: true,
                ..
            }
        ),
        "{more:?}"
    );
    let audit = host.msp_audit(AuditAction::NinjaoneSynced).await;
    let as_json = serde_json::to_value(&audit[0]).unwrap();
    assert_eq!(as_json["details"]["truncatedAny"], true, "{as_json}");
}

async fn foreign_rows_are_counted_and_audited(host: Host) {
    host.mapped(&[(1, "Alpha")]).await;
    list(&host, 1, vec![device(10, "PC-1")]);
    host.ninjaone.script().foreign_rows = 7;
    assert_eq!(synced(&host.sync_one().await).foreign_rows, 7);
    let audit = host.msp_audit(AuditAction::NinjaoneSynced).await;
    assert!(matches!(
        audit[0].details,
        AuditDetails::Synced {
            counts: SyncCounts {
                foreign_rows: 7,
                ..
            },
            ..
        }
    ));
}

async fn one_organization_that_fails_does_not_keep_the_others(host: Host) {
    host.mapped(&[(1, "Alpha"), (2, "Beta")]).await;
    list(&host, 2, vec![device(20, "PC-1")]);
    host.ninjaone.script().fails_for.insert(1, Vendor::Timeout);
    let outcomes = host.sync().await;
    assert_eq!(
        outcomes[0].outcome.as_ref().unwrap_err().kind(),
        ErrorKind::Ninjaone(Vendor::Timeout)
    );
    assert!(outcomes[1].outcome.is_ok());
    assert_eq!(host.assets().await.len(), 1);
}

async fn one_run_per_mapping_at_a_time(host: Host) {
    host.mapped(&[(1, "Alpha")]).await;
    list(&host, 1, vec![device(10, "PC-1")]);
    let (integration, other) = (host.integration.clone(), host.another_process());
    let (msp, events) = (host.msp, [host.event(), host.event()]);
    host.ninjaone.script().meanwhile = Some(Box::new(move || {
        Box::pin(async move {
            for (process, event) in [(integration, events[0]), (other, events[1])] {
                let mut second = process
                    .sync_assets(
                        msp,
                        SyncAssets {
                            region: us(),
                            actor: operator(),
                            event,
                        },
                    )
                    .await
                    .unwrap();
                let error = second.remove(0).outcome.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Busy);
                assert!(error.is_retryable());
            }
        })
    }));
    assert_eq!(synced(&host.sync_one().await).created, 1);
}

async fn a_frozen_run_that_wakes_after_another_took_over_writes_nothing(host: Host) {
    host.mapped(&[(1, "Alpha")]).await;
    list(&host, 1, vec![device(10, "frozen")]);
    let (other, clock, ninjaone) = (
        host.another_process(),
        host.clock.clone(),
        host.ninjaone.clone(),
    );
    let (msp, event) = (host.msp, host.event());
    host.ninjaone.script().meanwhile = Some(Box::new(move || {
        Box::pin(async move {
            clock.advance(Duration::hours(1));
            ninjaone
                .script()
                .devices
                .insert(1, vec![device(10, "fresh")]);
            let second = other
                .sync_assets(
                    msp,
                    SyncAssets {
                        region: us(),
                        actor: operator(),
                        event,
                    },
                )
                .await
                .unwrap();
            assert!(matches!(second[0].outcome, Ok(SyncOutcome::Synced { .. })));
            ninjaone
                .script()
                .devices
                .insert(1, vec![device(10, "frozen")]);
        })
    }));
    assert_eq!(host.sync_one().await, SyncOutcome::Superseded);
    assert_eq!(host.assets().await[0].content.name.as_str(), "fresh");
}

async fn a_mapping_decided_upon_in_mid_sync_supersedes_the_run(host: Host) {
    host.mapped(&[(1, "Alpha")]).await;
    list(&host, 1, vec![device(10, "PC-1")]);
    let (integration, msp, mapping, event) = (
        host.integration.clone(),
        host.msp,
        host.mapping_id(1),
        host.event(),
    );
    host.ninjaone.script().meanwhile = Some(Box::new(move || {
        Box::pin(async move {
            integration
                .map(
                    msp,
                    MapOrganization {
                        mapping,
                        choice: Choice::DontSync,
                        actor: operator(),
                        event,
                    },
                )
                .await
                .unwrap();
        })
    }));
    assert_eq!(host.sync_one().await, SyncOutcome::Superseded);
    assert!(host.assets().await.is_empty());
}

async fn a_row_that_another_source_writes_meanwhile_is_planned_again(host: Host) {
    let companies = host.mapped(&[(1, "Alpha")]).await;
    list(&host, 1, vec![device(10, "PC-1")]);
    let level = foreign_asset(&host, Source::Level, companies[0], "l", "PC-1");
    let (store, msp, event) = (host.store.clone(), host.msp, host.event());
    host.ninjaone.script().meanwhile = Some(Box::new(move || {
        Box::pin(async move {
            let writes = vec![AssetWrite {
                asset: level,
                expected: None,
            }];
            let commit = AssetCommit {
                event,
                credential: None,
                settings: None,
                mapping: None,
                lease: None,
                writes,
                audit: Vec::new(),
            };
            assert_eq!(
                store.commit_assets(msp, commit).await.unwrap(),
                CommitOutcome::Committed
            );
        })
    }));
    assert_eq!(synced(&host.sync_one().await).superseded, 1);
}

async fn a_company_is_synced_on_demand_before_the_schedule(host: Host) {
    let companies = host.mapped(&[(1, "Alpha"), (2, "Beta")]).await;
    host.ninjaone.script().asked.clear();
    host.integration
        .sync_company(
            host.msp,
            SyncCompany {
                company: companies[1],
                actor: operator(),
                event: host.event(),
            },
        )
        .await
        .unwrap();
    let asked: Vec<_> = host
        .ninjaone
        .script()
        .asked
        .iter()
        .map(|asked| (asked.0, asked.1, asked.3))
        .collect();
    assert_eq!(
        asked,
        [
            ("organizations", None, Lane::Interactive),
            ("devices", Some(2), Lane::Interactive)
        ]
    );
    let kind = regentra_sync::schedule::PlanKind::AssetSync;
    let events = host.integration.plan_all(kind, host.tick()).await.unwrap();
    assert_eq!(events.len(), 1);
    let end = host.integration.handle(&events[0], 1).await;
    assert_eq!(end.outcome, EventOutcome::Done);
    assert!(
        host.ninjaone.script().asked[2..]
            .iter()
            .all(|asked| asked.3 == Lane::Sweep),
        "the schedule waits"
    );
}

fn eu() -> RegionKey {
    RegionKey::parse("eu").unwrap()
}

/// A company with organization 1 in one region and organization 5 in another.
async fn in_two_regions(host: &Host) -> (CompanyId, [CredentialId; 2]) {
    let company = host.mapped(&[(1, "Alpha")]).await.remove(0);
    host.organizations(&[(5, "Alpha")]);
    let connect = Connect {
        region: eu(),
        client_id: "another client".into(),
        ..host.connecting()
    };
    let connected = host.integration.connect(host.msp, connect).await.unwrap();
    let elsewhere = connected.credential;
    host.integration
        .discover(
            host.msp,
            Discover {
                region: eu(),
                actor: operator(),
                event: host.event(),
            },
        )
        .await
        .unwrap();
    let mapping = MappingId::of(elsewhere, OrganizationId::new(5));
    let choice = Choice::UseExisting(company);
    host.integration
        .map(
            host.msp,
            MapOrganization {
                mapping,
                choice,
                actor: operator(),
                event: host.event(),
            },
        )
        .await
        .unwrap();
    (company, [CredentialId::of(host.msp, &us()), elsewhere])
}

async fn a_company_of_two_regions_is_synced_in_both_and_what_is_new_in_each_is_seen(host: Host) {
    let (company, credentials) = in_two_regions(&host).await;
    host.organizations(&[(1, "Alpha"), (5, "Alpha"), (9, "Gamma")]);
    list(&host, 1, vec![device(10, "PC-1")]);
    list(&host, 5, vec![device(50, "PC-5")]);
    let synced = host
        .integration
        .sync_company(
            host.msp,
            SyncCompany {
                company,
                actor: operator(),
                event: host.event(),
            },
        )
        .await
        .unwrap();
    assert_eq!(synced.len(), 2);
    assert!(synced.iter().all(|synced| synced.outcome.is_ok()));
    assert_eq!(host.assets().await.len(), 2);
    for credential in credentials {
        let mappings = host.store.mappings(host.msp, credential).await.unwrap();
        assert_eq!(mappings.len(), 3, "one request, two lists");
    }
}

async fn a_region_that_fails_does_not_keep_a_companys_other_region_from_being_synced(host: Host) {
    let (company, [_, elsewhere]) = in_two_regions(&host).await;
    host.organizations(&[(1, "Alpha"), (5, "Alpha")]);
    list(&host, 1, vec![device(10, "PC-1")]);
    list(&host, 5, vec![device(50, "PC-5")]);
    // Which region comes first is not what decides it.
    for (known, client, fails) in [
        ("app.ninjarmm.com", "client", 5),
        ("eu.ninjarmm.com", "another client", 1),
    ] {
        host.ninjaone.script().only = Some((known, client));
        let synced = host
            .integration
            .sync_company(
                host.msp,
                SyncCompany {
                    company,
                    actor: operator(),
                    event: host.event(),
                },
            )
            .await
            .unwrap();
        assert_eq!(synced.len(), 2, "both are accounted for");
        for synced in synced {
            let failed = [
                host.mapping_id(fails),
                MappingId::of(elsewhere, OrganizationId::new(fails)),
            ];
            if failed.contains(&synced.mapping) {
                let kind = synced.outcome.unwrap_err().kind();
                assert_eq!(kind, ErrorKind::Ninjaone(Vendor::WrongRegionOrClient));
            } else {
                assert!(synced.outcome.is_ok());
            }
        }
    }
    assert_eq!(host.assets().await.len(), 2);

    host.ninjaone.script().only = Some(("nowhere", "nobody"));
    let nothing = host.integration.sync_company(
        host.msp,
        SyncCompany {
            company,
            actor: operator(),
            event: host.event(),
        },
    );
    let kind = nothing.await.unwrap_err().kind();
    assert_eq!(kind, ErrorKind::Ninjaone(Vendor::WrongRegionOrClient));
}

async fn what_keeps_a_region_from_being_synced_stands_on_the_card_until_it_is_over(host: Host) {
    host.mapped(&[(1, "Alpha")]).await;
    host.ninjaone.script().fails = Some(Vendor::WrongRegionOrClient);
    host.integration
        .sync_assets(
            host.msp,
            SyncAssets {
                region: us(),
                actor: operator(),
                event: host.event(),
            },
        )
        .await
        .unwrap_err();
    let last_error = async || {
        let status = host
            .integration
            .views()
            .connection_status(host.msp)
            .await
            .unwrap();
        status[0].last_error.clone()
    };
    let error = last_error().await.unwrap();
    assert_eq!((error.kind, error.mapping), (RunKind::AssetSync, None));
    assert_eq!(
        error.outcome,
        RunOutcome::failed(ErrorKind::Ninjaone(Vendor::WrongRegionOrClient))
    );
    host.ninjaone.script().fails = None;
    host.clock.advance(Duration::minutes(1));
    host.sync_one().await;
    assert_eq!(last_error().await, None);
}

async fn with_nothing_mapped_the_organizations_are_listed_all_the_same(host: Host) {
    host.organizations(&[(1, "Alpha")]);
    host.connect().await;
    assert!(host.sync().await.is_empty());
    assert_eq!(host.mapping(1).await.name.as_str(), "Alpha");

    // A sync that asked for nothing would hide that the connection fails.
    host.ninjaone.script().fails = Some(Vendor::WrongRegionOrClient);
    let kind = regentra_sync::schedule::PlanKind::AssetSync;
    let events = host.integration.plan_all(kind, host.tick()).await.unwrap();
    let end = host.integration.handle(&events[0], 1).await;
    let error = ErrorKind::Ninjaone(Vendor::WrongRegionOrClient);
    assert_eq!(end.outcome, EventOutcome::Failed { error });
    let status = host
        .integration
        .views()
        .connection_status(host.msp)
        .await
        .unwrap();
    assert!(status[0].last_error.is_some());
}

async fn a_delivery_that_finds_other_devices_writes_them_too(host: Host) {
    host.mapped(&[(1, "Alpha")]).await;
    let event = host.event();
    let deliver = async || {
        let mut synced = host
            .integration
            .sync_assets(
                host.msp,
                SyncAssets {
                    region: us(),
                    actor: operator(),
                    event,
                },
            )
            .await
            .unwrap();
        match synced.remove(0).outcome.unwrap() {
            SyncOutcome::Synced { changed, .. } => changed,
            other => panic!("not synced: {other:?}"),
        }
    };
    list(&host, 1, vec![device(10, "PC-1")]);
    assert!(deliver().await);
    assert!(!deliver().await);
    list(&host, 1, vec![device(11, "PC-2")]);
    host.organizations(&[(1, "Alpha Ltd")]);
    assert!(deliver().await);
    let active = host.assets().await;
    let active = active
        .iter()
        .filter(|asset| asset.status == AssetStatus::Active);
    let active: Vec<_> = active.map(|asset| asset.external_id.to_string()).collect();
    assert_eq!(active, ["11"], "what is reported as written is written");
    assert_eq!(host.mapping(1).await.name.as_str(), "Alpha Ltd");
    assert!(!deliver().await);
    assert_eq!(host.msp_audit(AuditAction::NinjaoneSynced).await.len(), 2);
}

async fn a_company_without_a_mapped_organization_cannot_be_synced(host: Host) {
    host.connect().await;
    let company = host.add_company("Alpha").await;
    let error = host
        .integration
        .sync_company(
            host.msp,
            SyncCompany {
                company,
                actor: operator(),
                event: host.event(),
            },
        )
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("map one first"), "{error}");
}

async fn a_customer_that_is_mapped_and_not_promoted_contributes_assets_only(host: Host) {
    let companies = host.mapped(&[(1, "Alpha")]).await;
    list(&host, 1, vec![device(10, "PC-1")]);
    host.sync_one().await;
    assert_eq!(host.assets().await.len(), 1);
    assert!(host.sweep_events().await.is_empty(), "never signals");
    let error = host
        .integration
        .views()
        .posture(host.msp, companies[0])
        .await
        .unwrap_err();
    assert!(error.to_string().contains("assets only"), "{error}");
    // A lease that was never needed was never taken.
    let customer = regentra_sync::model::ComplianceOrgId::from_uuid(Uuid::from_u128(5));
    let worker = regentra_sync::model::WorkerId::new(now());
    let key = LeaseKey::EvidenceSweep(customer);
    let lease = host
        .store
        .take_lease(host.msp, key, worker, Duration::minutes(1))
        .await
        .unwrap();
    assert_eq!(lease.unwrap().fence.as_u32(), 1);
}
