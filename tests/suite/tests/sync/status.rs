//! Section 2: what an operator's card shows; section 6: what may stand in an audit trail.

use regentra_sync::{
    Choice, Disconnect, ErrorKind,
    host::Clock as _,
    model::{NINJAONE_WINDOWS, RunOutcome},
    ninjaone_client::ErrorKind as Vendor,
    store::AuditPage,
    views::DryRun,
};
use time::{Duration, macros::datetime};

use crate::{
    host::{Host, operator, us},
    scripted::device,
};

on_every_store!(
    the_card_shows_what_an_operator_wants_to_know,
    the_card_of_an_msp_that_never_connected_is_empty,
    the_card_shows_a_disconnected_region_as_such,
    no_audit_row_names_a_customer_or_a_device,
);

async fn the_card_shows_what_an_operator_wants_to_know(host: Host) {
    let companies = host.mapped(&[(1, "Alpha"), (2, "Beta")]).await;
    host.organizations(&[(1, "Alpha"), (2, "Beta"), (3, "Gamma"), (4, "Delta")]);
    host.discover().await;
    host.map(3, Choice::DontSync).await.unwrap();
    host.promote(companies[0]).await;
    let status = || async {
        host.integration
            .views()
            .connection_status(host.msp)
            .await
            .unwrap()
            .remove(0)
    };
    let card = status().await;
    assert!(card.connected);
    let organizations = card.organizations;
    assert_eq!(
        (
            organizations.pending_review,
            organizations.mapped,
            organizations.ignored
        ),
        (1, 2, 1)
    );
    let dry_runs: Vec<_> = card
        .customers
        .iter()
        .map(|customer| customer.dry_run)
        .collect();
    assert_eq!(dry_runs, [DryRun::Pending, DryRun::NotPromoted]);
    assert_eq!(card.customers[0].company_name, Some("Alpha".into()));
    assert_eq!(card.last_asset_sync, None);
    assert_eq!(card.next_asset_sync, Some(datetime!(2026-11-23 08:15 UTC)));
    assert_eq!(
        card.next_evidence_sweep,
        Some(datetime!(2026-11-23 12:30 UTC))
    );

    let fingerprint = host
        .store
        .credential(host.msp, card.credential)
        .await
        .unwrap()
        .unwrap()
        .fingerprint;
    for _ in 0..3 {
        host.store
            .spend(&fingerprint, &NINJAONE_WINDOWS)
            .await
            .unwrap();
    }
    host.clock.advance(Duration::minutes(2));
    host.store
        .spend(&fingerprint, &NINJAONE_WINDOWS)
        .await
        .unwrap();
    let swept_at = host.clock.now();
    host.sweep_one().await;
    host.ninjaone
        .script()
        .fails_for
        .insert(2, Vendor::RateLimited { retry_after: None });
    host.sync().await;
    let card = status().await;
    assert_eq!(card.customers[0].dry_run, DryRun::Over { since: swept_at });
    assert_eq!(
        card.last_evidence_sweep.unwrap().outcome,
        RunOutcome::Succeeded
    );
    assert_eq!(
        card.customers[0].last_asset_sync.as_ref().unwrap().outcome,
        RunOutcome::Succeeded
    );
    let limited = Vendor::RateLimited { retry_after: None };
    let failed = RunOutcome::failed(ErrorKind::Ninjaone(limited));
    assert_eq!(
        card.customers[1].last_asset_sync.as_ref().unwrap().outcome,
        failed
    );
    assert_eq!(card.last_error.unwrap().outcome, failed);
    assert_eq!(card.budget_limits, (200, 1_500));
    host.clock.set(swept_at);
    let card = status().await;
    assert_eq!((card.budget.last_minute, card.budget.last_hour), (1, 4));
}

async fn the_card_of_an_msp_that_never_connected_is_empty(host: Host) {
    assert!(
        host.integration
            .views()
            .connection_status(host.msp)
            .await
            .unwrap()
            .is_empty()
    );
}

async fn the_card_shows_a_disconnected_region_as_such(host: Host) {
    host.mapped(&[(1, "Alpha")]).await;
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
    let card = host
        .integration
        .views()
        .connection_status(host.msp)
        .await
        .unwrap()
        .remove(0);
    assert!(!card.connected);
    assert_eq!(card.disconnected_at, Some(host.clock.now()));
    assert_eq!(
        (card.next_asset_sync, card.next_evidence_sweep),
        (None, None)
    );
    assert_eq!(card.organizations.mapped, 1, "mappings are left");
}

async fn no_audit_row_names_a_customer_or_a_device(host: Host) {
    let customers = host.promoted(&[(1, "Canary Customer")]).await;
    host.ninjaone
        .script()
        .devices
        .insert(1, vec![device(47_114_711, "CANARY-PC")]);
    host.ninjaone.script().signatures.insert(47_114_711, true);
    host.sync().await;
    host.sweep_one().await;
    host.map(1, Choice::Undecide).await.unwrap();
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
    let mut rows = host
        .store
        .msp_audit(host.msp, AuditPage::newest(1_000))
        .await
        .unwrap();
    rows.extend(host.customer_audit(customers[0]).await);
    assert!(rows.len() >= 8);
    let text = serde_json::to_string(&rows).unwrap().to_lowercase();
    // The client id is `client`; the way in is no secret.
    let text = text.replace("client_credentials", "");
    for canary in ["canary", "47114711", "hunter2", "client"] {
        assert!(!text.contains(canary), "{canary} in {text}");
    }
}
