//! Reading without keys: what a host shows comes from the store alone, and acting without keys goes as far as nothing is sealed.

use std::sync::Arc;

use regentra_evidence::{Coverage, SignalKind, Status};
use regentra_sync::{
    Choice, Disconnect, Discover, ErrorKind, Integration, MapOrganization, TestSavedConnection,
    host::HostPolicy,
    model::StrategyChoice,
    store::{Decision, MappingFilter, MappingPage},
    views::{Card, Finding, PublicSignal, Views},
};

use crate::host::{Host, operator, us};

on_every_store!(
    a_process_without_keys_reads_what_one_with_keys_reads,
    a_card_is_the_status_and_the_diagnosis_of_one_moment,
    a_process_without_keys_decides_and_disconnects_and_asks_ninjaone_nothing,
    the_public_view_is_the_worst_of_a_companys_organizations,
    an_organization_without_a_signal_makes_the_public_view_unknown,
    organizations_are_paged_by_what_was_decided,
);

fn reader(host: &Host) -> Views {
    // As the host of the tests has it.
    let alone = HostPolicy::default().sweep_strategy(StrategyChoice::PerCustomer);
    let views = Views::new(Arc::clone(&host.store)).clock(Arc::new(host.clock.clone()));
    views.policy(alone)
}

async fn a_process_without_keys_reads_what_one_with_keys_reads(host: Host) {
    let customers = host.promoted(&[(1, "Alpha"), (2, "Beta")]).await;
    host.sync().await;
    host.sweep_all().await;
    let (reader, views, msp) = (reader(&host), host.integration.views(), host.msp);
    let card = reader.connection_status(msp).await.unwrap();
    assert_eq!(card, views.connection_status(msp).await.unwrap());
    assert_eq!(card[0].customers.len(), 2);
    assert_eq!(reader.runs(msp).await.unwrap().len(), 5);
    let connections = reader.connections(msp).await.unwrap();
    assert_eq!(connections[0].credential, card[0].credential);
    assert!(connections[0].connected);
    for customer in customers {
        let signals = reader.current_signals(customer).await.unwrap();
        assert_eq!(signals.len(), 5);
        let (mapping, kind) = (signals[0].mapping, signals[0].signal.kind());
        let history = reader.signal_history(customer, mapping, kind, 9).await;
        assert_eq!(history.unwrap(), signals[..1]);
        let records = reader.evidence_chain(customer, mapping, kind, 0, 9).await;
        assert_eq!(records.unwrap().len(), 1);
    }
}

async fn a_card_is_the_status_and_the_diagnosis_of_one_moment(host: Host) {
    host.organizations(&[(1, "Alpha")]);
    host.connect().await;
    host.discover().await;
    let reader = reader(&host);
    let Card {
        connections,
        diagnoses,
    } = reader.card(host.msp).await.unwrap();
    assert_eq!(
        connections,
        reader.connection_status(host.msp).await.unwrap()
    );
    assert_eq!(diagnoses, reader.diagnose(host.msp, None).await.unwrap());
    assert_eq!(diagnoses[0].finding, Finding::PendingReview);
    let acting = host.integration.card(host.msp).await.unwrap();
    assert_eq!(acting.diagnoses, diagnoses);
}

async fn a_process_without_keys_decides_and_disconnects_and_asks_ninjaone_nothing(host: Host) {
    host.organizations(&[(1, "Alpha")]);
    host.connect().await;
    host.discover().await;
    let asked = host.ninjaone.script().asked.len();
    let ninjaone = Arc::new(host.ninjaone.clone());
    let keyless = Integration::builder_without_keys(Arc::clone(&host.store), ninjaone)
        .clock(Arc::new(host.clock.clone()))
        .build();
    let found = keyless.diagnose(host.msp, None).await.unwrap();
    let findings: Vec<_> = found.iter().map(|found| &found.finding).collect();
    assert_eq!(
        findings,
        [&Finding::SecretsDoNotOpen, &Finding::PendingReview]
    );
    let sealed = [
        keyless
            .discover(
                host.msp,
                Discover {
                    region: us(),
                    actor: operator(),
                    event: host.event(),
                },
            )
            .await
            .map(drop),
        keyless.connect(host.msp, host.connecting()).await.map(drop),
        keyless.rotate_key(host.msp, operator()).await.map(drop),
        keyless
            .test_saved_connection(
                host.msp,
                TestSavedConnection {
                    region: us(),
                    actor: operator(),
                },
            )
            .await
            .map(drop),
    ];
    for refused in sealed {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Sealing);
    }
    let mapping = host.mapping_id(1);
    let (choice, event) = (Choice::CreateNew, host.event());
    let mapped = keyless.map(
        host.msp,
        MapOrganization {
            mapping,
            choice,
            actor: operator(),
            event,
        },
    );
    assert!(mapped.await.unwrap().changed);
    keyless
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
    let connections = keyless.views().connections(host.msp).await.unwrap();
    assert!(!connections[0].connected);
    assert_eq!(host.ninjaone.script().asked.len(), asked);
}

async fn the_public_view_is_the_worst_of_a_companys_organizations(host: Host) {
    let companies = host.mapped(&[(1, "Alpha"), (2, "Alpha Branch")]).await;
    let (company, views) = (companies[0], reader(&host));
    host.map(2, Choice::Undecide).await.unwrap();
    host.map(2, Choice::UseExisting(company)).await.unwrap();
    let unpromoted = views.public_view(host.msp, company).await.unwrap_err();
    assert_eq!(unpromoted.kind(), ErrorKind::Conflict);
    host.promote(company).await;
    assert_eq!(views.public_view(host.msp, company).await.unwrap(), []);
    host.ninjaone
        .script()
        .verdicts_of
        .insert((2, SignalKind::PatchSla), Status::Fail);
    host.sweep_all().await;
    let shown = views.public_view(host.msp, company).await.unwrap();
    let kinds: Vec<_> = shown.iter().map(|shown| shown.view.signal).collect();
    assert_eq!(kinds, SignalKind::ALL);
    for view in shown.iter().map(|shown| &shown.view) {
        let expected = match view.signal {
            SignalKind::PatchSla => Status::Fail,
            _ => Status::Pass,
        };
        assert_eq!(view.status, expected, "{view:?}");
    }
    // Nothing but the documented fields leaves the building.
    let json = serde_json::to_value(&shown).unwrap();
    let mut fields: Vec<_> = json[0].as_object().unwrap().keys().collect();
    fields.sort_unstable();
    let documented = [
        "collected_at",
        "coverage",
        "expires_at",
        "requirements",
        "rule",
        "signal",
        "status",
    ];
    assert_eq!(fields, documented);
}

async fn an_organization_without_a_signal_makes_the_public_view_unknown(host: Host) {
    let companies = host.mapped(&[(1, "Alpha"), (2, "Alpha Branch")]).await;
    let (company, views) = (companies[0], reader(&host));
    host.promote(company).await;
    host.sweep_all().await;
    let shown = views.public_view(host.msp, company).await.unwrap();
    assert!(shown.iter().all(|shown| shown.view.status == Status::Pass));
    // The branch becomes the company's: it passed nothing.
    host.map(2, Choice::Undecide).await.unwrap();
    host.map(2, Choice::UseExisting(company)).await.unwrap();
    let shown = views.public_view(host.msp, company).await.unwrap();
    assert_eq!(shown.len(), 5);
    for PublicSignal { view, .. } in shown {
        let (status, coverage): (_, Option<Coverage>) = (view.status, view.coverage);
        assert_eq!((status, coverage), (Status::Unknown, None));
    }
}

async fn organizations_are_paged_by_what_was_decided(host: Host) {
    host.organizations(&[(1, "Alpha"), (2, "Beta"), (3, "Gamma"), (4, "alphabet")]);
    host.connect().await;
    host.discover().await;
    host.map(2, Choice::CreateNew).await.unwrap();
    let views = reader(&host);
    let pending = MappingFilter {
        decision: Some(Decision::PendingReview),
        ..MappingFilter::default()
    };
    let page = MappingPage::first(pending.clone(), 2);
    let first = views.mappings_page(host.msp, page.clone()).await.unwrap();
    let rest = page.next(first.last().unwrap());
    let rest = views.mappings_page(host.msp, rest).await.unwrap();
    let ids: Vec<_> = [first, rest].concat();
    let ids: Vec<_> = ids.iter().map(|of| of.external_org_id.get()).collect();
    assert_eq!(ids, [1, 3, 4]);
    let named = MappingFilter {
        name: Some("ALPHA".to_owned()),
        ..pending
    };
    let named = MappingPage::first(named, 50);
    assert_eq!(views.mappings_page(host.msp, named).await.unwrap().len(), 2);
}
