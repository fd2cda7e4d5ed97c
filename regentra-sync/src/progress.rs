//! What a host can show while work goes on.

use std::{fmt::Debug, time::Duration};

use crate::{CompanyId, MappingId, run::RunKind};

/// Is told how work goes on. Called on the task that does it: return quickly.
///
/// Nothing of a customer's data is in it, so that all of it may be logged.
pub trait Observer: Debug + Send + Sync + 'static {
    /// Something happened.
    fn progress(&self, progress: &Progress);
}

/// How work goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// Work on several subjects begins.
    Started {
        /// The kind of run.
        kind: RunKind,
        /// How many subjects there are.
        subjects: usize,
    },
    /// One of them is done.
    Done {
        /// The kind of run.
        kind: RunKind,
        /// Which mapping.
        mapping: MappingId,
        /// Whose.
        company: Option<CompanyId>,
        /// Whether it succeeded.
        succeeded: bool,
    },
    /// A request to NinjaOne was answered, or failed.
    Request {
        /// What was asked, such as `queries.volumes`.
        operation: &'static str,
    },
    /// The next request waits.
    Waiting {
        /// What for.
        reason: ninjaone_client::WaitReason,
        /// How long, as far as known now.
        expected: Duration,
    },
}

/// Listens to nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn progress(&self, _progress: &Progress) {}
}
