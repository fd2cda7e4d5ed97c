//! `audit`.

use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use regentra_sync::{
    audit::{Actor, AuditRow},
    progress::Unobserved,
    store::AuditPage,
};

use super::{
    HostArgs, print_json,
    table::{table, time},
};

/// Arguments of `regentra audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// The trail of this customer (company id or name) instead of the MSP's own.
    #[arg(long, value_name = "COMPANY")]
    company: Option<String>,
    /// How many rows, newest first.
    #[arg(long, default_value_t = 50, value_name = "N")]
    limit: u32,
    /// Print them as JSON.
    #[arg(long)]
    json: bool,
}

/// Shows an audit trail.
///
/// # Errors
/// When there is no such company, or it has no trail because it was not promoted.
pub async fn list(host: &HostArgs, args: &AuditArgs) -> anyhow::Result<()> {
    let host = host.open(Arc::new(Unobserved)).await?;
    let page = AuditPage::newest(args.limit);
    let rows = match &args.company {
        None => host.integration.msp_audit(host.msp, page).await?,
        Some(company) => {
            let id = host.company(company).await?;
            let stored = host.store.company(host.msp, id).await?;
            let customer = stored.and_then(|company| company.converted_to);
            let customer = customer.with_context(|| {
                format!("{company} was not promoted, so it has no trail of its own")
            })?;
            host.integration.customer_audit(customer, page).await?
        }
    };
    if args.json {
        return print_json(&rows);
    }
    print(&rows);
    Ok(())
}

/// Prints audit rows.
pub fn print(rows: &[AuditRow]) {
    if rows.is_empty() {
        println!("The trail is empty.");
        return;
    }
    let mut listed = table(&["When", "What", "By", "Particulars"]);
    for row in rows {
        let by = match row.actor {
            Actor::Schedule => "schedule",
            Actor::Operator(_) => "operator",
        };
        let details = serde_json::to_value(&row.details).unwrap_or_default();
        let particulars: Vec<_> = details
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(name, _)| *name != "kind")
            .map(|(name, value)| format!("{name} {}", particular(value)))
            .collect();
        listed.add_row([
            time(row.at),
            row.action.to_string(),
            by.to_owned(),
            particulars.join(", "),
        ]);
    }
    println!("{listed}");
}

/// A value in a few words: numbers that are zero say nothing.
fn particular(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Object(fields) => {
            let parts: Vec<_> = fields
                .iter()
                .filter(|(_, value)| value.as_u64() != Some(0))
                .map(|(name, value)| {
                    match value.get("status").and_then(serde_json::Value::as_str) {
                        Some(status) => format!("{name} {status}"),
                        None => format!("{name} {}", particular(value)),
                    }
                })
                .collect();
            format!("({})", parts.join(" "))
        }
        other => other.to_string(),
    }
}
