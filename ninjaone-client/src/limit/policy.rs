//! The number of requests that a client may send.

use std::time::Duration;

/// The priority of a request.
///
/// People have priority: while a person's request waits, no sweep is served. A sweep also leaves a share of the budget free, so that a
/// person rarely has to wait at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Lane {
    /// A person is waiting for the response.
    Interactive,
    /// Background work, which may take hours.
    Sweep,
}

/// The number of requests that a client may send.
///
/// The default is NinjaOne's limit as operators report it: 200 requests in any minute and 1,500 in any hour, per tenant. Sweeps leave a
/// tenth free. Both windows slide and are exact: at no time have more than 200 requests been sent within the minute before.
#[derive(Debug, Clone, PartialEq)]
pub struct RateLimit {
    windows: Option<Vec<QuotaWindow>>,
    left_free: f64,
    longest_wait: Option<Duration>,
}

/// A limit of `requests` requests within any `period`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QuotaWindow {
    pub(crate) requests: usize,
    pub(crate) period: Duration,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self {
            windows: Some(vec![
                QuotaWindow {
                    requests: 200,
                    period: Duration::from_secs(60),
                },
                QuotaWindow {
                    requests: 1500,
                    period: Duration::from_secs(3600),
                },
            ]),
            left_free: 0.1,
            longest_wait: None,
        }
    }
}

impl RateLimit {
    /// No limit: for private gateways that have their own limit, and for benchmarks.
    #[must_use]
    pub fn unlimited() -> Self {
        Self {
            windows: None,
            ..Self::default()
        }
    }

    /// Sets the windows, each as (requests, period). An empty list means [`Self::unlimited`]. Zero requests count as one.
    #[must_use]
    pub fn windows(mut self, windows: impl IntoIterator<Item = (usize, Duration)>) -> Self {
        let windows: Vec<_> = windows
            .into_iter()
            .map(|(requests, period)| QuotaWindow {
                requests: requests.max(1),
                period,
            })
            .collect();
        self.windows = (!windows.is_empty()).then_some(windows);
        self
    }

    /// Sets the share of every window that [`Lane::Sweep`] leaves free, from 0 to 1. Default: 0.1.
    #[must_use]
    pub fn left_free(mut self, share: f64) -> Self {
        self.left_free = if share.is_finite() {
            share.clamp(0.0, 1.0)
        } else {
            0.0
        };
        self
    }

    /// Sets the longest wait for the budget. A request that would have to wait longer fails at once with
    /// [`RateLimited`](crate::ErrorKind::RateLimited). By default, a request waits as long as necessary.
    #[must_use]
    pub fn longest_wait(mut self, wait: Duration) -> Self {
        self.longest_wait = Some(wait);
        self
    }

    /// Returns whether there is no limit.
    #[must_use]
    pub fn is_unlimited(&self) -> bool {
        self.windows.is_none()
    }

    /// Returns the windows that one lane may fill, each as (requests, period); none if unlimited.
    #[must_use]
    pub fn windows_of(&self, lane: Lane) -> Vec<(usize, Duration)> {
        self.lane(lane)
            .into_iter()
            .map(|window| (window.requests, window.period))
            .collect()
    }

    pub(crate) fn lane(&self, lane: Lane) -> Vec<QuotaWindow> {
        let share = match lane {
            Lane::Interactive => 0.0,
            Lane::Sweep => self.left_free,
        };
        self.windows
            .iter()
            .flatten()
            .map(|window| QuotaWindow {
                // At least one request, because a small window would otherwise block sweeps for ever.
                requests: (window.requests - part(window.requests, share)).max(1),
                period: window.period,
            })
            .collect()
    }

    pub(crate) fn wait_at_most(&self) -> Option<Duration> {
        self.longest_wait
    }
}

/// The share of `whole`, rounded up, but never more than `whole`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share between 0 and 1 of a window of some thousand requests"
)]
fn part(whole: usize, share: f64) -> usize {
    ((whole as f64 * share).ceil() as usize).min(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_leaves_a_tenth_free() {
        let limit = RateLimit::default();
        let requests = |lane| {
            limit
                .windows_of(lane)
                .into_iter()
                .map(|(requests, _)| requests)
                .collect::<Vec<_>>()
        };
        assert_eq!(requests(Lane::Interactive), [200, 1500]);
        assert_eq!(requests(Lane::Sweep), [180, 1350]);
        assert!(RateLimit::unlimited().windows_of(Lane::Sweep).is_empty());
        let tiny = RateLimit::default()
            .windows([(1, Duration::from_secs(1))])
            .left_free(1.0);
        assert_eq!(tiny.windows_of(Lane::Sweep), [(1, Duration::from_secs(1))]);
    }
}
