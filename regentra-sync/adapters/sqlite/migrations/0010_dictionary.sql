-- One dictionary for both databases: the tables and columns have the names that they have on PostgreSQL. Every row is kept.

-- Triggers stand on the names of before. They are made again at the end, within the same transaction.
DROP TRIGGER evidence_stays;
DROP TRIGGER evidence_remains;
DROP TRIGGER evidence_is_new;
DROP TRIGGER signal_stays;
DROP TRIGGER signal_remains;
DROP TRIGGER signal_is_new;
DROP TRIGGER msp_audit_stays;
DROP TRIGGER msp_audit_remains;
DROP TRIGGER msp_audit_is_new;
DROP TRIGGER customer_audit_stays;
DROP TRIGGER customer_audit_remains;
DROP TRIGGER customer_audit_is_new;
DROP TRIGGER evidence_head_stays;
DROP TRIGGER evidence_head_remains;
DROP TRIGGER evidence_head_is_new;
DROP TRIGGER evidence_root_stays;
DROP TRIGGER evidence_root_remains;
DROP TRIGGER evidence_root_is_new;

DROP INDEX credential_fingerprint;
DROP INDEX credential_id;
DROP INDEX mapping_id;
DROP INDEX mapping_organization;
DROP INDEX asset_company;
DROP INDEX asset_mapping;
DROP INDEX asset_device;
DROP INDEX asset_superseded_by;
DROP INDEX ticket_open;
DROP INDEX ticket_newest;
DROP INDEX ticket_newest_open;
DROP INDEX ticket_customer;
DROP INDEX ticket_company;
DROP INDEX ticket_mapping;
DROP INDEX outbox_undelivered;
DROP INDEX signal_last;
DROP INDEX signal_unexpired;
DROP INDEX evidence_head_without_root;
DROP INDEX evidence_head_root;
DROP INDEX evidence_root_waiting;

ALTER TABLE event RENAME TO events;
ALTER TABLE events RENAME COLUMN msp TO msp_org_id;
ALTER TABLE events RENAME COLUMN id TO event_id;
-- For housekeeping only; no rule reads it. NULL for those remembered before.
ALTER TABLE events ADD COLUMN recorded_at INTEGER;

ALTER TABLE credential RENAME TO credentials;
ALTER TABLE credentials RENAME COLUMN msp TO msp_org_id;
ALTER TABLE credentials RENAME COLUMN id TO credential_id;
ALTER TABLE credentials RENAME COLUMN "grant" TO grant_name;
ALTER TABLE credentials RENAME COLUMN client_id TO sealed_client_id;
ALTER TABLE credentials RENAME COLUMN client_secret TO sealed_client_secret;
ALTER TABLE credentials RENAME COLUMN refresh_token TO sealed_refresh_token;
CREATE INDEX credentials_by_fingerprint ON credentials (fingerprint) WHERE is_active = 1;
CREATE UNIQUE INDEX credentials_by_id ON credentials (credential_id);

ALTER TABLE authorization RENAME TO authorizations;
ALTER TABLE authorizations RENAME COLUMN msp TO msp_org_id;
ALTER TABLE authorizations RENAME COLUMN state TO state_digest;

ALTER TABLE company RENAME TO companies;
ALTER TABLE companies RENAME COLUMN msp TO msp_org_id;
ALTER TABLE companies RENAME COLUMN id TO company_id;
ALTER TABLE companies RENAME COLUMN converted_to TO converted_to_organization_id;

ALTER TABLE mapping RENAME TO mappings;
ALTER TABLE mappings RENAME COLUMN msp TO msp_org_id;
ALTER TABLE mappings RENAME COLUMN id TO mapping_id;
ALTER TABLE mappings RENAME COLUMN credential TO credential_id;
ALTER TABLE mappings RENAME COLUMN company TO company_id;
CREATE UNIQUE INDEX mappings_by_id ON mappings (mapping_id);
CREATE UNIQUE INDEX mappings_by_organization ON mappings (msp_org_id, credential_id, external_org_id);

ALTER TABLE asset RENAME TO assets;
ALTER TABLE assets RENAME COLUMN msp TO msp_org_id;
ALTER TABLE assets RENAME COLUMN id TO asset_id;
ALTER TABLE assets RENAME COLUMN company TO company_id;
ALTER TABLE assets RENAME COLUMN credential TO credential_id;
ALTER TABLE assets RENAME COLUMN mapping TO mapping_id;
CREATE INDEX assets_by_company ON assets (msp_org_id, company_id);
CREATE INDEX assets_by_mapping ON assets (msp_org_id, mapping_id) WHERE mapping_id IS NOT NULL;
CREATE INDEX assets_by_device ON assets (msp_org_id, credential_id, external_id) WHERE credential_id IS NOT NULL;
CREATE INDEX assets_by_superseding ON assets (msp_org_id, superseded_by) WHERE superseded_by IS NOT NULL;

ALTER TABLE signature RENAME TO signature_history;
ALTER TABLE signature_history RENAME COLUMN msp TO msp_org_id;
ALTER TABLE signature_history RENAME COLUMN mapping TO mapping_id;
ALTER TABLE signature_history RENAME COLUMN device TO device_digest;

ALTER TABLE ticket RENAME TO tickets;
ALTER TABLE tickets RENAME COLUMN msp TO msp_org_id;
ALTER TABLE tickets RENAME COLUMN id TO ticket_id;
ALTER TABLE tickets RENAME COLUMN compliance_org TO compliance_org_id;
ALTER TABLE tickets RENAME COLUMN mapping TO mapping_id;
ALTER TABLE tickets RENAME COLUMN company TO company_id;
ALTER TABLE tickets RENAME COLUMN said TO content_digest;
CREATE UNIQUE INDEX one_open_ticket_per_signal ON tickets (msp_org_id, mapping_id, compliance_org_id, signal) WHERE state = 'open';
CREATE INDEX tickets_newest ON tickets (msp_org_id, opened_at DESC, ticket_id);
CREATE INDEX tickets_newest_open ON tickets (msp_org_id, opened_at DESC, ticket_id) WHERE state = 'open';
CREATE INDEX tickets_of_customer ON tickets (msp_org_id, compliance_org_id, opened_at DESC, ticket_id);
CREATE INDEX tickets_of_company ON tickets (msp_org_id, company_id, opened_at DESC, ticket_id);
CREATE INDEX tickets_of_mapping ON tickets (msp_org_id, mapping_id, opened_at DESC, ticket_id);

ALTER TABLE ticket_tick RENAME TO ticket_ticks;
ALTER TABLE ticket_ticks RENAME COLUMN msp TO msp_org_id;

ALTER TABLE outbox RENAME COLUMN msp TO msp_org_id;
ALTER TABLE outbox RENAME COLUMN id TO outbox_id;
ALTER TABLE outbox RENAME COLUMN ticket TO ticket_id;
CREATE INDEX outbox_undelivered ON outbox (msp_org_id, position) WHERE delivered_at IS NULL;

ALTER TABLE lease RENAME TO leases;
ALTER TABLE leases RENAME COLUMN msp TO msp_org_id;
ALTER TABLE leases RENAME COLUMN worker TO worker_id;
ALTER TABLE leases RENAME COLUMN length TO length_micros;

ALTER TABLE signal RENAME TO signals;
ALTER TABLE signals RENAME COLUMN compliance_org TO compliance_org_id;
ALTER TABLE signals RENAME COLUMN mapping TO mapping_id;
ALTER TABLE signals RENAME COLUMN event TO event_id;
CREATE INDEX signals_last ON signals (compliance_org_id, mapping_id, signal, position);
CREATE INDEX signals_unexpired ON signals (compliance_org_id, expires_at);

ALTER TABLE evidence RENAME COLUMN compliance_org TO compliance_org_id;
ALTER TABLE evidence RENAME COLUMN mapping TO mapping_id;
ALTER TABLE evidence RENAME COLUMN event TO event_id;

ALTER TABLE evidence_head RENAME TO evidence_heads;
ALTER TABLE evidence_heads RENAME COLUMN msp TO msp_org_id;
ALTER TABLE evidence_heads RENAME COLUMN compliance_org TO compliance_org_id;
ALTER TABLE evidence_heads RENAME COLUMN mapping TO mapping_id;
ALTER TABLE evidence_heads RENAME COLUMN root TO root_number;
CREATE INDEX evidence_heads_without_root ON evidence_heads (msp_org_id, tick) WHERE root_number IS NULL;
CREATE INDEX evidence_heads_by_root ON evidence_heads (msp_org_id, root_number) WHERE root_number IS NOT NULL;

ALTER TABLE evidence_root RENAME TO evidence_roots;
ALTER TABLE evidence_roots RENAME COLUMN msp TO msp_org_id;
CREATE INDEX evidence_roots_waiting ON evidence_roots (msp_org_id, number) WHERE handed_out_at IS NULL;

ALTER TABLE anchoring_failure RENAME TO anchoring_failures;
ALTER TABLE anchoring_failures RENAME COLUMN msp TO msp_org_id;

-- Requests have no column for their order: their times are in it.
ALTER TABLE request RENAME TO requests_before;
DROP INDEX request_started;
CREATE TABLE requests (
    fingerprint TEXT NOT NULL,
    started_at INTEGER NOT NULL
) STRICT;
INSERT INTO requests (fingerprint, started_at) SELECT tenant, started_at FROM requests_before ORDER BY position;
DROP TABLE requests_before;
CREATE INDEX requests_by_time ON requests (fingerprint, started_at);

-- The JSON of a run's record and of an audit row is taken apart into columns. What cannot be read stops the migration, and the
-- file stays as it was.
ALTER TABLE run RENAME TO runs_before;
CREATE TABLE runs (
    msp_org_id BLOB NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('discovery', 'asset_sync', 'evidence_sweep')),
    credential_id BLOB NOT NULL,
    mapping_id BLOB,
    started_at INTEGER NOT NULL,
    finished_at INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    requests INTEGER NOT NULL,
    reading TEXT,
    -- The place of a run among those of its kind and credential: one without a mapping is last, because no id is as long as this.
    -- SQLite has no index with NULL last, and takes rows to be different whose columns are NULL.
    mapping_order BLOB GENERATED ALWAYS AS (coalesce(mapping_id, x'FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF')) VIRTUAL
) STRICT;
CREATE UNIQUE INDEX one_record_per_subject ON runs (msp_org_id, kind, credential_id, mapping_order);
CREATE INDEX runs_by_outcome ON runs (msp_org_id, outcome ->> 'outcome', kind, credential_id, mapping_order);
CREATE INDEX runs_of_mapping ON runs (msp_org_id, mapping_id, kind, credential_id) WHERE mapping_id IS NOT NULL;
-- A time of RFC 3339 in microseconds: the seconds without their fraction, and six digits of the fraction.
INSERT INTO runs (msp_org_id, kind, credential_id, mapping_id, started_at, finished_at, outcome, requests, reading)
SELECT msp, record ->> 'kind', unhex(record ->> 'credential', '-'), unhex(record ->> 'mapping', '-'),
    1000000 * unixepoch(substr(began, 1, 19) || ltrim(substr(began, 20), '.0123456789'))
        + iif(began LIKE '%.%', CAST(substr(replace(substr(began, 21), ltrim(substr(began, 21), '0123456789'), '') || '000000', 1, 6) AS INTEGER), 0),
    1000000 * unixepoch(substr(ended, 1, 19) || ltrim(substr(ended, 20), '.0123456789'))
        + iif(ended LIKE '%.%', CAST(substr(replace(substr(ended, 21), ltrim(substr(ended, 21), '0123456789'), '') || '000000', 1, 6) AS INTEGER), 0),
    json_remove(record, '$.kind', '$.credential', '$.mapping', '$.started_at', '$.finished_at', '$.requests', '$.reading'),
    record ->> 'requests', record -> 'reading'
FROM (SELECT msp, record, record ->> 'started_at' AS began, record ->> 'finished_at' AS ended FROM runs_before);
DROP TABLE runs_before;

ALTER TABLE msp_audit RENAME TO msp_audit_before;
DROP INDEX msp_audit_action;
DROP INDEX msp_audit_operator;
CREATE TABLE msp_audit (
    msp_org_id BLOB NOT NULL,
    audit_id BLOB NOT NULL,
    event_id BLOB NOT NULL,
    "at" INTEGER NOT NULL,
    -- NULL: the schedule.
    actor_id BLOB,
    "action" TEXT NOT NULL,
    details TEXT NOT NULL,
    PRIMARY KEY (msp_org_id, "at", audit_id)
) STRICT, WITHOUT ROWID;
INSERT INTO msp_audit (msp_org_id, audit_id, event_id, "at", actor_id, "action", details)
SELECT msp, id, unhex(entry ->> 'event', '-'), "at", unhex(entry ->> '$.actor.operator', '-'), entry ->> 'action', entry -> 'details'
FROM msp_audit_before;
DROP TABLE msp_audit_before;
CREATE INDEX msp_audit_by_action ON msp_audit (msp_org_id, "action", "at", audit_id);
-- What the schedule did is most of a trail.
CREATE INDEX msp_audit_by_operator ON msp_audit (msp_org_id, actor_id, "at", audit_id) WHERE actor_id IS NOT NULL;

ALTER TABLE customer_audit RENAME TO customer_audit_before;
CREATE TABLE customer_audit (
    compliance_org_id BLOB NOT NULL,
    audit_id BLOB NOT NULL,
    event_id BLOB NOT NULL,
    "at" INTEGER NOT NULL,
    -- NULL: the schedule.
    actor_id BLOB,
    "action" TEXT NOT NULL,
    details TEXT NOT NULL,
    PRIMARY KEY (compliance_org_id, "at", audit_id)
) STRICT, WITHOUT ROWID;
INSERT INTO customer_audit (compliance_org_id, audit_id, event_id, "at", actor_id, "action", details)
SELECT compliance_org, id, unhex(entry ->> 'event', '-'), "at", unhex(entry ->> '$.actor.operator', '-'), entry ->> 'action',
    entry -> 'details'
FROM (SELECT compliance_org, id, "at", iif(json_valid(entry), entry, NULL) AS entry FROM customer_audit_before);
DROP TABLE customer_audit_before;

-- REPLACE deletes the row in its way without firing a delete trigger, and UPSERT turns an insert into an update: an insert
-- is refused that has a row in its way, by its key or by its row id.
CREATE TRIGGER evidence_no_replace BEFORE INSERT ON evidence
WHEN EXISTS (SELECT 1 FROM evidence WHERE compliance_org_id = NEW.compliance_org_id AND mapping_id = NEW.mapping_id
        AND signal = NEW.signal AND sequence = NEW.sequence)
    OR EXISTS (SELECT 1 FROM evidence WHERE rowid = NEW.rowid)
BEGIN SELECT RAISE(ABORT, 'evidence is append-only'); END;
CREATE TRIGGER evidence_no_update BEFORE UPDATE ON evidence BEGIN SELECT RAISE(ABORT, 'evidence is append-only'); END;
CREATE TRIGGER evidence_no_delete BEFORE DELETE ON evidence BEGIN SELECT RAISE(ABORT, 'evidence is append-only'); END;

CREATE TRIGGER signals_no_replace BEFORE INSERT ON signals
WHEN EXISTS (SELECT 1 FROM signals WHERE position = NEW.position)
BEGIN SELECT RAISE(ABORT, 'signals is append-only'); END;
CREATE TRIGGER signals_no_update BEFORE UPDATE ON signals BEGIN SELECT RAISE(ABORT, 'signals is append-only'); END;
CREATE TRIGGER signals_no_delete BEFORE DELETE ON signals BEGIN SELECT RAISE(ABORT, 'signals is append-only'); END;

CREATE TRIGGER msp_audit_no_replace BEFORE INSERT ON msp_audit
WHEN EXISTS (SELECT 1 FROM msp_audit WHERE msp_org_id = NEW.msp_org_id AND "at" = NEW."at" AND audit_id = NEW.audit_id)
BEGIN SELECT RAISE(ABORT, 'msp_audit is append-only'); END;
CREATE TRIGGER msp_audit_no_update BEFORE UPDATE ON msp_audit BEGIN SELECT RAISE(ABORT, 'msp_audit is append-only'); END;
CREATE TRIGGER msp_audit_no_delete BEFORE DELETE ON msp_audit BEGIN SELECT RAISE(ABORT, 'msp_audit is append-only'); END;

CREATE TRIGGER customer_audit_no_replace BEFORE INSERT ON customer_audit
WHEN EXISTS (SELECT 1 FROM customer_audit
    WHERE compliance_org_id = NEW.compliance_org_id AND "at" = NEW."at" AND audit_id = NEW.audit_id)
BEGIN SELECT RAISE(ABORT, 'customer_audit is append-only'); END;
CREATE TRIGGER customer_audit_no_update BEFORE UPDATE ON customer_audit
BEGIN SELECT RAISE(ABORT, 'customer_audit is append-only'); END;
CREATE TRIGGER customer_audit_no_delete BEFORE DELETE ON customer_audit
BEGIN SELECT RAISE(ABORT, 'customer_audit is append-only'); END;

-- A head is put under a root once; a root is handed out once. Nothing else of them changes.
CREATE TRIGGER evidence_heads_no_replace BEFORE INSERT ON evidence_heads
WHEN EXISTS (SELECT 1 FROM evidence_heads WHERE msp_org_id = NEW.msp_org_id AND compliance_org_id = NEW.compliance_org_id
    AND mapping_id = NEW.mapping_id AND signal = NEW.signal AND length = NEW.length)
BEGIN SELECT RAISE(ABORT, 'evidence_heads is append-only'); END;
CREATE TRIGGER evidence_heads_no_update BEFORE UPDATE ON evidence_heads
WHEN OLD.root_number IS NOT NULL
    OR (NEW.msp_org_id, NEW.compliance_org_id, NEW.mapping_id, NEW.signal, NEW.length, NEW.hash, NEW.tick)
    IS NOT (OLD.msp_org_id, OLD.compliance_org_id, OLD.mapping_id, OLD.signal, OLD.length, OLD.hash, OLD.tick)
BEGIN SELECT RAISE(ABORT, 'evidence_heads is append-only'); END;
CREATE TRIGGER evidence_heads_no_delete BEFORE DELETE ON evidence_heads
BEGIN SELECT RAISE(ABORT, 'evidence_heads is append-only'); END;

CREATE TRIGGER evidence_roots_no_replace BEFORE INSERT ON evidence_roots
WHEN EXISTS (SELECT 1 FROM evidence_roots WHERE msp_org_id = NEW.msp_org_id AND number = NEW.number)
BEGIN SELECT RAISE(ABORT, 'evidence_roots is append-only'); END;
CREATE TRIGGER evidence_roots_no_update BEFORE UPDATE ON evidence_roots
WHEN OLD.handed_out_at IS NOT NULL OR (NEW.msp_org_id, NEW.number, NEW.tick, NEW.heads, NEW.root, NEW.made_at)
    IS NOT (OLD.msp_org_id, OLD.number, OLD.tick, OLD.heads, OLD.root, OLD.made_at)
BEGIN SELECT RAISE(ABORT, 'evidence_roots is append-only'); END;
CREATE TRIGGER evidence_roots_no_delete BEFORE DELETE ON evidence_roots
BEGIN SELECT RAISE(ABORT, 'evidence_roots is append-only'); END;
