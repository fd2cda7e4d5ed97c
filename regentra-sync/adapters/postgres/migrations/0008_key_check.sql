-- The check value of the identity key that what is connected was connected with; no row before the first. It is no tenant's.
CREATE TABLE regentra_sync.key_check (
    one   boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (one),
    value text    NOT NULL
);
