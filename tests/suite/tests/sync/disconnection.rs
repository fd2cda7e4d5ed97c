//! Section 2: disconnecting, in one atomic step.

use regentra_sync::{
    Choice, Disconnect, SkipReason, SweepOutcome, SyncOutcome,
    model::{AssetStatus, AuditAction, AuditDetails, NoteReason, OutboxAction, TicketState},
    regentra_evidence::{SignalKind, Status},
    store::Precondition,
};
use time::Duration;

use crate::{
    host::{Host, operator, us},
    scripted::device,
};

on_every_store!(
    disconnecting_does_everything_at_once,
    disconnecting_twice_changes_nothing_more,
    a_sweep_in_flight_does_not_write_after_a_disconnect,
    a_sweep_in_flight_does_not_write_after_a_disconnect_and_a_reconnect,
    an_asset_sync_in_flight_does_not_write_after_a_disconnect,
    a_planned_sweep_is_skipped_after_a_disconnect,
    signals_are_left_to_age_out,
);

#[expect(clippy::too_many_lines, reason = "one step, shown whole")]
async fn disconnecting_does_everything_at_once(host: Host) {
    let customers = host.promoted(&[(1, "Alpha"), (2, "Beta")]).await;
    host.map(3, Choice::DontSync).await.unwrap_err();
    host.ninjaone
        .script()
        .devices
        .insert(1, vec![device(10, "PC-1")]);
    host.ninjaone.script().signatures.insert(10, true);
    host.sync().await;
    host.sweep_all().await;
    host.ninjaone
        .script()
        .verdicts
        .insert(SignalKind::PatchSla, Status::Fail);
    host.sweep_all().await;
    let mappings = (host.mapping(1).await, host.mapping(2).await);
    let outbox = host
        .integration
        .views()
        .outbox(host.msp, 99)
        .await
        .unwrap()
        .len();

    let disconnected = host
        .integration
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
    assert!(disconnected.changed);
    let stored = host
        .store
        .credential(host.msp, disconnected.credential)
        .await
        .unwrap()
        .unwrap();
    assert!(
        !stored.is_active && stored.secrets.is_none(),
        "every sealed column is empty"
    );
    assert!(
        host.assets()
            .await
            .iter()
            .all(|asset| asset.status == AssetStatus::Retired),
        "rows are kept, retired"
    );
    assert_eq!(host.assets().await.len(), 1);
    for customer in &customers {
        let trail = host.customer_audit(*customer).await;
        assert_eq!(
            trail
                .iter()
                .filter(|row| row.action == AuditAction::NinjaoneDisconnected)
                .count(),
            1
        );
        let expected = AuditDetails::Disconnected {
            credential: disconnected.credential,
            mappings: 1,
            unexpired_signals: Some(5),
        };
        assert_eq!(trail[0].details, expected);
        assert_eq!(
            host.store
                .current_signals(*customer, host.tick())
                .await
                .unwrap()
                .len(),
            5
        );
    }
    assert_eq!(
        (host.mapping(1).await, host.mapping(2).await),
        mappings,
        "mappings are left"
    );
    let tickets = host
        .integration
        .views()
        .tickets(host.msp, None)
        .await
        .unwrap();
    assert!(
        tickets
            .iter()
            .all(|ticket| ticket.state == TicketState::Open)
            && tickets.len() == 2
    );
    let outbox = host
        .integration
        .views()
        .outbox(host.msp, 99)
        .await
        .unwrap()
        .split_off(outbox);
    assert_eq!(outbox.len(), 2, "each open ticket gets a note");
    assert!(outbox.iter().all(|row| matches!(
        row.action,
        OutboxAction::Note {
            reason: NoteReason::Disconnected,
            ..
        }
    )));
    let event = host.event();
    let state = host
        .store
        .sweep_state(
            host.msp,
            customers[0],
            host.mapping_id(1),
            event,
            host.tick(),
        )
        .await
        .unwrap();
    assert!(
        state.signature_history.is_empty(),
        "signature history is purged"
    );
    assert_eq!(
        host.msp_audit(AuditAction::NinjaoneDisconnected)
            .await
            .len(),
        1
    );
}

async fn disconnecting_twice_changes_nothing_more(host: Host) {
    let customers = host.promoted(&[(1, "Alpha")]).await;
    for changed in [true, false] {
        let disconnected = host
            .integration
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
        assert_eq!(disconnected.changed, changed);
    }
    assert_eq!(host.customer_audit(customers[0]).await.len(), 1);
    assert_eq!(
        host.msp_audit(AuditAction::NinjaoneDisconnected)
            .await
            .len(),
        1
    );
}

fn disconnect_meanwhile(host: &Host, reconnect: bool) {
    let (integration, msp, disconnect) = (host.integration.clone(), host.msp, host.event());
    let connecting = host.connecting();
    host.ninjaone.script().meanwhile = Some(Box::new(move || {
        Box::pin(async move {
            integration
                .disconnect(
                    msp,
                    Disconnect {
                        region: us(),
                        actor: operator(),
                        event: disconnect,
                    },
                )
                .await
                .unwrap();
            if reconnect {
                integration.connect(msp, connecting).await.unwrap();
            }
        })
    }));
}

async fn a_sweep_in_flight_does_not_write_after_a_disconnect(host: Host) {
    let customers = host.promoted(&[(1, "Alpha")]).await;
    disconnect_meanwhile(&host, false);
    let outcomes = host.sweep_all().await;
    assert_eq!(
        outcomes,
        [SweepOutcome::Superseded(Precondition::Credential)]
    );
    assert!(
        host.store
            .current_signals(customers[0], host.tick())
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(host.mapping(1).await.first_evidence_synced_at, None);
    let trail = host.customer_audit(customers[0]).await;
    assert_eq!(
        trail.iter().map(|row| row.action).collect::<Vec<_>>(),
        [AuditAction::NinjaoneDisconnected]
    );
}

async fn a_sweep_in_flight_does_not_write_after_a_disconnect_and_a_reconnect(host: Host) {
    let customers = host.promoted(&[(1, "Alpha")]).await;
    disconnect_meanwhile(&host, true);
    assert_eq!(
        host.sweep_all().await,
        [SweepOutcome::Superseded(Precondition::Credential)]
    );
    assert!(
        host.store
            .current_signals(customers[0], host.tick())
            .await
            .unwrap()
            .is_empty()
    );
    host.sweep_one().await;
}

async fn an_asset_sync_in_flight_does_not_write_after_a_disconnect(host: Host) {
    host.mapped(&[(1, "Alpha")]).await;
    host.ninjaone
        .script()
        .devices
        .insert(1, vec![device(10, "PC-1")]);
    disconnect_meanwhile(&host, false);
    assert_eq!(host.sync_one().await, SyncOutcome::Superseded);
    assert!(host.assets().await.is_empty());
}

async fn a_planned_sweep_is_skipped_after_a_disconnect(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    let events = host.sweep_events().await;
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
    let outcome = host.integration.sweep(&events[0]).await.unwrap();
    assert_eq!(outcome, SweepOutcome::Skipped(SkipReason::Disconnected));
    assert!(
        host.ninjaone
            .script()
            .asked
            .iter()
            .all(|asked| asked.0 != "assess"),
        "NinjaOne was not asked"
    );
}

async fn signals_are_left_to_age_out(host: Host) {
    let customers = host.promoted(&[(1, "Alpha")]).await;
    let report = host.sweep_one().await;
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
    let expires_at = report.signals[0].signal.expires_at;
    let before = expires_at - Duration::microseconds(1);
    assert_eq!(
        host.store
            .current_signals(customers[0], before)
            .await
            .unwrap()
            .len(),
        5
    );
    assert_eq!(
        host.store
            .current_signals(customers[0], expires_at)
            .await
            .unwrap()
            .len(),
        0
    );
}
