//! Section 5: evidence.

use std::collections::{BTreeMap, BTreeSet};

use regentra_harness::plan::PlanAll as _;
use regentra_sync::{
    Choice, Disconnect, ErrorKind, MapOrganization, SkipReason, SweepNow, SweepOutcome,
    host::Clock as _,
    model::{
        AuditAction, AuditDetails, ComplianceOrgId, EventId, Report, ReportOutcome, RunOutcome,
        chain_start,
    },
    ninjaone_client::{ErrorKind as Vendor, Lane},
    regentra_evidence::{ChainHead, EvidenceRecord, SignalKind, Status, verify_chain},
    schedule::{EventOutcome, PlanKind, SweepEvent},
    store::{AuditPage, Precondition},
};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::{
    host::{Host, operator, us},
    scripted::{TIMED_OUT, device},
};

on_every_store!(
    stage_1_plans_active_credentials_and_mapped_organizations_of_promoted_companies,
    two_schedulers_emit_the_same_event,
    starts_are_spread_over_the_interval,
    an_event_survives_serialisation,
    stage_2_commits_into_the_customers_tenant,
    the_same_event_handled_again_writes_nothing,
    two_workers_with_one_event_commit_it_once,
    one_run_at_a_time_per_compliance_org_and_different_ones_in_parallel,
    a_frozen_sweep_that_wakes_after_another_took_over_writes_nothing,
    signals_are_appended_never_overwritten,
    the_dry_run_ends_with_the_first_sweep_in_which_every_report_answered,
    not_available_counts_as_answered,
    a_sweep_that_cannot_even_read_the_devices_writes_nothing,
    a_sweep_whose_mapping_was_decided_upon_writes_nothing,
    a_planned_sweep_is_skipped_when_its_organization_is_no_longer_mapped,
    a_sweep_planned_for_one_customer_is_never_committed_for_another,
    an_assessment_of_another_customer_is_never_written,
    evidence_is_a_chain_whose_head_is_anchored_in_the_audit_row,
    an_auditor_finds_a_changed_removed_or_reordered_record,
    evidence_says_by_which_rules_and_window,
    signature_history_is_kept_and_passed_in,
    signature_history_forgets_devices_that_left,
    months_old_signatures_are_never_fresh_after_a_disconnect_an_unmapping_or_a_move,
    a_device_that_one_list_lacks_keeps_its_signature_age_while_its_asset_counts,
    rows_of_devices_known_in_other_organizations_are_foreign,
    dropped_rows_are_audited,
    the_sweep_asks_in_the_lane_of_sweeps,
    customers_are_apart,
    a_low_budget_is_audited_once_an_hour,
    all_customers_of_an_msp_are_swept_at_once_on_demand,
    a_second_delivery_leaves_the_record_of_the_run_as_it_is,
);

async fn stage_1_plans_active_credentials_and_mapped_organizations_of_promoted_companies(
    host: Host,
) {
    let companies = host
        .mapped(&[(1, "Alpha"), (2, "Beta"), (3, "Gamma")])
        .await;
    assert!(host.sweep_events().await.is_empty());
    let customer = host.promote(companies[0]).await;
    host.promote(companies[2]).await;
    host.map(3, Choice::DontSync).await.unwrap();
    let events = host.sweep_events().await;
    assert_eq!(events.len(), 1);
    let event = &events[0];
    assert_eq!(event.msp_credential_org_id, host.msp);
    assert_eq!(event.customer_compliance_org_id, customer);
    assert_eq!(
        (event.mapping_id, event.external_org_id.get()),
        (host.mapping_id(1), 1)
    );
    assert_eq!(event.region, us());
}

async fn a_second_delivery_leaves_the_record_of_the_run_as_it_is(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    host.ninjaone.script().incomplete = true;
    host.ninjaone
        .script()
        .reports
        .insert(Report::AntivirusStatus, TIMED_OUT);
    let event = host.sweep_events().await.remove(0);
    host.integration.sweep(&event).await.unwrap();
    let before = host.store.runs(host.msp).await.unwrap();
    let failed_reports = BTreeMap::from([(
        Report::AntivirusStatus,
        ErrorKind::Ninjaone(Vendor::Timeout),
    )]);
    let partial = RunOutcome::Partial { failed_reports };
    assert!(before.iter().any(|run| run.outcome == partial));
    host.clock.advance(Duration::minutes(1));
    let again = host.another_process().sweep(&event).await.unwrap();
    assert_eq!(again, SweepOutcome::AlreadyCommitted);
    // Nothing to do is no run either.
    host.map(1, Choice::DontSync).await.unwrap();
    let mut later = event.clone();
    later.id = EventId::of_sweep(event.mapping_id, event.scheduled_at + Duration::hours(6));
    let skipped = host.integration.sweep(&later).await.unwrap();
    assert_eq!(skipped, SweepOutcome::Skipped(SkipReason::NotMapped));
    assert_eq!(host.store.runs(host.msp).await.unwrap(), before);
}

async fn two_schedulers_emit_the_same_event(host: Host) {
    host.promoted(&[(1, "Alpha"), (2, "Beta")]).await;
    let one = host
        .integration
        .plan_all(PlanKind::EvidenceSweep, host.tick())
        .await
        .unwrap();
    let two = host
        .another_process()
        .plan_all(PlanKind::EvidenceSweep, host.tick())
        .await
        .unwrap();
    assert_eq!(one, two);
    assert_ne!(one[0].id(), one[1].id());
    let later = host
        .integration
        .plan_all(PlanKind::EvidenceSweep, host.tick() + Duration::hours(6))
        .await
        .unwrap();
    assert_ne!(one[0].id(), later[0].id());
}

async fn starts_are_spread_over_the_interval(host: Host) {
    let names: Vec<_> = (1..=40).map(|id| (id, format!("Company {id}"))).collect();
    let names: Vec<_> = names
        .iter()
        .map(|(id, name)| (*id, name.as_str()))
        .collect();
    host.promoted(&names).await;
    let events = host.sweep_events().await;
    let tick = host.tick();
    let quarters: BTreeSet<_> = events
        .iter()
        .map(|event| (event.starts_at - tick).whole_minutes() / 90)
        .collect();
    assert_eq!(
        quarters,
        BTreeSet::from([0, 1, 2, 3]),
        "some in each quarter of the six hours"
    );
}

async fn an_event_survives_serialisation(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    let event = host.sweep_events().await.remove(0);
    let json = serde_json::to_value(&event).unwrap();
    let keys: BTreeSet<_> = json
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    for key in [
        "msp_credential_org_id",
        "customer_compliance_org_id",
        "mapping_id",
        "region",
        "external_org_id",
    ] {
        assert!(keys.contains(key), "{key}");
    }
    assert_eq!(serde_json::from_value::<SweepEvent>(json).unwrap(), event);
}

async fn stage_2_commits_into_the_customers_tenant(host: Host) {
    let customers = host.promoted(&[(1, "Alpha")]).await;
    let report = host.sweep_one().await;
    let signals = host
        .store
        .current_signals(customers[0], host.tick())
        .await
        .unwrap();
    assert_eq!(signals, report.signals);
    let kinds: Vec<_> = signals.iter().map(|stored| stored.signal.kind()).collect();
    assert_eq!(kinds, SignalKind::ALL);
    let trail = host.customer_audit(customers[0]).await;
    assert_eq!(trail.len(), 1);
    let AuditDetails::Swept {
        mapping,
        signals,
        answered,
        dry_run,
        ..
    } = &trail[0].details
    else {
        panic!("{:?}", trail[0]);
    };
    assert_eq!(
        (*mapping, signals.len(), *answered, *dry_run),
        (host.mapping_id(1), 5, true, true)
    );
    assert!(
        host.msp_audit(AuditAction::NinjaoneSwept).await.is_empty(),
        "it is the customer's trail"
    );
}

async fn the_same_event_handled_again_writes_nothing(host: Host) {
    let customers = host.promoted(&[(1, "Alpha")]).await;
    let event = host.sweep_events().await.remove(0);
    host.integration.sweep(&event).await.unwrap();
    let asked = host.ninjaone.script().asked.len();
    for process in [host.integration.clone(), host.another_process()] {
        host.clock.advance(Duration::hours(1));
        assert_eq!(
            process.sweep(&event).await.unwrap(),
            SweepOutcome::AlreadyCommitted
        );
    }
    assert_eq!(
        host.ninjaone.script().asked.len(),
        asked,
        "NinjaOne is not asked again"
    );
    assert_eq!(host.customer_audit(customers[0]).await.len(), 1);
}

async fn two_workers_with_one_event_commit_it_once(host: Host) {
    let customers = host.promoted(&[(1, "Alpha")]).await;
    let event = host.sweep_events().await.remove(0);
    let (one, two) = (host.integration.clone(), host.another_process());
    let (one, two) = tokio::join!(one.sweep(&event), two.sweep(&event));
    let outcomes = [one.unwrap(), two.unwrap()];
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| matches!(outcome, SweepOutcome::Committed(_)))
            .count(),
        1
    );
    assert_eq!(host.customer_audit(customers[0]).await.len(), 1);
}

async fn one_run_at_a_time_per_compliance_org_and_different_ones_in_parallel(host: Host) {
    let companies = host.mapped(&[(1, "Alpha"), (2, "Beta")]).await;
    host.organizations(&[(1, "Alpha"), (2, "Beta"), (3, "Alpha Berlin")]);
    host.discover().await;
    host.map(3, Choice::UseExisting(companies[0]))
        .await
        .unwrap();
    for company in companies {
        host.promote(company).await;
    }
    let events = host.sweep_events().await;
    let of = |organization| {
        events
            .iter()
            .find(|event| event.external_org_id.get() == organization)
            .unwrap()
            .clone()
    };
    let (same, different) = (of(3), of(2));
    let (integration, other) = (host.integration.clone(), host.another_process());
    host.ninjaone.script().meanwhile = Some(Box::new(move || {
        Box::pin(async move {
            for process in [&integration, &other] {
                assert_eq!(process.sweep(&same).await.unwrap(), SweepOutcome::Busy);
            }
            assert!(matches!(
                other.sweep(&different).await.unwrap(),
                SweepOutcome::Committed(_)
            ));
        })
    }));
    assert!(matches!(
        host.integration.sweep(&of(1)).await.unwrap(),
        SweepOutcome::Committed(_)
    ));
    assert!(matches!(
        host.integration.sweep(&of(3)).await.unwrap(),
        SweepOutcome::Committed(_)
    ));
}

async fn a_frozen_sweep_that_wakes_after_another_took_over_writes_nothing(host: Host) {
    let customers = host.promoted(&[(1, "Alpha")]).await;
    let event = host.sweep_events().await.remove(0);
    let (other, clock, later) = (host.another_process(), host.clock.clone(), event.clone());
    host.ninjaone.script().meanwhile = Some(Box::new(move || {
        Box::pin(async move {
            clock.advance(Duration::hours(6));
            let tick = later.scheduled_at + Duration::hours(6);
            let plan = other.plan_all(PlanKind::EvidenceSweep, tick).await.unwrap();
            let end = other.handle(&plan[0], 1).await;
            assert_eq!(end.outcome, EventOutcome::Done);
        })
    }));
    assert_eq!(
        host.integration.sweep(&event).await.unwrap(),
        SweepOutcome::Superseded(Precondition::Lease)
    );
    let trail = host.customer_audit(customers[0]).await;
    assert_eq!(trail.len(), 1);
    assert_ne!(trail[0].event, event.id);
}

async fn signals_are_appended_never_overwritten(host: Host) {
    let customers = host.promoted(&[(1, "Alpha")]).await;
    host.sweep_one().await;
    host.ninjaone
        .script()
        .verdicts
        .insert(SignalKind::PatchSla, Status::Fail);
    host.sweep_one().await;
    let (customer, mapping) = (customers[0], host.mapping_id(1));
    let history = host
        .store
        .signal_history(customer, mapping, SignalKind::PatchSla, 9)
        .await
        .unwrap();
    let statuses: Vec<_> = history.iter().map(|stored| stored.signal.status).collect();
    assert_eq!(statuses, [Status::Fail, Status::Pass]);
}

async fn the_dry_run_ends_with_the_first_sweep_in_which_every_report_answered(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    host.ninjaone
        .script()
        .verdicts
        .insert(SignalKind::PatchSla, Status::Fail);
    host.ninjaone
        .script()
        .reports
        .insert(Report::OsPatches, TIMED_OUT);
    let unanswered = host.sweep_one().await;
    assert!(unanswered.dry_run && !unanswered.answered);
    assert_eq!(host.mapping(1).await.first_evidence_synced_at, None);
    host.ninjaone.script().reports.clear();
    let swept_at = {
        use regentra_sync::host::Clock as _;
        host.clock.now()
    };
    let first = host.sweep_one().await;
    assert!(first.dry_run && first.answered);
    assert_eq!(first.opened, 0, "signals land and no ticket is opened");
    assert_eq!(
        host.mapping(1).await.first_evidence_synced_at,
        Some(swept_at)
    );
    let second = host.sweep_one().await;
    assert!(!second.dry_run);
    assert_eq!(second.opened, 1);
    assert_eq!(
        host.mapping(1).await.first_evidence_synced_at,
        Some(swept_at),
        "stamped once"
    );
}

async fn not_available_counts_as_answered(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    host.ninjaone
        .script()
        .reports
        .insert(Report::Activities, ReportOutcome::NotAvailable);
    assert!(host.sweep_one().await.answered);
    assert!(host.mapping(1).await.first_evidence_synced_at.is_some());
}

async fn a_sweep_that_cannot_even_read_the_devices_writes_nothing(host: Host) {
    let customers = host.promoted(&[(1, "Alpha")]).await;
    host.ninjaone.script().fails = Some(Vendor::Server);
    let event = host.sweep_events().await.remove(0);
    let error = host.integration.sweep(&event).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Ninjaone(Vendor::Server));
    assert!(host.customer_audit(customers[0]).await.is_empty());
    assert_eq!(host.mapping(1).await.first_evidence_synced_at, None);
    host.ninjaone.script().fails = None;
    let again = host.integration.sweep(&event).await.unwrap();
    assert!(
        matches!(again, SweepOutcome::Committed(_)),
        "the event can be delivered again"
    );
}

async fn a_sweep_whose_mapping_was_decided_upon_writes_nothing(host: Host) {
    let customers = host.promoted(&[(1, "Alpha")]).await;
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
                        choice: Choice::Undecide,
                        actor: operator(),
                        event,
                    },
                )
                .await
                .unwrap();
        })
    }));
    assert_eq!(
        host.sweep_all().await,
        [SweepOutcome::Superseded(Precondition::Mapping)]
    );
    assert!(host.customer_audit(customers[0]).await.is_empty());
}

async fn a_planned_sweep_is_skipped_when_its_organization_is_no_longer_mapped(host: Host) {
    let companies = host.mapped(&[(1, "Alpha")]).await;
    host.promote(companies[0]).await;
    let event = host.sweep_events().await.remove(0);
    host.map(1, Choice::Undecide).await.unwrap();
    let skipped = SweepOutcome::Skipped(SkipReason::NotMapped);
    assert_eq!(host.integration.sweep(&event).await.unwrap(), skipped);
    let other = host.add_company("Other").await;
    host.map(1, Choice::UseExisting(other)).await.unwrap();
    let skipped = SweepOutcome::Skipped(SkipReason::NotPromoted);
    assert_eq!(host.integration.sweep(&event).await.unwrap(), skipped);
}

async fn a_sweep_planned_for_one_customer_is_never_committed_for_another(host: Host) {
    let companies = host.mapped(&[(1, "Alpha"), (2, "Beta")]).await;
    let mut customers = Vec::new();
    for company in &companies {
        customers.push(host.promote(*company).await);
    }
    let events = host.sweep_events().await;
    let event = events
        .iter()
        .find(|event| event.external_org_id.get() == 1)
        .unwrap();
    host.map(1, Choice::Undecide).await.unwrap();
    host.map(1, Choice::UseExisting(companies[1]))
        .await
        .unwrap();
    let skipped = SweepOutcome::Skipped(SkipReason::NotPromoted);
    assert_eq!(host.integration.sweep(event).await.unwrap(), skipped);
    assert!(
        host.ninjaone
            .script()
            .asked
            .iter()
            .all(|asked| asked.0 != "assess"),
        "its data is not even pulled"
    );
    for customer in customers {
        assert!(host.customer_audit(customer).await.is_empty());
    }
}

/// Whatever stands between the vendor and a sweep (a cache, one pass over the whole tenant) may mix customers up.
async fn an_assessment_of_another_customer_is_never_written(host: Host) {
    let customers = host.promoted(&[(1, "Alpha"), (2, "Beta")]).await;
    let unknown = ComplianceOrgId::from_uuid(Uuid::from_u128(77));
    let written = async || {
        let mut written = Vec::new();
        for (customer, organization) in customers.iter().chain([&unknown]).zip([1, 2, 2]) {
            let mapping = host.mapping_id(organization);
            let ever = OffsetDateTime::UNIX_EPOCH;
            let signals = host.store.current_signals(*customer, ever).await.unwrap();
            let mut chains = Vec::new();
            for kind in SignalKind::ALL {
                let chain = host.store.evidence_chain(*customer, mapping, kind, 0, 99);
                chains.push(chain.await.unwrap());
            }
            let audit = host.customer_audit(*customer).await;
            written.push(format!("{signals:?} {chains:?} {audit:?}"));
        }
        let (msp, page) = (host.msp, AuditPage::newest(1_000));
        let audit = host.store.msp_audit(msp, page).await.unwrap();
        let outbox = host
            .store
            .outbox(msp, host.clock.now(), 1_000)
            .await
            .unwrap();
        written.push(format!("{audit:?} {outbox:?}"));
        written
    };
    let before = written().await;
    for event in host.sweep_events().await {
        let own = event.customer_compliance_org_id;
        let others = customers.iter().chain([&unknown]);
        for other in others.filter(|other| **other != own) {
            // All fail, which would open tickets.
            let fails = SignalKind::ALL.map(|kind| (kind, Status::Fail));
            host.ninjaone.script().verdicts = fails.into();
            host.ninjaone.script().assessed = Some(*other);
            let error = host.integration.sweep(&event).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Internal);
            let text = error.to_string();
            assert!(
                text.contains("another customer") && text.contains("nothing was written"),
                "{text}"
            );
            for id in [own, *other] {
                assert!(!text.contains(&id.to_string()), "{text}");
            }
            assert_eq!(written().await, before);
            let runs = host.store.runs(host.msp).await.unwrap();
            let run = runs
                .iter()
                .find(|run| run.subject.mapping == Some(event.mapping_id));
            let failed = RunOutcome::failed(ErrorKind::Internal);
            assert_eq!(run.unwrap().outcome, failed);
        }
    }
    // The same events with their own customers' assessments are written: it was the assessment, and nothing else.
    host.ninjaone.script().assessed = None;
    for event in host.sweep_events().await {
        let swept = host.integration.sweep(&event).await.unwrap();
        assert!(matches!(swept, SweepOutcome::Committed(_)), "{swept:?}");
    }
}

async fn evidence_is_a_chain_whose_head_is_anchored_in_the_audit_row(host: Host) {
    let customers = host.promoted(&[(1, "Alpha")]).await;
    for _ in 0..3 {
        host.sweep_one().await;
    }
    let (customer, mapping) = (customers[0], host.mapping_id(1));
    let anchors = anchors(&host, customer).await;
    for (kind, anchors) in anchors {
        assert_eq!(anchors.len(), 3);
        let rows = host
            .store
            .evidence_chain(customer, mapping, kind, 0, 99)
            .await
            .unwrap();
        let start = chain_start(customer, mapping, kind);
        let head = verify_chain(start, rows.iter().map(|row| &row.link), &anchors).unwrap();
        assert_eq!(head.length, 3);
    }
}

async fn anchors(host: &Host, customer: ComplianceOrgId) -> BTreeMap<SignalKind, Vec<ChainHead>> {
    let mut anchors: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for row in host.customer_audit(customer).await {
        if let AuditDetails::Swept { signals, .. } = row.details {
            for (kind, swept) in signals {
                anchors.entry(kind).or_default().push(swept.chain_head);
            }
        }
    }
    anchors
}

async fn an_auditor_finds_a_changed_removed_or_reordered_record(host: Host) {
    let customers = host.promoted(&[(1, "Alpha")]).await;
    for _ in 0..4 {
        host.sweep_one().await;
    }
    let (customer, mapping, kind) = (customers[0], host.mapping_id(1), SignalKind::PatchSla);
    let anchors = anchors(&host, customer).await.remove(&kind).unwrap();
    let rows = host
        .store
        .evidence_chain(customer, mapping, kind, 0, 99)
        .await
        .unwrap();
    let links: Vec<_> = rows.into_iter().map(|row| row.link).collect();
    let start = chain_start(customer, mapping, kind);
    let mut changed = links.clone();
    changed[1].record = changed[1].record.replace("pass", "fail");
    let mut removed = links.clone();
    removed.remove(1);
    let mut reordered = links.clone();
    reordered.swap(1, 2);
    let cut = links[..3].to_vec();
    for wrong in [changed, removed, reordered, cut] {
        assert!(verify_chain(start, &wrong, &anchors).is_err());
    }
    assert!(verify_chain(start, &links, &anchors).is_ok());
    let other = chain_start(customer, host.mapping_id(2), kind);
    assert!(
        verify_chain(other, &links, &anchors).is_err(),
        "not another mapping's"
    );
}

async fn evidence_says_by_which_rules_and_window(host: Host) {
    let customers = host.promoted(&[(1, "Alpha")]).await;
    let report = host.sweep_one().await;
    let rows = host
        .store
        .evidence_chain(customers[0], host.mapping_id(1), SignalKind::PatchSla, 0, 9)
        .await
        .unwrap();
    let record = EvidenceRecord::parse(&rows[0].link.record).unwrap();
    let signal = report
        .signals
        .iter()
        .find(|stored| stored.signal.kind() == SignalKind::PatchSla)
        .unwrap();
    assert_eq!(record.signal, signal.signal);
    assert_eq!(record.facts.key_id.as_str(), "key");
    let json: serde_json::Value = serde_json::from_str(&rows[0].link.record).unwrap();
    for field in ["rules", "window", "facts"] {
        assert!(json[field].is_object(), "{field} in {json}");
    }
}

async fn signature_history_forgets_devices_that_left(host: Host) {
    let customers = host.promoted(&[(1, "Alpha")]).await;
    let seen = |devices: &[i64], listed: Option<&[i64]>| {
        let mut script = host.ninjaone.script();
        script.signatures = devices.iter().map(|device| (*device, true)).collect();
        script.listed = listed.map(|listed| listed.iter().copied().collect());
    };
    for (devices, listed, known) in [
        (&[10, 20][..], None, 2),
        // Not seen: in a list that may lack it, and in one that is whole and has it.
        (&[], None, 2),
        (&[], Some(&[10, 20, 30][..]), 2),
        // Gone, each from a list that is whole; and one that the list had not yet.
        (&[30], Some(&[10]), 2),
        (&[], Some(&[30]), 1),
        (&[], Some(&[40]), 0),
    ] {
        seen(devices, listed);
        host.sweep_one().await;
        let state = host.store.sweep_state(
            host.msp,
            customers[0],
            host.mapping_id(1),
            host.event(),
            host.tick(),
        );
        let history = state.await.unwrap().signature_history;
        assert_eq!(history.len(), known, "{devices:?} of {listed:?}");
    }
}

async fn signature_history_is_kept_and_passed_in(host: Host) {
    use regentra_sync::host::Clock as _;
    host.promoted(&[(1, "Alpha")]).await;
    let sweep = async |seen: Option<bool>| {
        let now = host.clock.now();
        {
            let mut script = host.ninjaone.script();
            script.signatures.remove(&10);
            script.signatures.extend(seen.map(|seen| (10, seen)));
        }
        host.sweep_one().await;
        let ages = host.ninjaone.script().signature_ages.clone();
        (now, ages.get(&10).copied().flatten())
    };
    for _ in 0..2 {
        let (_, age) = sweep(Some(true)).await;
        assert_eq!(age, None, "out of date at first: no age is known");
    }
    sweep(Some(false)).await;
    let (changed, age) = sweep(Some(true)).await;
    assert_eq!(age, Some(changed), "the age runs from when it changed");
    sweep(None).await;
    let (_, age) = sweep(Some(true)).await;
    assert_eq!(age, Some(changed), "not seen in between: kept");
    sweep(Some(false)).await;
    let (again, age) = sweep(Some(true)).await;
    assert_eq!(age, Some(again), "up to date in between: it begins anew");
}

/// What an age of months becomes after each way to lose it: never a fresh one.
async fn months_old_signatures_are_never_fresh_after_a_disconnect_an_unmapping_or_a_move(
    host: Host,
) {
    host.promoted(&[(1, "Alpha"), (2, "Beta")]).await;
    let sees = |of_first: &[(i64, bool)], listed: &[i64]| {
        let mut script = host.ninjaone.script();
        script.signatures = of_first.iter().copied().collect();
        script.listed = Some(listed.iter().copied().collect());
    };
    let age = || host.ninjaone.script().signature_ages[&10];
    let old = async || {
        sees(&[(10, false)], &[10]);
        host.sweep_all().await;
        sees(&[(10, true)], &[10]);
        host.sweep_all().await;
        host.clock.advance(Duration::days(60));
        host.sweep_all().await;
        assert!(age().is_some(), "it runs");
    };
    old().await;
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
    host.connect().await;
    host.sweep_all().await;
    assert_eq!(age(), None, "disconnected, and connected again");
    host.sweep_all().await;
    assert_eq!(age(), None);

    old().await;
    for (organization, name) in [(1, "Alpha"), (2, "Beta")] {
        let company = host.mapping(organization).await.state.company().unwrap();
        host.map(organization, Choice::Undecide).await.unwrap();
        host.map(organization, Choice::UseExisting(company))
            .await
            .unwrap();
        assert_eq!(host.mapping(organization).await.name.as_str(), name);
    }
    host.sweep_all().await;
    assert_eq!(age(), None, "un-mapped, and mapped again");

    old().await;
    // It is in another organization for a while, and back.
    sees(&[], &[99]);
    host.sweep_all().await;
    sees(&[(10, true)], &[10]);
    host.sweep_all().await;
    assert_eq!(age(), None, "moved, and back");
}

async fn a_device_that_one_list_lacks_keeps_its_signature_age_while_its_asset_counts(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    let devices = |ids: &[i64]| {
        ids.iter()
            .map(|id| device(*id, &format!("PC-{id}")))
            .collect::<Vec<_>>()
    };
    host.ninjaone.script().devices.insert(1, devices(&[10, 11]));
    host.sync_one().await;
    let sees = |of: &[(i64, bool)], listed: &[i64]| {
        let mut script = host.ninjaone.script();
        script.signatures = of.iter().copied().collect();
        script.listed = Some(listed.iter().copied().collect());
    };
    sees(&[(10, false)], &[10, 11]);
    host.sweep_one().await;
    sees(&[(10, true)], &[10, 11]);
    host.sweep_one().await;
    // A list that is whole, and short.
    sees(&[], &[11]);
    host.sweep_one().await;
    sees(&[(10, true)], &[10, 11]);
    host.sweep_one().await;
    assert!(
        host.ninjaone.script().signature_ages[&10].is_some(),
        "its asset counts still"
    );
    // It has left: asset sync says so too.
    host.ninjaone.script().devices.insert(1, devices(&[11]));
    host.sync_one().await;
    sees(&[], &[11]);
    host.sweep_one().await;
    sees(&[(10, true)], &[10, 11]);
    host.sweep_one().await;
    assert_eq!(host.ninjaone.script().signature_ages[&10], None);
}

async fn rows_of_devices_known_in_other_organizations_are_foreign(host: Host) {
    let customers = host.promoted(&[(1, "Alpha"), (2, "Beta")]).await;
    {
        let mut script = host.ninjaone.script();
        script.devices.insert(1, vec![device(10, "PC-1")]);
        script.devices.insert(2, vec![device(20, "PC-2")]);
        // Device 20 is the other's, 10 was this one's until now, and 99 is known nowhere.
        script.unlisted_devices = BTreeMap::from([(20, 3), (10, 2), (99, 1)]);
        script.orphan_rows = 6;
        script.foreign_rows = 5;
    }
    host.sync().await;
    let events = host.sweep_events().await;
    let event = events.iter().find(|event| event.external_org_id.get() == 1);
    host.integration.sweep(event.unwrap()).await.unwrap();
    let trail = host.customer_audit(customers[0]).await;
    let AuditDetails::Swept { counts, .. } = &trail[0].details else {
        panic!("{:?}", trail[0])
    };
    assert_eq!((counts.foreign_rows, counts.orphan_rows), (5 + 3, 6 - 3));
}

async fn dropped_rows_are_audited(host: Host) {
    let customers = host.promoted(&[(1, "Alpha")]).await;
    host.ninjaone.script().foreign_rows = 12;
    host.ninjaone.script().malformed_rows = 3;
    host.sweep_one().await;
    let trail = host.customer_audit(customers[0]).await;
    let AuditDetails::Swept { counts, .. } = &trail[0].details else {
        panic!("{:?}", trail[0])
    };
    assert_eq!(
        (counts.foreign_rows, counts.malformed_rows, counts.requests),
        (12, 3, 9)
    );
}

async fn the_sweep_asks_in_the_lane_of_sweeps(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    host.sweep_one().await;
    let last = host.ninjaone.script().asked.last().unwrap().clone();
    assert_eq!((last.0, last.3), ("assess", Lane::Sweep));
}

async fn customers_are_apart(host: Host) {
    let customers = host.promoted(&[(1, "Alpha"), (2, "Beta")]).await;
    host.ninjaone
        .script()
        .verdicts_of
        .insert((2, SignalKind::PatchSla), Status::Fail);
    host.sweep_all().await;
    for (customer, mapping) in [
        (customers[0], host.mapping_id(1)),
        (customers[1], host.mapping_id(2)),
    ] {
        let signals = host
            .store
            .current_signals(customer, host.tick())
            .await
            .unwrap();
        assert!(signals.len() == 5 && signals.iter().all(|stored| stored.mapping == mapping));
        let trail = host.customer_audit(customer).await;
        assert!(
            matches!(&trail[0].details, AuditDetails::Swept { mapping: swept, .. } if *swept == mapping)
        );
    }
    let other = host
        .store
        .evidence_chain(customers[0], host.mapping_id(2), SignalKind::PatchSla, 0, 9)
        .await
        .unwrap();
    assert!(other.is_empty());
}

async fn a_low_budget_is_audited_once_an_hour(host: Host) {
    use regentra_sync::model::NINJAONE_WINDOWS;
    host.promoted(&[(1, "Alpha"), (2, "Beta")]).await;
    let credential = host.mapping(1).await.credential;
    let fingerprint = host
        .store
        .credential(host.msp, credential)
        .await
        .unwrap()
        .unwrap()
        .fingerprint;
    for event in host.sweep_events().await {
        host.integration.sweep(&event).await.unwrap();
    }
    assert!(
        host.msp_audit(AuditAction::NinjaoneBudgetLow)
            .await
            .is_empty()
    );
    host.clock.advance(Duration::hours(6));
    let windows = [NINJAONE_WINDOWS[1]];
    for _ in 0..1_400 {
        host.store.spend(&fingerprint, &windows).await.unwrap();
    }
    host.clock.advance(Duration::minutes(1));
    let plan = host
        .integration
        .plan_all(PlanKind::EvidenceSweep, host.tick())
        .await
        .unwrap();
    for event in &plan {
        let end = host.integration.handle(event, 1).await;
        assert_eq!(end.outcome, EventOutcome::Done);
    }
    let audit = host.msp_audit(AuditAction::NinjaoneBudgetLow).await;
    assert_eq!(audit.len(), 1);
    assert_eq!(
        audit[0].details,
        AuditDetails::BudgetLow {
            credential,
            spent: 1_400,
            limit: 1_500
        }
    );
}

async fn all_customers_of_an_msp_are_swept_at_once_on_demand(host: Host) {
    host.promoted(&[(1, "Alpha"), (2, "Beta"), (3, "Gamma")])
        .await;
    let swept = host
        .integration
        .sweep_now(
            host.msp,
            SweepNow {
                scheduled_at: host.tick(),
                parallel: 2,
                actor: operator(),
            },
        )
        .await
        .unwrap();
    assert_eq!(swept.len(), 3);
    for (event, _) in &swept {
        let trail = host.customer_audit(event.customer_compliance_org_id).await;
        assert_eq!(trail[0].actor, operator(), "it was no schedule");
    }
    assert!(
        swept
            .iter()
            .all(|(_, outcome)| matches!(outcome, Ok(SweepOutcome::Committed(_))))
    );
}
