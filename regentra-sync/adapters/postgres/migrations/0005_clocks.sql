-- What clocks that are wrong may not decide.
-- The length of a lease in microseconds, by which one that ends too late is told; NULL for those taken before.
ALTER TABLE regentra_sync.leases ADD COLUMN length_micros bigint;
-- When the record was committed, by the store's clock; NULL for those written before.
ALTER TABLE regentra_sync.evidence ADD COLUMN committed_at timestamptz;
-- The current signal is the one committed last, whatever its time says.
CREATE INDEX signals_last ON regentra_sync.signals (compliance_org_id, mapping_id, signal, position);
DROP INDEX regentra_sync.signals_newest;
