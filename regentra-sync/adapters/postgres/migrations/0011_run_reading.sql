-- What a run read of NinjaOne: the next tick's strategy is chosen by it. Runs of before have none.
ALTER TABLE regentra_sync.runs ADD COLUMN reading jsonb;
