//! One MSP in two regions that use the same ids for other organizations and other machines.

mod host;

use std::sync::Arc;

use host::{
    CONTOSO, FABRIKAM, Host, MSP, TAILSPIN, company, credential, customer, event, mapping, region,
};
use regentra_sync::{
    Choice, ErrorKind, SkipReason, SweepOutcome, SyncAssets,
    host::{Clock as _, StoreClock},
    model::{Actor, AssetStatus, AuditDetails, MappingId, OutboxAction},
    regentra_evidence::{SignalKind, Status, posture::Posture},
    store::Store,
};
use time::Duration;

use crate::scripted::device;

fn sorted<const N: usize>(mut mappings: [MappingId; N]) -> [MappingId; N] {
    mappings.sort();
    mappings
}

/// The syncs of one region neither write nor retire nor move what another region calls by the same ids.
pub async fn assets_are_their_regions_own(store: impl FnOnce(StoreClock) -> Arc<dyn Store>) {
    let host = Host::on(store).await;
    host.sync("us", "first").await;
    host.sync("eu", "first").await;
    let all = ["eu-10", "eu-11", "eu-20", "us-10", "us-11", "us-20"];
    assert_eq!(
        host.names().await,
        [all.map(str::to_owned).to_vec(), vec![]]
    );
    let before = host.assets().await;
    for (asset, name) in before.iter().zip(all) {
        let (of, id) = name.split_once('-').unwrap();
        assert_eq!(asset.external_id.to_string(), id);
        assert_eq!(asset.credential, Some(credential(of)), "{name}");
        let organization = if id == "20" { 2 } else { 1 };
        assert_eq!(asset.mapping, Some(mapping(of, organization)), "{name}");
        let owner = match (of, organization) {
            ("us", 2) => FABRIKAM,
            ("eu", 2) => TAILSPIN,
            _ => CONTOSO,
        };
        assert_eq!(asset.company, company(owner), "{name}");
    }
    host.sync("us", "again").await;
    host.sync("eu", "again").await;
    assert_eq!(host.assets().await, before, "nothing is rewritten");

    // In the one region a device goes, and another moves to the organization that is another customer's in the other region.
    {
        let ninjaone = host.ninjaone("eu");
        let mut script = ninjaone.script();
        script.devices.insert(1, vec![]);
        script
            .devices
            .insert(2, vec![device(20, "eu-20"), device(10, "eu-10")]);
    }
    host.sync("us", "then").await;
    host.sync("eu", "then").await;
    // An empty list is held, the move is not.
    let listed = vec![device(12, "eu-12")];
    host.ninjaone("eu").script().devices.insert(1, listed);
    host.sync("us", "at last").await;
    host.sync("eu", "at last").await;
    let after = host.assets().await;
    assert_eq!(after.len(), 7);
    for asset in &after {
        let name = asset.content.name.as_str();
        if name.starts_with("us-") {
            assert!(before.contains(asset), "{name} was not touched");
        }
        let is_gone = name == "eu-11";
        assert_eq!(asset.status == AssetStatus::Active, !is_gone, "{name}");
        if name == "eu-10" {
            assert_eq!(asset.mapping, Some(mapping("eu", 2)));
            assert_eq!(asset.company, company(TAILSPIN));
        }
    }
}

/// Verdicts, evidence, tickets and signature history are each region's own, and a disconnect of one leaves the other alone.
#[expect(clippy::too_many_lines, reason = "one story, told whole")]
pub async fn one_region_is_swept_and_disconnected_and_the_other_goes_on(
    store: impl FnOnce(StoreClock) -> Arc<dyn Store>,
) {
    let host = Host::on(store).await;
    host.sync("us", "first").await;
    host.sync("eu", "first").await;
    for (ninjaone, organization, signal) in [
        (host.ninjaone("us"), 1, SignalKind::DiskEncryption),
        (host.ninjaone("us"), 2, SignalKind::PatchSla),
        (host.ninjaone("eu"), 1, SignalKind::BackupActivity),
    ] {
        let mut script = ninjaone.script();
        let verdict = ((organization, signal), Status::Fail);
        script.verdicts_of.extend([verdict]);
        script.signatures.insert(10, true);
    }
    let all = sorted([
        mapping("us", 1),
        mapping("us", 2),
        mapping("eu", 1),
        mapping("eu", 2),
    ]);
    for _ in 0..2 {
        assert_eq!(host.sweep().await, all);
    }
    let disks = (mapping("us", 1), SignalKind::DiskEncryption, Status::Fail);
    let backups = (mapping("eu", 1), SignalKind::BackupActivity, Status::Fail);
    let patches = (mapping("us", 2), SignalKind::PatchSla, Status::Fail);
    let of_contoso = host.signals(CONTOSO).await;
    assert!(of_contoso.len() == 2 && of_contoso.contains(&disks) && of_contoso.contains(&backups));
    assert_eq!(host.signals(FABRIKAM).await, [patches]);
    assert_eq!(host.signals(TAILSPIN).await, []);
    for (of, number) in [
        (mapping("us", 1), CONTOSO),
        (mapping("eu", 1), CONTOSO),
        (mapping("us", 2), FABRIKAM),
        (mapping("eu", 2), TAILSPIN),
    ] {
        for other in [CONTOSO, FABRIKAM, TAILSPIN] {
            let chain =
                host.store
                    .evidence_chain(customer(other), of, SignalKind::PatchSla, 0, 100);
            let expected = if other == number { 2 } else { 0 };
            assert_eq!(chain.await.unwrap().len(), expected, "{of} of {other}");
        }
    }
    let tickets = host.store.tickets(MSP, None).await.unwrap();
    let mut about: Vec<_> = tickets
        .iter()
        .map(|ticket| (ticket.key.mapping, ticket.key.signal, Status::Fail))
        .collect();
    about.sort_by_key(|(_, signal, _)| *signal);
    let mut expected = [disks, backups, patches];
    expected.sort_by_key(|(_, signal, _)| *signal);
    assert_eq!(about, expected);
    assert_eq!(host.signatures("us", 1, CONTOSO).await, 1);
    assert_eq!(host.signatures("eu", 1, CONTOSO).await, 1);

    host.clock.advance(Duration::hours(6));
    let planned = host.sweep_events().await;
    assert_eq!(planned.len(), 4);
    host.disconnect("eu", "first").await;
    let of = |name: &str| ["10", "11", "20"].map(|id| format!("{name}-{id}")).to_vec();
    assert_eq!(host.names().await, [of("us"), of("eu")]);
    assert_eq!(host.signatures("us", 1, CONTOSO).await, 1);
    assert_eq!(host.signatures("eu", 1, CONTOSO).await, 0);
    let told = AuditDetails::Disconnected {
        credential: credential("eu"),
        mappings: 1,
        unexpired_signals: Some(5),
    };
    for affected in [CONTOSO, TAILSPIN] {
        assert_eq!(host.told(affected).await, std::slice::from_ref(&told));
    }
    assert_eq!(host.told(FABRIKAM).await, [], "it is in the other region");
    let far = host.clock.now() + Duration::days(30);
    let outbox = host.store.outbox(MSP, far, 100).await.unwrap();
    let noted = outbox
        .iter()
        .filter(|row| matches!(row.action, OutboxAction::Note { .. }))
        .map(|row| tickets.iter().find(|ticket| Some(ticket.id) == row.ticket))
        .map(|ticket| ticket.map(|ticket| ticket.key.mapping));
    assert_eq!(noted.collect::<Vec<_>>(), [Some(mapping("eu", 1))]);

    // What was planned before is skipped; what is planned now is the other region's.
    for event in planned {
        let swept = host.integration.sweep(&event).await.unwrap();
        if event.region == region("eu") {
            assert_eq!(swept, SweepOutcome::Skipped(SkipReason::Disconnected));
        } else {
            assert!(matches!(swept, SweepOutcome::Committed(_)), "{swept:?}");
        }
    }
    let ours = sorted([mapping("us", 1), mapping("us", 2)]);
    assert_eq!(host.sweep().await, ours);
    let before = host.assets().await;
    host.sync("us", "then").await;
    assert_eq!(host.assets().await, before);
    let eu = region("eu");
    let synced = host.integration.sync_assets(
        MSP,
        SyncAssets {
            region: eu.clone(),
            actor: Actor::Schedule,
            event: event("sync eu then"),
        },
    );
    assert_eq!(
        synced.await.unwrap_err().kind(),
        ErrorKind::NotConnected,
        "it is disconnected"
    );

    // Connected again it goes on, with the same assets.
    host.connect("eu", "again").await;
    host.sync("eu", "again").await;
    let active = host.names().await;
    assert_eq!(active, [[of("eu"), of("us")].concat(), vec![]]);
    assert_eq!(host.sweep().await, all);
}

/// What a disconnected region has shown last counts for a week. Then a company of it is unknown, however well its other
/// region does, until the region is connected again or its organization is no longer the company's.
pub async fn a_disconnected_region_is_unknown_and_never_a_pass(
    store: impl FnOnce(StoreClock) -> Arc<dyn Store>,
) {
    let host = Host::on(store).await;
    host.sweep().await;
    host.disconnect("eu", "first").await;
    let expires = host.posture().await.first().unwrap().expires_at.unwrap();
    assert_eq!(expires - host.clock.now(), Duration::days(7));
    let all_are = |postures: &[Posture], status, without_signal| {
        assert_eq!(postures.len(), 5);
        for posture in postures {
            let said = (posture.status, posture.without_signal, posture.mappings);
            assert_eq!(said, (status, without_signal, 2), "{posture:?}");
            assert_eq!(posture.complete, without_signal == 0);
        }
    };
    while host.clock.now() + Duration::hours(6) < expires {
        host.sweep().await;
        all_are(&host.posture().await, Status::Pass, 0);
    }
    host.clock.set(expires - Duration::MICROSECOND);
    all_are(&host.posture().await, Status::Pass, 0);
    host.clock.set(expires);
    all_are(&host.posture().await, Status::Unknown, 1);
    let ours = sorted([mapping("us", 1), mapping("us", 2)]);
    assert_eq!(host.sweep().await, ours);
    all_are(&host.posture().await, Status::Unknown, 1);

    // A failure that is seen is worse than what is not.
    let fails = ((1, SignalKind::PatchSla), Status::Fail);
    host.ninjaone("us").script().verdicts_of.extend([fails]);
    host.sweep().await;
    for posture in host.posture().await {
        let expected = if posture.signal == SignalKind::PatchSla {
            Status::Fail
        } else {
            Status::Unknown
        };
        assert_eq!(posture.status, expected, "{posture:?}");
    }
    host.ninjaone("us").script().verdicts_of.clear();
    host.sweep().await;

    host.connect("eu", "again").await;
    all_are(&host.posture().await, Status::Unknown, 1);
    host.sweep().await;
    all_are(&host.posture().await, Status::Pass, 0);
    host.disconnect("eu", "again").await;
    host.map("eu", 1, Choice::Undecide).await;
    for posture in host.posture().await {
        assert_eq!((posture.status, posture.mappings), (Status::Pass, 1));
    }
}
