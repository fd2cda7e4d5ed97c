-- What clocks that are wrong may not decide.
-- The length of a lease, by which one that ends too late is told; NULL for those taken before.
ALTER TABLE lease ADD COLUMN length INTEGER;
-- When the record was committed, by the store's clock; NULL for those written before.
ALTER TABLE evidence ADD COLUMN committed_at INTEGER;
-- The current signal is the one committed last, whatever its time says.
CREATE INDEX signal_last ON signal (compliance_org, mapping, signal, position);
DROP INDEX signal_newest;
