-- Lanes that made no record go sooner. Of those from before, and of servers of an older version, nobody knows: they stay as long as they
-- always did.
ALTER TABLE lane ADD COLUMN has_record boolean NOT NULL DEFAULT true;
CREATE INDEX lane_empty_at ON lane (at) WHERE NOT has_record;
