//! Laws of [`Budget`](crate::store::Budget).

use futures_util::future::join_all;
use time::{Duration, OffsetDateTime};

use super::world::{at, digest_of};
use crate::{
    host::ManualClock,
    model::{BudgetUsage, Fingerprint, Spend, Window},
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
    Fingerprint::from_bytes(digest_of("tenant"))
}

fn second(seconds: i64) -> OffsetDateTime {
    at(0) + Duration::seconds(seconds)
}

async fn spend((store, clock): (&dyn Store, &ManualClock), seconds: i64) -> Spend {
    clock.set(second(seconds));
    store.spend(&tenant(), &WINDOWS).await.unwrap()
}

pub async fn a_window_never_holds_more_than_its_limit(store: &dyn Store, clock: &ManualClock) {
    let mut granted = Vec::new();
    for tenth in 0_i64..120 {
        let now = second(tenth * 61);
        clock.set(now);
        if store.spend(&tenant(), &WINDOWS).await.unwrap() == Spend::Granted {
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

pub async fn an_exhausted_budget_counts_nothing_and_says_when(
    store: &dyn Store,
    clock: &ManualClock,
) {
    for seconds in [0, 10, 20] {
        assert_eq!(spend((store, clock), seconds).await, Spend::Granted);
    }
    for _ in 0..3 {
        assert_eq!(
            spend((store, clock), 30).await,
            Spend::Exhausted {
                retry_after: Duration::seconds(30)
            }
        );
    }
    let wait = store.budget_wait(&tenant(), &WINDOWS).await.unwrap();
    assert_eq!(
        wait,
        Duration::seconds(30),
        "as long, and nothing is counted"
    );
    let usage = store.budget_usage(&tenant()).await.unwrap();
    assert_eq!(
        usage,
        BudgetUsage {
            last_minute: 3,
            last_hour: 3,
            ahead: 0
        }
    );
    let just_before = second(60) - Duration::microseconds(1);
    clock.set(just_before);
    assert!(matches!(
        store.spend(&tenant(), &WINDOWS).await.unwrap(),
        Spend::Exhausted { .. }
    ));
    assert_eq!(
        spend((store, clock), 60).await,
        Spend::Granted,
        "at that very time"
    );
    assert_eq!(spend((store, clock), 70).await, Spend::Granted);
    // The hour is full now: the first request of it has to leave.
    assert_eq!(
        spend((store, clock), 200).await,
        Spend::Exhausted {
            retry_after: Duration::seconds(3_400)
        }
    );
    let usage = store.budget_usage(&tenant()).await.unwrap();
    assert_eq!(
        usage,
        BudgetUsage {
            last_minute: 0,
            last_hour: 5,
            ahead: 0
        }
    );
    assert_eq!(spend((store, clock), 3_600).await, Spend::Granted);
    let none = [Window {
        limit: 0,
        length: Duration::minutes(1),
    }];
    clock.set(second(9_000));
    let retry_after = Duration::minutes(1);
    assert_eq!(
        store.spend(&tenant(), &none).await.unwrap(),
        Spend::Exhausted { retry_after },
        "a limit of nothing grants nothing"
    );
    let wait = |windows: &'static [Window]| async move {
        let wait = store.budget_wait(&tenant(), windows).await;
        wait.unwrap()
    };
    assert_eq!(wait(&WINDOWS).await, Duration::ZERO, "there is room");
}

pub async fn many_at_once_never_overflow_a_window(store: &dyn Store, clock: &ManualClock) {
    let outcomes = join_all((0..8).map(|_| spend((store, clock), 0))).await;
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| **outcome == Spend::Granted)
            .count(),
        3
    );
}

pub async fn budgets_of_tenants_are_apart(store: &dyn Store, clock: &ManualClock) {
    for _ in 0..3 {
        assert_eq!(spend((store, clock), 0).await, Spend::Granted);
    }
    assert!(matches!(
        spend((store, clock), 0).await,
        Spend::Exhausted { .. }
    ));
    let other = Fingerprint::from_bytes(digest_of("other"));
    assert_eq!(store.spend(&other, &WINDOWS).await.unwrap(), Spend::Granted);
    let usage = store.budget_usage(&other).await.unwrap();
    assert_eq!(
        usage,
        BudgetUsage {
            last_minute: 1,
            last_hour: 1,
            ahead: 0
        }
    );
}

pub async fn requests_stamped_ahead_count_as_started_now(store: &dyn Store, clock: &ManualClock) {
    // A year ahead the hour's quota is spent.
    let year = 365 * 24 * 60 * 60;
    for seconds in [0, 10, 20, 70, 80] {
        assert_eq!(spend((store, clock), year + seconds).await, Spend::Granted);
    }
    clock.set(second(0));
    let usage = store.budget_usage(&tenant()).await.unwrap();
    let started_now = BudgetUsage {
        last_minute: 5,
        last_hour: 5,
        ahead: 5,
    };
    assert_eq!(usage, started_now, "the card shows them");
    // They are waited for no longer than for requests that started now, and never is more spent than there is.
    let retry_after = Duration::HOUR;
    assert_eq!(
        store.budget_wait(&tenant(), &WINDOWS).await.unwrap(),
        retry_after
    );
    assert_eq!(
        spend((store, clock), 0).await,
        Spend::Exhausted { retry_after }
    );
    let usage = store.budget_usage(&tenant()).await.unwrap();
    let ahead = 0;
    assert_eq!(
        usage,
        BudgetUsage {
            ahead,
            ..started_now
        },
        "asking stamped them again"
    );
    assert!(matches!(
        spend((store, clock), 3_599).await,
        Spend::Exhausted { .. }
    ));
    assert_eq!(spend((store, clock), 3_600).await, Spend::Granted);
}
