//! `tickets`.

use std::{collections::BTreeMap, sync::Arc};

use clap::Args;
use regentra_sync::{
    progress::Unobserved,
    ticket::{OutboxRow, Ticket},
};

use super::{
    Host, HostArgs, print_json,
    table::{optional_time, table, time},
};
use crate::verdict;

/// Arguments of `regentra tickets`.
#[derive(Debug, Args)]
pub struct TicketsArgs {
    /// List what the bridge to the ticket system is to do next, instead of the tickets.
    #[arg(long)]
    outbox: bool,
    /// Print the list as JSON.
    #[arg(long)]
    json: bool,
}

/// Outbox rows that are listed at the most.
const OUTBOX_LIMIT: u32 = 1_000;

/// Lists tickets, or the outbox.
///
/// # Errors
/// When the database cannot be read.
pub async fn list(host: &HostArgs, args: &TicketsArgs) -> anyhow::Result<()> {
    let host = host.open(Arc::new(Unobserved)).await?;
    if args.outbox {
        let rows = host.integration.outbox(host.msp, OUTBOX_LIMIT).await?;
        if args.json {
            return print_json(&rows);
        }
        print_outbox(&rows);
        return Ok(());
    }
    let tickets = host.integration.tickets(host.msp, None).await?;
    if args.json {
        return print_json(&tickets);
    }
    print(&host, &tickets).await
}

/// Prints tickets.
///
/// # Errors
/// When the companies cannot be read.
pub async fn print(host: &Host, tickets: &[Ticket]) -> anyhow::Result<()> {
    if tickets.is_empty() {
        println!(
            "There are no tickets. A customer's first successful sweep is a dry run; a failure after it opens one."
        );
        return Ok(());
    }
    let companies: BTreeMap<_, _> = host
        .store
        .companies(host.msp)
        .await?
        .into_iter()
        .map(|company| (company.id, company.name))
        .collect();
    let mut rows = table(&[
        "Company",
        "About",
        "State",
        "Opened",
        "Last failed",
        "Closed",
        "Reference",
    ]);
    for ticket in tickets {
        rows.add_row([
            companies
                .get(&ticket.company)
                .map_or("?", |name| name.as_str())
                .to_owned(),
            verdict::title(ticket.key.signal).to_owned(),
            ticket.state.as_str().to_owned(),
            time(ticket.opened_at),
            time(ticket.last_failed_at),
            optional_time(ticket.closed_at),
            ticket
                .reference
                .as_ref()
                .map_or("-", |reference| reference.as_str())
                .to_owned(),
        ]);
    }
    println!("{rows}");
    Ok(())
}

fn print_outbox(rows: &[OutboxRow]) {
    if rows.is_empty() {
        println!("Nothing waits for the ticket system.");
        return;
    }
    let mut listed = table(&["Key", "To do", "Since"]);
    for row in rows {
        listed.add_row([
            row.id.to_string(),
            row.action.as_str().to_owned(),
            time(row.created_at),
        ]);
    }
    println!("{listed}");
}
