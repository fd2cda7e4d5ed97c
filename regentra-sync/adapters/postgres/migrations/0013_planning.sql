-- The schedule is planned from the active credentials alone: nothing calls the function that listed mappings of every MSP, and what
-- was there for it alone goes with it.
DROP FUNCTION regentra_sync.promoted_mappings(uuid, bigint);
DROP POLICY planning ON regentra_sync.mappings;
DROP INDEX regentra_sync.mappings_to_plan;
