//! A percentage to one decimal, kept and compared as an integer.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A percentage between 0.0 and 100.0, floored to one decimal: 199 of 200 is 99.5, and 100.0 means all.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent {
    tenths: u16,
}

impl Percent {
    /// The share of `part` in `whole`, floored to a tenth; `None` when `whole` is zero.
    #[must_use]
    pub fn floor(part: u64, whole: u64) -> Option<Self> {
        let tenths = u128::from(part)
            .saturating_mul(1000)
            .checked_div(u128::from(whole))?;
        Some(Self {
            tenths: u16::try_from(tenths.min(1000)).unwrap_or(1000),
        })
    }

    /// Tenths of a percent, 0 to 1000.
    #[must_use]
    pub const fn tenths(self) -> u16 {
        self.tenths
    }
}

impl std::fmt::Display for Percent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", f64::from(self.tenths) / 10.0)
    }
}

impl std::fmt::Debug for Percent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}%")
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(f64::from(self.tenths) / 10.0)
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let percent = f64::deserialize(deserializer)?;
        (0..=1000_u16)
            .find(|tenths| (f64::from(*tenths) / 10.0 - percent).abs() < 0.01)
            .map(|tenths| Self { tenths })
            .ok_or_else(|| {
                D::Error::custom("a percentage must lie between 0.0 and 100.0 in steps of 0.1")
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_floored_never_rounded_up() {
        let table = [
            (199, 200, 995),
            (1999, 2000, 999),
            (200, 200, 1000),
            (0, 5, 0),
            (2, 3, 666),
            (193, 200, 965),
        ];
        for (part, whole, tenths) in table {
            assert_eq!(
                Percent::floor(part, whole).unwrap().tenths(),
                tenths,
                "{part} of {whole}"
            );
        }
        assert_eq!(Percent::floor(0, 0), None);
    }

    #[test]
    fn a_percentage_prints_one_decimal_at_most() {
        for (tenths, text) in [(0, "0"), (5, "0.5"), (995, "99.5"), (1000, "100")] {
            let percent = Percent { tenths };
            assert_eq!(percent.to_string(), text);
            assert_eq!(format!("{percent:?}"), format!("{text}%"));
        }
    }

    #[test]
    fn every_percentage_reads_back() {
        for tenths in 0..=1000 {
            let percent = Percent { tenths };
            let json = serde_json::to_string(&percent).unwrap();
            assert_eq!(
                serde_json::from_str::<Percent>(&json).unwrap(),
                percent,
                "{json}"
            );
        }
        for other in ["100.1", "-0.1", "99.95", "50.05", "0.02"] {
            assert!(serde_json::from_str::<Percent>(other).is_err(), "{other}");
        }
    }
}
