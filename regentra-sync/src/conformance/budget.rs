//! Laws of [`Budget`](crate::store::Budget).

use futures_util::future::join_all;
use time::{Duration, OffsetDateTime};

use super::world::at;
use crate::{
    budget::{BudgetUsage, Spend, Window},
    credential::Fingerprint,
    store::Store,
};

const WINDOWS: [Window; 2] = [
    Window {
        limit: 3,
        length: Duration::seconds(60),
    },
    Window {
        limit: 5,
        length: Duration::hours(1),
    },
];

fn tenant() -> Fingerprint {
    Fingerprint::from_hex("tenant")
}

fn second(seconds: i64) -> OffsetDateTime {
    at(0) + Duration::seconds(seconds)
}

async fn spend(store: &dyn Store, seconds: i64) -> Spend {
    store
        .spend(&tenant(), second(seconds), &WINDOWS)
        .await
        .unwrap()
}

pub async fn a_window_never_holds_more_than_its_limit(store: &dyn Store) {
    let mut granted = Vec::new();
    for tenth in 0_i64..120 {
        let now = second(tenth * 61);
        if store.spend(&tenant(), now, &WINDOWS).await.unwrap() == Spend::Granted {
            granted.push(now);
        }
    }
    for window in WINDOWS {
        for start in &granted {
            let within = granted
                .iter()
                .filter(|at| *at >= start && **at < *start + window.length)
                .count();
            assert!(within <= window.limit as usize);
        }
    }
    assert!(
        granted.len() >= 10,
        "the whole quota can be had: {}",
        granted.len()
    );
}

pub async fn an_exhausted_budget_counts_nothing_and_says_when(store: &dyn Store) {
    for seconds in [0, 10, 20] {
        assert_eq!(spend(store, seconds).await, Spend::Granted);
    }
    for _ in 0..3 {
        assert_eq!(
            spend(store, 30).await,
            Spend::Exhausted {
                retry_at: second(60)
            }
        );
    }
    let usage = store.budget_usage(&tenant(), second(30)).await.unwrap();
    assert_eq!(
        usage,
        BudgetUsage {
            last_minute: 3,
            last_hour: 3
        }
    );
    let just_before = second(60) - Duration::microseconds(1);
    assert!(matches!(
        store.spend(&tenant(), just_before, &WINDOWS).await.unwrap(),
        Spend::Exhausted { .. }
    ));
    assert_eq!(spend(store, 60).await, Spend::Granted, "at that very time");
    assert_eq!(spend(store, 70).await, Spend::Granted);
    // The hour is full now: the first request of it has to leave.
    assert_eq!(
        spend(store, 200).await,
        Spend::Exhausted {
            retry_at: second(3_600)
        }
    );
    let usage = store.budget_usage(&tenant(), second(200)).await.unwrap();
    assert_eq!(
        usage,
        BudgetUsage {
            last_minute: 0,
            last_hour: 5
        }
    );
    assert_eq!(spend(store, 3_600).await, Spend::Granted);
    let none = [Window {
        limit: 0,
        length: Duration::minutes(1),
    }];
    let outcome = store.spend(&tenant(), second(9_000), &none).await.unwrap();
    assert!(
        matches!(outcome, Spend::Exhausted { .. }),
        "a limit of nothing grants nothing"
    );
}

pub async fn many_at_once_never_overflow_a_window(store: &dyn Store) {
    let outcomes = join_all((0..8).map(|_| spend(store, 0))).await;
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| **outcome == Spend::Granted)
            .count(),
        3
    );
}

pub async fn budgets_of_tenants_are_apart(store: &dyn Store) {
    for _ in 0..3 {
        assert_eq!(spend(store, 0).await, Spend::Granted);
    }
    assert!(matches!(spend(store, 0).await, Spend::Exhausted { .. }));
    let other = Fingerprint::from_hex("other");
    assert_eq!(
        store.spend(&other, second(0), &WINDOWS).await.unwrap(),
        Spend::Granted
    );
    let usage = store.budget_usage(&other, second(0)).await.unwrap();
    assert_eq!(
        usage,
        BudgetUsage {
            last_minute: 1,
            last_hour: 1
        }
    );
}
