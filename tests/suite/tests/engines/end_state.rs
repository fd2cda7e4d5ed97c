//! What a tick leaves behind, without what differs from run to run: times, hashes and counts of requests.

use std::collections::BTreeMap;

use regentra_sync::{
    host::{Clock as _, SystemClock},
    model::chain_start,
    regentra_evidence::{SignalKind, verify_chain},
    store::{Evidence as _, Tickets as _},
};
use serde_json::Value;

use crate::site::{Site, msp};

const ALL: u32 = 100_000;

/// By what it is about, as text.
pub(crate) type EndState = BTreeMap<String, String>;

/// Signals, facts, tickets and outbox of a site. Every chain has to verify, and to have one record of each tick.
pub(crate) async fn end_state(site: &Site, ticks: u64) -> EndState {
    let store = site.place.store().await;
    let mut rows = EndState::new();
    for (mapping, customer) in &site.mappings {
        for kind in SignalKind::ALL {
            let about = format!("{mapping} {kind}");
            let history = store
                .signal_history(*customer, *mapping, kind, ALL)
                .await
                .unwrap();
            assert_eq!(history.len() as u64, ticks, "signals of {about}");
            let mut signal = serde_json::to_value(&history[0]).unwrap();
            forget_times(&mut signal);
            rows.insert(format!("signal {about}"), signal.to_string());

            let chain = store
                .evidence_chain(*customer, *mapping, kind, 0, ALL)
                .await
                .unwrap();
            let start = chain_start(*customer, *mapping, kind);
            let head = verify_chain(start, chain.iter().map(|row| &row.link), &[]).unwrap();
            assert_eq!(head.length, ticks, "records of {about}");
            let record: Value = serde_json::from_str(&chain.last().unwrap().link.record).unwrap();
            rows.insert(format!("facts {about}"), record["facts"].to_string());
        }
    }
    for ticket in store.tickets(msp(), None).await.unwrap() {
        let mut row = serde_json::to_value(&ticket).unwrap();
        forget_times(&mut row);
        rows.insert(format!("ticket {}", ticket.id), row.to_string());
    }
    // When every digest is due.
    let far = SystemClock.now() + time::Duration::days(1);
    for row in store.outbox(msp(), far, ALL).await.unwrap() {
        let id = row.id;
        rows.insert(format!("outbox {id}"), String::new());
    }
    store.close().await;
    rows
}

/// Takes every field out whose name is that of a time.
fn forget_times(row: &mut Value) {
    match row {
        Value::Object(fields) => {
            fields.retain(|name, _| !name.ends_with("_at") && !name.ends_with("_since"));
            fields.values_mut().for_each(forget_times);
        }
        Value::Array(rows) => rows.iter_mut().for_each(forget_times),
        _ => {}
    }
}

/// Shows what is different, and fails if anything is.
pub(crate) fn assert_same(undisturbed: &EndState, disturbed: &EndState, what: &str) {
    let mut different = Vec::new();
    for key in undisturbed.keys().chain(
        disturbed
            .keys()
            .filter(|key| !undisturbed.contains_key(*key)),
    ) {
        let (one, other) = (undisturbed.get(key), disturbed.get(key));
        if one != other {
            different.push(format!(
                "{key}\n  undisturbed: {one:?}\n  {what}: {other:?}"
            ));
        }
    }
    let (count, some) = (different.len(), different.iter().take(5));
    let some: Vec<_> = some.cloned().collect();
    assert!(
        count == 0,
        "{count} of {} differ:\n{}",
        undisturbed.len(),
        some.join("\n")
    );
}
