-- Every table names its tenant first. Ids are 16-byte UUIDs, times are microseconds since 1970 in UTC, flags are 0 or 1.
-- What no query looks into is kept as JSON.

CREATE TABLE event (
    msp BLOB NOT NULL,
    id BLOB NOT NULL,
    PRIMARY KEY (msp, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE credential (
    msp BLOB NOT NULL,
    id BLOB NOT NULL,
    region TEXT NOT NULL,
    "grant" TEXT NOT NULL CHECK ("grant" IN ('client_credentials', 'authorization_code')),
    client_id TEXT,
    client_secret TEXT,
    refresh_token TEXT,
    fingerprint TEXT NOT NULL,
    is_active INTEGER NOT NULL CHECK (is_active IN (0, 1)),
    generation INTEGER NOT NULL,
    secrets_version INTEGER NOT NULL,
    connected_at INTEGER NOT NULL,
    disconnected_at INTEGER,
    PRIMARY KEY (msp, id),
    -- A credential that is not connected holds no secret.
    CHECK (is_active = 1 OR (client_id IS NULL AND client_secret IS NULL AND refresh_token IS NULL))
) STRICT;
CREATE INDEX credential_fingerprint ON credential (fingerprint) WHERE is_active = 1;
CREATE UNIQUE INDEX credential_id ON credential (id);

CREATE TABLE authorization (
    msp BLOB NOT NULL,
    state TEXT NOT NULL,
    region TEXT NOT NULL,
    sealed TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (msp, state)
) STRICT;

CREATE TABLE company (
    msp BLOB NOT NULL,
    id BLOB NOT NULL,
    name TEXT NOT NULL,
    converted_to BLOB UNIQUE,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (msp, id)
) STRICT;

CREATE TABLE mapping (
    msp BLOB NOT NULL,
    id BLOB NOT NULL,
    credential BLOB NOT NULL,
    external_org_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending_review', 'mapped', 'ignored')),
    company BLOB,
    suggestion BLOB,
    version INTEGER NOT NULL,
    discovered_at INTEGER NOT NULL,
    missing_since INTEGER,
    first_evidence_synced_at INTEGER,
    PRIMARY KEY (msp, id),
    CHECK ((state = 'mapped') = (company IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX mapping_id ON mapping (id);
CREATE UNIQUE INDEX mapping_organization ON mapping (msp, credential, external_org_id);

CREATE TABLE asset (
    msp BLOB NOT NULL,
    id BLOB NOT NULL,
    company BLOB NOT NULL,
    external_source TEXT NOT NULL CHECK (external_source IN ('ninjaone', 'level', 'intune', 'entra')),
    credential BLOB,
    mapping BLOB,
    external_id TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('ACTIVE', 'RETIRED')),
    superseded_by BLOB,
    name TEXT NOT NULL,
    host_name TEXT,
    serial_number TEXT,
    entra_device_id TEXT,
    class TEXT,
    manufacturer TEXT,
    model TEXT,
    operating_system TEXT,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (msp, id),
    CHECK (superseded_by IS NULL OR status = 'RETIRED')
) STRICT;
CREATE INDEX asset_company ON asset (msp, company);
CREATE INDEX asset_mapping ON asset (msp, mapping) WHERE mapping IS NOT NULL;
CREATE INDEX asset_device ON asset (msp, credential, external_id) WHERE credential IS NOT NULL;
CREATE INDEX asset_superseded_by ON asset (msp, superseded_by) WHERE superseded_by IS NOT NULL;

CREATE TABLE signature (
    msp BLOB NOT NULL,
    mapping BLOB NOT NULL,
    device TEXT NOT NULL,
    first_seen_at INTEGER NOT NULL,
    PRIMARY KEY (msp, mapping, device)
) STRICT, WITHOUT ROWID;

CREATE TABLE ticket (
    msp BLOB NOT NULL,
    id BLOB NOT NULL,
    compliance_org BLOB NOT NULL,
    mapping BLOB NOT NULL,
    signal TEXT NOT NULL,
    company BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'closed')),
    version INTEGER NOT NULL,
    opened_at INTEGER NOT NULL,
    last_failed_at INTEGER NOT NULL,
    passes INTEGER NOT NULL,
    said TEXT NOT NULL,
    reference TEXT,
    closed_at INTEGER,
    PRIMARY KEY (msp, id)
) STRICT;
CREATE UNIQUE INDEX ticket_open ON ticket (msp, mapping, compliance_org, signal) WHERE state = 'open';

CREATE TABLE outbox (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    msp BLOB NOT NULL,
    id BLOB NOT NULL,
    ticket BLOB,
    "action" TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    delivered_at INTEGER,
    UNIQUE (msp, id)
) STRICT;
CREATE INDEX outbox_undelivered ON outbox (msp, position) WHERE delivered_at IS NULL;

CREATE TABLE ticket_tick (
    msp BLOB NOT NULL,
    scheduled_at INTEGER NOT NULL,
    version INTEGER NOT NULL,
    opened INTEGER NOT NULL,
    digests INTEGER NOT NULL,
    PRIMARY KEY (msp, scheduled_at)
) STRICT, WITHOUT ROWID;

CREATE TABLE lease (
    msp BLOB NOT NULL,
    "key" TEXT NOT NULL,
    worker BLOB,
    fence INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (msp, "key")
) STRICT, WITHOUT ROWID;

CREATE TABLE run (
    msp BLOB NOT NULL,
    subject TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (msp, subject)
) STRICT, WITHOUT ROWID;

CREATE TABLE request (
    tenant TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    position INTEGER PRIMARY KEY
) STRICT;
CREATE INDEX request_started ON request (tenant, started_at);

CREATE TABLE msp_audit (
    msp BLOB NOT NULL,
    "at" INTEGER NOT NULL,
    id BLOB NOT NULL,
    entry TEXT NOT NULL,
    PRIMARY KEY (msp, "at", id)
) STRICT, WITHOUT ROWID;

CREATE TABLE customer_audit (
    compliance_org BLOB NOT NULL,
    "at" INTEGER NOT NULL,
    id BLOB NOT NULL,
    entry TEXT NOT NULL,
    PRIMARY KEY (compliance_org, "at", id)
) STRICT, WITHOUT ROWID;

CREATE TABLE signal (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    compliance_org BLOB NOT NULL,
    mapping BLOB NOT NULL,
    signal TEXT NOT NULL,
    event BLOB NOT NULL,
    status TEXT NOT NULL,
    collected_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX signal_newest ON signal (compliance_org, mapping, signal, collected_at, position);
CREATE INDEX signal_unexpired ON signal (compliance_org, expires_at);

CREATE TABLE evidence (
    compliance_org BLOB NOT NULL,
    mapping BLOB NOT NULL,
    signal TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    event BLOB NOT NULL,
    record TEXT NOT NULL,
    previous BLOB NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (compliance_org, mapping, signal, sequence)
) STRICT;

-- What is appended stays as it is, whoever writes to the file.
CREATE TRIGGER evidence_stays BEFORE UPDATE ON evidence BEGIN SELECT RAISE(ABORT, 'evidence is append-only'); END;
CREATE TRIGGER evidence_remains BEFORE DELETE ON evidence BEGIN SELECT RAISE(ABORT, 'evidence is append-only'); END;
CREATE TRIGGER signal_stays BEFORE UPDATE ON signal BEGIN SELECT RAISE(ABORT, 'signals are append-only'); END;
CREATE TRIGGER msp_audit_stays BEFORE UPDATE ON msp_audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER msp_audit_remains BEFORE DELETE ON msp_audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER customer_audit_stays BEFORE UPDATE ON customer_audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER customer_audit_remains BEFORE DELETE ON customer_audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
