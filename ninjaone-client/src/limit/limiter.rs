//! The queue for the windows. It has two lanes, and each lane serves requests in the order of arrival.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use super::{
    policy::{Lane, QuotaWindow, RateLimit},
    window::History,
};

/// Counts the requests of one NinjaOne tenant and admits them one by one.
///
/// All clients in the process with the same host and client id share one limiter. To share it differently, pass a limiter to
/// [`ClientBuilder::limiter`](crate::ClientBuilder::limiter).
#[derive(Default)]
pub struct Limiter {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    history: History,
    /// No request is sent before this time, because NinjaOne asked for a pause.
    paused_until: Option<Instant>,
    interactive: VecDeque<Arc<Notify>>,
    sweep: VecDeque<Arc<Notify>>,
}

/// The use of a budget, for an operator's display.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetUse {
    /// For each window of the policy: requests sent within it, requests allowed, and its length. Empty if unlimited.
    pub windows: Vec<(usize, usize, Duration)>,
    /// Number of waiting requests of people.
    pub interactive_waiting: usize,
    /// Number of waiting requests of sweeps.
    pub sweep_waiting: usize,
    /// The rest of the pause that NinjaOne asked for, from now.
    pub paused_for: Duration,
}

impl Limiter {
    /// A limiter with an empty history.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits until one request may be sent, and counts it as sent now. The caller must send it at once.
    ///
    /// If the future is dropped, the request leaves the queue and is not counted. `began` is the time when the caller began to wait for the
    /// budget.
    ///
    /// # Errors
    /// Returns the necessary wait, if it is longer than the longest wait of the policy.
    pub(crate) async fn acquire(
        &self,
        limit: &RateLimit,
        lane: Lane,
        began: Instant,
        mut waiting: impl FnMut(Duration),
    ) -> Result<Permit<'_>, Duration> {
        let windows = limit.lane(lane);
        let place = {
            let mut state = self.lock();
            let now = Instant::now();
            if state.queue_is_clear(lane) {
                let fits = state.fits(&windows, now);
                if fits <= now {
                    return Ok(Permit {
                        limiter: self,
                        noted: state.history.note(&windows, now),
                    });
                }
                if limit.wait_at_most().is_some_and(|most| fits - began > most) {
                    return Err(fits - now);
                }
            }
            let place = Place {
                limiter: self,
                lane,
                notify: Arc::new(Notify::new()),
            };
            state.lane(lane).push_back(Arc::clone(&place.notify));
            place
        };
        let mut told = None;
        loop {
            let (is_first, fits) = {
                let mut state = self.lock();
                let now = Instant::now();
                let fits = state.fits(&windows, now);
                let is_first = state.is_first(lane, &place.notify);
                if is_first && fits <= now {
                    let noted = state.history.note(&windows, now);
                    drop(state);
                    // Dropping the place removes it from the queue and wakes the next request.
                    return Ok(Permit {
                        limiter: self,
                        noted,
                    });
                }
                if is_first && limit.wait_at_most().is_some_and(|most| fits - began > most) {
                    return Err(fits - now);
                }
                (is_first, fits)
            };
            // A request that is not first reports the shortest possible wait, once. The first request reports every change.
            if told.is_none() || (is_first && told != Some(fits)) {
                waiting(fits.saturating_duration_since(Instant::now()));
                told = Some(fits);
            }
            let moved = place.notify.notified();
            if is_first {
                // Wakes when the request fits or when the queue has changed. Check again in both cases.
                let _ = tokio::time::timeout_at(fits, moved).await;
            } else if let Some(most) = limit.wait_at_most() {
                if tokio::time::timeout_at(began + most, moved).await.is_err() {
                    let now = Instant::now();
                    return Err(self.lock().fits(&windows, now) - now);
                }
            } else {
                moved.await;
            }
        }
    }

    /// Returns the rest of the pause that NinjaOne asked for.
    pub(crate) fn paused_for(&self) -> Duration {
        let until = self.lock().paused_until;
        until.map_or(Duration::ZERO, |until| {
            until.saturating_duration_since(Instant::now())
        })
    }

    /// Pauses all requests for `wait`, after NinjaOne asked one of them to wait.
    pub(crate) fn pause(&self, wait: Duration) {
        let mut state = self.lock();
        let until = Instant::now().checked_add(wait);
        state.paused_until = state.paused_until.max(until);
        state.wake();
    }

    pub(crate) fn used(&self, limit: &RateLimit) -> BudgetUse {
        let state = self.lock();
        let now = Instant::now();
        BudgetUse {
            windows: limit
                .lane(Lane::Interactive)
                .into_iter()
                .map(|window| {
                    (
                        state.history.within(window.period, now),
                        window.requests,
                        window.period,
                    )
                })
                .collect(),
            interactive_waiting: state.interactive.len(),
            sweep_waiting: state.sweep.len(),
            paused_for: state
                .paused_until
                .map_or(Duration::ZERO, |until| until.saturating_duration_since(now)),
        }
    }

    /// Whether the history is no longer relevant.
    pub(crate) fn is_idle(&self) -> bool {
        let mut state = self.lock();
        let now = Instant::now();
        state.history.forget(now);
        state.history.is_empty() && state.paused_until.is_none_or(|until| until <= now)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is consistent between any two statements, so a panic elsewhere does not damage it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn lane(&mut self, lane: Lane) -> &mut VecDeque<Arc<Notify>> {
        match lane {
            Lane::Interactive => &mut self.interactive,
            Lane::Sweep => &mut self.sweep,
        }
    }

    /// Whether a new request of this lane does not have to queue.
    fn queue_is_clear(&self, lane: Lane) -> bool {
        self.interactive.is_empty() && (lane == Lane::Interactive || self.sweep.is_empty())
    }

    fn is_first(&self, lane: Lane, me: &Arc<Notify>) -> bool {
        let queue = match lane {
            Lane::Interactive => &self.interactive,
            Lane::Sweep if self.interactive.is_empty() => &self.sweep,
            Lane::Sweep => return false,
        };
        queue.front().is_some_and(|first| Arc::ptr_eq(first, me))
    }

    fn fits(&self, windows: &[QuotaWindow], now: Instant) -> Instant {
        self.history
            .next(windows, now)
            .max(self.paused_until.unwrap_or(now))
    }

    /// Wakes the first request of each lane.
    fn wake(&self) {
        for first in [self.interactive.front(), self.sweep.front()]
            .into_iter()
            .flatten()
        {
            first.notify_one();
        }
    }
}

/// One request that was counted.
#[must_use = "a request that is not sent is given back"]
pub(crate) struct Permit<'a> {
    limiter: &'a Limiter,
    noted: Instant,
}

impl Permit<'_> {
    /// Removes the request from the count, because it was not sent.
    pub(crate) fn give_back(self) {
        let mut state = self.limiter.lock();
        state.history.strike_out(self.noted);
        state.wake();
    }
}

/// A place in the queue. Dropping it leaves the queue.
struct Place<'a> {
    limiter: &'a Limiter,
    lane: Lane,
    notify: Arc<Notify>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.limiter.lock();
        let me = &self.notify;
        state
            .lane(self.lane)
            .retain(|other| !Arc::ptr_eq(other, me));
        state.wake();
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Limiter")
            .field("interactive_waiting", &state.interactive.len())
            .field("sweep_waiting", &state.sweep.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit() -> RateLimit {
        RateLimit::default().windows([
            (10, Duration::from_secs(60)),
            (100, Duration::from_secs(3600)),
        ])
    }

    async fn take(limiter: &Limiter, lane: Lane) {
        let _ = acquire(limiter, &limit(), lane).await.unwrap();
    }

    async fn acquire<'a>(
        limiter: &'a Limiter,
        limit: &RateLimit,
        lane: Lane,
    ) -> Result<Permit<'a>, Duration> {
        limiter.acquire(limit, lane, Instant::now(), |_| {}).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_person_is_not_starved_by_a_sweep() {
        let limiter = Arc::new(Limiter::new());
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let limiter = Arc::clone(&limiter);
            tasks.spawn(async move { take(&limiter, Lane::Sweep).await });
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let before = Instant::now();
        take(&limiter, Lane::Interactive).await;
        assert_eq!(
            before.elapsed(),
            Duration::ZERO,
            "a sweep of 50 left the person's tenth free"
        );
        // A person's request that finds the window full is still the next one served.
        let second = Instant::now();
        take(&limiter, Lane::Interactive).await;
        assert!(second.elapsed() <= Duration::from_secs(60));
        assert_eq!(limiter.used(&limit()).sweep_waiting, 41);
        tasks.join_all().await;
    }

    #[tokio::test(start_paused = true)]
    async fn within_a_lane_first_come_is_first_served() {
        let limiter = Arc::new(Limiter::new());
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..60 {
            let (limiter, order) = (Arc::clone(&limiter), Arc::clone(&order));
            tasks.spawn(async move {
                take(&limiter, Lane::Sweep).await;
                order.lock().unwrap().push(number);
            });
        }
        tasks.join_all().await;
        assert_eq!(*order.lock().unwrap(), (0..60).collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_request_gives_its_place_up() {
        let limiter = Arc::new(Limiter::new());
        for _ in 0..10 {
            take(&limiter, Lane::Interactive).await;
        }
        let gives_up =
            tokio::time::timeout(Duration::from_secs(5), take(&limiter, Lane::Interactive));
        assert!(gives_up.await.is_err());
        assert_eq!(limiter.used(&limit()).interactive_waiting, 0);
        take(&limiter, Lane::Sweep).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_everybody_back() {
        let limiter = Limiter::new();
        limiter.pause(Duration::from_secs(30));
        let before = Instant::now();
        take(&limiter, Lane::Interactive).await;
        assert!(before.elapsed() >= Duration::from_secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn what_would_wait_too_long_is_refused_with_the_wait() {
        let limiter = Limiter::new();
        let limit = limit().longest_wait(Duration::from_secs(10));
        for _ in 0..10 {
            let _ = acquire(&limiter, &limit, Lane::Interactive).await.unwrap();
        }
        let refused = acquire(&limiter, &limit, Lane::Interactive).await;
        let wait = refused.err().unwrap();
        assert!(
            wait > Duration::from_secs(59) && wait < Duration::from_secs(61),
            "{wait:?}"
        );
        assert!(!limiter.is_idle());
        tokio::time::sleep(Duration::from_secs(3601)).await;
        assert!(limiter.is_idle());
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_not_sent_counts_no_more() {
        let limiter = Limiter::new();
        for _ in 0..9 {
            take(&limiter, Lane::Interactive).await;
        }
        let limit = limit();
        let last = acquire(&limiter, &limit, Lane::Interactive).await.unwrap();
        let before = Instant::now();
        let next = take(&limiter, Lane::Interactive);
        let give_back = async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            last.give_back();
        };
        tokio::join!(next, give_back);
        assert_eq!(before.elapsed(), Duration::from_secs(2));
        assert_eq!(limiter.used(&limit).windows[0].0, 10);
    }

    /// A simulated caller: when it asks (ms), whether it is a person, and how long it waits (ms).
    type Asker = (u64, bool, Option<u64>);

    /// Runs the callers in simulated time. Returns each caller's lane, the time it asked, and the time it was admitted, if it was.
    async fn play(askers: &[Asker]) -> Vec<(Lane, Instant, Option<Instant>)> {
        let limiter = Arc::new(Limiter::new());
        let mut tasks = tokio::task::JoinSet::new();
        for (delay, person, patience) in askers.iter().copied() {
            let limiter = Arc::clone(&limiter);
            let lane = if person {
                Lane::Interactive
            } else {
                Lane::Sweep
            };
            tasks.spawn(async move {
                tokio::time::sleep(Duration::from_millis(delay)).await;
                let asked = Instant::now();
                let taken = take(&limiter, lane);
                let let_through = if let Some(patience) = patience {
                    let patience = Duration::from_millis(patience);
                    tokio::time::timeout(patience, taken).await.is_ok()
                } else {
                    taken.await;
                    true
                };
                (lane, asked, let_through.then(Instant::now))
            });
        }
        tasks.join_all().await
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
        #[test]
        fn windows_hold_and_people_go_first_when_callers_ask_and_give_up(
            askers in proptest::collection::vec(
                (0_u64..400_000, proptest::bool::weighted(0.2), proptest::option::weighted(0.3, 0_u64..100_000)),
                1..120,
            ),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            let played = runtime.block_on(play(&askers));
            let mut sent: Vec<_> = played.iter().filter_map(|(_, _, sent)| *sent).collect();
            sent.sort_unstable();
            for (requests, period) in limit().windows_of(Lane::Interactive) {
                for begin in &sent {
                    let within = sent.iter().filter(|at| *at >= begin && **at <= *begin + period).count();
                    proptest::prop_assert!(within <= requests);
                }
            }
            let patient = askers.iter().filter(|(_, _, patience)| patience.is_none()).count();
            proptest::prop_assert!(sent.len() >= patient, "everybody who waits is let through");
            for (_, asked, let_through) in played.iter().filter(|(lane, ..)| *lane == Lane::Interactive) {
                let Some(let_through) = let_through else { continue };
                let overtaken = played
                    .iter()
                    .filter(|(lane, ..)| *lane == Lane::Sweep)
                    .filter_map(|(_, _, sent)| *sent)
                    .any(|sent| sent > *asked && sent < *let_through);
                proptest::prop_assert!(!overtaken, "no sweep is served while a person waits");
            }
        }
    }
}
