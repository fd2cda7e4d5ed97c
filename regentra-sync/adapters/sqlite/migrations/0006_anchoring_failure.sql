-- Why an MSP's evidence was last not anchored; no row when nothing was wrong, or since everything is anchored.
CREATE TABLE anchoring_failure (
    msp BLOB NOT NULL,
    -- The kind of error.
    error TEXT NOT NULL,
    "at" INTEGER NOT NULL,
    PRIMARY KEY (msp)
) STRICT, WITHOUT ROWID;
