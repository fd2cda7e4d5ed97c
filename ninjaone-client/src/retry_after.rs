//! `Retry-After`, in both its forms.

use std::time::Duration;

use time::{OffsetDateTime, format_description::well_known::Rfc2822};

/// Reads a `Retry-After`: seconds (decimals tolerated), or an HTTP date counted from `now`.
///
/// A date in the past is no wait at all; what cannot be read is `None`, and the own backoff applies.
pub(crate) fn read(value: &str, now: impl FnOnce() -> OffsetDateTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let until = http_date(value)? - now();
    Some(Duration::try_from(until).unwrap_or_default())
}

/// A wait in words, and until when it lasts: `24 h, until 2026-12-01 06:30:00 UTC`.
pub(crate) fn words(wait: Duration, now: OffsetDateTime) -> String {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let minutes = seconds.div_ceil(60);
    let length = match (seconds, minutes) {
        (..120, _) => format!("{seconds} s"),
        (_, ..120) => format!("{minutes} min"),
        _ if minutes.is_multiple_of(60) => format!("{} h", minutes / 60),
        _ => format!("{} h {} min", minutes / 60, minutes % 60),
    };
    let until = time::Duration::try_from(wait)
        .ok()
        .and_then(|wait| now.checked_add(wait))
        .and_then(|until| {
            let form = time::macros::format_description!(
                "[year]-[month]-[day] [hour]:[minute]:[second] UTC"
            );
            until.to_offset(time::UtcOffset::UTC).format(form).ok()
        });
    match until {
        Some(until) => format!("{length}, until {until}"),
        // Beyond the end of the calendar.
        None => length,
    }
}

/// Reads an HTTP date: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(crate) fn http_date(value: &str) -> Option<OffsetDateTime> {
    // The RFC 2822 parser knows the form but not every zone name.
    let value = value.trim();
    let value = value
        .strip_suffix("GMT")
        .map_or_else(|| value.to_owned(), |rest| format!("{rest}+0000"));
    OffsetDateTime::parse(&value, &Rfc2822).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(1994-11-06 08:49:07 UTC);

    #[test]
    fn seconds_and_dates() {
        for (value, expected) in [
            ("120", Some(120.0)),
            (" 0 ", Some(0.0)),
            ("1.5", Some(1.5)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(30.0)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0.0)),
            ("-1", None),
            ("NaN", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(
                read(value, || NOW),
                expected.map(Duration::from_secs_f64),
                "{value}"
            );
        }
    }

    #[test]
    fn a_wait_says_how_long_and_until_when() {
        for (seconds, words_of_it) in [
            (0.2, "1 s, until 1994-11-06 08:49:07 UTC"),
            (119.0, "119 s, until 1994-11-06 08:51:06 UTC"),
            (121.0, "3 min, until 1994-11-06 08:51:08 UTC"),
            (5400.0, "90 min, until 1994-11-06 10:19:07 UTC"),
            (86_400.0, "24 h, until 1994-11-07 08:49:07 UTC"),
            (90_000.0, "25 h, until 1994-11-07 09:49:07 UTC"),
            (9_000.0, "2 h 30 min, until 1994-11-06 11:19:07 UTC"),
            (1e18, "277777777777777 h 47 min"),
        ] {
            assert_eq!(words(Duration::from_secs_f64(seconds), NOW), words_of_it);
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(value in ".{0,60}", seconds in any::<u64>()) {
            let _ = read(&value, || NOW);
            let _ = words(Duration::from_secs(seconds), NOW);
        }
    }
}
