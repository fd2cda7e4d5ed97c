//! `regentra audit`: what was done, by whom, with which result.

use std::collections::BTreeMap;

use clap::Args;
use regentra_evidence::{KindsInUse, SignalKind};
use regentra_sync::{
    model::{
        Actor, AuditDetails, AuditRow, ChangedSetting, Grant, SweepCounts, SweepStrategy,
        SweptSignal, SyncCounts, TenantView,
    },
    store::AuditPage,
};

use crate::{
    chains,
    format::{count, count_and_lost, minute, number},
    host::{HostArgs, Reading},
    output,
    portal::Portal,
    shown::Shown,
    table, verdict,
};

/// Arguments of `regentra audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// The trail of this promoted company instead of the provider's: its id, the beginning of its id, or its name.
    #[arg(long)]
    company: Option<String>,

    /// How many rows, the newest first.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

/// Shows a trail.
///
/// # Errors
/// When there is no such company, or it has no trail of its own.
pub async fn run(args: AuditArgs, host: &HostArgs) -> anyhow::Result<()> {
    let host = host.read().await?;
    let portal = Portal::read(&host).await?;
    let rows = read(&host, &portal, args.company.as_deref(), args.limit).await?;
    if host.json {
        return output::json(&rows);
    }
    output::print(&table(&portal, &rows))?;
    if rows.len() == usize::try_from(args.limit).unwrap_or(usize::MAX) {
        output::line(format!(
            "\nThe newest {}; --limit shows more.",
            number(args.limit.into())
        ))?;
    }
    Ok(())
}

/// Reads a trail, newest first.
///
/// # Errors
/// As [`run`].
pub async fn read(
    host: &Reading,
    portal: &Portal,
    company: Option<&str>,
    limit: u32,
) -> anyhow::Result<Vec<AuditRow>> {
    let page = AuditPage::newest(limit);
    let Some(wanted) = company else {
        return Ok(host.views.msp_audit(host.msp, page).await?);
    };
    let company = portal.company(wanted)?;
    let Some(customer) = company.converted_to else {
        anyhow::bail!(
            "{} is not promoted, so it has no trail of its own; the provider's is `regentra audit`",
            Shown::name(&company.name)
        );
    };
    Ok(host.views.customer_audit(customer, page).await?)
}

/// A trail as a table.
#[must_use]
pub fn table(portal: &Portal, rows: &[AuditRow]) -> String {
    let mut table = table::new(&["At", "By", "Action", "What"]);
    for row in rows {
        table.add_row([
            table::cell(minute(row.at)),
            table::cell(match row.actor {
                Actor::Schedule => "schedule",
                Actor::Operator(_) => "operator",
            }),
            table::cell(row.action.as_str()),
            table::cell(what(portal, &row.details)),
        ]);
    }
    table::text(&table)
}

#[expect(
    clippy::too_many_lines,
    reason = "one line or two for each kind of row"
)]
fn what(portal: &Portal, details: &AuditDetails) -> String {
    let organization = |mapping| portal.organization_label(mapping);
    match details {
        AuditDetails::Tested {
            region,
            organizations_visible,
            unreadable_rows,
        } => match organizations_visible {
            Some(n) => format!(
                "{region}: {} visible",
                count_and_lost(
                    n.saturating_sub(*unreadable_rows),
                    "organization",
                    "organizations",
                    *unreadable_rows
                )
            ),
            None => format!("{region}: could not ask"),
        },
        AuditDetails::Connected {
            region,
            grant,
            view,
            reconnected,
            ..
        } => {
            let again = if *reconnected { ", again" } else { "" };
            let way = match grant {
                Grant::ClientCredentials => "",
                Grant::AuthorizationCode => ", authorized by an administrator",
                _ => ", by a grant that this release does not know",
            };
            let view = match view {
                TenantView::Part => ", who sees a part of the tenant only",
                _ => "",
            };
            format!("{region}{again}{way}{view}")
        }
        AuditDetails::Configured { changed, .. } => {
            let parts: Vec<_> = changed.iter().map(setting).collect();
            parts.join("; ")
        }
        AuditDetails::FrameworksAdopted {
            company,
            frameworks,
        } => {
            let adopted = if frameworks.is_decided() {
                let shown = frameworks.shown();
                let shown = shown.into_iter().map(|one| one.as_str().to_owned());
                let unknown = frameworks.unknown().map(str::to_owned);
                let all: Vec<_> = shown.chain(unknown).collect();
                if all.is_empty() {
                    "none".to_owned()
                } else {
                    all.join(", ")
                }
            } else {
                "all, undecided".to_owned()
            };
            format!("{}: {adopted}", portal.company_name(*company))
        }
        AuditDetails::Disconnected {
            mappings,
            unexpired_signals,
            ..
        } => {
            let mapped = count(*mappings, "mapped organization", "mapped organizations");
            match unexpired_signals {
                Some(n) => format!(
                    "{mapped}; {} left to expire",
                    count(*n, "signal", "signals")
                ),
                None => mapped,
            }
        }
        AuditDetails::Discovered {
            listed,
            nameless,
            unreadable_rows,
            added,
            renamed,
            missing,
            returned,
            truncated,
            ..
        } => {
            let parts = nonzero([
                (*added, "new"),
                (*renamed, "renamed"),
                (*missing, "no longer listed"),
                (*returned, "listed again"),
                (*nameless, "without a readable name"),
            ]);
            let cut = if *truncated {
                "; cut at the ceiling"
            } else {
                ""
            };
            let parts = if parts.is_empty() {
                "nothing new"
            } else {
                &parts
            };
            let all = count_and_lost(*listed, "organization", "organizations", *unreadable_rows);
            format!("{all}: {parts}{cut}")
        }
        AuditDetails::Mapped {
            mapping,
            company,
            created,
        } => {
            let new = if *created { " (new)" } else { "" };
            format!(
                "{} to {}{new}",
                organization(*mapping),
                portal.company_name(*company)
            )
        }
        AuditDetails::Ignored { mapping } | AuditDetails::Unmapped { mapping } => {
            organization(*mapping).to_string()
        }
        AuditDetails::Promoted { company, .. } => portal.company_name(*company).to_string(),
        AuditDetails::Synced {
            mapping,
            counts,
            truncated_any,
            suspect_empty,
            suspect_shrunk,
            partial_view,
        } => {
            let cut = truncated_any.then_some("cut at the ceiling");
            let held = suspect_empty.then_some("suspiciously empty, assets held");
            let shrunk = suspect_shrunk.then_some("suspiciously short, assets held");
            let part = partial_view.then_some("seen by a user who sees a part of the tenant");
            let remarks = [cut, held, shrunk, part].into_iter().flatten();
            let parts = [synced(counts)]
                .into_iter()
                .chain(remarks.map(str::to_owned));
            format!(
                "{}: {}",
                organization(*mapping),
                parts.collect::<Vec<_>>().join("; ")
            )
        }
        AuditDetails::Swept {
            mapping,
            signals,
            counts,
            answered,
            dry_run,
            strategy,
        } => {
            let mut parts = vec![verdicts(signals)];
            parts.extend(dry_run.then(|| "dry run".to_owned()));
            parts.extend((!answered).then(|| "a report did not answer".to_owned()));
            parts.extend(dropped(counts));
            parts.push(match strategy {
                SweepStrategy::PerCustomer => count(counts.requests, "request", "requests"),
                _ => "read with other customers".to_owned(),
            });
            format!("{}: {}", organization(*mapping), parts.join("; "))
        }
        AuditDetails::GroupSwept {
            strategy,
            reason,
            costs,
            customers,
            committed,
            requests,
            read_again,
            ..
        } => {
            let done = format!(
                "{} of {} swept in one pass ({strategy}: {}): {}",
                number(*committed),
                count(*customers, "customer", "customers"),
                reason.as_words(),
                count(*requests, "request", "requests"),
            );
            let again =
                (*read_again > 0).then(|| format!("{} of them to read again", number(*read_again)));
            let whole = costs
                .whole_tenant
                .map(|cost| format!("whole tenant {}", number(cost)));
            let all = [
                Some(format!("each alone {}", number(costs.per_customer))),
                Some(format!("in groups {}", number(costs.group))),
                whole,
            ];
            let all: Vec<_> = all.into_iter().flatten().collect();
            let all = format!("all customers would cost: {}", all.join(", "));
            let parts: Vec<_> = [Some(done), again, Some(all)]
                .into_iter()
                .flatten()
                .collect();
            parts.join("; ")
        }
        AuditDetails::BudgetLow { spent, limit, .. } => {
            format!(
                "{} of {} requests of the hour are spent",
                number(*spent),
                number(*limit)
            )
        }
        AuditDetails::UnsealingFailed { .. } => {
            "the saved credentials do not open: other keys, or a changed row".to_owned()
        }
        AuditDetails::KeyRotated { .. } => {
            "the saved credentials are sealed under the current key".to_owned()
        }
        AuditDetails::OverrideUsed { .. } => {
            "the client id is connected elsewhere too, on purpose".to_owned()
        }
        _ => "a row that this release does not know: read it with `--json`".to_owned(),
    }
}

/// A setting that was changed, and what it is now.
fn setting(changed: &ChangedSetting) -> String {
    let by_policy = || "by the policy".to_owned();
    match changed {
        ChangedSetting::CustomFields(now) => {
            let now = now.as_ref().map_or_else(by_policy, |questions| {
                let fields = questions.iter().flat_map(|(question, fields)| {
                    fields
                        .iter()
                        .map(move |field| format!("{question} by {field}"))
                });
                let fields: Vec<_> = fields.collect();
                if fields.is_empty() {
                    "none".to_owned()
                } else {
                    fields.join(", ")
                }
            });
            format!("custom fields: {now}")
        }
        ChangedSetting::EntraDeviceIdField(now) => {
            let now = now.as_ref().map_or_else(by_policy, |field| {
                field.name().map_or("none".to_owned(), ToString::to_string)
            });
            format!("Entra device id: {now}")
        }
        ChangedSetting::KindsInUse(now) => {
            let now = now.map_or_else(by_policy, |kinds| {
                match kinds {
                    KindsInUse::Both => "both",
                    KindsInUse::Os => "os",
                    KindsInUse::Software => "software",
                }
                .to_owned()
            });
            format!("kinds of patches: {now}")
        }
        ChangedSetting::SweepStrategy(now) => {
            let now = now.map_or_else(by_policy, |strategy| strategy.to_string());
            format!("strategy of sweeps: {now}")
        }
        _ => "another setting".to_owned(),
    }
}

fn synced(counts: &SyncCounts) -> String {
    let parts = nonzero([
        (counts.created, "new"),
        (counts.updated, "changed"),
        (counts.moved, "moved"),
        (counts.retired, "retired"),
        (counts.superseded, "superseded"),
        (counts.restored, "restored"),
        (counts.ambiguous, "ambiguous"),
        (counts.possible_duplicates, "possible duplicates"),
        (counts.held, "held"),
        (counts.foreign_rows, "foreign"),
    ]);
    let devices = count_and_lost(counts.listed, "device", "devices", counts.malformed_rows);
    if parts.is_empty() {
        devices
    } else {
        format!("{devices}, {parts}")
    }
}

fn dropped(counts: &SweepCounts) -> Option<String> {
    let rows = nonzero([
        (counts.foreign_rows, "foreign"),
        (counts.orphan_rows, "orphaned"),
        (counts.malformed_rows, "malformed"),
        (counts.stale_rows, "stale"),
        (counts.undated_rows, "without a readable time"),
    ]);
    (!rows.is_empty()).then(|| format!("rows dropped: {rows}"))
}

fn verdicts(signals: &BTreeMap<SignalKind, SweptSignal>) -> String {
    let parts: Vec<_> = signals
        .iter()
        .map(|(kind, swept)| {
            format!(
                "{} {} ({})",
                verdict::title(*kind).to_lowercase(),
                verdict::word(swept.status).to_lowercase(),
                chains::short(swept.chain_head)
            )
        })
        .collect();
    parts.join(", ")
}

fn nonzero<const N: usize>(counts: [(u64, &str); N]) -> String {
    let parts: Vec<_> = counts
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{} {what}", number(n)))
        .collect();
    parts.join(", ")
}
