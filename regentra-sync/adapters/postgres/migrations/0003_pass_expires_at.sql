-- Until when the last complete pass of an open ticket counts. A pass of before is not known to count still: it begins anew.
ALTER TABLE regentra_sync.tickets ADD COLUMN pass_expires_at timestamptz;
