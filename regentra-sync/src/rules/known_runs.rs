//! What the last runs of a connection have shown about its customers and the server.

use std::collections::BTreeMap;

use time::{Duration, OffsetDateTime};

use crate::model::{CredentialId, MappingId, Pass, Report, RunKind, RunRecord};

/// How long it is believed what a tenant makes of lists of organizations: servers are updated.
const HABITS_LAST: Duration = Duration::days(7);

/// What is known of a connection's sweeps from its last runs.
#[derive(Debug, Default)]
pub(crate) struct KnownRuns {
    /// Rows of each customer, by report.
    pub(crate) rows: BTreeMap<MappingId, BTreeMap<Report, u64>>,
    /// What the last pass showed of the server.
    pub(crate) pass: Pass,
}

impl KnownRuns {
    /// Of the runs of an MSP, those of this connection.
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
            // Every pass hands on what those before it learned: so it is learned anew by the first pass of each span.
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
