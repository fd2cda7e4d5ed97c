//! `regentra sweep`: evidence.

use anyhow::bail;
use quickstart::story::PARALLEL;
use regentra_evidence::SignalKind;
use regentra_sync::{
    SkipReason, SweepNow, SweepOutcome,
    schedule::{Cadence, SweepEvent},
};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{
    format::{clock, count, count_of, minute, number, rfc3339},
    host::{BUSY, Host, HostArgs},
    output,
    portal::Portal,
    table, verdict,
};

type Swept = (SweepEvent, Outcome);

/// Does the sweep that is due, and says what came of it. There is no other way to begin one: ticks of the schedule are what the cap of
/// tickets and the two passes that close one are counted by.
///
/// # Errors
/// When a customer was not swept.
pub async fn run(host: &HostArgs) -> anyhow::Result<()> {
    let host = host.open().await?;
    host.connected(None).await?;
    let tick = Cadence::EVIDENCE_SWEEP.last(host.now());
    let swept = sweep(&host, tick).await?;
    // Whatever is not anchored now waits; the sweep is done either way.
    if let Err(error) = host.integration.anchor(host.msp).await {
        output::note(format_args!(
            "warning: the evidence was not anchored: {error}"
        ));
    }
    let portal = Portal::read(&host).await?;
    if host.json {
        output::json(
            &swept
                .iter()
                .map(|swept| row(&portal, swept))
                .collect::<Vec<_>>(),
        )?;
    } else {
        output::print(&summary(&portal, tick, &swept))?;
        output::print(&host.spent().await?)?;
        if !swept.is_empty() {
            output::line("\nNext: `regentra signals`")?;
        }
    }
    let left = swept.iter().filter(|(_, outcome)| is_left(outcome)).count() as u64;
    if left > 0 {
        let of = count_of(&swept, "organization", "organizations");
        let were = if left == 1 { "was" } else { "were" };
        bail!("{left} of {of} {were} not swept; `regentra sweep` again tries what is left");
    }
    Ok(())
}

type Outcome = regentra_sync::Result<SweepOutcome>;

/// Whether the signals of this tick are there.
const fn is_swept(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Ok(SweepOutcome::Committed(_) | SweepOutcome::AlreadyCommitted)
    )
}

/// Whether it was to be swept, and was not. A customer who is not mapped or promoted any more is not to be.
const fn is_left(outcome: &Outcome) -> bool {
    !is_swept(outcome)
        && !matches!(
            outcome,
            Ok(SweepOutcome::Skipped(
                SkipReason::NotMapped | SkipReason::NotPromoted | SkipReason::Overtaken
            ))
        )
}

/// Sweeps every promoted customer for one tick of the schedule; those that were, are not again.
///
/// # Errors
/// When the store does not answer.
pub async fn sweep(host: &Host, tick: OffsetDateTime) -> anyhow::Result<Vec<Swept>> {
    let sweep = host.integration.sweep_now(
        host.msp,
        SweepNow {
            scheduled_at: tick,
            parallel: PARALLEL,
            actor: host.actor(),
        },
    );
    let swept = Box::pin(sweep).await;
    host.meter.clear();
    let mut swept = swept?;
    swept.sort_by_key(|(event, _)| (event.region.clone(), event.external_org_id));
    Ok(swept)
}

/// What a sweep found, a row for each organization.
#[must_use]
pub fn summary(portal: &Portal, tick: OffsetDateTime, swept: &[Swept]) -> String {
    if swept.is_empty() {
        return "No company with an organization is promoted, so there is nothing to sweep: `regentra promote COMPANY`.\n"
            .to_owned();
    }
    let next = Cadence::EVIDENCE_SWEEP.next(tick);
    let done = |(_, outcome): &Swept| matches!(outcome, Ok(SweepOutcome::AlreadyCommitted));
    if swept.iter().all(done) {
        return format!(
            "The sweep of {} is done already, for {}; the next is due at {}.\n",
            minute(tick),
            count_of(swept, "organization", "organizations"),
            clock(next)
        );
    }
    let mut columns = vec!["Organization"];
    columns.extend(SignalKind::ALL.map(verdict::title));
    columns.extend(["Tickets", ""]);
    let mut table = table::new(&columns);
    let (mut dry, mut opened, mut closed) = (0, 0, 0);
    for (event, outcome) in swept {
        let mut tickets = String::new();
        if let Ok(SweepOutcome::Committed(report)) = outcome {
            dry += u64::from(report.dry_run);
            opened += report.opened as u64;
            closed += report.closed as u64;
            tickets = match (report.opened, report.closed) {
                (0, 0) => String::new(),
                (opened, 0) => format!("{opened} opened"),
                (0, closed) => format!("{closed} closed"),
                (opened, closed) => format!("{opened} opened, {closed} closed"),
            };
        }
        let name = table::cell(portal.organization_label(event.mapping_id));
        let rest = [tickets, remark(outcome)].map(table::cell);
        table.add_row([name].into_iter().chain(verdicts(outcome)).chain(rest));
    }
    let mut text = format!(
        "{}\nSweep of {}: {} of {} swept, {} and {} closed; the next is due at {}.\n",
        table::text(&table),
        minute(tick),
        number(
            swept
                .iter()
                .filter(|(_, outcome)| is_swept(outcome))
                .count() as u64
        ),
        count_of(swept, "organization", "organizations"),
        count(opened, "ticket opened", "tickets opened"),
        number(closed),
        clock(next)
    );
    if dry > 0 {
        text.push_str("A first sweep is a dry run: its signals land, and tickets are opened from the next one on.\n");
    }
    text
}

/// One cell for each signal, empty when nothing was judged.
fn verdicts(outcome: &Outcome) -> [table::Cell; 5] {
    let Ok(SweepOutcome::Committed(report)) = outcome else {
        return SignalKind::ALL.map(|_| table::cell(""));
    };
    SignalKind::ALL.map(|kind| {
        let mut of_kind = report.signals.iter().map(|stored| &stored.signal);
        of_kind
            .find(|signal| signal.kind() == kind)
            .map_or_else(|| table::cell(""), |signal| table::status(signal.status))
    })
}

fn remark(outcome: &Outcome) -> String {
    match outcome {
        Ok(SweepOutcome::Committed(report)) => {
            let mut remarks = Vec::new();
            if report.dry_run {
                remarks.push("dry run");
            }
            if !report.answered {
                remarks.push("a report did not answer");
            }
            if report.digested {
                remarks.push("more in the digest: the cap of tickets is reached");
            }
            remarks.join("; ")
        }
        Ok(SweepOutcome::AlreadyCommitted) => "done already".to_owned(),
        Ok(SweepOutcome::Superseded(_)) => "changed meanwhile: nothing was written".to_owned(),
        Ok(SweepOutcome::Skipped(reason)) => match reason {
            SkipReason::Disconnected => "skipped: disconnected",
            SkipReason::NotMapped => "skipped: not mapped any more",
            SkipReason::NotPromoted => "skipped: not promoted",
            SkipReason::NotDue => "skipped: its time has not come",
            SkipReason::Overtaken => "skipped: swept since",
            _ => "skipped",
        }
        .to_owned(),
        Ok(SweepOutcome::Busy) => BUSY.to_owned(),
        Ok(_) => "ended in a way that this release does not know".to_owned(),
        Err(error) => format!("failed: {error}"),
    }
}

fn row(portal: &Portal, (event, outcome): &Swept) -> Value {
    let result = match outcome {
        Ok(SweepOutcome::Committed(report)) => json!({
            "outcome": "committed",
            "signals": report.signals,
            "answered": report.answered,
            "dry_run": report.dry_run,
            "tickets_opened": report.opened,
            "tickets_closed": report.closed,
            "digested": report.digested,
            "requests": report.counts.requests,
        }),
        Ok(SweepOutcome::AlreadyCommitted) => json!({ "outcome": "already_committed" }),
        Ok(SweepOutcome::Superseded(_)) => json!({ "outcome": "superseded" }),
        Ok(SweepOutcome::Skipped(reason)) => json!({ "outcome": "skipped", "reason": reason }),
        Ok(SweepOutcome::Busy) => json!({ "outcome": "busy" }),
        Ok(_) => json!({ "outcome": "unknown" }),
        Err(error) => json!({
            "outcome": "failed", "error": error.kind().as_str(), "message": error.to_string(),
        }),
    };
    json!({
        "mapping": event.mapping_id,
        "organization": event.external_org_id,
        "name": portal.mapping(event.mapping_id).map(|mapping| mapping.name.clone()),
        "compliance_org": event.customer_compliance_org_id,
        "scheduled_at": rfc3339(event.scheduled_at),
        "swept": is_swept(outcome),
        "result": result,
    })
}
