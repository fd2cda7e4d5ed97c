-- What an older release kept of a device's signatures is since when they have been out of date: such an age runs on.
ALTER TABLE signature RENAME COLUMN first_seen_at TO since;
ALTER TABLE signature ADD COLUMN state TEXT NOT NULL DEFAULT 'out_of_date'
    CHECK (state IN ('up_to_date', 'out_of_date', 'out_of_date_at_first'));

-- Since when complete lists have not contained an asset that is held, and of which newer record it is probably the older.
ALTER TABLE asset ADD COLUMN missing_since INTEGER;
ALTER TABLE asset ADD COLUMN possible_duplicate_of BLOB;

-- How much of its tenant a connection sees, and the rows of the last listing of organizations that had no id.
ALTER TABLE credential ADD COLUMN tenant_view TEXT NOT NULL DEFAULT 'unknown' CHECK (tenant_view IN ('unknown', 'whole', 'part'));
ALTER TABLE credential ADD COLUMN lost_organizations INTEGER NOT NULL DEFAULT 0;
