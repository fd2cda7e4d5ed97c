//! [`Evidence`].

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use regentra_sync::{
    host::StoreClock,
    model::{
        CLOCK_TOLERANCE, ComplianceOrgId, DeviceDigest, EventId, EvidenceRow, MappingId, MspOrgId,
        OutboxId, OutboxRow, SignatureChanges, SignatureRecord, SignatureRecords, SignatureState,
        Ticket, TicketId, TicketState, TicketTick, Version, chain_start,
    },
    regentra_evidence::{ChainHead, ChainLink, SignalKind},
    store::{
        CommitOutcome, Evidence, Precondition, Result, StoredSignal, SweepCommit, SweepState,
        TicketWrite,
    },
};
use sqlx::{
    PgConnection, Postgres,
    postgres::{PgArguments, PgRow},
    query::Query,
};
use time::OffsetDateTime;

use crate::{
    PostgresStore,
    anchors::append_heads,
    audit::append_customer_audit,
    column::{Columns as _, column, to_bigint, to_json},
    commit::{Lock, credential_holds, lease_holds, mapping_holds, settings_hold},
    failure::{Step, Stop, failed, holds},
    tickets::{append_outbox, open_tickets, outbox_row, write_ticket},
    transaction::{Tenants, present_until, store_time},
};

/// The customer's mappings and kinds of signals: one step in the index for each mapping, however many signals it has.
macro_rules! chains {
    () => {
        "WITH RECURSIVE swept AS ((SELECT mapping_id FROM regentra_sync.signals WHERE compliance_org_id = $1 \
         ORDER BY mapping_id LIMIT 1) UNION ALL SELECT (SELECT next.mapping_id FROM regentra_sync.signals AS next \
         WHERE next.compliance_org_id = $1 AND next.mapping_id > swept.mapping_id ORDER BY next.mapping_id LIMIT 1) \
         FROM swept WHERE swept.mapping_id IS NOT NULL) \
         SELECT last.mapping_id, last.event_id, last.body::text FROM swept CROSS JOIN unnest($2::text[]) AS kind (signal) \
         CROSS JOIN LATERAL (SELECT s.* FROM regentra_sync.signals s WHERE s.compliance_org_id = $1 \
         AND s.mapping_id = swept.mapping_id AND s.signal = kind.signal"
    };
}

/// For each (mapping, signal), the last committed signal that is not ahead of the clock, unless it has expired.
const PRESENT: &str = concat!(
    chains!(),
    " AND s.collected_at <= coalesce($4, clock_timestamp() + $5) ORDER BY s.position DESC LIMIT 1) AS last \
     WHERE last.expires_at > $3"
);

/// For each (mapping, signal), the last committed signal, if it is ahead of the clock.
const AHEAD: &str = concat!(
    chains!(),
    " ORDER BY s.position DESC LIMIT 1) AS last WHERE last.collected_at > coalesce($3, clock_timestamp() + $4)"
);

#[async_trait]
impl Evidence for PostgresStore {
    async fn sweep_state(
        &self,
        msp: MspOrgId,
        customer: ComplianceOrgId,
        mapping: MappingId,
        event: EventId,
        tick: OffsetDateTime,
    ) -> Result<SweepState> {
        let mut transaction = self.read(Tenants::both(msp, customer)).await?;
        let now = store_time(&mut transaction, &self.clock)
            .await
            .map_err(failed)?;
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
        self.commit(
            Tenants::both(msp, customer),
            msp,
            commit.event,
            &commit,
            move |connection, commit| {
                let clock = clock.clone();
                Box::pin(async move { sweep(connection, &clock, msp, customer, commit).await })
            },
        )
        .await
    }

    async fn current_signals(
        &self,
        customer: ComplianceOrgId,
        now: OffsetDateTime,
    ) -> Result<Vec<StoredSignal>> {
        let query = sqlx::query(PRESENT)
            .bind(customer.as_uuid())
            .bind(column(&SignalKind::ALL, |signal| signal.as_str()))
            .bind(now)
            .bind(self.clock.reading().map(present_until))
            .bind(CLOCK_TOLERANCE);
        self.signals(customer, query).await
    }

    async fn signals_ahead(&self, customer: ComplianceOrgId) -> Result<Vec<StoredSignal>> {
        let query = sqlx::query(AHEAD)
            .bind(customer.as_uuid())
            .bind(column(&SignalKind::ALL, |signal| signal.as_str()))
            .bind(self.clock.reading().map(present_until))
            .bind(CLOCK_TOLERANCE);
        self.signals(customer, query).await
    }

    async fn signal_history(
        &self,
        customer: ComplianceOrgId,
        mapping: MappingId,
        signal: SignalKind,
        limit: u32,
    ) -> Result<Vec<StoredSignal>> {
        let query = sqlx::query(
            "SELECT mapping_id, event_id, body::text FROM regentra_sync.signals \
             WHERE compliance_org_id = $1 AND mapping_id = $2 AND signal = $3 \
             ORDER BY position DESC LIMIT $4",
        )
        .bind(customer.as_uuid())
        .bind(mapping.as_uuid())
        .bind(signal.as_str())
        .bind(i64::from(limit));
        self.rows(Tenants::customer(customer), query, stored_signal)
            .await
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
            "SELECT * FROM regentra_sync.evidence \
             WHERE compliance_org_id = $1 AND mapping_id = $2 AND signal = $3 AND sequence > $4 \
             ORDER BY sequence LIMIT $5",
        )
        .bind(customer.as_uuid())
        .bind(mapping.as_uuid())
        .bind(signal.as_str())
        .bind(after)
        .bind(i64::from(limit));
        self.rows(Tenants::customer(customer), query, evidence_row)
            .await
    }
}

impl PostgresStore {
    /// Signals in the order of their keys.
    async fn signals(
        &self,
        customer: ComplianceOrgId,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<Vec<StoredSignal>> {
        let signals = self.rows(Tenants::customer(customer), query, stored_signal);
        let mut signals = signals.await?;
        signals.sort_by_key(|stored| (stored.mapping, stored.signal.kind()));
        Ok(signals)
    }
}

async fn sweep_state(
    connection: &mut PgConnection,
    store_time: OffsetDateTime,
    msp: MspOrgId,
    customer: ComplianceOrgId,
    mapping: MappingId,
    event: EventId,
    tick: OffsetDateTime,
) -> Step<SweepState> {
    let seen = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM regentra_sync.events WHERE msp_org_id = $1 AND event_id = $2)",
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
    connection: &mut PgConnection,
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
    credential_holds(connection, msp, *credential, Lock::Share).await?;
    settings_hold(connection, msp, *settings, Lock::Share).await?;
    let company = mapping_holds(connection, msp, *mapping, Lock::Change).await?;
    let is_customer: Option<bool> = sqlx::query_scalar(
        "SELECT converted_to_organization_id IS NOT DISTINCT FROM $3 FROM regentra_sync.companies \
         WHERE msp_org_id = $1 AND company_id = $2",
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

    let store_time = store_time(connection, clock).await?;
    let collected = collected(connection, customer, mapping.mapping, store_time).await?;
    commit.check_order(&collected)?;
    append_signals(connection, customer, signals).await?;
    append_evidence(connection, customer, evidence, store_time).await?;
    append_heads(connection, msp, customer, evidence, *scheduled_at).await?;
    append_customer_audit(connection, customer, audit).await?;
    if let Some(at) = first_evidence_synced_at {
        sqlx::query(
            "UPDATE regentra_sync.mappings SET first_evidence_synced_at = $3 \
             WHERE msp_org_id = $1 AND mapping_id = $2 \
             AND (first_evidence_synced_at IS NULL OR first_evidence_synced_at > $4)",
        )
        .bind(msp.as_uuid())
        .bind(mapping.mapping.as_uuid())
        .bind(at)
        .bind(present_until(store_time))
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
    connection: &mut PgConnection,
    customer: ComplianceOrgId,
    chains: &[Chain],
) -> Step<BTreeMap<Chain, ChainHead>> {
    let rows = sqlx::query(
        "SELECT chain.mapping_id, chain.signal, head.sequence, head.hash \
         FROM unnest($2::uuid[], $3::text[]) AS chain (mapping_id, signal) \
         CROSS JOIN LATERAL (SELECT sequence, hash FROM regentra_sync.evidence record \
         WHERE record.compliance_org_id = $1 AND record.mapping_id = chain.mapping_id AND record.signal = chain.signal \
         ORDER BY sequence DESC LIMIT 1) AS head",
    )
    .bind(customer.as_uuid())
    .bind(column(chains, |(mapping, _)| mapping.as_uuid()))
    .bind(column(chains, |(_, signal)| signal.as_str()))
    .fetch_all(connection)
    .await?;
    let head = |row: &PgRow| {
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
    connection: &mut PgConnection,
    customer: ComplianceOrgId,
    mapping: MappingId,
    store_time: OffsetDateTime,
) -> Step<BTreeMap<SignalKind, OffsetDateTime>> {
    let rows = sqlx::query(
        "SELECT kind.signal, last.collected_at FROM unnest($3::text[]) AS kind (signal) \
         CROSS JOIN LATERAL (SELECT collected_at FROM regentra_sync.signals s \
         WHERE s.compliance_org_id = $1 AND s.mapping_id = $2 AND s.signal = kind.signal AND s.collected_at <= $4 \
         ORDER BY position DESC LIMIT 1) AS last",
    )
    .bind(customer.as_uuid())
    .bind(mapping.as_uuid())
    .bind(column(&SignalKind::ALL, |signal| signal.as_str()))
    .bind(present_until(store_time))
    .fetch_all(connection)
    .await?;
    let last = |row: &PgRow| Ok((row.signal_kind("signal")?, row.time("collected_at")?));
    Ok(rows.iter().map(last).collect::<Result<_>>()?)
}

async fn chains_continue(
    connection: &mut PgConnection,
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
    connection: &mut PgConnection,
    msp: MspOrgId,
    writes: &[TicketWrite],
) -> Step {
    if writes.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query(
        "SELECT ticket_id, version FROM regentra_sync.tickets \
         WHERE msp_org_id = $1 AND ticket_id = ANY ($2) ORDER BY ticket_id FOR NO KEY UPDATE",
    )
    .bind(msp.as_uuid())
    .bind(column(writes, |write| write.ticket.id.as_uuid()))
    .fetch_all(&mut *connection)
    .await?;
    let version = |row: &PgRow| {
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
async fn write_tick(connection: &mut PgConnection, msp: MspOrgId, tick: &TicketTick) -> Step {
    let written = sqlx::query(if tick.version == Version::default() {
        "INSERT INTO regentra_sync.ticket_ticks (msp_org_id, scheduled_at, version, opened, digests) \
         VALUES ($1, $2, $3 + 1, $4, $5) ON CONFLICT (msp_org_id, scheduled_at) DO NOTHING"
    } else {
        "UPDATE regentra_sync.ticket_ticks SET version = $3 + 1, opened = $4, digests = $5 \
         WHERE msp_org_id = $1 AND scheduled_at = $2 AND version = $3"
    })
    .bind(msp.as_uuid())
    .bind(tick.scheduled_at)
    .bind(i64::from(tick.version.as_u32()))
    .bind(i64::from(tick.opened))
    .bind(i64::from(tick.digests))
    .execute(connection)
    .await?;
    holds(written.rows_affected() > 0, Precondition::TicketTick)
}

/// Resets the ticks that lie in the future to no opened ticket: a clock that ran ahead opened them. The rows are locked in one order, so
/// that concurrent sweeps do not deadlock.
async fn clear_ticks_ahead(
    connection: &mut PgConnection,
    msp: MspOrgId,
    store_time: OffsetDateTime,
) -> Step {
    sqlx::query(
        "WITH ahead AS (SELECT scheduled_at FROM regentra_sync.ticket_ticks \
         WHERE msp_org_id = $1 AND scheduled_at > $2 AND opened > 0 ORDER BY scheduled_at FOR NO KEY UPDATE) \
         UPDATE regentra_sync.ticket_ticks tick SET opened = 0, version = tick.version + 1 FROM ahead \
         WHERE tick.msp_org_id = $1 AND tick.scheduled_at = ahead.scheduled_at",
    )
    .bind(msp.as_uuid())
    .bind(present_until(store_time))
    .execute(connection)
    .await?;
    Ok(())
}

async fn ticket_tick(
    connection: &mut PgConnection,
    msp: MspOrgId,
    scheduled_at: OffsetDateTime,
) -> Step<Option<TicketTick>> {
    let row = sqlx::query(
        "SELECT version, opened, digests FROM regentra_sync.ticket_ticks WHERE msp_org_id = $1 AND scheduled_at = $2",
    )
    .bind(msp.as_uuid())
    .bind(scheduled_at)
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
    connection: &mut PgConnection,
    msp: MspOrgId,
    tick: &TicketTick,
) -> Step<Option<OutboxRow>> {
    let row = sqlx::query(
        "SELECT outbox_id, ticket_id, action::text, created_at, due_at, delivered_at FROM regentra_sync.outbox \
         WHERE msp_org_id = $1 AND outbox_id = $2 AND delivered_at IS NULL",
    )
    .bind(msp.as_uuid())
    .bind(OutboxId::digest(msp, tick.scheduled_at, tick.digests).as_uuid())
    .fetch_optional(connection)
    .await?;
    Ok(row.as_ref().map(outbox_row).transpose()?)
}

async fn append_signals(
    connection: &mut PgConnection,
    customer: ComplianceOrgId,
    signals: &[StoredSignal],
) -> Step {
    let bodies = signals
        .iter()
        .map(|stored| to_json(&stored.signal))
        .collect::<Result<Vec<_>>>()?;
    sqlx::query(
        "INSERT INTO regentra_sync.signals \
         (compliance_org_id, mapping_id, signal, event_id, status, collected_at, expires_at, body) \
         SELECT $1, mapping, signal, event, status, collected_at, expires_at, body::jsonb \
         FROM unnest($2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::timestamptz[], $7::timestamptz[], $8::text[]) \
         WITH ORDINALITY AS new (mapping, signal, event, status, collected_at, expires_at, body, place) ORDER BY place",
    )
    .bind(customer.as_uuid())
    .bind(column(signals, |stored| stored.mapping.as_uuid()))
    .bind(column(signals, |stored| stored.signal.kind().as_str()))
    .bind(column(signals, |stored| stored.event.as_uuid()))
    .bind(column(signals, |stored| stored.signal.status.as_str()))
    .bind(column(signals, |stored| stored.signal.collected_at))
    .bind(column(signals, |stored| stored.signal.expires_at))
    .bind(bodies)
    .execute(connection)
    .await?;
    Ok(())
}

async fn append_evidence(
    connection: &mut PgConnection,
    customer: ComplianceOrgId,
    rows: &[EvidenceRow],
    store_time: OffsetDateTime,
) -> Step {
    let sequences = rows
        .iter()
        .map(|row| to_bigint(row.link.sequence))
        .collect::<Result<Vec<_>>>()?;
    sqlx::query(
        "INSERT INTO regentra_sync.evidence \
         (compliance_org_id, mapping_id, signal, sequence, event_id, record, previous, hash, signature, committed_at) \
         SELECT $1, new.*, $10 FROM unnest($2::uuid[], $3::text[], $4::bigint[], $5::uuid[], $6::text[], $7::bytea[], \
         $8::bytea[], $9::bytea[]) AS new",
    )
    .bind(customer.as_uuid())
    .bind(column(rows, |row| row.mapping.as_uuid()))
    .bind(column(rows, |row| row.signal.as_str()))
    .bind(sequences)
    .bind(column(rows, |row| row.event.as_uuid()))
    .bind(column(rows, |row| row.link.record.as_str()))
    .bind(column(rows, |row| row.link.previous.as_bytes().as_slice()))
    .bind(column(rows, |row| row.link.hash.as_bytes().as_slice()))
    .bind(column(rows, |row| {
        row.signature.as_ref().map(|signature| signature.as_bytes().as_slice())
    }))
    .bind(store_time)
    .execute(connection)
    .await?;
    Ok(())
}

async fn signature_history(
    connection: &mut PgConnection,
    msp: MspOrgId,
    mapping: MappingId,
) -> Step<SignatureRecords> {
    let rows = sqlx::query(
        "SELECT device_digest, state, since FROM regentra_sync.signature_history WHERE msp_org_id = $1 AND mapping_id = $2",
    )
    .bind(msp.as_uuid())
    .bind(mapping.as_uuid())
    .fetch_all(connection)
    .await?;
    let entry = |row: &PgRow| {
        let device = row.named("device_digest", |text| DeviceDigest::parse(text).ok())?;
        let state = row.named("state", SignatureState::from_name)?;
        let since = row.time("since")?;
        Ok((device, SignatureRecord { state, since }))
    };
    Ok(rows.iter().map(entry).collect::<Result<_>>()?)
}

async fn change_signatures(
    connection: &mut PgConnection,
    msp: MspOrgId,
    mapping: MappingId,
    changes: &SignatureChanges,
) -> Step {
    let SignatureChanges {
        changed: records,
        forgotten,
    } = changes;
    if !records.is_empty() {
        let written: Vec<_> = records.iter().collect();
        sqlx::query(
            "INSERT INTO regentra_sync.signature_history (msp_org_id, mapping_id, device_digest, state, since) \
             SELECT $1, $2, new.* FROM unnest($3::text[], $4::text[], $5::timestamptz[]) AS new \
             ON CONFLICT (msp_org_id, mapping_id, device_digest) \
             DO UPDATE SET state = excluded.state, since = excluded.since",
        )
        .bind(msp.as_uuid())
        .bind(mapping.as_uuid())
        .bind(column(&written, |(device, _)| device.as_str()))
        .bind(column(&written, |(_, record)| record.state.as_str()))
        .bind(column(&written, |(_, record)| record.since))
        .execute(&mut *connection)
        .await?;
    }
    if !forgotten.is_empty() {
        sqlx::query(
            "DELETE FROM regentra_sync.signature_history \
             WHERE msp_org_id = $1 AND mapping_id = $2 AND device_digest = ANY ($3)",
        )
        .bind(msp.as_uuid())
        .bind(mapping.as_uuid())
        .bind(column(forgotten, DeviceDigest::as_str))
        .execute(connection)
        .await?;
    }
    Ok(())
}

fn stored_signal(row: &PgRow) -> Result<StoredSignal> {
    Ok(StoredSignal {
        mapping: row.id("mapping_id", MappingId::from_uuid)?,
        event: row.id("event_id", EventId::from_uuid)?,
        signal: row.json("body")?,
    })
}

fn evidence_row(row: &PgRow) -> Result<EvidenceRow> {
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
