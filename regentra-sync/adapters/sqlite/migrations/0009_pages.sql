-- Lists in pages: each filter that finds few rows among many has an index in the order of its list.
CREATE INDEX ticket_newest ON ticket (msp, opened_at DESC, id);
CREATE INDEX ticket_newest_open ON ticket (msp, opened_at DESC, id) WHERE state = 'open';
CREATE INDEX ticket_customer ON ticket (msp, compliance_org, opened_at DESC, id);
CREATE INDEX ticket_company ON ticket (msp, company, opened_at DESC, id);
CREATE INDEX ticket_mapping ON ticket (msp, mapping, opened_at DESC, id);

CREATE INDEX run_outcome ON run (msp, record ->> 'outcome', subject);
CREATE INDEX run_mapping ON run (msp, subject ->> 'mapping', subject) WHERE subject ->> 'mapping' IS NOT NULL;

CREATE INDEX msp_audit_action ON msp_audit (msp, entry ->> 'action', "at", id);
-- What the schedule did is most of a trail.
CREATE INDEX msp_audit_operator ON msp_audit (msp, entry ->> '$.actor.operator', "at", id)
    WHERE entry ->> '$.actor.operator' IS NOT NULL;
