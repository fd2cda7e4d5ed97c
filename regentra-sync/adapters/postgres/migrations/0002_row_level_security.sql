-- Row-level security: a statement that names the wrong tenant, or none, finds nothing and writes nothing.
--
-- Every transaction of the store says whose it is in two settings that end with it. FORCE makes the policies hold for the
-- tables' owner too; the role the store connects with owns nothing and cannot switch them off.

CREATE FUNCTION regentra_sync.current_msp() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('regentra.msp_org_id', true), '')::uuid;

CREATE FUNCTION regentra_sync.current_compliance_org() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('regentra.compliance_org_id', true), '')::uuid;

CREATE FUNCTION regentra_sync.current_fingerprint() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('regentra.fingerprint', true), '');

DO $$
DECLARE
    tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY[
        'events', 'credentials', 'authorizations', 'companies', 'mappings', 'assets', 'signature_history', 'tickets',
        'ticket_ticks', 'outbox', 'leases', 'runs', 'msp_audit'
    ] LOOP
        EXECUTE format('ALTER TABLE regentra_sync.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', tenant_table);
        -- The sub-select makes it one evaluation a statement instead of one a row.
        EXECUTE format('CREATE POLICY msp ON regentra_sync.%I USING (msp_org_id = (SELECT regentra_sync.current_msp()))',
            tenant_table);
    END LOOP;
    FOREACH tenant_table IN ARRAY ARRAY['signals', 'evidence', 'customer_audit'] LOOP
        EXECUTE format('ALTER TABLE regentra_sync.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('CREATE POLICY customer ON regentra_sync.%I '
            'USING (compliance_org_id = (SELECT regentra_sync.current_compliance_org()))', tenant_table);
    END LOOP;
END
$$;

ALTER TABLE regentra_sync.requests ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY ninjaone_tenant ON regentra_sync.requests USING (fingerprint = (SELECT regentra_sync.current_fingerprint()));

-- Four questions cross tenants: what to plan, and whether a client id or a compliance organization is taken. Each is a
-- function that runs as the owner and returns ids, or a yes or no. The owner sees other tenants' rows only while such a
-- function runs: these policies ask for the owner's role and for a setting that the functions make and take back.
CREATE POLICY planning ON regentra_sync.credentials FOR SELECT TO CURRENT_USER
    USING ((SELECT current_setting('regentra.planning', true)) = 'on');
CREATE POLICY planning ON regentra_sync.mappings FOR SELECT TO CURRENT_USER
    USING ((SELECT current_setting('regentra.planning', true)) = 'on');
CREATE POLICY planning ON regentra_sync.companies FOR SELECT TO CURRENT_USER
    USING ((SELECT current_setting('regentra.planning', true)) = 'on');

CREATE FUNCTION regentra_sync.active_credentials(after uuid, page bigint)
    RETURNS TABLE (msp_org_id uuid, credential_id uuid, region text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('regentra.planning', 'on', true);
    RETURN QUERY
        SELECT c.msp_org_id, c.credential_id, c.region
        FROM regentra_sync.credentials c
        WHERE c.is_active
            AND c.credential_id >= coalesce(after, '00000000-0000-0000-0000-000000000000')
            AND c.credential_id IS DISTINCT FROM after
        ORDER BY c.credential_id
        LIMIT page;
    PERFORM set_config('regentra.planning', '', true);
END
$$;

CREATE FUNCTION regentra_sync.promoted_mappings(after uuid, page bigint)
    RETURNS TABLE (msp_org_id uuid, compliance_org_id uuid, mapping_id uuid, region text, external_org_id bigint)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    -- Row-level security hides from the planner how many rows there are. Mappings are to be walked in the order of their
    -- index, each with its credential and company, so that a page costs a page and not the whole table.
    SET enable_sort = off SET enable_seqscan = off SET plan_cache_mode = force_custom_plan
AS $$
BEGIN
    PERFORM set_config('regentra.planning', 'on', true);
    RETURN QUERY
        SELECT m.msp_org_id, p.converted_to_organization_id, m.mapping_id, c.region, m.external_org_id
        FROM regentra_sync.mappings m
        CROSS JOIN LATERAL (
            SELECT credentials.region
            FROM regentra_sync.credentials
            WHERE credentials.msp_org_id = m.msp_org_id AND credentials.credential_id = m.credential_id
                AND credentials.is_active
            OFFSET 0
        ) AS c
        CROSS JOIN LATERAL (
            SELECT companies.converted_to_organization_id
            FROM regentra_sync.companies
            WHERE companies.msp_org_id = m.msp_org_id AND companies.company_id = m.company_id
                AND companies.converted_to_organization_id IS NOT NULL
            OFFSET 0
        ) AS p
        WHERE m.state = 'mapped'
            AND m.mapping_id >= coalesce(after, '00000000-0000-0000-0000-000000000000')
            AND m.mapping_id IS DISTINCT FROM after
        ORDER BY m.mapping_id
        LIMIT page;
    PERFORM set_config('regentra.planning', '', true);
END
$$;

CREATE FUNCTION regentra_sync.client_id_is_connected_elsewhere(client_id_fingerprint text, msp uuid, credential uuid)
    RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_elsewhere boolean;
BEGIN
    PERFORM set_config('regentra.planning', 'on', true);
    found_elsewhere := EXISTS (
        SELECT FROM regentra_sync.credentials c
        WHERE c.is_active AND c.fingerprint = client_id_fingerprint AND (c.msp_org_id, c.credential_id) <> (msp, credential)
    );
    PERFORM set_config('regentra.planning', '', true);
    RETURN found_elsewhere;
END
$$;

CREATE FUNCTION regentra_sync.compliance_org_is_taken(compliance_org uuid) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_somewhere boolean;
BEGIN
    PERFORM set_config('regentra.planning', 'on', true);
    found_somewhere := EXISTS (
        SELECT FROM regentra_sync.companies c WHERE c.converted_to_organization_id = compliance_org
    );
    PERFORM set_config('regentra.planning', '', true);
    RETURN found_somewhere;
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA regentra_sync FROM PUBLIC;
