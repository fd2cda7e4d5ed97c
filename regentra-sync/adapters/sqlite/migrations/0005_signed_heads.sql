-- Signatures over the heads of evidence chains, their heads and roots on the MSP's side, and triggers that hold against every
-- statement that would change a record, a signal or an audit row.

ALTER TABLE evidence ADD COLUMN signature BLOB CHECK (signature IS NULL OR length(signature) = 64);

CREATE TABLE evidence_head (
    msp BLOB NOT NULL,
    compliance_org BLOB NOT NULL,
    mapping BLOB NOT NULL,
    signal TEXT NOT NULL,
    length INTEGER NOT NULL,
    hash BLOB NOT NULL,
    tick INTEGER NOT NULL,
    -- The number of its root; NULL until it is under one.
    root INTEGER,
    PRIMARY KEY (msp, compliance_org, mapping, signal, length)
) STRICT, WITHOUT ROWID;
CREATE INDEX evidence_head_without_root ON evidence_head (msp, tick) WHERE root IS NULL;
CREATE INDEX evidence_head_root ON evidence_head (msp, root) WHERE root IS NOT NULL;

CREATE TABLE evidence_root (
    msp BLOB NOT NULL,
    number INTEGER NOT NULL,
    tick INTEGER NOT NULL,
    heads INTEGER NOT NULL,
    root BLOB NOT NULL,
    made_at INTEGER NOT NULL,
    -- NULL while it waits for the sink.
    handed_out_at INTEGER,
    PRIMARY KEY (msp, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX evidence_root_waiting ON evidence_root (msp, number) WHERE handed_out_at IS NULL;

-- The last head of every chain that is there already, so that the first root covers it, also where a clock ran ahead.
INSERT INTO evidence_head (msp, compliance_org, mapping, signal, length, hash, tick)
SELECT m.msp, e.compliance_org, e.mapping, e.signal, e.sequence, e.hash,
    min(coalesce((SELECT max(s.collected_at) FROM signal s
        WHERE s.compliance_org = e.compliance_org AND s.mapping = e.mapping AND s.signal = e.signal AND s.event = e.event), 0),
        unixepoch() * 1000000)
FROM evidence e
JOIN mapping m ON m.id = e.mapping
WHERE e.sequence = (SELECT max(l.sequence) FROM evidence l
    WHERE l.compliance_org = e.compliance_org AND l.mapping = e.mapping AND l.signal = e.signal);

-- REPLACE deletes the row in its way without firing a delete trigger, and UPSERT turns an insert into an update: an insert
-- is refused that has a row in its way, by its key or by its row id.
CREATE TRIGGER evidence_is_new BEFORE INSERT ON evidence
WHEN EXISTS (SELECT 1 FROM evidence WHERE compliance_org = NEW.compliance_org AND mapping = NEW.mapping
        AND signal = NEW.signal AND sequence = NEW.sequence)
    OR EXISTS (SELECT 1 FROM evidence WHERE rowid = NEW.rowid)
BEGIN SELECT RAISE(ABORT, 'evidence is append-only'); END;

CREATE TRIGGER signal_is_new BEFORE INSERT ON signal
WHEN EXISTS (SELECT 1 FROM signal WHERE position = NEW.position)
BEGIN SELECT RAISE(ABORT, 'signals are append-only'); END;
CREATE TRIGGER signal_remains BEFORE DELETE ON signal BEGIN SELECT RAISE(ABORT, 'signals are append-only'); END;

CREATE TRIGGER msp_audit_is_new BEFORE INSERT ON msp_audit
WHEN EXISTS (SELECT 1 FROM msp_audit WHERE msp = NEW.msp AND "at" = NEW."at" AND id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER customer_audit_is_new BEFORE INSERT ON customer_audit
WHEN EXISTS (SELECT 1 FROM customer_audit WHERE compliance_org = NEW.compliance_org AND "at" = NEW."at" AND id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;

-- A head is put under a root once; a root is handed out once. Nothing else of them changes.
CREATE TRIGGER evidence_head_is_new BEFORE INSERT ON evidence_head
WHEN EXISTS (SELECT 1 FROM evidence_head WHERE msp = NEW.msp AND compliance_org = NEW.compliance_org
    AND mapping = NEW.mapping AND signal = NEW.signal AND length = NEW.length)
BEGIN SELECT RAISE(ABORT, 'heads are append-only'); END;
CREATE TRIGGER evidence_head_stays BEFORE UPDATE ON evidence_head
WHEN OLD.root IS NOT NULL OR (NEW.msp, NEW.compliance_org, NEW.mapping, NEW.signal, NEW.length, NEW.hash, NEW.tick)
    IS NOT (OLD.msp, OLD.compliance_org, OLD.mapping, OLD.signal, OLD.length, OLD.hash, OLD.tick)
BEGIN SELECT RAISE(ABORT, 'heads are append-only'); END;
CREATE TRIGGER evidence_head_remains BEFORE DELETE ON evidence_head BEGIN SELECT RAISE(ABORT, 'heads are append-only'); END;
CREATE TRIGGER evidence_root_is_new BEFORE INSERT ON evidence_root
WHEN EXISTS (SELECT 1 FROM evidence_root WHERE msp = NEW.msp AND number = NEW.number)
BEGIN SELECT RAISE(ABORT, 'roots are append-only'); END;
CREATE TRIGGER evidence_root_stays BEFORE UPDATE ON evidence_root
WHEN OLD.handed_out_at IS NOT NULL OR (NEW.msp, NEW.number, NEW.tick, NEW.heads, NEW.root, NEW.made_at)
    IS NOT (OLD.msp, OLD.number, OLD.tick, OLD.heads, OLD.root, OLD.made_at)
BEGIN SELECT RAISE(ABORT, 'roots are append-only'); END;
CREATE TRIGGER evidence_root_remains BEFORE DELETE ON evidence_root BEGIN SELECT RAISE(ABORT, 'roots are append-only'); END;
