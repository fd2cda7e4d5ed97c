//! [`Evidence`].

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use regentra_sync::{
    host::StoreClock,
    model::{
        ComplianceOrgId, DeviceDigest, EventId, EvidenceRow, MappingId, MspOrgId, OutboxId,
        OutboxRow, SignatureChanges, SignatureRecord, SignatureRecords, SignatureState, Ticket,
        TicketId, TicketState, TicketTick, Version, chain_start,
    },
    regentra_evidence::{ChainHead, ChainLink, Hash256, HeadSignature, SignalKind},
    store::{
        CommitOutcome, Evidence, Precondition, Result, StoredSignal, SweepCommit, SweepState,
        TicketWrite,
    },
};
use serde::Serialize;
use sqlx::{
    Sqlite, SqliteConnection,
    query::Query,
    sqlite::{SqliteArguments, SqliteRow},
};
use time::OffsetDateTime;

use crate::{
    SqliteStore,
    anchors::append_heads,
    audit::append_customer_audit,
    column::{Columns as _, column, micros, to_json},
    commit::{credential_holds, lease_holds, mapping_holds, settings_hold},
    failure::{Step, Stop, failed, holds},
    tickets::{append_outbox, open_tickets, outbox_row, write_ticket},
    transaction::present_until,
};

/// The customer's mappings and kinds of signals: one step in the index for each mapping, however many signals it has.
macro_rules! chains {
    () => {
        "WITH RECURSIVE swept (mapping_id) AS (SELECT min(mapping_id) FROM signals WHERE compliance_org_id = ?1 UNION ALL \
         SELECT (SELECT min(mapping_id) FROM signals WHERE compliance_org_id = ?1 AND mapping_id > swept.mapping_id) \
         FROM swept WHERE swept.mapping_id IS NOT NULL) SELECT last.mapping_id, last.event_id, last.body \
         FROM swept CROSS JOIN json_each(?2) AS kind CROSS JOIN signals AS last"
    };
}

/// For each (mapping, signal), the last committed signal that is not ahead of the clock, unless it has expired.
const PRESENT: &str = concat!(
    chains!(),
    " ON last.position = (SELECT position FROM signals WHERE compliance_org_id = ?1 AND mapping_id = swept.mapping_id \
     AND signal = kind.value AND collected_at <= ?4 ORDER BY position DESC LIMIT 1) WHERE last.expires_at > ?3"
);

/// For each (mapping, signal), the last committed signal, if it is ahead of the clock.
const AHEAD: &str = concat!(
    chains!(),
    " ON last.position = (SELECT max(position) FROM signals WHERE compliance_org_id = ?1 AND mapping_id = swept.mapping_id \
     AND signal = kind.value) WHERE last.collected_at > ?3"
);

/// The last record of each chain: one step in the key, however long the chain is. SQLite walks a cross join from the left.
const HEADS: &str = "SELECT head.mapping_id, head.signal, head.sequence, head.hash FROM json_each(?2) AS chain \
    CROSS JOIN evidence AS head ON head.compliance_org_id = ?1 AND head.mapping_id = unhex(chain.value ->> 0, '-') \
    AND head.signal = chain.value ->> 1 AND head.sequence = (SELECT max(sequence) FROM evidence \
    WHERE compliance_org_id = ?1 AND mapping_id = unhex(chain.value ->> 0, '-') AND signal = chain.value ->> 1)";

/// For each kind of signal of the mapping: when the last committed signal that is not ahead of the clock was collected.
const COLLECTED: &str = "SELECT kind.value AS signal, (SELECT collected_at FROM signals WHERE compliance_org_id = ?1 \
    AND mapping_id = ?2 AND signal = kind.value AND collected_at <= ?4 ORDER BY position DESC LIMIT 1) AS collected_at \
    FROM json_each(?3) AS kind";

#[async_trait]
impl Evidence for SqliteStore {
    async fn sweep_state(
        &self,
        msp: MspOrgId,
        customer: ComplianceOrgId,
        mapping: MappingId,
        event: EventId,
        tick: OffsetDateTime,
    ) -> Result<SweepState> {
        let mut transaction = self.read().await?;
        let now = self.clock.now();
        let state = sweep_state(&mut transaction, now, msp, customer, mapping, event, tick).await;
        let state = state.map_err(Stop::into_error)?;
        transaction.commit().await.map_err(failed)?;
        Ok(state)
    }

    async fn commit_sweep(
        &self,
        msp: MspOrgId,
        customer: ComplianceOrgId,
        commit: SweepCommit,
    ) -> Result<CommitOutcome> {
        commit.check_tenant(customer)?;
        let clock = self.clock.clone();
        self.commit(msp, commit.event, &commit, move |connection, commit| {
            let clock = clock.clone();
            Box::pin(async move { sweep(connection, &clock, msp, customer, commit).await })
        })
        .await
    }

    async fn current_signals(
        &self,
        customer: ComplianceOrgId,
        now: OffsetDateTime,
    ) -> Result<Vec<StoredSignal>> {
        let query = sqlx::query(PRESENT)
            .bind(customer.as_uuid())
            .bind(to_json(&SignalKind::ALL)?)
            .bind(micros(now))
            .bind(micros(present_until(self.clock.now())));
        self.signals(query).await
    }

    async fn signals_ahead(&self, customer: ComplianceOrgId) -> Result<Vec<StoredSignal>> {
        let query = sqlx::query(AHEAD)
            .bind(customer.as_uuid())
            .bind(to_json(&SignalKind::ALL)?)
            .bind(micros(present_until(self.clock.now())));
        self.signals(query).await
    }

    async fn signal_history(
        &self,
        customer: ComplianceOrgId,
        mapping: MappingId,
        signal: SignalKind,
        limit: u32,
    ) -> Result<Vec<StoredSignal>> {
        let query = sqlx::query(
            "SELECT mapping_id, event_id, body FROM signals \
             WHERE compliance_org_id = ?1 AND mapping_id = ?2 AND signal = ?3 \
             ORDER BY position DESC LIMIT ?4",
        )
        .bind(customer.as_uuid())
        .bind(mapping.as_uuid())
        .bind(signal.as_str())
        .bind(i64::from(limit));
        self.rows(query, stored_signal).await
    }

    async fn evidence_chain(
        &self,
        customer: ComplianceOrgId,
        mapping: MappingId,
        signal: SignalKind,
        after: u64,
        limit: u32,
    ) -> Result<Vec<EvidenceRow>> {
        // Every sequence number fits into a bigint. After a larger one there is no record.
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let query = sqlx::query(
            "SELECT * FROM evidence \
             WHERE compliance_org_id = ?1 AND mapping_id = ?2 AND signal = ?3 AND sequence > ?4 \
             ORDER BY sequence LIMIT ?5",
        )
        .bind(customer.as_uuid())
        .bind(mapping.as_uuid())
        .bind(signal.as_str())
        .bind(after)
        .bind(i64::from(limit));
        self.rows(query, evidence_row).await
    }
}

impl SqliteStore {
    /// Signals in the order of their keys.
    async fn signals(
        &self,
        query: Query<'_, Sqlite, SqliteArguments>,
    ) -> Result<Vec<StoredSignal>> {
        let signals = self.rows(query, stored_signal);
        let mut signals = signals.await?;
        signals.sort_by_key(|stored| (stored.mapping, stored.signal.kind()));
        Ok(signals)
    }
}

async fn sweep_state(
    connection: &mut SqliteConnection,
    store_time: OffsetDateTime,
    msp: MspOrgId,
    customer: ComplianceOrgId,
    mapping: MappingId,
    event: EventId,
    tick: OffsetDateTime,
) -> Step<SweepState> {
    let seen = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM events WHERE msp_org_id = ?1 AND event_id = ?2)",
    )
    .bind(msp.as_uuid())
    .bind(event.as_uuid())
    .fetch_one(&mut *connection)
    .await?;
    let chains = SignalKind::ALL.map(|signal| (mapping, signal));
    let heads = heads(connection, customer, &chains).await?;
    let collected = collected(connection, customer, mapping, store_time).await?;
    let open_tickets = open_tickets(connection, msp, &[mapping]).await?;
    let tick = ticket_tick(connection, msp, tick).await?;
    let digest = match &tick {
        None => None,
        Some(tick) => undelivered_digest(connection, msp, tick).await?,
    };
    Ok(SweepState {
        seen,
        heads: heads
            .into_iter()
            .map(|((_, signal), head)| (signal, head))
            .collect(),
        collected,
        open_tickets: open_tickets
            .into_iter()
            .filter(|ticket| ticket.key.compliance_org == customer)
            .map(|ticket| (ticket.key.signal, ticket))
            .collect(),
        signature_history: signature_history(connection, msp, mapping).await?,
        tick,
        digest,
    })
}

async fn sweep(
    connection: &mut SqliteConnection,
    clock: &StoreClock,
    msp: MspOrgId,
    customer: ComplianceOrgId,
    commit: &SweepCommit,
) -> Step {
    let SweepCommit {
        event: _,
        credential,
        settings,
        mapping,
        lease,
        scheduled_at,
        signals,
        evidence,
        audit,
        first_evidence_synced_at,
        signatures,
        tickets,
        outbox,
        tick,
    } = commit;
    credential_holds(connection, msp, *credential).await?;
    settings_hold(connection, msp, *settings).await?;
    let company = mapping_holds(connection, msp, *mapping).await?;
    let is_customer: Option<bool> = sqlx::query_scalar(
        "SELECT converted_to_organization_id IS ?3 FROM companies \
         WHERE msp_org_id = ?1 AND company_id = ?2",
    )
    .bind(msp.as_uuid())
    .bind(company.as_uuid())
    .bind(customer.as_uuid())
    .fetch_optional(&mut *connection)
    .await?;
    holds(is_customer == Some(true), Precondition::Mapping)?;
    lease_holds(connection, msp, lease).await?;
    chains_continue(connection, customer, evidence).await?;
    tickets_hold(connection, msp, tickets).await?;
    if let Some(tick) = tick {
        write_tick(connection, msp, tick).await?;
    }

    let store_time = clock.now();
    let collected = collected(connection, customer, mapping.mapping, store_time).await?;
    commit.check_order(&collected)?;
    append_signals(connection, customer, signals).await?;
    append_evidence(connection, customer, evidence, store_time).await?;
    append_heads(connection, msp, customer, evidence, *scheduled_at).await?;
    append_customer_audit(connection, customer, audit).await?;
    if let Some(at) = first_evidence_synced_at {
        sqlx::query(
            "UPDATE mappings SET first_evidence_synced_at = ?3 \
             WHERE msp_org_id = ?1 AND mapping_id = ?2 \
             AND (first_evidence_synced_at IS NULL OR first_evidence_synced_at > ?4)",
        )
        .bind(msp.as_uuid())
        .bind(mapping.mapping.as_uuid())
        .bind(micros(*at))
        .bind(micros(present_until(store_time)))
        .execute(&mut *connection)
        .await?;
    }
    clear_ticks_ahead(connection, msp, store_time).await?;
    change_signatures(connection, msp, mapping.mapping, signatures).await?;
    for TicketWrite { ticket, expected } in tickets {
        write_ticket(connection, msp, ticket, expected.is_some()).await?;
    }
    append_outbox(connection, msp, outbox).await
}

type Chain = (MappingId, SignalKind);

/// The heads of these chains. A chain without a record is absent.
async fn heads(
    connection: &mut SqliteConnection,
    customer: ComplianceOrgId,
    chains: &[Chain],
) -> Step<BTreeMap<Chain, ChainHead>> {
    let rows = sqlx::query(HEADS)
        .bind(customer.as_uuid())
        .bind(to_json(&chains)?)
        .fetch_all(connection)
        .await?;
    let head = |row: &SqliteRow| {
        let chain = (
            row.id("mapping_id", MappingId::from_uuid)?,
            row.signal_kind("signal")?,
        );
        let head = ChainHead {
            length: row.count("sequence")?,
            hash: row.hash("hash")?,
        };
        Ok((chain, head))
    };
    Ok(rows.iter().map(head).collect::<Result<_>>()?)
}

/// For each kind of signal of the mapping: when the last committed signal that is not ahead of the clock was collected.
async fn collected(
    connection: &mut SqliteConnection,
    customer: ComplianceOrgId,
    mapping: MappingId,
    store_time: OffsetDateTime,
) -> Step<BTreeMap<SignalKind, OffsetDateTime>> {
    let rows = sqlx::query(COLLECTED)
        .bind(customer.as_uuid())
        .bind(mapping.as_uuid())
        .bind(to_json(&SignalKind::ALL)?)
        .bind(micros(present_until(store_time)))
        .fetch_all(connection)
        .await?;
    let mut collected = BTreeMap::new();
    for row in &rows {
        if let Some(at) = row.time_if_any("collected_at")? {
            collected.insert(row.signal_kind("signal")?, at);
        }
    }
    Ok(collected)
}

async fn chains_continue(
    connection: &mut SqliteConnection,
    customer: ComplianceOrgId,
    evidence: &[EvidenceRow],
) -> Step {
    let chains = column(evidence, |row| (row.mapping, row.signal));
    let heads = heads(connection, customer, &chains).await?;
    let continues = |row: &EvidenceRow| {
        let head = heads.get(&(row.mapping, row.signal)).copied();
        let start = || chain_start(customer, row.mapping, row.signal);
        head.unwrap_or_else(start) == row.link.continues()
    };
    holds(evidence.iter().all(continues), Precondition::EvidenceChain)
}

async fn tickets_hold(
    connection: &mut SqliteConnection,
    msp: MspOrgId,
    writes: &[TicketWrite],
) -> Step {
    if writes.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query(
        "SELECT ticket_id, version FROM tickets \
         WHERE msp_org_id = ?1 AND ticket_id IN (SELECT unhex(value, '-') FROM json_each(?2))",
    )
    .bind(msp.as_uuid())
    .bind(to_json(&column(writes, |write| write.ticket.id))?)
    .fetch_all(&mut *connection)
    .await?;
    let version = |row: &SqliteRow| {
        Ok((
            row.id("ticket_id", TicketId::from_uuid)?,
            Version::from_u32(row.counter("version")?),
        ))
    };
    let stored = rows
        .iter()
        .map(version)
        .collect::<Result<BTreeMap<_, _>>>()?;
    let mappings: BTreeSet<_> = writes
        .iter()
        .map(|write| write.ticket.key.mapping)
        .collect();
    let mappings: Vec<_> = mappings.into_iter().collect();
    let open = open_tickets(connection, msp, &mappings).await?;
    let hold = |TicketWrite { ticket, expected }: &TicketWrite| {
        let is_another = |other: &Ticket| other.key == ticket.key && other.id != ticket.id;
        stored.get(&ticket.id).copied() == *expected
            && !(ticket.state == TicketState::Open && open.iter().any(is_another))
    };
    holds(writes.iter().all(hold), Precondition::Ticket)
}

/// Writes the tick with its version plus one, if the stored version is the given one.
async fn write_tick(connection: &mut SqliteConnection, msp: MspOrgId, tick: &TicketTick) -> Step {
    let written = sqlx::query(if tick.version == Version::default() {
        "INSERT INTO ticket_ticks (msp_org_id, scheduled_at, version, opened, digests) \
         VALUES (?1, ?2, ?3 + 1, ?4, ?5) ON CONFLICT (msp_org_id, scheduled_at) DO NOTHING"
    } else {
        "UPDATE ticket_ticks SET version = ?3 + 1, opened = ?4, digests = ?5 \
         WHERE msp_org_id = ?1 AND scheduled_at = ?2 AND version = ?3"
    })
    .bind(msp.as_uuid())
    .bind(micros(tick.scheduled_at))
    .bind(i64::from(tick.version.as_u32()))
    .bind(i64::from(tick.opened))
    .bind(i64::from(tick.digests))
    .execute(connection)
    .await?;
    holds(written.rows_affected() > 0, Precondition::TicketTick)
}

/// Resets the ticks that lie in the future to no opened ticket: a clock that ran ahead opened them.
async fn clear_ticks_ahead(
    connection: &mut SqliteConnection,
    msp: MspOrgId,
    store_time: OffsetDateTime,
) -> Step {
    sqlx::query(
        "UPDATE ticket_ticks SET opened = 0, version = version + 1 \
         WHERE msp_org_id = ?1 AND scheduled_at > ?2 AND opened > 0",
    )
    .bind(msp.as_uuid())
    .bind(micros(present_until(store_time)))
    .execute(connection)
    .await?;
    Ok(())
}

async fn ticket_tick(
    connection: &mut SqliteConnection,
    msp: MspOrgId,
    scheduled_at: OffsetDateTime,
) -> Step<Option<TicketTick>> {
    let row = sqlx::query(
        "SELECT version, opened, digests FROM ticket_ticks WHERE msp_org_id = ?1 AND scheduled_at = ?2",
    )
    .bind(msp.as_uuid())
    .bind(micros(scheduled_at))
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(TicketTick {
        scheduled_at,
        version: Version::from_u32(row.counter("version")?),
        opened: row.counter("opened")?,
        digests: row.counter("digests")?,
    }))
}

async fn undelivered_digest(
    connection: &mut SqliteConnection,
    msp: MspOrgId,
    tick: &TicketTick,
) -> Step<Option<OutboxRow>> {
    let row = sqlx::query(
        "SELECT outbox_id, ticket_id, action, created_at, due_at, delivered_at FROM outbox \
         WHERE msp_org_id = ?1 AND outbox_id = ?2 AND delivered_at IS NULL",
    )
    .bind(msp.as_uuid())
    .bind(OutboxId::digest(msp, tick.scheduled_at, tick.digests).as_uuid())
    .fetch_optional(connection)
    .await?;
    Ok(row.as_ref().map(outbox_row).transpose()?)
}

async fn append_signals(
    connection: &mut SqliteConnection,
    customer: ComplianceOrgId,
    signals: &[StoredSignal],
) -> Step {
    #[derive(Serialize)]
    struct Row {
        mapping: MappingId,
        signal: &'static str,
        event: EventId,
        status: &'static str,
        collected_at: i64,
        expires_at: i64,
        body: String,
    }
    let row = |stored: &StoredSignal| {
        Ok(Row {
            mapping: stored.mapping,
            signal: stored.signal.kind().as_str(),
            event: stored.event,
            status: stored.signal.status.as_str(),
            collected_at: micros(stored.signal.collected_at),
            expires_at: micros(stored.signal.expires_at),
            body: to_json(&stored.signal)?,
        })
    };
    let rows = signals.iter().map(row).collect::<Result<Vec<_>>>()?;
    sqlx::query(
        "INSERT INTO signals \
         (compliance_org_id, mapping_id, signal, event_id, status, collected_at, expires_at, body) \
         SELECT ?1, unhex(value ->> 'mapping', '-'), value ->> 'signal', unhex(value ->> 'event', '-'), \
         value ->> 'status', value ->> 'collected_at', value ->> 'expires_at', value ->> 'body' \
         FROM json_each(?2) ORDER BY key",
    )
    .bind(customer.as_uuid())
    .bind(to_json(&rows)?)
    .execute(connection)
    .await?;
    Ok(())
}

async fn append_evidence(
    connection: &mut SqliteConnection,
    customer: ComplianceOrgId,
    rows: &[EvidenceRow],
    store_time: OffsetDateTime,
) -> Step {
    #[derive(Serialize)]
    struct Row<'a> {
        mapping: MappingId,
        signal: &'static str,
        sequence: u64,
        event: EventId,
        record: &'a str,
        previous: Hash256,
        hash: Hash256,
        signature: Option<HeadSignature>,
    }
    let rows = column(rows, |row| Row {
        mapping: row.mapping,
        signal: row.signal.as_str(),
        sequence: row.link.sequence,
        event: row.event,
        record: &row.link.record,
        previous: row.link.previous,
        hash: row.link.hash,
        signature: row.signature,
    });
    sqlx::query(
        "INSERT INTO evidence \
         (compliance_org_id, mapping_id, signal, sequence, event_id, record, previous, hash, signature, committed_at) \
         SELECT ?1, unhex(value ->> 'mapping', '-'), value ->> 'signal', value ->> 'sequence', \
         unhex(value ->> 'event', '-'), value ->> 'record', unhex(value ->> 'previous'), unhex(value ->> 'hash'), \
         unhex(value ->> 'signature'), ?3 FROM json_each(?2)",
    )
    .bind(customer.as_uuid())
    .bind(to_json(&rows)?)
    .bind(micros(store_time))
    .execute(connection)
    .await?;
    Ok(())
}

async fn signature_history(
    connection: &mut SqliteConnection,
    msp: MspOrgId,
    mapping: MappingId,
) -> Step<SignatureRecords> {
    let rows = sqlx::query(
        "SELECT device_digest, state, since FROM signature_history WHERE msp_org_id = ?1 AND mapping_id = ?2",
    )
    .bind(msp.as_uuid())
    .bind(mapping.as_uuid())
    .fetch_all(connection)
    .await?;
    let entry = |row: &SqliteRow| {
        let device = row.named("device_digest", |text| DeviceDigest::parse(text).ok())?;
        let state = row.named("state", SignatureState::from_name)?;
        let since = row.time("since")?;
        Ok((device, SignatureRecord { state, since }))
    };
    Ok(rows.iter().map(entry).collect::<Result<_>>()?)
}

async fn change_signatures(
    connection: &mut SqliteConnection,
    msp: MspOrgId,
    mapping: MappingId,
    changes: &SignatureChanges,
) -> Step {
    let SignatureChanges {
        changed: records,
        forgotten,
    } = changes;
    if !records.is_empty() {
        let record = |(device, record): (&DeviceDigest, &SignatureRecord)| {
            (
                device.as_str().to_owned(),
                record.state.as_str(),
                micros(record.since),
            )
        };
        let written: Vec<_> = records.iter().map(record).collect();
        sqlx::query(
            "INSERT INTO signature_history (msp_org_id, mapping_id, device_digest, state, since) \
             SELECT ?1, ?2, value ->> 0, value ->> 1, value ->> 2 FROM json_each(?3) WHERE true \
             ON CONFLICT (msp_org_id, mapping_id, device_digest) \
             DO UPDATE SET state = excluded.state, since = excluded.since",
        )
        .bind(msp.as_uuid())
        .bind(mapping.as_uuid())
        .bind(to_json(&written)?)
        .execute(&mut *connection)
        .await?;
    }
    if !forgotten.is_empty() {
        sqlx::query(
            "DELETE FROM signature_history \
             WHERE msp_org_id = ?1 AND mapping_id = ?2 AND device_digest IN (SELECT value FROM json_each(?3))",
        )
        .bind(msp.as_uuid())
        .bind(mapping.as_uuid())
        .bind(to_json(forgotten)?)
        .execute(connection)
        .await?;
    }
    Ok(())
}

fn stored_signal(row: &SqliteRow) -> Result<StoredSignal> {
    Ok(StoredSignal {
        mapping: row.id("mapping_id", MappingId::from_uuid)?,
        event: row.id("event_id", EventId::from_uuid)?,
        signal: row.json("body")?,
    })
}

fn evidence_row(row: &SqliteRow) -> Result<EvidenceRow> {
    Ok(EvidenceRow {
        mapping: row.id("mapping_id", MappingId::from_uuid)?,
        signal: row.signal_kind("signal")?,
        event: row.id("event_id", EventId::from_uuid)?,
        link: ChainLink {
            sequence: row.count("sequence")?,
            previous: row.hash("previous")?,
            record: row.text("record")?,
            hash: row.hash("hash")?,
        },
        committed_at: row.time_if_any("committed_at")?,
        signature: row.signature_if_any("signature")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan;

    #[tokio::test]
    async fn current_signals_are_read_without_walking_those_of_before() {
        for statement in [PRESENT, AHEAD, COLLECTED, HEADS] {
            let steps = plan(statement).await;
            let walks = |step: &String| {
                // The statement scans a whole table, or all rows of a customer, or sorts rows.
                let is_whole = step.contains("SCAN signals") || step.contains("SCAN evidence");
                let is_customers_whole =
                    step.contains("(compliance_org_id=?)") && !step.contains("COVERING");
                is_whole || is_customers_whole || step.contains("TEMP B-TREE")
            };
            assert!(
                !steps.iter().any(walks),
                "{statement}\n{}",
                steps.join("\n")
            );
        }
    }
}
