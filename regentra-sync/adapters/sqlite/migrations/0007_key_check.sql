-- The check value of the identity key that this store was first used with; no row before that.
CREATE TABLE key_check (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    value TEXT NOT NULL
) STRICT;
