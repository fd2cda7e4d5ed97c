//! What is shown of the story's database, and whether all that was shown before still is.

use std::collections::BTreeMap;

use regentra_sync::{
    Integration,
    store::{AssetFilter, AuditPage},
};
use serde_json::{Value, json};

use super::story::{Host, customer, gone, ours};

/// Fields that have another name since then: before, now. It counts where the old name is gone.
const RENAMED: &[(&str, &str)] = &[("said", "content_digest")];

/// What the release before showed when the database was kept.
pub fn before() -> Value {
    let text = include_str!("../../fixtures/release_before/shown.json");
    serde_json::from_str(text).unwrap()
}

/// The same, of today.
pub async fn today(host: &Host, process: &Integration) -> Value {
    let views = process.views();
    let page = || AuditPage::newest(1000);
    let mut msps = BTreeMap::new();
    for msp in [ours(), gone()] {
        let companies = views.companies(msp).await.unwrap();
        let mut postures = BTreeMap::new();
        for company in &companies {
            if company.converted_to.is_some() {
                let posture = views.posture(msp, company.id).await.unwrap();
                postures.insert(company.id.to_string(), posture);
            }
        }
        let mut mappings = Vec::new();
        for connection in host.store.credentials(msp).await.unwrap() {
            mappings.extend(views.mappings(msp, connection.id).await.unwrap());
        }
        let card = process.card(msp).await.unwrap();
        let shown = json!({
            "status": card.connections,
            "diagnosis": card.diagnoses,
            "doubts": views.asset_doubts(msp, None).await.unwrap(),
            "mappings": mappings,
            "companies": companies,
            "postures": postures,
            "assets": views.assets(msp, AssetFilter::All).await.unwrap(),
            "tickets": views.tickets(msp, None).await.unwrap(),
            "outbox": views.outbox(msp, 1000).await.unwrap(),
            "audit": views.msp_audit(msp, page()).await.unwrap(),
            "runs": views.runs(msp).await.unwrap(),
        });
        msps.insert(msp.to_string(), shown);
    }
    let mut customers = BTreeMap::new();
    for customer in [101, 102, 201].map(customer) {
        let shown = json!({
            "current": views.current_signals(customer).await.unwrap(),
            "audit": views.customer_audit(customer, page()).await.unwrap(),
        });
        customers.insert(customer.to_string(), shown);
    }
    json!({"msps": msps, "customers": customers})
}

/// Where the answer of now lacks what was shown before. Fields that are new are no difference; rows that are, are.
pub fn differences(before: &Value, now: &Value) -> Vec<String> {
    let mut differences = Vec::new();
    compare("", before, now, &mut differences);
    differences
}

fn compare(path: &str, before: &Value, now: &Value, differences: &mut Vec<String>) {
    match (before, now) {
        (Value::Object(fields), Value::Object(found)) => {
            for (name, before) in fields {
                let renamed = || {
                    let mut renamed = RENAMED.iter();
                    renamed
                        .find(|(before, _)| before == name)
                        .and_then(|(_, now)| found.get(*now))
                };
                let path = format!("{path}/{name}");
                match found.get(name).or_else(renamed) {
                    Some(now) if name == "audit" => {
                        compare(
                            &path,
                            &in_any_order(before),
                            &in_any_order(now),
                            differences,
                        );
                    }
                    // A release may find more.
                    Some(now) if name == "diagnosis" => {
                        let found = now.as_array().unwrap();
                        let is_there = |before: &Value| {
                            found
                                .iter()
                                .any(|now| self::differences(before, now).is_empty())
                        };
                        let before = before.as_array().unwrap().iter();
                        let lost = before.filter(|before| !is_there(before));
                        differences.extend(lost.map(|found| format!("{path}: {found} is gone")));
                    }
                    Some(now) => compare(&path, before, now, differences),
                    None => differences.push(format!("{path} is gone")),
                }
            }
        }
        (Value::Array(rows), Value::Array(found)) if rows.len() == found.len() => {
            for (number, (before, now)) in rows.iter().zip(found).enumerate() {
                compare(&format!("{path}/{number}"), before, now, differences);
            }
        }
        _ if before == now => {}
        _ => differences.push(format!("{path}: {before} is {now}")),
    }
}

/// Audit rows of one moment are in the order of their ids, and the ids of an authorization are no other store's.
fn in_any_order(audit: &Value) -> Value {
    let mut rows = audit.as_array().unwrap().clone();
    for row in &mut rows {
        let row = row.as_object_mut().unwrap();
        row.remove("id");
        if row["details"]["region"] == "ca" {
            row.remove("event");
        }
    }
    rows.sort_by_key(Value::to_string);
    Value::Array(rows)
}
