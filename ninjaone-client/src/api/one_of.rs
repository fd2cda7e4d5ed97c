//! One value or several, for parameters that take a list.

use super::Parameter;
use crate::models::{ActivityStatus, BackupJobStatus, BackupPlanType};

/// One value or several: `ActivityStatus::STARTED.into()`, or `[..]`, or a `Vec`.
#[derive(Debug, Clone, PartialEq)]
pub struct OneOf<T>(Vec<T>);

impl<T> From<T> for OneOf<T> {
    fn from(value: T) -> Self {
        Self(vec![value])
    }
}

impl<T, const N: usize> From<[T; N]> for OneOf<T> {
    fn from(values: [T; N]) -> Self {
        Self(values.into())
    }
}

impl<T> From<Vec<T>> for OneOf<T> {
    fn from(values: Vec<T>) -> Self {
        Self(values)
    }
}

impl<T: PartialEq> OneOf<T> {
    pub(crate) fn contains(&self, value: &T) -> bool {
        self.0.contains(value)
    }
}

impl<T: std::fmt::Display> OneOf<T> {
    fn list(&self) -> String {
        let words: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        words.join(", ")
    }

    /// Words of a vocabulary are letters, digits and underscores; an unknown one must not smuggle in a condition.
    fn wrong(&self) -> Option<&'static str> {
        let fits = |value: &T| {
            let word = value.to_string();
            !word.is_empty()
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        (self.0.is_empty() || !self.0.iter().all(fits)).then_some(
            "a list of codes is empty, or a code in it is not of the vendor's form (A-Z, 0-9, _)",
        )
    }
}

/// The activity log takes a bare code, and was seen to take a list.
impl Parameter for OneOf<ActivityStatus> {
    fn text(&self) -> Option<String> {
        Some(match self.0.as_slice() {
            [one] => one.to_string(),
            _ => format!("in ({})", self.list()),
        })
    }

    fn problem(&self) -> Option<&'static str> {
        self.wrong()
    }
}

/// Filters of backup jobs name the field: `status = RUNNING`, `status in (RUNNING, FAILED)`.
macro_rules! filters {
    ($($type:ty = $field:literal;)*) => {$(
        impl Parameter for OneOf<$type> {
            fn text(&self) -> Option<String> {
                Some(match self.0.as_slice() {
                    [one] => format!(concat!($field, " = {}"), one),
                    _ => format!(concat!($field, " in ({})"), self.list()),
                })
            }

            fn problem(&self) -> Option<&'static str> {
                self.wrong()
            }
        }
    )*};
}

filters! {
    BackupJobStatus = "status";
    BackupPlanType = "planType";
}
