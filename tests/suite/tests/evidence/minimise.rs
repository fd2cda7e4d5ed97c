//! The smallest tenant on which something still happens: what a person wants to look at.

use serde_json::Value;

use crate::oracle::tenant::{Kinds, Report, State, Tenant};

/// Takes away reports, rows and fields for as long as `happens` stays true.
pub(crate) fn minimise(tenant: &Tenant, happens: impl Fn(&Tenant) -> bool) -> Tenant {
    let mut smallest = tenant.clone();
    loop {
        let before = size(&smallest);
        let attempt = |candidate: Tenant, smallest: &mut Tenant| {
            if happens(&candidate) {
                *smallest = candidate;
            }
        };
        let mut calm = smallest.clone();
        calm.truncated = false;
        attempt(calm, &mut smallest);
        let mut forgetful = smallest.clone();
        forgetful.signature_history = None;
        attempt(forgetful, &mut smallest);
        let mut both = smallest.clone();
        both.kinds = Kinds::Both;
        attempt(both, &mut smallest);
        for index in 0..8 {
            let mut without = smallest.clone();
            *without.reports_mut()[index] = Report::default();
            attempt(without, &mut smallest);
            // Rows in halves first, then one by one.
            let mut step = smallest.reports()[index].1.rows.len();
            while step > 0 {
                let mut start = 0;
                while start < smallest.reports()[index].1.rows.len() {
                    let mut without = smallest.clone();
                    let rows = &mut without.reports_mut()[index].rows;
                    rows.drain(start..(start + step).min(rows.len()));
                    if happens(&without) {
                        smallest = without;
                    } else {
                        start += step;
                    }
                }
                step /= 2;
            }
            for row in 0..smallest.reports()[index].1.rows.len() {
                let fields: Vec<String> = smallest.reports()[index].1.rows[row]
                    .as_object()
                    .map(|object| object.keys().cloned().collect())
                    .unwrap_or_default();
                for field in fields {
                    let mut without = smallest.clone();
                    without.reports_mut()[index].rows[row]
                        .as_object_mut()
                        .expect("an object")
                        .remove(&field);
                    attempt(without, &mut smallest);
                }
            }
        }
        if size(&smallest) == before {
            return smallest;
        }
    }
}

fn size(tenant: &Tenant) -> usize {
    let rows = |report: &Report| {
        let fields: usize = report
            .rows
            .iter()
            .map(|row| 1 + row.as_object().map_or(0, serde_json::Map::len))
            .sum();
        fields + report.malformed + usize::from(report.state != State::Answered)
    };
    tenant
        .reports()
        .iter()
        .map(|(_, report)| rows(report))
        .sum::<usize>()
        + usize::from(tenant.truncated)
        + usize::from(tenant.signature_history.is_some())
        + usize::from(tenant.kinds != Kinds::Both)
}

/// A tenant as a person can read it.
pub(crate) fn describe(tenant: &Tenant) -> String {
    let mut lines = vec![format!(
        "organization {}, now {}, truncated {}, kinds in use {:?}",
        tenant.organization, tenant.now, tenant.truncated, tenant.kinds
    )];
    for (name, report) in tenant.reports() {
        if report.state != State::Answered || report.malformed > 0 {
            lines.push(format!(
                "{name}: {:?}, {} malformed",
                report.state, report.malformed
            ));
        }
        lines.extend(
            report
                .rows
                .iter()
                .map(|row: &Value| format!("{name}: {row}")),
        );
    }
    if let Some(history) = &tenant.signature_history {
        lines.push(format!("what was seen of signatures: {history:?}"));
    }
    lines.join("\n")
}
