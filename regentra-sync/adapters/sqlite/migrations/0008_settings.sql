-- The settings of a connection, as a JSON object; what it lacks is left to the host's policy.
ALTER TABLE credential ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
ALTER TABLE credential ADD COLUMN settings_version INTEGER NOT NULL DEFAULT 1;
-- The ids of the frameworks that a company has adopted, as a JSON array; null while nobody has decided.
ALTER TABLE company ADD COLUMN frameworks TEXT;
ALTER TABLE company ADD COLUMN frameworks_version INTEGER NOT NULL DEFAULT 1;
