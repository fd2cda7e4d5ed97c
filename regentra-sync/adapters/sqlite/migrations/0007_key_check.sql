-- The check value of the identity key that what is connected was connected with; no row before the first.
CREATE TABLE key_check (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    value TEXT NOT NULL
) STRICT;
