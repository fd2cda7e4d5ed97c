//! The plan of a tick, page by page.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::event::Event;
use crate::model::{CredentialId, MappingId};

/// A page of the plan of one tick.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PlanPage {
    /// The events of this page.
    pub events: Vec<Event>,
    /// Where the next page begins; `None` after the last page. A page that is not the last may be empty.
    pub next: Option<PlanCursor>,
}

impl PlanPage {
    pub(crate) const fn new(events: Vec<Event>, next: Option<PlanCursor>) -> Self {
        Self { events, next }
    }
}

/// Where a page of a plan begins: after an organization of a connection, or after a connection. A host can store it, as text or by `serde`,
/// and use it in another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct PlanCursor {
    pub(crate) connection: CredentialId,
    pub(crate) mapping: Option<MappingId>,
}

impl PlanCursor {
    pub(crate) const fn after(connection: CredentialId, mapping: Option<MappingId>) -> Self {
        Self {
            connection,
            mapping,
        }
    }
}

impl fmt::Display for PlanCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.connection)?;
        match self.mapping {
            Some(mapping) => write!(f, "/{mapping}"),
            None => Ok(()),
        }
    }
}

impl FromStr for PlanCursor {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        let (connection, mapping) = match text.split_once('/') {
            Some((connection, mapping)) => (connection, Some(mapping.parse()?)),
            None => (text, None),
        };
        Ok(Self {
            connection: CredentialId::from_uuid(connection.parse()?),
            mapping: mapping.map(MappingId::from_uuid),
        })
    }
}

impl From<PlanCursor> for String {
    fn from(cursor: PlanCursor) -> Self {
        cursor.to_string()
    }
}

impl TryFrom<String> for PlanCursor {
    type Error = uuid::Error;

    fn try_from(text: String) -> Result<Self, uuid::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let id = uuid::Uuid::from_u128(0x00ab_cdef);
        let (connection, mapping) = (CredentialId::from_uuid(id), MappingId::from_uuid(id));
        for (mapping, text) in [
            (None, format!("{id}")),
            (Some(mapping), format!("{id}/{id}")),
        ] {
            let cursor = PlanCursor::after(connection, mapping);
            assert_eq!(cursor.to_string(), text);
            assert_eq!(text.parse(), Ok(cursor));
            let json = serde_json::to_string(&cursor).unwrap();
            assert_eq!(serde_json::from_str::<PlanCursor>(&json).unwrap(), cursor);
        }
        for text in ["", "x", "/", "00000000-0000-0000-0000-000000000000/"] {
            assert!(text.parse::<PlanCursor>().is_err(), "{text}");
        }
    }
}
