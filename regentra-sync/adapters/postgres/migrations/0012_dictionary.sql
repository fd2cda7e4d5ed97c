-- One dictionary for both databases: the tables and columns have the names that they have on SQLite. Every row is kept, and every
-- policy and grant.
ALTER TABLE regentra_sync.tickets RENAME COLUMN said TO content_digest;
ALTER TABLE regentra_sync.leases RENAME COLUMN subject TO key;
ALTER INDEX regentra_sync.assets_by_winner RENAME TO assets_by_superseding;
-- The name of an action stands in the action.
ALTER TABLE regentra_sync.outbox
    DROP COLUMN action_name,
    ADD CONSTRAINT outbox_action_check
        CHECK (coalesce(action ->> 'action', '') IN ('open', 'update', 'close', 'note', 'digest'));
