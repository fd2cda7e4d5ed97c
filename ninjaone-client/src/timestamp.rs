//! The one parser of NinjaOne's times.

use serde::{
    de::{Deserialize, Deserializer, Visitor},
    ser::{Serialize, Serializer},
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Numbers from here on are milliseconds: as seconds they would lie beyond the year 5000.
const MILLISECONDS_FROM: f64 = 1e11;

/// A time as NinjaOne reports it.
///
/// The API sends epoch seconds with nine decimals; custom fields and some payloads send epoch milliseconds; a few
/// answers carry RFC 3339 text. Any of them may come as a JSON number or as text. They are read to the microsecond.
///
/// A time that cannot be read (zero, negative, not a number, out of range, `null`) is [`Timestamp::Unreadable`] and
/// never makes its row fail: absent is `None` on the model, unreadable is a fact of its own.
///
/// ```
/// use ninjaone_client::Timestamp;
/// let seconds: Timestamp = serde_json::from_str("1759133165.953166000")?;
/// let milliseconds: Timestamp = serde_json::from_str("1759133165953")?;
/// assert_eq!(seconds.at().unwrap().unix_timestamp(), milliseconds.at().unwrap().unix_timestamp());
/// assert_eq!(serde_json::from_str::<Timestamp>("0")?, Timestamp::Unreadable);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Timestamp {
    /// A time that was read, in UTC, to the microsecond.
    At(OffsetDateTime),
    /// Something was there and is no time.
    Unreadable,
}

impl Timestamp {
    /// The time, when it could be read.
    #[must_use]
    pub const fn at(self) -> Option<OffsetDateTime> {
        match self {
            Self::At(time) => Some(time),
            Self::Unreadable => None,
        }
    }

    /// Reads epoch seconds, or milliseconds from 1e11 on.
    #[must_use]
    pub fn from_number(number: f64) -> Self {
        let seconds = if number >= MILLISECONDS_FROM {
            number / 1e3
        } else {
            number
        };
        // NaN is in no range; the upper bound is the year 9999, where `time` ends.
        if !(1e-6..253_402_300_799.0).contains(&seconds) {
            return Self::Unreadable;
        }
        // Whole seconds apart from the rest: the product of both would lose the last microsecond.
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the range was checked above"
        )]
        let micros = seconds.trunc() as i128 * 1_000_000 + (seconds.fract() * 1e6).round() as i128;
        OffsetDateTime::from_unix_timestamp_nanos(micros * 1000).map_or(Self::Unreadable, Self::At)
    }

    /// Reads RFC 3339 text, or a number in text.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let text = text.trim();
        if let Ok(number) = text.parse::<f64>() {
            return Self::from_number(number);
        }
        let Ok(time) = OffsetDateTime::parse(text, &Rfc3339) else {
            return Self::Unreadable;
        };
        let micros = (time.unix_timestamp_nanos() + 500).div_euclid(1000);
        if micros < 1 {
            return Self::Unreadable;
        }
        OffsetDateTime::from_unix_timestamp_nanos(micros * 1000).map_or(Self::Unreadable, Self::At)
    }
}

impl From<OffsetDateTime> for Timestamp {
    /// Rounds to the microsecond; a time before 1970 is unreadable, as it is on the wire.
    fn from(time: OffsetDateTime) -> Self {
        let micros = (time.unix_timestamp_nanos() + 500).div_euclid(1000);
        if micros < 1 {
            return Self::Unreadable;
        }
        OffsetDateTime::from_unix_timestamp_nanos(micros * 1000).map_or(Self::Unreadable, Self::At)
    }
}

crate::field::fields! {
    Timestamp = |next| OffsetDateTime::from_unix_timestamp(1_700_000_000 + next).map_or(Timestamp::Unreadable, Timestamp::At);
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TimestampVisitor)
    }
}

/// Reads a field: absent stays `None` by the field's default, `null` is something that cannot be read.
pub(crate) fn field<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Timestamp>, D::Error> {
    Timestamp::deserialize(deserializer).map(Some)
}

struct TimestampVisitor;

impl<'de> Visitor<'de> for TimestampVisitor {
    type Value = Timestamp;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a time")
    }

    fn visit_f64<E>(self, number: f64) -> Result<Timestamp, E> {
        Ok(Timestamp::from_number(number))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "times of this size are exact in f64"
    )]
    fn visit_i64<E>(self, number: i64) -> Result<Timestamp, E> {
        Ok(Timestamp::from_number(number as f64))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "times of this size are exact in f64"
    )]
    fn visit_u64<E>(self, number: u64) -> Result<Timestamp, E> {
        Ok(Timestamp::from_number(number as f64))
    }

    fn visit_str<E>(self, text: &str) -> Result<Timestamp, E> {
        Ok(Timestamp::from_text(text))
    }

    fn visit_unit<E>(self) -> Result<Timestamp, E> {
        Ok(Timestamp::Unreadable)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Timestamp, E> {
        Ok(Timestamp::Unreadable)
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Timestamp, A::Error> {
        while seq.next_element::<serde::de::IgnoredAny>()?.is_some() {}
        Ok(Timestamp::Unreadable)
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Timestamp, A::Error> {
        let mut time = Timestamp::Unreadable;
        while let Some(key) = map.next_key::<std::borrow::Cow<'_, str>>()? {
            if key == PRECISE_NUMBER {
                time = Timestamp::from_text(&map.next_value::<String>()?);
            } else {
                map.next_value::<serde::de::IgnoredAny>()?;
            }
        }
        Ok(time)
    }
}

/// The key under which `serde_json` hands over a number's text where something in a host's program has switched its feature
/// `arbitrary_precision` on, which is on for all of it then.
pub(crate) const PRECISE_NUMBER: &str = "$serde_json::sensitive::Number";

impl Serialize for Timestamp {
    /// Epoch seconds with decimals, as NinjaOne sends them; `null` when unreadable.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            #[expect(
                clippy::cast_precision_loss,
                reason = "microseconds up to the year 2255 are exact in f64"
            )]
            Self::At(time) => {
                serializer.serialize_f64((time.unix_timestamp_nanos() / 1000) as f64 / 1e6)
            }
            Self::Unreadable => serializer.serialize_unit(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    fn read(json: &str) -> Timestamp {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn the_forms_of_one_instant() {
        let at = Timestamp::At(datetime!(2025-09-29 08:06:05.953166 UTC));
        assert_eq!(read("1759133165.953166000"), at);
        assert_eq!(read("\"1759133165.953166000\""), at);
        assert_eq!(read("1759133165953.166"), at);
        assert_eq!(read("\"2025-09-29T08:06:05.953166Z\""), at);
        assert_eq!(read("\" 2025-09-29T10:06:05.953166+02:00 \""), at);
    }

    #[test]
    fn a_number_of_arbitrary_precision_is_a_number() {
        use serde::de::{IntoDeserializer as _, value::MapDeserializer};
        let read = |key: &str, value: &str| {
            let entries = [(key.to_owned(), value.to_owned())].into_iter();
            let map: MapDeserializer<'_, _, serde::de::value::Error> =
                MapDeserializer::new(entries.map(|(key, value)| (key, value.into_deserializer())));
            Timestamp::deserialize(map).unwrap()
        };
        let at = Timestamp::At(datetime!(2025-09-29 08:06:05.953166 UTC));
        assert_eq!(read(PRECISE_NUMBER, "1759133165.953166000"), at);
        assert_eq!(read(PRECISE_NUMBER, "1759133165953.166"), at);
        assert_eq!(read(PRECISE_NUMBER, "0"), Timestamp::Unreadable);
        assert_eq!(read("at", "1759133165.953166000"), Timestamp::Unreadable);
    }

    #[test]
    fn what_is_no_time_is_unreadable_and_fails_nothing() {
        for json in [
            "0",
            "-1",
            "-1759133165",
            "1e300",
            "null",
            "\"\"",
            "\"NaN\"",
            "\"inf\"",
            "\"soon\"",
            "true",
            "[1]",
            "{\"a\":1}",
            "\"1969-12-31T23:59:59Z\"",
            "\"0001-01-01T00:00:00Z\"",
            "1e-9",
        ] {
            assert_eq!(read(json), Timestamp::Unreadable, "{json}");
        }
    }

    #[test]
    fn seconds_end_and_milliseconds_begin_at_1e11() {
        assert_eq!(read("99999999999").at().unwrap().year(), 5138);
        assert_eq!(
            read("100000000000").at().unwrap(),
            datetime!(1973-03-03 09:46:40 UTC)
        );
    }

    proptest! {
        #[test]
        fn arbitrary_numbers_and_text_never_panic(number in any::<f64>(), text in ".{0,40}") {
            let _ = Timestamp::from_number(number);
            let _ = Timestamp::from_text(&text);
        }

        #[test]
        fn a_microsecond_survives_a_round_trip(micros in 1_i64..(1 << 31) * 1_000_000) {
            let at = Timestamp::from(OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).unwrap());
            prop_assert_eq!(read(&serde_json::to_string(&at).unwrap()), at);
        }
    }
}
