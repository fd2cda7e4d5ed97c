use std::collections::BTreeMap;

use async_trait::async_trait;
use regentra_sync::{
    model::{
        ComplianceOrgId, DeviceDigest, EventId, EvidenceRow, MappingId, MspOrgId, OutboxId,
        SignatureChanges, SignatureRecord, SignatureState, TicketState, TicketTick, Version,
        chain_start,
    },
    regentra_evidence::{ChainHead, ChainLink, Hash256, HeadSignature, SignalKind},
    store::{
        CommitOutcome, Evidence, Guard, Result, StoredSignal, SweepCommit, SweepState, TicketWrite,
    },
};
use serde::Serialize;
use sqlx::{SqliteConnection, sqlite::SqliteRow};
use time::OffsetDateTime;

use crate::{
    SqliteStore,
    anchors::append_heads,
    column::{Columns as _, from_json, json, micros, present_until, signal_kind},
    commit::{
        append_customer_audit, begins, credential_holds, finish, lease_holds, mapping_holds,
        settings_hold,
    },
    failure::{Failure, Stop, holds},
    tickets::{append_outbox, outbox_row, ticket, write_ticket},
};

fn stored_signal(row: &SqliteRow) -> std::result::Result<StoredSignal, Failure> {
    Ok(StoredSignal {
        mapping: MappingId::from_uuid(row.id("mapping")?),
        event: EventId::from_uuid(row.id("event")?),
        signal: from_json(&row.text("body")?, "body")?,
    })
}

fn evidence_row(row: &SqliteRow) -> std::result::Result<EvidenceRow, Failure> {
    Ok(EvidenceRow {
        mapping: MappingId::from_uuid(row.id("mapping")?),
        signal: signal_kind(&row.text("signal")?)?,
        event: EventId::from_uuid(row.id("event")?),
        link: ChainLink {
            sequence: row.number("sequence")?,
            previous: row.hash("previous")?,
            record: row.text("record")?,
            hash: row.hash("hash")?,
        },
        committed_at: row.optional_time("committed_at")?,
        signature: row.optional_signature("signature")?,
    })
}

/// The last record of each chain, one step in the key, however long the chain is: a cross join is walked from the left.
const HEADS: &str = "SELECT head.signal, head.sequence, head.hash FROM json_each(?3) AS kind CROSS JOIN evidence AS head \
                     ON head.compliance_org = ?1 AND head.mapping = ?2 AND head.signal = kind.value AND head.sequence = \
                     (SELECT max(sequence) FROM evidence WHERE compliance_org = ?1 AND mapping = ?2 \
                     AND signal = kind.value)";

async fn heads(
    db: &mut SqliteConnection,
    customer: ComplianceOrgId,
    mapping: MappingId,
) -> std::result::Result<BTreeMap<SignalKind, ChainHead>, Failure> {
    let rows = sqlx::query(HEADS)
        .bind(customer.as_uuid())
        .bind(mapping.as_uuid())
        .bind(json(&SignalKind::ALL)?)
        .fetch_all(db)
        .await?;
    let head = |row: &SqliteRow| {
        let head = ChainHead {
            length: row.number("sequence")?,
            hash: row.hash("hash")?,
        };
        Ok((signal_kind(&row.text("signal")?)?, head))
    };
    rows.iter().map(head).collect()
}

/// Of each signal of the mapping when the one was collected that was committed last of those not ahead of the clock.
const COLLECTED: &str = "SELECT kind.value AS signal, (SELECT collected_at FROM signal WHERE compliance_org = ?1 \
                         AND mapping = ?2 AND signal = kind.value AND collected_at <= ?4 \
                         ORDER BY position DESC LIMIT 1) AS collected_at FROM json_each(?3) AS kind";

async fn collected(
    db: &mut SqliteConnection,
    customer: ComplianceOrgId,
    mapping: MappingId,
    store_time: OffsetDateTime,
) -> std::result::Result<BTreeMap<SignalKind, OffsetDateTime>, Failure> {
    let rows = sqlx::query(COLLECTED)
        .bind(customer.as_uuid())
        .bind(mapping.as_uuid())
        .bind(json(&SignalKind::ALL)?)
        .bind(micros(present_until(store_time)))
        .fetch_all(db)
        .await?;
    let mut collected = BTreeMap::new();
    for row in &rows {
        if let Some(at) = row.optional_time("collected_at")? {
            collected.insert(signal_kind(&row.text("signal")?)?, at);
        }
    }
    Ok(collected)
}

async fn read_state(
    db: &mut SqliteConnection,
    store_time: OffsetDateTime,
    msp: MspOrgId,
    customer: ComplianceOrgId,
    mapping: MappingId,
    event: EventId,
    tick: OffsetDateTime,
) -> std::result::Result<SweepState, Failure> {
    let seen = sqlx::query("SELECT 1 FROM event WHERE msp = ?1 AND id = ?2")
        .bind(msp.as_uuid())
        .bind(event.as_uuid())
        .fetch_optional(&mut *db)
        .await?;
    let open = "SELECT * FROM ticket WHERE msp = ?1 AND mapping = ?2 AND compliance_org = ?3 AND state = 'open'";
    let open = sqlx::query(open)
        .bind(msp.as_uuid())
        .bind(mapping.as_uuid())
        .bind(customer.as_uuid())
        .fetch_all(&mut *db)
        .await?;
    let open = open
        .iter()
        .map(|row| ticket(row).map(|ticket| (ticket.key.signal, ticket)));
    let history =
        sqlx::query("SELECT device, state, since FROM signature WHERE msp = ?1 AND mapping = ?2")
            .bind(msp.as_uuid())
            .bind(mapping.as_uuid())
            .fetch_all(&mut *db)
            .await?;
    let history = history.iter().map(|row| {
        Ok::<_, Failure>((
            DeviceDigest::from_hex(row.text("device")?),
            SignatureRecord {
                state: SignatureState::from_name(&row.text("state")?)
                    .ok_or_else(|| Failure::corrupt("state"))?,
                since: row.time("since")?,
            },
        ))
    });
    let open_tickets = open.collect::<std::result::Result<_, _>>()?;
    let signature_history = history.collect::<std::result::Result<_, _>>()?;
    let row = sqlx::query(
        "SELECT version, opened, digests FROM ticket_tick WHERE msp = ?1 AND scheduled_at = ?2",
    )
    .bind(msp.as_uuid())
    .bind(micros(tick))
    .fetch_optional(&mut *db)
    .await?;
    let tick = row.map(|row| {
        Ok::<_, Failure>(TicketTick {
            scheduled_at: tick,
            version: Version::from_u32(row.number("version")?),
            opened: row.number("opened")?,
            digests: row.number("digests")?,
        })
    });
    let tick = tick.transpose()?;
    let digest = match &tick {
        None => None,
        Some(tick) => {
            sqlx::query("SELECT * FROM outbox WHERE msp = ?1 AND id = ?2 AND delivered_at IS NULL")
                .bind(msp.as_uuid())
                .bind(OutboxId::digest(msp, tick.scheduled_at, tick.digests).as_uuid())
                .fetch_optional(&mut *db)
                .await?
        }
    };
    Ok(SweepState {
        seen: seen.is_some(),
        heads: heads(db, customer, mapping).await?,
        collected: collected(db, customer, mapping, store_time).await?,
        open_tickets,
        signature_history,
        tick,
        digest: digest.as_ref().map(outbox_row).transpose()?,
    })
}

async fn append_signals(
    db: &mut SqliteConnection,
    customer: ComplianceOrgId,
    signals: &[StoredSignal],
) -> std::result::Result<(), Failure> {
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
    let rows = signals.iter().map(
        |StoredSignal {
             mapping,
             event,
             signal,
         }| {
            Ok::<_, Failure>(Row {
                mapping: *mapping,
                signal: signal.kind().as_str(),
                event: *event,
                status: signal.status.as_str(),
                collected_at: micros(signal.collected_at),
                expires_at: micros(signal.expires_at),
                body: json(signal)?,
            })
        },
    );
    let rows = rows.collect::<std::result::Result<Vec<_>, _>>()?;
    let insert = "INSERT INTO signal (compliance_org, mapping, signal, event, status, collected_at, expires_at, body) \
                  SELECT ?1, unhex(value ->> 'mapping', '-'), value ->> 'signal', unhex(value ->> 'event', '-'), \
                  value ->> 'status', value ->> 'collected_at', value ->> 'expires_at', value ->> 'body' \
                  FROM json_each(?2) ORDER BY key";
    sqlx::query(insert)
        .bind(customer.as_uuid())
        .bind(json(&rows)?)
        .execute(db)
        .await?;
    Ok(())
}

async fn append_evidence(
    db: &mut SqliteConnection,
    customer: ComplianceOrgId,
    evidence: &[EvidenceRow],
    store_time: OffsetDateTime,
) -> std::result::Result<(), Failure> {
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
    let rows = evidence.iter().map(|row| Row {
        mapping: row.mapping,
        signal: row.signal.as_str(),
        sequence: row.link.sequence,
        event: row.event,
        record: &row.link.record,
        previous: row.link.previous,
        hash: row.link.hash,
        signature: row.signature,
    });
    let insert = "INSERT INTO evidence \
                  (compliance_org, mapping, signal, sequence, event, record, previous, hash, signature, committed_at) \
                  SELECT ?1, unhex(value ->> 'mapping', '-'), value ->> 'signal', value ->> 'sequence', \
                  unhex(value ->> 'event', '-'), value ->> 'record', unhex(value ->> 'previous'), unhex(value ->> 'hash'), \
                  unhex(value ->> 'signature'), ?3 \
                  FROM json_each(?2)";
    sqlx::query(insert)
        .bind(customer.as_uuid())
        .bind(json(&rows.collect::<Vec<_>>())?)
        .bind(micros(store_time))
        .execute(db)
        .await?;
    Ok(())
}

async fn change_signatures(
    db: &mut SqliteConnection,
    msp: MspOrgId,
    mapping: MappingId,
    changes: &SignatureChanges,
) -> std::result::Result<(), Failure> {
    let SignatureChanges {
        changed: records,
        forgotten,
    } = changes;
    if !records.is_empty() {
        let written: Vec<_> = records
            .iter()
            .map(|(device, record)| (device.as_str(), record.state.as_str(), micros(record.since)))
            .collect();
        let insert = "INSERT OR REPLACE INTO signature (msp, mapping, device, state, since) \
                      SELECT ?1, ?2, value ->> 0, value ->> 1, value ->> 2 FROM json_each(?3)";
        sqlx::query(insert)
            .bind(msp.as_uuid())
            .bind(mapping.as_uuid())
            .bind(json(&written)?)
            .execute(&mut *db)
            .await?;
    }
    if !forgotten.is_empty() {
        let delete = "DELETE FROM signature WHERE msp = ?1 AND mapping = ?2 AND device IN (SELECT value FROM json_each(?3))";
        sqlx::query(delete)
            .bind(msp.as_uuid())
            .bind(mapping.as_uuid())
            .bind(json(forgotten)?)
            .execute(db)
            .await?;
    }
    Ok(())
}

async fn write_tick(
    db: &mut SqliteConnection,
    msp: MspOrgId,
    tick: &TicketTick,
) -> std::result::Result<(), Stop> {
    let stored =
        sqlx::query("SELECT version FROM ticket_tick WHERE msp = ?1 AND scheduled_at = ?2")
            .bind(msp.as_uuid())
            .bind(micros(tick.scheduled_at))
            .fetch_optional(&mut *db)
            .await?;
    let stored = stored
        .map(|row| row.number("version"))
        .transpose()?
        .unwrap_or(0);
    holds(stored == tick.version.as_u32(), Guard::TicketTick)?;
    let insert = "INSERT OR REPLACE INTO ticket_tick (msp, scheduled_at, version, opened, digests) \
                  VALUES (?1, ?2, ?3, ?4, ?5)";
    sqlx::query(insert)
        .bind(msp.as_uuid())
        .bind(micros(tick.scheduled_at))
        .bind(tick.version.next().as_u32())
        .bind(tick.opened)
        .bind(tick.digests)
        .execute(db)
        .await?;
    Ok(())
}

/// Ticks to come have opened nothing: a clock that ran ahead did.
async fn clear_ticks_ahead(
    db: &mut SqliteConnection,
    msp: MspOrgId,
    store_time: OffsetDateTime,
) -> std::result::Result<(), Failure> {
    let clear = "UPDATE ticket_tick SET opened = 0, version = version + 1 \
                 WHERE msp = ?1 AND scheduled_at > ?2 AND opened > 0";
    sqlx::query(clear)
        .bind(msp.as_uuid())
        .bind(micros(present_until(store_time)))
        .execute(db)
        .await?;
    Ok(())
}

async fn ticket_holds(
    db: &mut SqliteConnection,
    msp: MspOrgId,
    write: &TicketWrite,
) -> std::result::Result<(), Stop> {
    if write.ticket.state != TicketState::Open {
        return Ok(());
    }
    let key = write.ticket.key;
    let another = "SELECT 1 FROM ticket WHERE msp = ?1 AND mapping = ?2 AND compliance_org = ?3 AND signal = ?4 \
                   AND state = 'open' AND id <> ?5";
    let another = sqlx::query(another)
        .bind(msp.as_uuid())
        .bind(key.mapping.as_uuid())
        .bind(key.compliance_org.as_uuid())
        .bind(key.signal.as_str())
        .bind(write.ticket.id.as_uuid())
        .fetch_optional(db)
        .await?;
    holds(another.is_none(), Guard::Ticket)
}

async fn write_sweep(
    db: &mut SqliteConnection,
    store_time: OffsetDateTime,
    msp: MspOrgId,
    customer: ComplianceOrgId,
    commit: &SweepCommit,
) -> std::result::Result<(), Stop> {
    let mapping = commit.mapping.mapping;
    begins(db, store_time, msp, commit.event, commit).await?;
    credential_holds(db, msp, commit.credential).await?;
    settings_hold(db, msp, commit.settings).await?;
    let company = mapping_holds(db, msp, commit.mapping).await?;
    let is_theirs =
        sqlx::query("SELECT 1 FROM company WHERE msp = ?1 AND id = ?2 AND converted_to = ?3")
            .bind(msp.as_uuid())
            .bind(company.as_uuid())
            .bind(customer.as_uuid())
            .fetch_optional(&mut *db)
            .await?;
    holds(is_theirs.is_some(), Guard::Mapping)?;
    lease_holds(db, msp, &commit.lease).await?;
    let heads = heads(db, customer, mapping).await?;
    let continues = |row: &EvidenceRow| {
        let head = heads.get(&row.signal).copied();
        row.mapping == mapping
            && row.link.continues()
                == head.unwrap_or_else(|| chain_start(customer, mapping, row.signal))
    };
    holds(commit.evidence.iter().all(continues), Guard::EvidenceChain)?;

    for write in &commit.tickets {
        ticket_holds(db, msp, write).await?;
        holds(write_ticket(db, msp, write).await?, Guard::Ticket)?;
    }
    if let Some(tick) = &commit.tick {
        write_tick(db, msp, tick).await?;
    }
    let collected = collected(db, customer, mapping, store_time).await?;
    commit.check_order(&collected)?;
    append_signals(db, customer, &commit.signals).await?;
    append_evidence(db, customer, &commit.evidence, store_time).await?;
    append_heads(db, msp, customer, commit).await?;
    append_customer_audit(db, customer, &commit.audit).await?;
    if let Some(at) = commit.first_evidence_synced_at {
        let stamp = "UPDATE mapping SET first_evidence_synced_at = ?1 WHERE msp = ?2 AND id = ?3 \
                     AND (first_evidence_synced_at IS NULL OR first_evidence_synced_at > ?4)";
        sqlx::query(stamp)
            .bind(micros(at))
            .bind(msp.as_uuid())
            .bind(mapping.as_uuid())
            .bind(micros(present_until(store_time)))
            .execute(&mut *db)
            .await?;
    }
    clear_ticks_ahead(db, msp, store_time).await?;
    change_signatures(db, msp, mapping, &commit.signatures).await?;
    append_outbox(db, msp, &commit.outbox).await
}

/// The customer's mappings and kinds of signals: a step in the index for each mapping, however many signals it has.
macro_rules! chains {
    () => {
        "WITH RECURSIVE swept (mapping) AS (SELECT min(mapping) FROM signal WHERE compliance_org = ?1 UNION ALL \
         SELECT (SELECT min(mapping) FROM signal WHERE compliance_org = ?1 AND mapping > swept.mapping) \
         FROM swept WHERE swept.mapping IS NOT NULL) \
         SELECT last.mapping, last.event, last.body FROM swept CROSS JOIN json_each(?4) AS kind CROSS JOIN signal AS last"
    };
}

/// Of each (mapping, signal) the one committed last of those not ahead of the clock, unless it is expired.
const PRESENT: &str = concat!(
    chains!(),
    " ON last.position = (SELECT position FROM signal WHERE compliance_org = ?1 AND mapping = swept.mapping \
     AND signal = kind.value AND collected_at <= ?3 ORDER BY position DESC LIMIT 1) WHERE last.expires_at > ?2"
);

/// Of each (mapping, signal) the one committed last, where it is ahead of the clock.
const AHEAD: &str = concat!(
    chains!(),
    " ON last.position = (SELECT max(position) FROM signal WHERE compliance_org = ?1 AND mapping = swept.mapping \
     AND signal = kind.value) WHERE last.collected_at > ?3 AND last.expires_at > ?2"
);

impl SqliteStore {
    async fn last_signals(
        &self,
        select: &'static str,
        customer: ComplianceOrgId,
        unexpired_at: OffsetDateTime,
    ) -> Result<Vec<StoredSignal>> {
        let rows = sqlx::query(select)
            .bind(customer.as_uuid())
            .bind(micros(unexpired_at))
            .bind(micros(present_until(self.clock.now())))
            .bind(json(&SignalKind::ALL)?)
            .fetch_all(&self.readers)
            .await
            .map_err(Failure::from)?;
        let mut signals: Vec<_> = rows
            .iter()
            .map(stored_signal)
            .collect::<std::result::Result<_, _>>()?;
        signals.sort_by_key(|stored| (stored.mapping, stored.signal.kind()));
        Ok(signals)
    }
}

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
        // One transaction, so that all of it is of one moment.
        let mut db = self.readers.begin().await.map_err(Failure::from)?;
        Ok(read_state(
            &mut db,
            self.clock.now(),
            msp,
            customer,
            mapping,
            event,
            tick,
        )
        .await?)
    }

    async fn commit_sweep(
        &self,
        msp: MspOrgId,
        customer: ComplianceOrgId,
        commit: SweepCommit,
    ) -> Result<CommitOutcome> {
        commit.check_tenant(customer)?;
        let mut db = self.begin().await?;
        let written = write_sweep(&mut db, self.clock.now(), msp, customer, &commit).await;
        finish(db, written).await
    }

    async fn current_signals(
        &self,
        customer: ComplianceOrgId,
        now: OffsetDateTime,
    ) -> Result<Vec<StoredSignal>> {
        self.last_signals(PRESENT, customer, now).await
    }

    async fn signals_ahead(&self, customer: ComplianceOrgId) -> Result<Vec<StoredSignal>> {
        self.last_signals(AHEAD, customer, OffsetDateTime::UNIX_EPOCH)
            .await
    }

    async fn signal_history(
        &self,
        customer: ComplianceOrgId,
        mapping: MappingId,
        signal: SignalKind,
        limit: u32,
    ) -> Result<Vec<StoredSignal>> {
        let select = "SELECT mapping, event, body FROM signal WHERE compliance_org = ?1 AND mapping = ?2 AND signal = ?3 \
                      ORDER BY position DESC LIMIT ?4";
        let rows = sqlx::query(select)
            .bind(customer.as_uuid())
            .bind(mapping.as_uuid())
            .bind(signal.as_str())
            .bind(limit)
            .fetch_all(&self.readers)
            .await
            .map_err(Failure::from)?;
        Ok(rows
            .iter()
            .map(stored_signal)
            .collect::<std::result::Result<_, _>>()?)
    }

    async fn evidence_chain(
        &self,
        customer: ComplianceOrgId,
        mapping: MappingId,
        signal: SignalKind,
        after: u64,
        limit: u32,
    ) -> Result<Vec<EvidenceRow>> {
        let select = "SELECT * FROM evidence WHERE compliance_org = ?1 AND mapping = ?2 AND signal = ?3 \
                      AND sequence > ?4 ORDER BY sequence LIMIT ?5";
        let rows = sqlx::query(select)
            .bind(customer.as_uuid())
            .bind(mapping.as_uuid())
            .bind(signal.as_str())
            .bind(i64::try_from(after).unwrap_or(i64::MAX))
            .bind(limit)
            .fetch_all(&self.readers)
            .await
            .map_err(Failure::from)?;
        Ok(rows
            .iter()
            .map(evidence_row)
            .collect::<std::result::Result<_, _>>()?)
    }
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
                // A table without a constraint, or rows that are put in order.
                let is_whole = step.contains("SCAN signal") || step.contains("SCAN evidence");
                let is_customers_whole =
                    step.contains("(compliance_org=?)") && !step.contains("COVERING");
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
