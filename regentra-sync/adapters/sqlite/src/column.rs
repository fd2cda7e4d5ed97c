//! How values look in columns.

use regentra_sync::{
    model::CLOCK_TOLERANCE,
    regentra_evidence::{Hash256, HeadSignature, SignalKind},
};
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{Row as _, sqlite::SqliteRow};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::failure::Failure;

type Result<T> = std::result::Result<T, Failure>;

/// Microseconds since 1970.
pub(crate) fn micros(time: OffsetDateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
}

/// What is later than this lies in the future, by a clock that shows `now`.
pub(crate) fn present_until(now: OffsetDateTime) -> OffsetDateTime {
    now.saturating_add(CLOCK_TOLERANCE)
}

/// A count as an `INTEGER`.
pub(crate) fn bigint(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(crate) fn json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|_| Failure::corrupt("(to be written)"))
}

/// The error of `serde_json` is not kept: it prints the value it choked on.
pub(crate) fn from_json<T: DeserializeOwned>(text: &str, column: &'static str) -> Result<T> {
    serde_json::from_str(text).map_err(|_| Failure::corrupt(column))
}

pub(crate) fn signal_kind(name: &str) -> Result<SignalKind> {
    let kind = SignalKind::ALL
        .into_iter()
        .find(|kind| kind.as_str() == name);
    kind.ok_or_else(|| Failure::corrupt("signal"))
}

/// Reads columns of a row as what they mean.
pub(crate) trait Columns {
    fn text(&self, column: &'static str) -> Result<String>;
    fn optional_text(&self, column: &'static str) -> Result<Option<String>>;
    fn id(&self, column: &'static str) -> Result<Uuid>;
    fn optional_id(&self, column: &'static str) -> Result<Option<Uuid>>;
    fn time(&self, column: &'static str) -> Result<OffsetDateTime>;
    fn optional_time(&self, column: &'static str) -> Result<Option<OffsetDateTime>>;
    fn number<T: TryFrom<i64>>(&self, column: &'static str) -> Result<T>;
    fn optional_number<T: TryFrom<i64>>(&self, column: &'static str) -> Result<Option<T>>;
    fn flag(&self, column: &'static str) -> Result<bool>;
    fn hash(&self, column: &'static str) -> Result<Hash256>;
    fn optional_signature(&self, column: &'static str) -> Result<Option<HeadSignature>>;
}

impl Columns for SqliteRow {
    fn text(&self, column: &'static str) -> Result<String> {
        Ok(self.try_get(column)?)
    }

    fn optional_text(&self, column: &'static str) -> Result<Option<String>> {
        Ok(self.try_get(column)?)
    }

    fn id(&self, column: &'static str) -> Result<Uuid> {
        Ok(self.try_get(column)?)
    }

    fn optional_id(&self, column: &'static str) -> Result<Option<Uuid>> {
        Ok(self.try_get(column)?)
    }

    fn time(&self, column: &'static str) -> Result<OffsetDateTime> {
        from_micros(self.try_get(column)?, column)
    }

    fn optional_time(&self, column: &'static str) -> Result<Option<OffsetDateTime>> {
        self.try_get::<Option<i64>, _>(column)?
            .map(|micros| from_micros(micros, column))
            .transpose()
    }

    fn number<T: TryFrom<i64>>(&self, column: &'static str) -> Result<T> {
        T::try_from(self.try_get::<i64, _>(column)?).map_err(|_| Failure::corrupt(column))
    }

    fn optional_number<T: TryFrom<i64>>(&self, column: &'static str) -> Result<Option<T>> {
        let number: Option<i64> = self.try_get(column)?;
        let number = number.map(T::try_from).transpose();
        number.map_err(|_| Failure::corrupt(column))
    }

    fn flag(&self, column: &'static str) -> Result<bool> {
        Ok(self.try_get::<i64, _>(column)? != 0)
    }

    fn hash(&self, column: &'static str) -> Result<Hash256> {
        let bytes: Vec<u8> = self.try_get(column)?;
        bytes
            .try_into()
            .map(Hash256::from_bytes)
            .map_err(|_| Failure::corrupt(column))
    }

    fn optional_signature(&self, column: &'static str) -> Result<Option<HeadSignature>> {
        let bytes: Option<Vec<u8>> = self.try_get(column)?;
        let signature = bytes.map(|bytes| bytes.try_into().map(HeadSignature::from_bytes));
        signature.transpose().map_err(|_| Failure::corrupt(column))
    }
}

fn from_micros(micros: i64, column: &'static str) -> Result<OffsetDateTime> {
    OffsetDateTime::UNIX_EPOCH
        .checked_add(Duration::microseconds(micros))
        .ok_or_else(|| Failure::corrupt(column))
}
