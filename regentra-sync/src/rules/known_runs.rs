//! What the last runs of a connection have shown about its customers and the server.

use std::collections::BTreeMap;

use time::{Duration, OffsetDateTime};

use crate::model::{CredentialId, MappingId, Pass, Report, RunKind, RunRecord};

/// How long the integration relies on what it learned about a tenant's handling of lists of organizations, because servers are updated.
const HABITS_LAST: Duration = Duration::days(7);

/// What the last runs of a connection show about its sweeps.
#[derive(Debug, Default)]
pub(crate) struct KnownRuns {
    /// Rows of each customer, by report.
    pub(crate) rows: BTreeMap<MappingId, BTreeMap<Report, u64>>,
    /// What the last pass showed about the server.
    pub(crate) pass: Pass,
}

impl KnownRuns {
    /// Collects this from the runs of an MSP that belong to this connection.
    pub(crate) fn of(
        runs: &[RunRecord],
        credential: CredentialId,
        kind: RunKind,
        now: OffsetDateTime,
    ) -> Self {
        let mut known = Self::default();
        let of_connection = runs
            .iter()
            .filter(|run| run.subject.credential == credential && run.subject.kind == kind);
        for run in of_connection {
            let Some(reading) = &run.reading else {
                continue;
            };
            match (run.subject.mapping, &reading.pass) {
                (Some(mapping), _) => {
                    known.rows.insert(mapping, reading.rows.clone());
                }
                (None, Some(pass)) => known.pass = pass.clone(),
                (None, None) => {}
            }
            // Every pass passes on what earlier passes learned. So this is forgotten when a new span begins, and the first pass of the span
            // learns it again.
            let span =
                |at: OffsetDateTime| at.unix_timestamp().div_euclid(HABITS_LAST.whole_seconds());
            if run.subject.mapping.is_none() && span(now) != span(run.finished_at) {
                known.pass.organization_list.clear();
                known.pass.tenant_devices = None;
            }
        }
        known
    }
}
