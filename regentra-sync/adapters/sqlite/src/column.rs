//! Reads and writes columns. The error of a value that cannot be read names the column and never shows the value.

use regentra_sync::{
    regentra_evidence::{Hash256, HeadSignature, SignalKind},
    store::Result,
};
use serde::de::DeserializeOwned;
use sqlx::{Row as _, Sqlite, sqlite::SqliteRow};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::failure::{corrupt, failed, unwritable};

/// Typed columns of a row, by name.
pub(crate) trait Columns {
    fn value<'r, T: sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite>>(
        &'r self,
        column: &str,
    ) -> Result<T>;

    fn id<T>(&self, column: &str, make: impl Fn(Uuid) -> T) -> Result<T> {
        Ok(make(self.value(column)?))
    }

    fn id_if_any<T>(&self, column: &str, make: impl Fn(Uuid) -> T) -> Result<Option<T>> {
        Ok(self.value::<Option<Uuid>>(column)?.map(make))
    }

    fn time(&self, column: &str) -> Result<OffsetDateTime> {
        from_micros(self.value(column)?, column)
    }

    fn time_if_any(&self, column: &str) -> Result<Option<OffsetDateTime>> {
        let micros = self.value::<Option<i64>>(column)?;
        micros.map(|micros| from_micros(micros, column)).transpose()
    }

    fn text(&self, column: &str) -> Result<String> {
        self.value(column)
    }

    fn text_if_any(&self, column: &str) -> Result<Option<String>> {
        self.value(column)
    }

    fn counter(&self, column: &str) -> Result<u32> {
        u32::try_from(self.value::<i64>(column)?).map_err(|_| corrupt(column))
    }

    fn count(&self, column: &str) -> Result<u64> {
        u64::try_from(self.value::<i64>(column)?).map_err(|_| corrupt(column))
    }

    fn named<T>(&self, column: &str, from_name: impl Fn(&str) -> Option<T>) -> Result<T> {
        from_name(self.value(column)?).ok_or_else(|| corrupt(column))
    }

    fn signal_kind(&self, column: &str) -> Result<SignalKind> {
        self.named(column, |name| {
            SignalKind::ALL
                .into_iter()
                .find(|kind| kind.as_str() == name)
        })
    }

    fn hash(&self, column: &str) -> Result<Hash256> {
        let bytes = <[u8; 32]>::try_from(self.value::<&[u8]>(column)?);
        Ok(Hash256::from_bytes(bytes.map_err(|_| corrupt(column))?))
    }

    fn count_if_any(&self, column: &str) -> Result<Option<u64>> {
        let count = self.value::<Option<i64>>(column)?.map(u64::try_from);
        count.transpose().map_err(|_| corrupt(column))
    }

    fn signature_if_any(&self, column: &str) -> Result<Option<HeadSignature>> {
        let bytes = self.value::<Option<&[u8]>>(column)?;
        let signature = bytes.map(|bytes| bytes.try_into().map(HeadSignature::from_bytes));
        signature.transpose().map_err(|_| corrupt(column))
    }

    /// The error of `serde_json` is not kept, because it prints the value that it could not read.
    fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T> {
        serde_json::from_str(self.value(column)?).map_err(|_| corrupt(column))
    }

    /// `None` also if a later release wrote the value in another form.
    fn json_if_readable<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>> {
        let text = self.value::<Option<&str>>(column)?;
        Ok(text.and_then(|text| serde_json::from_str(text).ok()))
    }
}

impl Columns for SqliteRow {
    fn value<'r, T: sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite>>(
        &'r self,
        column: &str,
    ) -> Result<T> {
        self.try_get(column).map_err(failed)
    }
}

/// One column of many rows, for a parameter that `json_each` turns into rows again.
pub(crate) fn column<'r, R, V>(rows: &'r [R], of: impl Fn(&'r R) -> V) -> Vec<V> {
    rows.iter().map(of).collect()
}

/// A value as JSON text.
pub(crate) fn to_json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|_| unwritable())
}

/// A count as an `INTEGER`.
pub(crate) fn to_bigint(count: u64) -> Result<i64> {
    i64::try_from(count).map_err(|_| unwritable())
}

/// Microseconds since 1970.
pub(crate) fn micros(time: OffsetDateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
}

fn from_micros(micros: i64, column: &str) -> Result<OffsetDateTime> {
    OffsetDateTime::UNIX_EPOCH
        .checked_add(Duration::microseconds(micros))
        .ok_or_else(|| corrupt(column))
}
