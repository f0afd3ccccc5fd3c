-- Lanes that made no record go sooner. Of those from before nobody knows: they stay as long as they always did.
ALTER TABLE lane ADD COLUMN has_record INTEGER NOT NULL DEFAULT 1;
CREATE INDEX lane_empty_at ON lane (at) WHERE has_record = 0;
