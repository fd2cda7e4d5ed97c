-- What an older release kept of a device's signatures is since when they have been out of date: such an age runs on.
ALTER TABLE regentra_sync.signature_history RENAME COLUMN first_seen_at TO since;
ALTER TABLE regentra_sync.signature_history ADD COLUMN state text NOT NULL DEFAULT 'out_of_date'
    CHECK (state IN ('up_to_date', 'out_of_date', 'out_of_date_at_first'));

-- Since when complete lists have not contained an asset that is held, and of which newer record it is probably the older.
ALTER TABLE regentra_sync.assets
    ADD COLUMN missing_since timestamptz,
    ADD COLUMN possible_duplicate_of uuid;

-- How much of its tenant a connection sees, and the rows of the last listing of organizations that had no id.
ALTER TABLE regentra_sync.credentials
    ADD COLUMN tenant_view text NOT NULL DEFAULT 'unknown' CHECK (tenant_view IN ('unknown', 'whole', 'part')),
    ADD COLUMN lost_organizations bigint NOT NULL DEFAULT 0;
