//! Every boundary of the rules of the five signals stands in a table, and the tables hold.

use serde_json::Value;

use crate::{
    boundaries::{Case, differences, tables},
    oracle,
    oracle::tenant::Tenant,
};

/// Runs every case of every table against an evaluator and names each that does not hold.
fn hold(evaluate: impl Fn(&Tenant) -> Value) {
    let (mut cases, mut broken) = (0, Vec::new());
    for (table, rows) in tables() {
        for Case {
            name,
            tenant,
            signal,
            expected,
        } in rows
        {
            cases += 1;
            let signals = evaluate(&tenant);
            let found = signals
                .as_array()
                .and_then(|signals| signals.iter().find(|found| found["signal"] == signal))
                .unwrap_or(&Value::Null);
            let mut lines = Vec::new();
            differences(&expected, found, "", &mut lines);
            if !lines.is_empty() {
                broken.push(format!(
                    "{table} / {signal} / {name}\n    {}",
                    lines.join("\n    ")
                ));
            }
        }
    }
    assert!(
        broken.is_empty(),
        "{} of {cases} cases do not hold:\n{}",
        broken.len(),
        broken.join("\n")
    );
}

#[test]
fn every_boundary_holds_for_the_second_opinion() {
    hold(oracle::evaluate);
}

#[test]
fn every_boundary_holds_for_ours() {
    hold(oracle::ours::ours);
}
