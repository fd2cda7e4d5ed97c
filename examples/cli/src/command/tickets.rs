//! `regentra tickets`.

use std::cmp::Reverse;

use clap::Args;
use regentra_sync::model::{NoteReason, OutboxAction, OutboxRow, SignalKey, Ticket, TicketState};
use serde_json::json;

use crate::{
    format::{count, count_of, minute},
    host::{HostArgs, Reading},
    output,
    portal::Portal,
    table, verdict,
};

/// The most rows of the outbox that are read.
const OUTBOX: u32 = 1_000;

/// Arguments of `regentra tickets`.
#[derive(Debug, Args)]
pub struct TicketsArgs {
    /// Of this company alone: its id, the beginning of its id, or its name.
    #[arg(long)]
    company: Option<String>,

    /// List what waits for the bridge to the ticket system instead.
    #[arg(long, conflicts_with = "company")]
    outbox: bool,
}

/// Lists the tickets, or what waits to be delivered.
///
/// # Errors
/// When there is no such company.
pub async fn run(args: TicketsArgs, host: &HostArgs) -> anyhow::Result<()> {
    let host = host.read().await?;
    let portal = Portal::read(&host).await?;
    let waiting = host.views.outbox(host.msp, OUTBOX).await?;
    if args.outbox {
        return outbox(&host, &portal, &waiting);
    }
    let mut tickets = read(&host, &portal).await?;
    if let Some(wanted) = &args.company {
        let company = portal.company(wanted)?.id;
        tickets.retain(|ticket| ticket.company == company);
    }
    if host.json {
        let row = |ticket: &Ticket| {
            let mut row = json!(ticket);
            if let Some(fields) = row.as_object_mut() {
                // A digest that only tells two texts apart.
                fields.remove("content_digest");
                fields.insert(
                    "company_name".to_owned(),
                    portal.company_text(ticket.company).into(),
                );
            }
            row
        };
        return output::json(&tickets.iter().map(row).collect::<Vec<_>>());
    }
    output::print(&table(&portal, &tickets))?;
    output::print(&summary(&tickets, &waiting))
}

/// Reads the tickets: the last opened first, then by company and signal.
///
/// # Errors
/// When the store does not answer.
pub async fn read(host: &Reading, portal: &Portal) -> anyhow::Result<Vec<Ticket>> {
    let mut tickets = host.views.tickets(host.msp, None).await?;
    tickets.sort_by_cached_key(|ticket| {
        let company = portal.company_text(ticket.company).to_owned();
        (Reverse(ticket.opened_at), company, ticket.key.signal)
    });
    Ok(tickets)
}

/// The tickets as a table.
#[must_use]
pub fn table(portal: &Portal, tickets: &[Ticket]) -> String {
    let several = |ticket: &Ticket| portal.mapped_to(ticket.company).count() > 1;
    let mut columns = vec![
        "Company",
        "Signal",
        "State",
        "Opened",
        "Failed last",
        ">Passes since",
        "Reference",
    ];
    let with_organization = tickets.iter().any(several);
    if with_organization {
        columns.insert(1, "Organization");
    }
    let mut table = table::new(&columns);
    for ticket in tickets {
        let mut cells = vec![
            table::cell(portal.company_name(ticket.company)),
            table::cell(verdict::title(ticket.key.signal)),
            table::cell(ticket.state.as_str()),
            table::cell(minute(ticket.opened_at)),
            table::cell(minute(ticket.last_failed_at)),
            table::number(ticket.passes.into()),
            table::cell(
                ticket
                    .reference
                    .as_ref()
                    .map_or("not delivered yet", |reference| reference.as_str()),
            ),
        ];
        if with_organization {
            cells.insert(
                1,
                table::cell(portal.organization_label(ticket.key.mapping)),
            );
        }
        table.add_row(cells);
    }
    table::text(&table)
}

/// How many are open, and how many messages wait.
#[must_use]
pub fn summary(tickets: &[Ticket], waiting: &[OutboxRow]) -> String {
    let open = tickets
        .iter()
        .filter(|ticket| ticket.state == TicketState::Open)
        .count() as u64;
    let messages = count_of(waiting, "message waits", "messages wait");
    format!(
        "\n{}, {open} open. {messages} for the bridge to the ticket system (`regentra tickets --outbox`).\n",
        count(tickets.len() as u64, "ticket", "tickets")
    )
}

fn outbox(host: &Reading, portal: &Portal, waiting: &[OutboxRow]) -> anyhow::Result<()> {
    if host.json {
        return output::json(&waiting);
    }
    let mut table = table::new(&["Written", "Do", "About", "Id"]);
    for row in waiting {
        table.add_row([
            table::cell(minute(row.created_at)),
            table::cell(row.action.as_str()),
            table::cell(about(portal, &row.action)),
            table::cell(row.id.to_string()),
        ]);
    }
    output::print(&table::text(&table))?;
    output::line(format!(
        "\n{}. The id is the idempotency key: a bridge may send a message twice.",
        count_of(waiting, "message", "messages")
    ))
}

fn about(portal: &Portal, action: &OutboxAction) -> String {
    let of = |key: &SignalKey| {
        format!(
            "{}: {}",
            portal.organization_label(key.mapping),
            verdict::title(key.signal)
        )
    };
    match action {
        OutboxAction::Open { key, .. }
        | OutboxAction::Update { key, .. }
        | OutboxAction::Close { key, .. } => of(key),
        OutboxAction::Note { key, reason } => {
            let why = match reason {
                NoteReason::Disconnected => "NinjaOne was disconnected",
                NoteReason::Unmapped => "the organization is not mapped any more",
                _ => "for a reason that this release does not know",
            };
            format!("{}: {why}", of(key))
        }
        OutboxAction::Digest { entries } => {
            let signals = entries.values().map(Vec::len).sum::<usize>() as u64;
            format!(
                "{} of {} without a ticket of their own",
                count(signals, "failing signal", "failing signals"),
                count(entries.len() as u64, "company", "companies")
            )
        }
        _ => "a message that this release does not know".to_owned(),
    }
}
