-- Lists in pages: each filter that finds few rows among many has an index in the order of its list.
CREATE INDEX tickets_newest ON regentra_sync.tickets (msp_org_id, opened_at DESC, ticket_id);
CREATE INDEX tickets_newest_open ON regentra_sync.tickets (msp_org_id, opened_at DESC, ticket_id) WHERE state = 'open';
CREATE INDEX tickets_of_customer ON regentra_sync.tickets (msp_org_id, compliance_org_id, opened_at DESC, ticket_id);
CREATE INDEX tickets_of_company ON regentra_sync.tickets (msp_org_id, company_id, opened_at DESC, ticket_id);
CREATE INDEX tickets_of_mapping ON regentra_sync.tickets (msp_org_id, mapping_id, opened_at DESC, ticket_id);

CREATE INDEX runs_by_outcome ON regentra_sync.runs (msp_org_id, (outcome ->> 'outcome'), kind, credential_id, mapping_id);
CREATE INDEX runs_of_mapping ON regentra_sync.runs (msp_org_id, mapping_id, kind, credential_id) WHERE mapping_id IS NOT NULL;

CREATE INDEX msp_audit_by_action ON regentra_sync.msp_audit (msp_org_id, action, at, audit_id);
-- What the schedule did is most of a trail.
CREATE INDEX msp_audit_by_operator ON regentra_sync.msp_audit (msp_org_id, actor_id, at, audit_id) WHERE actor_id IS NOT NULL;
