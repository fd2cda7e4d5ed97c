//! `Retry-After`, in both its forms.

use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

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
    use super::*;
    use proptest::prelude::*;
    use time::macros::datetime;

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

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(value in ".{0,60}") {
            let _ = read(&value, || NOW);
        }
    }
}
