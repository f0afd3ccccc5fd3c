-- What retention has to do is found by an index, not by a look at every channel. By the steady clock.
-- When the oldest record that is kept was stored; NULL without one.
ALTER TABLE channel ADD COLUMN oldest INTEGER;
-- Since when a channel that may go has no records, or was last used without any; NULL of others.
ALTER TABLE channel ADD COLUMN empty_since INTEGER;
UPDATE channel SET oldest =
    (SELECT r.at FROM record r WHERE r.channel = channel.id AND r."offset" = channel.first);
UPDATE channel SET empty_since = at
    WHERE oldest IS NULL AND name <> 'system:all' AND name NOT LIKE 'inbox:%';
CREATE INDEX channel_oldest ON channel (oldest) WHERE oldest IS NOT NULL;
CREATE INDEX channel_empty_since ON channel (empty_since) WHERE empty_since IS NOT NULL;

-- What the steady clock goes on from after a restart. A database from before it begins at its newest record.
CREATE TABLE clock (steady INTEGER NOT NULL, wall INTEGER NOT NULL) STRICT;
INSERT INTO clock (steady, wall) SELECT newest.at, newest.at FROM (SELECT max(at) AS at FROM channel) AS newest WHERE newest.at > 0;

-- Channels that went, by the hash of their name, with the epoch of the log they have since: nobody's cursor holds in it.
CREATE TABLE gone (hash INTEGER PRIMARY KEY, epoch TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
CREATE INDEX gone_at ON gone (at);
