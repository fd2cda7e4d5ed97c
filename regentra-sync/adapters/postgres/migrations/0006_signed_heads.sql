-- Signatures over the heads of evidence chains, and their heads and roots on the MSP's side.

ALTER TABLE regentra_sync.evidence
    ADD COLUMN signature bytea CHECK (signature IS NULL OR octet_length(signature) = 64);

CREATE TABLE regentra_sync.evidence_heads (
    msp_org_id        uuid        NOT NULL,
    compliance_org_id uuid        NOT NULL,
    mapping_id        uuid        NOT NULL,
    signal            text        NOT NULL,
    length            bigint      NOT NULL CHECK (length > 0),
    hash              bytea       NOT NULL CHECK (octet_length(hash) = 32),
    tick              timestamptz NOT NULL,
    -- The number of its root; NULL until it is under one.
    root_number       bigint,
    PRIMARY KEY (msp_org_id, compliance_org_id, mapping_id, signal, length)
);
CREATE INDEX evidence_heads_without_root ON regentra_sync.evidence_heads (msp_org_id, tick) WHERE root_number IS NULL;
CREATE INDEX evidence_heads_by_root ON regentra_sync.evidence_heads (msp_org_id, root_number) WHERE root_number IS NOT NULL;

CREATE TABLE regentra_sync.evidence_roots (
    msp_org_id    uuid        NOT NULL,
    number        bigint      NOT NULL CHECK (number > 0),
    tick          timestamptz NOT NULL,
    heads         bigint      NOT NULL,
    root          bytea       NOT NULL CHECK (octet_length(root) = 32),
    made_at       timestamptz NOT NULL,
    -- NULL while it waits for the sink.
    handed_out_at timestamptz,
    PRIMARY KEY (msp_org_id, number)
);
CREATE INDEX evidence_roots_waiting ON regentra_sync.evidence_roots (msp_org_id, number) WHERE handed_out_at IS NULL;

-- The last head of every chain that is there already, so that the first root covers it, also where a clock ran ahead. The owner
-- reads every tenant's rows for this one statement; the tables are locked until the migration ends.
ALTER TABLE regentra_sync.evidence NO FORCE ROW LEVEL SECURITY;
ALTER TABLE regentra_sync.signals NO FORCE ROW LEVEL SECURITY;
ALTER TABLE regentra_sync.mappings NO FORCE ROW LEVEL SECURITY;
INSERT INTO regentra_sync.evidence_heads (msp_org_id, compliance_org_id, mapping_id, signal, length, hash, tick)
SELECT DISTINCT ON (e.compliance_org_id, e.mapping_id, e.signal)
    m.msp_org_id, e.compliance_org_id, e.mapping_id, e.signal, e.sequence, e.hash,
    least(coalesce((SELECT max(s.collected_at) FROM regentra_sync.signals s
        WHERE s.compliance_org_id = e.compliance_org_id AND s.mapping_id = e.mapping_id AND s.signal = e.signal
            AND s.event_id = e.event_id), 'epoch'), clock_timestamp())
FROM regentra_sync.evidence e
JOIN regentra_sync.mappings m ON m.mapping_id = e.mapping_id
ORDER BY e.compliance_org_id, e.mapping_id, e.signal, e.sequence DESC;
ALTER TABLE regentra_sync.evidence FORCE ROW LEVEL SECURITY;
ALTER TABLE regentra_sync.signals FORCE ROW LEVEL SECURITY;
ALTER TABLE regentra_sync.mappings FORCE ROW LEVEL SECURITY;

ALTER TABLE regentra_sync.evidence_heads ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY msp ON regentra_sync.evidence_heads USING (msp_org_id = (SELECT regentra_sync.current_msp()));
ALTER TABLE regentra_sync.evidence_roots ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY msp ON regentra_sync.evidence_roots USING (msp_org_id = (SELECT regentra_sync.current_msp()));

-- A head is put under a root once; a root is handed out once. Nothing else of them changes.
CREATE FUNCTION regentra_sync.put_head_under_root() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    IF OLD.root_number IS NOT NULL
        OR (NEW.msp_org_id, NEW.compliance_org_id, NEW.mapping_id, NEW.signal, NEW.length, NEW.hash, NEW.tick)
            IS DISTINCT FROM
            (OLD.msp_org_id, OLD.compliance_org_id, OLD.mapping_id, OLD.signal, OLD.length, OLD.hash, OLD.tick)
    THEN
        RAISE EXCEPTION 'evidence_heads is append-only' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE FUNCTION regentra_sync.hand_out_root() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    IF OLD.handed_out_at IS NOT NULL
        OR (NEW.msp_org_id, NEW.number, NEW.tick, NEW.heads, NEW.root, NEW.made_at)
            IS DISTINCT FROM (OLD.msp_org_id, OLD.number, OLD.tick, OLD.heads, OLD.root, OLD.made_at)
    THEN
        RAISE EXCEPTION 'evidence_roots is append-only' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION regentra_sync.put_head_under_root(), regentra_sync.hand_out_root() FROM PUBLIC;
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON regentra_sync.evidence_heads
    EXECUTE FUNCTION regentra_sync.refuse_change();
CREATE TRIGGER once BEFORE UPDATE ON regentra_sync.evidence_heads
    FOR EACH ROW EXECUTE FUNCTION regentra_sync.put_head_under_root();
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON regentra_sync.evidence_roots
    EXECUTE FUNCTION regentra_sync.refuse_change();
CREATE TRIGGER once BEFORE UPDATE ON regentra_sync.evidence_roots
    FOR EACH ROW EXECUTE FUNCTION regentra_sync.hand_out_root();
