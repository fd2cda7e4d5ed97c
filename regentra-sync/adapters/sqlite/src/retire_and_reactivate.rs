//! The common part of a disconnect and an un-mapping: the store's `effects::EndedMappings` as statements.

use regentra_sync::{
    model::{EventId, MappingId, MspOrgId, NoteReason, OutboxRow, Source, reactivate_superseded},
    store::Result,
};
use sqlx::SqliteConnection;
use time::OffsetDateTime;

use crate::{
    assets::{asset, update},
    column::{Columns as _, column, micros, to_json},
    failure::Step,
    tickets::{append_outbox, open_tickets},
};

/// Retires the NinjaOne assets of these mappings, reactivates the assets that they superseded, deletes the signature history,
/// and puts a note on the open tickets.
pub(crate) async fn retire_and_reactivate(
    connection: &mut SqliteConnection,
    msp: MspOrgId,
    mappings: &[MappingId],
    event: EventId,
    reason: NoteReason,
    at: OffsetDateTime,
) -> Step {
    let ids = to_json(&mappings)?;
    let retired = sqlx::query(
        "UPDATE assets SET status = 'RETIRED', version = version + 1, updated_at = ?4 \
         WHERE msp_org_id = ?1 AND external_source = ?2 AND status = 'ACTIVE' \
         AND mapping_id IN (SELECT unhex(value, '-') FROM json_each(?3)) RETURNING asset_id",
    )
    .bind(msp.as_uuid())
    .bind(Source::Ninjaone.as_str())
    .bind(&ids)
    .bind(micros(at))
    .fetch_all(&mut *connection)
    .await?;
    let retired = retired
        .iter()
        .map(|row| row.id("asset_id", |id| id))
        .collect::<Result<Vec<_>>>()?;

    let superseded = sqlx::query(
        "SELECT * FROM assets WHERE msp_org_id = ?1 \
         AND superseded_by IN (SELECT unhex(value, '-') FROM json_each(?2)) ORDER BY +asset_id",
    )
    .bind(msp.as_uuid())
    .bind(to_json(&retired)?)
    .fetch_all(&mut *connection)
    .await?;
    let superseded = superseded.iter().map(asset).collect::<Result<Vec<_>>>()?;
    let reactivated = reactivate_superseded(superseded, at);
    update(connection, msp, &column(&reactivated, |asset| asset)).await?;

    sqlx::query(
        "DELETE FROM signature_history WHERE msp_org_id = ?1 \
         AND mapping_id IN (SELECT unhex(value, '-') FROM json_each(?2))",
    )
    .bind(msp.as_uuid())
    .bind(&ids)
    .execute(&mut *connection)
    .await?;

    let open = open_tickets(connection, msp, mappings).await?;
    let notes = column(&open, |ticket| OutboxRow::note(event, ticket, reason, at));
    append_outbox(connection, msp, &notes).await
}
