//! The plan of a tick, page by page.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::event::Event;

/// A page of the plan of one tick.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PlanPage {
    /// The events of this page.
    pub events: Vec<Event>,
    /// Where the next page begins; `None` after the last one. A page may be empty and not be the last.
    pub next: Option<PlanCursor>,
}

impl PlanPage {
    pub(crate) const fn new(events: Vec<Event>, next: Option<PlanCursor>) -> Self {
        Self { events, next }
    }
}

/// Where a page of a plan begins. It can be kept, as text or by `serde`, and used by another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlanCursor(uuid::Uuid);

impl PlanCursor {
    pub(crate) const fn after(id: uuid::Uuid) -> Self {
        Self(id)
    }

    pub(crate) const fn get(self) -> uuid::Uuid {
        self.0
    }
}

impl fmt::Display for PlanCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl FromStr for PlanCursor {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}
