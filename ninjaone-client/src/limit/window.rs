//! The history of sent requests, and the time when the next one fits. The functions are pure: the time is an argument.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use super::policy::QuotaWindow;

/// Two requests that are exactly one period apart are in the same closed window. One more millisecond separates them.
const APART: Duration = Duration::from_millis(1);

/// The times of sent requests, oldest first, as far back as the longest window.
#[derive(Debug, Default)]
pub(crate) struct History {
    sent: VecDeque<Instant>,
    longest: Duration,
}

impl History {
    /// The time when the next request fits into all `windows`: `now`, or later.
    pub(crate) fn next(&self, windows: &[QuotaWindow], now: Instant) -> Instant {
        windows
            .iter()
            .filter_map(|window| {
                // The next request fits in after this one has left the window.
                let index = self.sent.len().checked_sub(window.requests)?;
                self.sent
                    .get(index)
                    .map(|sent| *sent + window.period + APART)
            })
            .max()
            .map_or(now, |fits| fits.max(now))
    }

    /// Notes a request sent at `now`, and returns the time under which it is noted.
    pub(crate) fn note(&mut self, windows: &[QuotaWindow], now: Instant) -> Instant {
        let longest = windows
            .iter()
            .map(|window| window.period)
            .max()
            .unwrap_or_default();
        self.longest = self.longest.max(longest);
        // The clock of a process never goes back, but the clocks of two paused test runtimes may differ.
        let now = self.sent.back().map_or(now, |last| now.max(*last));
        self.forget(now);
        self.sent.push_back(now);
        now
    }

    /// Removes the request noted at `noted`, which was not sent after all.
    pub(crate) fn strike_out(&mut self, noted: Instant) {
        if let Some(place) = self.sent.iter().rposition(|sent| *sent == noted) {
            self.sent.remove(place);
        }
    }

    /// Forgets requests that are older than every window.
    pub(crate) fn forget(&mut self, now: Instant) {
        while self
            .sent
            .front()
            .is_some_and(|sent| *sent + self.longest + APART <= now)
        {
            self.sent.pop_front();
        }
    }

    /// Requests sent within `period` before `now`.
    pub(crate) fn within(&self, period: Duration, now: Instant) -> usize {
        let gone = self
            .sent
            .partition_point(|sent| *sent + period + APART <= now);
        self.sent.len() - gone
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Simulates a sender that asks at random moments over hours, and sends as soon as its request fits.
    fn simulate(windows: &[QuotaWindow], gaps: &[u64]) -> Vec<Duration> {
        let start = Instant::now();
        let mut history = History::default();
        let mut now = start;
        let mut sent = Vec::new();
        for gap in gaps {
            now += Duration::from_millis(*gap);
            now = history.next(windows, now);
            history.note(windows, now);
            sent.push(now - start);
        }
        sent
    }

    fn most_within(sent: &[Duration], period: Duration) -> usize {
        // Checks only closed windows that begin at a request, because no other window contains more.
        sent.iter()
            .enumerate()
            .map(|(first, begin)| {
                sent.iter()
                    .skip(first)
                    .take_while(|at| **at <= *begin + period)
                    .count()
            })
            .max()
            .unwrap_or(0)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn no_window_of_any_length_is_ever_exceeded(
            gaps in proptest::collection::vec(prop_oneof![8 => 0_u64..20, 1 => 0_u64..90_000, 1 => 0_u64..4_000_000], 1..2500),
            minute in 1_usize..250, hour in 1_usize..1600,
        ) {
            let windows = [
                QuotaWindow { requests: minute, period: Duration::from_secs(60) },
                QuotaWindow { requests: hour, period: Duration::from_secs(3600) },
            ];
            let sent = simulate(&windows, &gaps);
            for window in windows {
                prop_assert!(most_within(&sent, window.period) <= window.requests);
                // A longer period contains at most the quota of the windows that cover it.
                for times in 2..5 {
                    let stretch = window.period * times;
                    prop_assert!(most_within(&sent, stretch) <= window.requests * (times as usize + 1));
                }
            }
        }
    }

    #[test]
    fn the_whole_quota_is_there_at_once_and_again_a_minute_later() {
        let windows = [QuotaWindow {
            requests: 200,
            period: Duration::from_secs(60),
        }];
        let sent = simulate(&windows, &[0; 401]);
        assert!(sent[..200].iter().all(Duration::is_zero));
        assert!(
            sent[200..400]
                .iter()
                .all(|at| *at == Duration::from_millis(60_001))
        );
        assert_eq!(sent[400], Duration::from_millis(120_002));
    }

    #[test]
    fn what_no_window_reaches_is_forgotten() {
        let windows = [QuotaWindow {
            requests: 10,
            period: Duration::from_secs(60),
        }];
        let start = Instant::now();
        let mut history = History::default();
        for second in 0..10_000 {
            let now = history.next(&windows, start + Duration::from_secs(second));
            history.note(&windows, now);
            assert!(history.sent.len() <= 11);
        }
        history.forget(start + Duration::from_secs(1_000_000));
        assert!(history.is_empty());
    }
}
