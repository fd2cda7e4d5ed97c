-- The settings of a connection, as a JSON object; what it lacks is left to the host's policy. As text, so that what a later release
-- put there stays to the letter.
ALTER TABLE regentra_sync.credentials
    ADD COLUMN settings         text   NOT NULL DEFAULT '{}',
    ADD COLUMN settings_version bigint NOT NULL DEFAULT 1;
-- The ids of the frameworks that a company has adopted, as a JSON array; null while nobody has decided.
ALTER TABLE regentra_sync.companies
    ADD COLUMN frameworks         text,
    ADD COLUMN frameworks_version bigint NOT NULL DEFAULT 1;
