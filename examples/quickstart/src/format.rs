//! Numbers, times and plurals as a person reads them.

use time::{
    Duration, OffsetDateTime, UtcOffset,
    format_description::{StaticFormatDescription, well_known::Rfc3339},
    macros::format_description,
};

const MINUTE: StaticFormatDescription =
    format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
const CLOCK: StaticFormatDescription = format_description!("[hour]:[minute] UTC");

/// A number and what it counts: `1 device`, `1,200 devices`.
#[must_use]
pub fn count(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(n), if n == 1 { one } else { many })
}

/// How many of a list there are, likewise.
#[must_use]
pub fn count_of<T>(list: &[T], one: &str, many: &str) -> String {
    count(list.len() as u64, one, many)
}

/// A number with its thousands apart.
#[must_use]
pub fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time to the minute.
#[must_use]
pub fn minute(at: OffsetDateTime) -> String {
    formatted(at, MINUTE)
}

/// The time of day to the minute, where the day is clear.
#[must_use]
pub fn clock(at: OffsetDateTime) -> String {
    formatted(at, CLOCK)
}

/// How long ago it was, roughly.
#[must_use]
pub fn ago(at: OffsetDateTime, now: OffsetDateTime) -> String {
    let passed = now - at;
    let whole = |length: i64| u64::try_from(length).unwrap_or(0);
    if passed < Duration::minutes(-5) {
        "in the future, by a clock that ran ahead".to_owned()
    } else if passed < Duration::minutes(1) {
        "just now".to_owned()
    } else if passed < Duration::hours(2) {
        format!(
            "{} ago",
            count(whole(passed.whole_minutes()), "minute", "minutes")
        )
    } else if passed < Duration::days(2) {
        format!(
            "{} ago",
            count(whole(passed.whole_hours()), "hour", "hours")
        )
    } else {
        format!("{} ago", count(whole(passed.whole_days()), "day", "days"))
    }
}

/// How long a wait is, and from a minute on until when: a person decides by that whether to stay.
#[must_use]
pub fn wait(length: std::time::Duration, now: OffsetDateTime) -> String {
    let seconds = length.as_secs();
    let (minutes, hours) = (seconds.div_ceil(60), seconds.div_ceil(60) / 60);
    if seconds < 60 {
        return format!("{seconds} s");
    }
    let how_long = if hours == 0 {
        count(minutes, "minute", "minutes")
    } else if minutes % 60 == 0 {
        count(hours, "hour", "hours")
    } else {
        format!(
            "{} and {}",
            count(hours, "hour", "hours"),
            count(minutes % 60, "minute", "minutes")
        )
    };
    let until = Duration::try_from(length).ok();
    let until = until.and_then(|length| now.checked_add(length));
    // A time beyond the calendar is no time that a person waits for.
    until.map_or(how_long.clone(), |at| {
        format!("{how_long}, until {},", minute(at))
    })
}

/// How long a list is that lost rows: `2 organizations, and 2 rows that could not be read`.
#[must_use]
pub fn count_and_lost(n: u64, one: &str, many: &str, lost: u64) -> String {
    let read = count(n, one, many);
    if lost == 0 {
        return read;
    }
    format!(
        "{read}, and {} that could not be read",
        count(lost, "row", "rows")
    )
}

/// Several things in one sentence: `a, b and c`.
#[must_use]
pub fn listed(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// A time for programs.
#[must_use]
pub fn rfc3339(at: OffsetDateTime) -> String {
    // Only years beyond 9999 cannot be written so.
    at.format(&Rfc3339).unwrap_or_else(|_| at.to_string())
}

fn formatted(at: OffsetDateTime, description: StaticFormatDescription) -> String {
    // Only a formatter that cannot write fails; a time always can be written.
    at.to_offset(UtcOffset::UTC)
        .format(description)
        .unwrap_or_else(|_| at.to_string())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn one_is_singular_and_everything_else_plural() {
        assert_eq!(count(0, "device", "devices"), "0 devices");
        assert_eq!(count(1, "device", "devices"), "1 device");
        assert_eq!(count(2, "company", "companies"), "2 companies");
    }

    #[test]
    fn thousands_stand_apart() {
        let shown = [0, 999, 1_000, 12_345, 1_234_567].map(number);
        assert_eq!(shown, ["0", "999", "1,000", "12,345", "1,234,567"]);
    }

    #[test]
    fn times_are_utc_and_distances_rough() {
        let now = datetime!(2026-11-23 08:30 +2);
        assert_eq!(minute(now), "2026-11-23 06:30 UTC");
        assert_eq!(clock(now), "06:30 UTC");
        let passed = [
            Duration::days(-27),
            Duration::minutes(-5),
            Duration::seconds(59),
            Duration::minutes(1),
            Duration::minutes(119),
            Duration::hours(47),
            Duration::days(9),
        ];
        assert_eq!(
            passed.map(|passed| ago(now - passed, now)),
            [
                "in the future, by a clock that ran ahead",
                "just now",
                "just now",
                "1 minute ago",
                "119 minutes ago",
                "47 hours ago",
                "9 days ago"
            ]
        );
    }

    #[test]
    fn a_wait_of_a_day_says_how_long_and_until_when() {
        let now = datetime!(2026-11-23 06:30:30 UTC);
        for (seconds, said) in [
            (2, "2 s"),
            (59, "59 s"),
            (60, "1 minute, until 2026-11-23 06:31 UTC,"),
            (90, "2 minutes, until 2026-11-23 06:32 UTC,"),
            (3_600, "1 hour, until 2026-11-23 07:30 UTC,"),
            (5_430, "1 hour and 31 minutes, until 2026-11-23 08:01 UTC,"),
            (86_400, "24 hours, until 2026-11-24 06:30 UTC,"),
        ] {
            assert_eq!(wait(std::time::Duration::from_secs(seconds), now), said);
        }
        // A time beyond the calendar is no time.
        assert!(!wait(std::time::Duration::MAX, now).contains("until"));
    }

    #[test]
    fn a_list_that_lost_rows_says_so() {
        let said = |n, lost| count_and_lost(n, "organization", "organizations", lost);
        assert_eq!(said(2, 0), "2 organizations");
        assert_eq!(
            said(2, 2),
            "2 organizations, and 2 rows that could not be read"
        );
        assert_eq!(
            said(0, 1),
            "0 organizations, and 1 row that could not be read"
        );
    }

    #[test]
    fn the_last_of_several_is_joined_by_and() {
        let parts = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(
            (
                listed(&[]),
                listed(&parts[..1]),
                listed(&parts[..2]),
                listed(&parts)
            ),
            (
                String::new(),
                "a".into(),
                "a and b".into(),
                "a, b and c".into()
            )
        );
    }
}
