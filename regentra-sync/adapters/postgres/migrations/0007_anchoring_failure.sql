-- Why an MSP's evidence was last not anchored; no row when nothing was wrong, or since everything is anchored.
CREATE TABLE regentra_sync.anchoring_failures (
    msp_org_id uuid        NOT NULL PRIMARY KEY,
    -- The kind of error.
    error      text        NOT NULL,
    at         timestamptz NOT NULL
);
ALTER TABLE regentra_sync.anchoring_failures ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY msp ON regentra_sync.anchoring_failures USING (msp_org_id = (SELECT regentra_sync.current_msp()));
