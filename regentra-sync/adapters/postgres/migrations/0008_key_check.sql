-- The check value of the identity key that this store was first used with; no row before that. It is no tenant's.
CREATE TABLE regentra_sync.key_check (
    one   boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (one),
    value text    NOT NULL
);
