//! Request limits the tenant enforces by itself, for tests of a client's own limiter.

use std::collections::VecDeque;

use time::{Duration, OffsetDateTime};

use crate::answer::{Answer, ErrorShape};

/// At most so many requests in a minute and in an hour, counted over sliding windows.
#[derive(Debug)]
pub(crate) struct Quota {
    per_minute: usize,
    per_hour: usize,
    admitted: VecDeque<OffsetDateTime>,
}

impl Quota {
    pub(crate) fn new(per_minute: usize, per_hour: usize) -> Self {
        Self {
            per_minute,
            per_hour,
            admitted: VecDeque::new(),
        }
    }

    /// Counts a request, or refuses it with a 429 that says when to come again.
    pub(crate) fn admit(&mut self, now: OffsetDateTime) -> Option<Answer> {
        self.admitted.retain(|at| *at > now - Duration::HOUR);
        let in_minute = self.in_last(Duration::MINUTE, now);
        let wait = if in_minute >= self.per_minute {
            self.admitted
                .iter()
                .rev()
                .nth(self.per_minute.saturating_sub(1))
                .map(|at| *at + Duration::MINUTE - now)
        } else if self.admitted.len() >= self.per_hour {
            self.admitted
                .iter()
                .rev()
                .nth(self.per_hour.saturating_sub(1))
                .map(|at| *at + Duration::HOUR - now)
        } else {
            self.admitted.push_back(now);
            return None;
        };
        let mut answer = Answer::error(
            429,
            ErrorShape::Described,
            "rate_limit_exceeded",
            "Request rate limit exceeded",
        );
        let seconds = wait
            .unwrap_or(Duration::MINUTE)
            .as_seconds_f64()
            .ceil()
            .max(1.0);
        answer.set_header("retry-after", &format!("{seconds:.0}"));
        Some(answer)
    }

    /// Requests still free in the hour.
    pub(crate) fn remaining(&self, now: OffsetDateTime) -> usize {
        self.per_hour
            .saturating_sub(self.in_last(Duration::HOUR, now))
    }

    fn in_last(&self, window: Duration, now: OffsetDateTime) -> usize {
        self.admitted
            .iter()
            .rev()
            .take_while(|at| **at > now - window)
            .count()
    }
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};

    use super::Quota;

    #[test]
    fn the_window_slides() {
        let start = datetime!(2026-11-23 06:30 UTC);
        let mut quota = Quota::new(2, 3);
        assert!(quota.admit(start).is_none());
        assert!(quota.admit(start + Duration::seconds(30)).is_none());
        let refusal = quota.admit(start + Duration::seconds(50)).unwrap();
        assert_eq!(refusal.status, 429);
        assert!(
            refusal
                .headers
                .contains(&("retry-after".to_owned(), "10".to_owned()))
        );
        assert!(quota.admit(start + Duration::seconds(60)).is_none());
        assert_eq!(quota.remaining(start + Duration::seconds(60)), 0);
        assert!(quota.admit(start + Duration::minutes(5)).is_some());
        assert!(quota.admit(start + Duration::minutes(61)).is_none());
    }
}
