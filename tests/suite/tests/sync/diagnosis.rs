//! Section 2 and the troubleshooting of the promise: each answer is found in what is stored, and found only then.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::Arc,
};

use regentra_harness::plan::PlanAll as _;
use regentra_sync::{
    Choice, Disconnect, Discover, ErrorKind, Integration, TestConnection,
    host::Clock as _,
    model::{CompanyId, NINJAONE_WINDOWS, Report, RunKind},
    ninjaone_client::ErrorKind as Vendor,
    schedule::{Cadence, PlanKind},
    seal::{KeyId, Keyring, MasterKey},
    views::{Diagnosis, Finding, Severity},
};
use time::Duration;

use crate::{
    host::{Host, operator, us},
    scripted::{TIMED_OUT, device},
};

on_every_store!(
    nothing_saved_yet,
    never_listed_until_the_organizations_are,
    no_organization_visible,
    organizations_wait_for_review,
    an_ignored_customer_and_one_that_is_not_mapped,
    a_customer_gone_from_ninjaone,
    no_sweep_because_the_company_is_not_promoted,
    no_tickets_because_the_first_sweep_is_a_dry_run,
    a_dry_run_that_cannot_end_because_a_report_never_answers,
    a_wrong_region_or_client_from_the_last_error,
    each_error_of_the_credentials_has_its_own_answer,
    a_test_says_the_same,
    credentials_that_do_not_open_with_this_key,
    a_low_budget,
    the_last_run_of_one_customer_failed,
    reports_of_one_customers_last_sweep_failed,
    nobody_runs_the_schedule,
    disconnected,
    nothing_is_found_where_nothing_is_wrong,
    a_diagnosis_asks_nothing_writes_nothing_and_names_nobody,
    the_worst_comes_first,
);

async fn diagnosed(host: &Host, company: Option<CompanyId>) -> Vec<Diagnosis> {
    host.integration.diagnose(host.msp, company).await.unwrap()
}

async fn names(host: &Host, company: Option<CompanyId>) -> Vec<&'static str> {
    let found = diagnosed(host, company).await.into_iter();
    found.map(|diagnosis| diagnosis.finding.as_str()).collect()
}

/// Says what is meant and what to do, and names itself the same everywhere.
fn says(diagnosis: &Diagnosis) {
    let finding = &diagnosis.finding;
    for words in [&*finding.meaning(), finding.next_step()] {
        assert!(words.len() > 15 && words.ends_with('.'), "{words}");
    }
    let json = serde_json::to_value(diagnosis).unwrap();
    assert_eq!(json["finding"], finding.as_str());
}

async fn nothing_saved_yet(host: Host) {
    let found = diagnosed(&host, None).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].finding, Finding::NothingSaved);
    assert_eq!(found[0].region, None);
    says(&found[0]);
}

async fn never_listed_until_the_organizations_are(host: Host) {
    host.connect().await;
    assert_eq!(names(&host, None).await, ["never_listed"]);
    host.organizations(&[(1, "Alpha")]);
    host.discover().await;
    assert_eq!(names(&host, None).await, ["pending_review"]);
}

async fn no_organization_visible(host: Host) {
    host.connect().await;
    host.discover().await;
    let found = diagnosed(&host, None).await;
    assert_eq!(found[0].finding, Finding::NoOrganizationVisible);
    assert_eq!(found[0].region, Some(us()));
    assert_eq!(found.len(), 1);
    says(&found[0]);
    // The same when they could be seen once, and cannot any more.
    host.organizations(&[(1, "Alpha")]);
    host.discover().await;
    host.map(1, Choice::DontSync).await.unwrap();
    assert!(names(&host, None).await.is_empty());
    host.organizations(&[]);
    host.discover().await;
    assert_eq!(names(&host, None).await, ["no_organization_visible"]);
}

async fn organizations_wait_for_review(host: Host) {
    host.mapped(&[(1, "Alpha")]).await;
    host.organizations(&[(1, "Alpha"), (2, "Beta"), (3, "Gamma")]);
    host.discover().await;
    let found = diagnosed(&host, None).await;
    let pending = found.iter().find(|of| of.finding == Finding::PendingReview);
    let pending = pending.unwrap();
    let mappings: BTreeSet<_> = pending.mappings.iter().copied().collect();
    assert_eq!(
        mappings,
        BTreeSet::from([host.mapping_id(2), host.mapping_id(3)])
    );
    says(pending);
    // Asked about one company, only its own organization counts.
    let beta = host.add_company("Beta").await;
    let found = diagnosed(&host, Some(beta)).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].finding, Finding::PendingReview);
    assert_eq!(found[0].mappings, [host.mapping_id(2)]);
    assert_eq!(found[0].company, Some(beta));
}

async fn an_ignored_customer_and_one_that_is_not_mapped(host: Host) {
    host.mapped(&[(1, "Alpha")]).await;
    host.organizations(&[(1, "Alpha"), (2, "Beta")]);
    host.discover().await;
    host.map(2, Choice::DontSync).await.unwrap();
    let (beta, nobody) = (
        host.add_company("beta ").await,
        host.add_company("Nobody").await,
    );
    assert_eq!(names(&host, Some(beta)).await, ["ignored"]);
    assert_eq!(names(&host, Some(nobody)).await, ["not_mapped"]);
    assert_eq!(
        names(&host, None).await,
        ["not_promoted"],
        "a decision is no trouble"
    );
    for company in [beta, nobody] {
        diagnosed(&host, Some(company)).await.iter().for_each(says);
    }
    let unknown = CompanyId::from_uuid(uuid::Uuid::from_u128(404));
    let error = host.integration.diagnose(host.msp, Some(unknown)).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::NotFound);
}

async fn a_customer_gone_from_ninjaone(host: Host) {
    let companies = host.mapped(&[(1, "Alpha"), (2, "Beta")]).await;
    host.organizations(&[(1, "Alpha")]);
    host.discover().await;
    let found = diagnosed(&host, None).await;
    assert_eq!(found[0].finding, Finding::GoneFromNinjaone);
    assert_eq!(found[0].mappings, [host.mapping_id(2)]);
    says(&found[0]);
    assert_eq!(names(&host, Some(companies[0])).await, ["not_promoted"]);
    host.organizations(&[(1, "Alpha"), (2, "Beta")]);
    host.discover().await;
    assert_eq!(names(&host, None).await, ["not_promoted"]);
}

async fn no_sweep_because_the_company_is_not_promoted(host: Host) {
    let companies = host.mapped(&[(1, "Alpha"), (2, "Beta")]).await;
    host.promote(companies[0]).await;
    let found = diagnosed(&host, None).await;
    let of = |finding: Finding| found.iter().find(|of| of.finding == finding).unwrap();
    assert_eq!(of(Finding::NotPromoted).mappings, [host.mapping_id(2)]);
    assert_eq!(
        of(Finding::FirstSweepPending).mappings,
        [host.mapping_id(1)]
    );
    says(of(Finding::NotPromoted));
}

async fn no_tickets_because_the_first_sweep_is_a_dry_run(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    let found = diagnosed(&host, None).await;
    assert_eq!(found[0].finding, Finding::FirstSweepPending);
    assert_eq!(found[0].finding.severity(), Severity::Information);
    says(&found[0]);
    host.sweep_one().await;
    assert!(names(&host, None).await.is_empty());
}

async fn a_dry_run_that_cannot_end_because_a_report_never_answers(host: Host) {
    host.promoted(&[(1, "Alpha"), (2, "Beta")]).await;
    let failed = (Report::Volumes, TIMED_OUT);
    host.ninjaone.script().reports.extend([failed]);
    host.ninjaone.script().incomplete = true;
    host.sweep_all().await;
    host.sync().await;
    assert_eq!(
        names(&host, None).await,
        ["first_sweep_pending"],
        "once is an accident"
    );
    host.sweep_all().await;
    host.sweep_all().await;
    host.sync().await;
    let found = diagnosed(&host, None).await;
    let Finding::DryRunCannotEnd { sweeps, incomplete } = &found[0].finding else {
        panic!("{found:?}")
    };
    assert_eq!((*sweeps, incomplete.len()), (3, 5));
    assert_eq!(found[0].mappings.len(), 2);
    assert!(found[0].finding.meaning().contains("last 3 sweeps"));
    says(&found[0]);
    host.ninjaone.script().reports.clear();
    host.sweep_all().await;
    host.sync().await;
    assert!(names(&host, None).await.is_empty());
}

async fn a_wrong_region_or_client_from_the_last_error(host: Host) {
    host.mapped(&[(1, "Alpha")]).await;
    host.ninjaone.script().fails = Some(Vendor::WrongRegionOrClient);
    let plan = host
        .integration
        .plan_all(PlanKind::AssetSync, host.tick())
        .await;
    let event = plan.unwrap().remove(0);
    let end = host.integration.handle(&event, 1).await;
    assert_eq!(end.outcome.as_str(), "failed");
    let found = diagnosed(&host, None).await;
    assert_eq!(found[0].finding, Finding::WrongRegionOrClient);
    says(&found[0]);
    // Connected again, what was before is no sign any more.
    host.clock.advance(Duration::MINUTE);
    host.ninjaone.script().fails = None;
    host.connect().await;
    assert_eq!(names(&host, None).await, ["not_promoted"]);
}

async fn each_error_of_the_credentials_has_its_own_answer(host: Host) {
    host.mapped(&[(1, "Alpha")]).await;
    let table = [
        (Vendor::WrongRegionOrClient, "wrong_region_or_client"),
        (Vendor::Unauthenticated, "credentials_refused"),
        (Vendor::ScopeNotGranted, "credentials_refused"),
        (Vendor::AuthorizeAgain, "authorization_ended"),
        (Vendor::Forbidden, "last_run_failed"),
        (Vendor::Server, "last_run_failed"),
    ];
    for (error, name) in table {
        host.clock.advance(Duration::MINUTE);
        host.ninjaone.script().fails = Some(error);
        let discovered = host
            .integration
            .discover(
                host.msp,
                Discover {
                    region: us(),
                    actor: operator(),
                    event: host.event(),
                },
            )
            .await;
        discovered.unwrap_err();
        let found = diagnosed(&host, None).await;
        assert_eq!(found[0].finding.as_str(), name);
        says(&found[0]);
    }
}

async fn a_test_says_the_same(host: Host) {
    let test = || TestConnection {
        region: us(),
        client_id: "client".into(),
        client_secret: "hunter2".into(),
        try_other_regions: false,
        actor: operator(),
    };
    let tested = host.integration.test_connection(host.msp, test()).await;
    let diagnosis = Diagnosis::of_test(&us(), tested.as_ref()).unwrap();
    assert_eq!(diagnosis.finding, Finding::NoOrganizationVisible);
    host.ninjaone.script().only = Some(("eu.ninjarmm.com", "client"));
    let tested = host.integration.test_connection(host.msp, test()).await;
    let diagnosis = Diagnosis::of_test(&us(), tested.as_ref()).unwrap();
    assert_eq!(diagnosis.finding, Finding::WrongRegionOrClient);
    says(&diagnosis);
    host.ninjaone.script().only = None;
    host.organizations(&[(1, "Alpha")]);
    let tested = host.integration.test_connection(host.msp, test()).await;
    assert_eq!(Diagnosis::of_test(&us(), tested.as_ref()), None);
}

async fn credentials_that_do_not_open_with_this_key(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    host.sweep_one().await;
    let other = || MasterKey::from_bytes([7; 32]);
    let keyring = Keyring::new(KeyId::new("other").unwrap(), other(), other());
    let ninjaone = Arc::new(host.ninjaone.clone());
    let stranger = Integration::builder(Arc::clone(&host.store), keyring, ninjaone)
        .clock(Arc::new(host.clock.clone()))
        .build();
    let found = stranger.diagnose(host.msp, None).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].finding, Finding::SecretsDoNotOpen);
    says(&found[0]);
    assert!(names(&host, None).await.is_empty());
}

async fn a_low_budget(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    host.sweep_one().await;
    let credential = host.mapping(1).await.credential;
    let credential = host.store.credential(host.msp, credential).await.unwrap();
    let fingerprint = credential.unwrap().fingerprint;
    let ask = async |requests| {
        for _ in 0..requests {
            let windows = [NINJAONE_WINDOWS[1]];
            let spent = host.store.spend(&fingerprint, &windows);
            spent.await.unwrap();
        }
        host.clock.advance(Duration::SECOND);
    };
    ask(1_349).await;
    assert!(names(&host, None).await.is_empty());
    ask(1).await;
    let found = diagnosed(&host, None).await;
    let (spent, limit) = (1_350, 1_500);
    assert_eq!(found[0].finding, Finding::BudgetLow { spent, limit });
    says(&found[0]);
    host.clock.advance(Duration::HOUR);
    assert!(names(&host, None).await.is_empty());
}

async fn the_last_run_of_one_customer_failed(host: Host) {
    let companies = host.mapped(&[(1, "Alpha"), (2, "Beta")]).await;
    for company in &companies {
        host.promote(*company).await;
    }
    host.sweep_all().await;
    host.ninjaone.script().fails_for.insert(2, Vendor::Timeout);
    host.sync().await;
    let found = diagnosed(&host, None).await;
    let failed = Finding::LastRunFailed {
        kind: RunKind::AssetSync,
        error: ErrorKind::Ninjaone(Vendor::Timeout),
    };
    assert_eq!(found.len(), 1);
    assert_eq!(
        (&found[0].finding, &*found[0].mappings),
        (&failed, &[host.mapping_id(2)][..])
    );
    says(&found[0]);
    assert!(names(&host, Some(companies[0])).await.is_empty());
    assert_eq!(names(&host, Some(companies[1])).await, ["last_run_failed"]);
    host.ninjaone.script().fails_for.clear();
    host.sync().await;
    assert!(names(&host, None).await.is_empty());
}

async fn reports_of_one_customers_last_sweep_failed(host: Host) {
    host.promoted(&[(1, "Alpha"), (2, "Beta")]).await;
    host.sweep_all().await;
    let reports = BTreeMap::from([(Report::Volumes, ErrorKind::Ninjaone(Vendor::Timeout))]);
    host.ninjaone
        .script()
        .reports
        .extend([(Report::Volumes, TIMED_OUT)]);
    host.ninjaone.script().incomplete = true;
    host.sweep_all().await;
    host.sync().await;
    let found = diagnosed(&host, None).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].finding, Finding::ReportsFailed { reports });
    assert_eq!(found[0].mappings.len(), 2);
    assert!(
        found[0]
            .finding
            .meaning()
            .contains("volumes (ninjaone.timeout)")
    );
    says(&found[0]);
    host.ninjaone.script().reports.clear();
    host.ninjaone.script().incomplete = false;
    host.sweep_all().await;
    host.sync().await;
    assert!(names(&host, None).await.is_empty());
}

async fn nobody_runs_the_schedule(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    host.clock.advance(Cadence::ASSET_SYNC.every * 2);
    assert_eq!(names(&host, None).await, ["first_sweep_pending"]);
    host.clock.advance(Duration::MINUTE);
    let found = diagnosed(&host, None).await;
    let kind = RunKind::AssetSync;
    assert_eq!(found[0].finding, Finding::Overdue { kind, last: None });
    says(&found[0]);
    host.sync().await;
    let last = Some(host.clock.now());
    host.clock.advance(Duration::hours(13));
    let found = diagnosed(&host, None).await;
    let kinds: Vec<_> = found.iter().map(|of| of.finding.clone()).collect();
    assert!(
        kinds.contains(&Finding::Overdue { kind, last }),
        "{kinds:?}"
    );
    let kind = RunKind::EvidenceSweep;
    assert!(
        kinds.contains(&Finding::Overdue { kind, last: None }),
        "{kinds:?}"
    );
    found.iter().for_each(says);
}

async fn disconnected(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    host.integration
        .disconnect(
            host.msp,
            Disconnect {
                region: us(),
                actor: operator(),
                event: host.event(),
            },
        )
        .await
        .unwrap();
    let found = diagnosed(&host, None).await;
    assert_eq!(found.len(), 1, "what else there is is found with it");
    assert_eq!(found[0].finding, Finding::Disconnected);
    says(&found[0]);
}

async fn nothing_is_found_where_nothing_is_wrong(host: Host) {
    let companies = host.mapped(&[(1, "Alpha")]).await;
    host.promote(companies[0]).await;
    host.sync().await;
    host.sweep_one().await;
    assert!(diagnosed(&host, None).await.is_empty());
    assert!(diagnosed(&host, Some(companies[0])).await.is_empty());
}

async fn a_diagnosis_asks_nothing_writes_nothing_and_names_nobody(host: Host) {
    let companies = host
        .mapped(&[(1, "Canary Customer"), (2, "Canary Two")])
        .await;
    host.promote(companies[0]).await;
    host.ninjaone
        .script()
        .devices
        .insert(1, vec![device(47_114_711, "CANARY-PC")]);
    host.ninjaone.script().fails_for.insert(2, Vendor::Timeout);
    host.sync().await;
    let rows = async || {
        let all = regentra_sync::store::AuditPage::newest(1_000);
        let audit = host.store.msp_audit(host.msp, all).await.unwrap();
        (audit, host.store.runs(host.msp).await.unwrap())
    };
    let (before, asked) = (rows().await, host.ninjaone.script().asked.len());
    let found = diagnosed(&host, None).await;
    assert!(found.len() >= 3, "{found:?}");
    assert_eq!(rows().await, before);
    assert_eq!(host.ninjaone.script().asked.len(), asked);
    let mut text = format!("{found:?} {}", serde_json::to_string(&found).unwrap());
    for of in &found {
        let _ = write!(text, "{} {}", of.finding.meaning(), of.finding.next_step());
    }
    let text = text.to_lowercase();
    for canary in ["canary", "47114711", "hunter2"] {
        assert!(!text.contains(canary), "{canary} in {text}");
    }
}

async fn the_worst_comes_first(host: Host) {
    let companies = host.mapped(&[(1, "Alpha"), (2, "Beta")]).await;
    host.promote(companies[0]).await;
    host.organizations(&[(1, "Alpha"), (2, "Beta"), (3, "Gamma")]);
    host.discover().await;
    host.ninjaone.script().fails = Some(Vendor::Unauthenticated);
    host.clock.advance(Duration::MINUTE);
    let discovered = host
        .integration
        .discover(
            host.msp,
            Discover {
                region: us(),
                actor: operator(),
                event: host.event(),
            },
        )
        .await;
    discovered.unwrap_err();
    let expected = [
        "credentials_refused",
        "pending_review",
        "not_promoted",
        "first_sweep_pending",
    ];
    assert_eq!(names(&host, None).await, expected);
}
