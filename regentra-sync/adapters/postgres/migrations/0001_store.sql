-- Tables of the store. Every table carries its tenant first in its key, and row-level security of 0002 stands behind it.
-- Times are UTC with microseconds; counters are unsigned 32-bit numbers and therefore bigint.

-- Events that were committed: a commit whose event stands here writes nothing.
CREATE TABLE regentra_sync.events (
    msp_org_id  uuid        NOT NULL,
    event_id    uuid        NOT NULL,
    -- For housekeeping only; no rule reads it.
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (msp_org_id, event_id)
);

CREATE TABLE regentra_sync.credentials (
    msp_org_id           uuid        NOT NULL,
    credential_id        uuid        NOT NULL,
    region               text        NOT NULL COLLATE "C",
    grant_name           text        NOT NULL CHECK (grant_name IN ('client_credentials', 'authorization_code')),
    sealed_client_id     text,
    sealed_client_secret text,
    sealed_refresh_token text,
    fingerprint          text        NOT NULL COLLATE "C",
    is_active            boolean     NOT NULL,
    generation           bigint      NOT NULL,
    secrets_version      bigint      NOT NULL,
    connected_at         timestamptz NOT NULL,
    disconnected_at      timestamptz,
    PRIMARY KEY (msp_org_id, credential_id),
    UNIQUE (msp_org_id, region),
    CONSTRAINT a_disconnected_credential_holds_no_secret CHECK (
        is_active OR num_nonnulls(sealed_client_id, sealed_client_secret, sealed_refresh_token) = 0
    )
);
CREATE INDEX credentials_by_fingerprint ON regentra_sync.credentials (fingerprint) WHERE is_active;
CREATE INDEX credentials_to_plan ON regentra_sync.credentials (credential_id) WHERE is_active;

CREATE TABLE regentra_sync.authorizations (
    msp_org_id   uuid        NOT NULL,
    state_digest text        NOT NULL COLLATE "C",
    region       text        NOT NULL COLLATE "C",
    sealed       text        NOT NULL,
    expires_at   timestamptz NOT NULL,
    PRIMARY KEY (msp_org_id, state_digest)
);

CREATE TABLE regentra_sync.companies (
    msp_org_id                   uuid        NOT NULL,
    company_id                   uuid        NOT NULL,
    name                         text        NOT NULL,
    converted_to_organization_id uuid,
    created_at                   timestamptz NOT NULL,
    PRIMARY KEY (msp_org_id, company_id)
);
-- A compliance organization is one company's alone, over all MSPs.
CREATE UNIQUE INDEX companies_by_compliance_org ON regentra_sync.companies (converted_to_organization_id);

CREATE TABLE regentra_sync.mappings (
    msp_org_id               uuid        NOT NULL,
    mapping_id               uuid        NOT NULL,
    credential_id            uuid        NOT NULL,
    external_org_id          bigint      NOT NULL,
    name                     text        NOT NULL,
    state                    text        NOT NULL CHECK (state IN ('pending_review', 'mapped', 'ignored')),
    company_id               uuid,
    suggestion               uuid,
    version                  bigint      NOT NULL,
    discovered_at            timestamptz NOT NULL,
    missing_since            timestamptz,
    first_evidence_synced_at timestamptz,
    PRIMARY KEY (msp_org_id, mapping_id),
    UNIQUE (msp_org_id, credential_id, external_org_id),
    CHECK ((state = 'mapped') = (company_id IS NOT NULL))
);
CREATE INDEX mappings_to_plan ON regentra_sync.mappings (mapping_id) WHERE state = 'mapped';

CREATE TABLE regentra_sync.assets (
    msp_org_id       uuid        NOT NULL,
    asset_id         uuid        NOT NULL,
    company_id       uuid        NOT NULL,
    external_source  text        NOT NULL CHECK (external_source IN ('ninjaone', 'level', 'intune', 'entra')),
    credential_id    uuid,
    mapping_id       uuid,
    external_id      text        NOT NULL,
    status           text        NOT NULL CHECK (status IN ('ACTIVE', 'RETIRED')),
    superseded_by    uuid,
    name             text        NOT NULL,
    host_name        text,
    serial_number    text,
    entra_device_id  text,
    class            text,
    manufacturer     text,
    model            text,
    operating_system text,
    version          bigint      NOT NULL,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    PRIMARY KEY (msp_org_id, asset_id),
    CHECK (status = 'RETIRED' OR superseded_by IS NULL)
);
CREATE INDEX assets_by_company ON regentra_sync.assets (msp_org_id, company_id);
CREATE INDEX assets_by_mapping ON regentra_sync.assets (msp_org_id, mapping_id);
CREATE INDEX assets_by_device ON regentra_sync.assets (msp_org_id, credential_id, external_id);
CREATE INDEX assets_by_winner ON regentra_sync.assets (msp_org_id, superseded_by) WHERE superseded_by IS NOT NULL;

CREATE TABLE regentra_sync.signature_history (
    msp_org_id    uuid        NOT NULL,
    mapping_id    uuid        NOT NULL,
    device_digest text        NOT NULL COLLATE "C",
    first_seen_at timestamptz NOT NULL,
    PRIMARY KEY (msp_org_id, mapping_id, device_digest)
);

CREATE TABLE regentra_sync.tickets (
    msp_org_id        uuid        NOT NULL,
    ticket_id         uuid        NOT NULL,
    compliance_org_id uuid        NOT NULL,
    mapping_id        uuid        NOT NULL,
    signal            text        NOT NULL,
    company_id        uuid        NOT NULL,
    state             text        NOT NULL CHECK (state IN ('open', 'closed')),
    version           bigint      NOT NULL,
    opened_at         timestamptz NOT NULL,
    last_failed_at    timestamptz NOT NULL,
    passes            bigint      NOT NULL,
    said              text        NOT NULL,
    reference         text,
    closed_at         timestamptz,
    PRIMARY KEY (msp_org_id, ticket_id)
);
CREATE UNIQUE INDEX one_open_ticket_per_signal ON regentra_sync.tickets (msp_org_id, mapping_id, compliance_org_id, signal)
    WHERE state = 'open';

CREATE TABLE regentra_sync.ticket_ticks (
    msp_org_id   uuid        NOT NULL,
    scheduled_at timestamptz NOT NULL,
    version      bigint      NOT NULL,
    opened       bigint      NOT NULL,
    digests      bigint      NOT NULL,
    PRIMARY KEY (msp_org_id, scheduled_at)
);

CREATE TABLE regentra_sync.outbox (
    msp_org_id   uuid        NOT NULL,
    outbox_id    uuid        NOT NULL,
    -- The order of commits: written under a lock per MSP that is held until the commit.
    position     bigint      GENERATED ALWAYS AS IDENTITY,
    ticket_id    uuid,
    action_name  text        NOT NULL CHECK (action_name IN ('open', 'update', 'close', 'note', 'digest')),
    action       jsonb       NOT NULL,
    created_at   timestamptz NOT NULL,
    due_at       timestamptz NOT NULL,
    delivered_at timestamptz,
    PRIMARY KEY (msp_org_id, outbox_id)
);
CREATE INDEX outbox_undelivered ON regentra_sync.outbox (msp_org_id, position) WHERE delivered_at IS NULL;

CREATE TABLE regentra_sync.leases (
    msp_org_id uuid        NOT NULL,
    subject    text        NOT NULL COLLATE "C",
    -- NULL once released; the fence is kept.
    worker_id  uuid,
    fence      bigint      NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (msp_org_id, subject)
);

CREATE TABLE regentra_sync.runs (
    msp_org_id    uuid        NOT NULL,
    kind          text        NOT NULL CHECK (kind IN ('discovery', 'asset_sync', 'evidence_sweep')),
    credential_id uuid        NOT NULL,
    mapping_id    uuid,
    started_at    timestamptz NOT NULL,
    finished_at   timestamptz NOT NULL,
    outcome       jsonb       NOT NULL,
    requests      bigint      NOT NULL,
    CONSTRAINT one_record_per_subject UNIQUE NULLS NOT DISTINCT (msp_org_id, kind, credential_id, mapping_id)
);

CREATE TABLE regentra_sync.msp_audit (
    msp_org_id uuid        NOT NULL,
    audit_id   uuid        NOT NULL,
    event_id   uuid        NOT NULL,
    at         timestamptz NOT NULL,
    -- NULL: the schedule.
    actor_id   uuid,
    action     text        NOT NULL,
    details    jsonb       NOT NULL,
    PRIMARY KEY (msp_org_id, audit_id)
);
CREATE INDEX msp_audit_newest ON regentra_sync.msp_audit (msp_org_id, at, audit_id);

CREATE TABLE regentra_sync.customer_audit (
    compliance_org_id uuid        NOT NULL,
    audit_id          uuid        NOT NULL,
    event_id          uuid        NOT NULL,
    at                timestamptz NOT NULL,
    -- NULL: the schedule.
    actor_id          uuid,
    action            text        NOT NULL,
    details           jsonb       NOT NULL,
    PRIMARY KEY (compliance_org_id, audit_id)
);
CREATE INDEX customer_audit_newest ON regentra_sync.customer_audit (compliance_org_id, at, audit_id);

CREATE TABLE regentra_sync.signals (
    compliance_org_id uuid        NOT NULL,
    -- The order of commits within a mapping, whose row every sweep locks.
    position          bigint      GENERATED ALWAYS AS IDENTITY,
    mapping_id        uuid        NOT NULL,
    signal            text        NOT NULL,
    event_id          uuid        NOT NULL,
    status            text        NOT NULL,
    collected_at      timestamptz NOT NULL,
    expires_at        timestamptz NOT NULL,
    -- The signal as the public JSON contract has it.
    body              jsonb       NOT NULL,
    PRIMARY KEY (compliance_org_id, position)
);
CREATE INDEX signals_newest ON regentra_sync.signals (compliance_org_id, mapping_id, signal, collected_at, position);
CREATE INDEX signals_unexpired ON regentra_sync.signals (compliance_org_id, expires_at);

CREATE TABLE regentra_sync.evidence (
    compliance_org_id uuid   NOT NULL,
    mapping_id        uuid   NOT NULL,
    signal            text   NOT NULL,
    sequence          bigint NOT NULL CHECK (sequence > 0),
    event_id          uuid   NOT NULL,
    -- Canonical JSON: text, because the hash covers every byte of it.
    record            text   NOT NULL,
    previous          bytea  NOT NULL CHECK (octet_length(previous) = 32),
    hash              bytea  NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (compliance_org_id, mapping_id, signal, sequence)
);

-- Requests made to a NinjaOne tenant within the last hour. Keyed by the fingerprint of (host, client id), which no MSP owns.
CREATE TABLE regentra_sync.requests (
    fingerprint text        NOT NULL COLLATE "C",
    started_at  timestamptz NOT NULL
);
CREATE INDEX requests_by_time ON regentra_sync.requests (fingerprint, started_at);

-- Signals, evidence and audit rows are appended and never changed, whoever writes: the store's role has no grant to, and
-- anybody else is stopped here.
CREATE FUNCTION regentra_sync.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON regentra_sync.signals
    EXECUTE FUNCTION regentra_sync.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON regentra_sync.evidence
    EXECUTE FUNCTION regentra_sync.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON regentra_sync.msp_audit
    EXECUTE FUNCTION regentra_sync.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON regentra_sync.customer_audit
    EXECUTE FUNCTION regentra_sync.refuse_change();
