//! JSON as the vendor writes it: times are epoch seconds with nine decimals (`1759133165.953166000`).

use std::io;

use serde::Serialize;
use serde_json::{
    Value,
    ser::{CompactFormatter, Formatter, Serializer},
};
use time::OffsetDateTime;

/// Writes a value as the vendor's wire shows it.
pub(crate) fn text(value: &Value) -> String {
    let mut out = Vec::with_capacity(512);
    let mut serializer = Serializer::with_formatter(&mut out, NineDecimals(CompactFormatter));
    // Writing a `Value` into memory fails for no value; an empty row would show up in every test at once.
    let _infallible = value.serialize(&mut serializer);
    String::from_utf8(out).unwrap_or_default()
}

/// Epoch seconds of a time, to the microsecond.
#[expect(
    clippy::cast_precision_loss,
    reason = "microseconds since 1970 stay exact in 53 bits until the year 2255"
)]
pub(crate) fn seconds(time: OffsetDateTime) -> f64 {
    let micros = i64::try_from(time.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX);
    micros as f64 / 1e6
}

/// Prints what can be a time in seconds with nine decimals and every other number as it is.
struct NineDecimals(CompactFormatter);

impl Formatter for NineDecimals {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        if !(1e8..1e11).contains(&value.abs()) {
            return self.0.write_f64(writer, value);
        }
        let shortest = value.to_string();
        let (whole, fraction) = shortest.split_once('.').unwrap_or((&shortest, ""));
        write!(writer, "{whole}.{fraction:0<9}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::text;

    #[test]
    fn times_carry_nine_decimals_as_in_the_recorded_samples() {
        assert_eq!(
            text(&json!({ "t": 1_759_133_165.953_166_f64 })),
            r#"{"t":1759133165.953166000}"#
        );
        assert_eq!(
            text(&json!([1_758_761_443.0_f64, 1_759_136_775.901_f64])),
            "[1758761443.000000000,1759136775.901000000]"
        );
    }

    #[test]
    fn other_numbers_stay_as_they_are() {
        assert_eq!(
            text(&json!([7, -1, 0.5, 1e300, 136_559_194_112_u64])),
            "[7,-1,0.5,1e+300,136559194112]"
        );
    }
}
