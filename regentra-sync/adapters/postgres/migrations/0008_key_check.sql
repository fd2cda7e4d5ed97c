-- The check value of the identity key that what is connected was connected with; no row before the first. It is no tenant's.
CREATE TABLE regentra_sync.key_check (
    one   boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (one),
    value text    NOT NULL
);
ALTER TABLE regentra_sync.key_check ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY everyone ON regentra_sync.key_check USING (true);
