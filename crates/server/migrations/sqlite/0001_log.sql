-- The log, and what is kept beside it in the same transactions. Flags are 0 or 1, times milliseconds since 1970.

-- A channel outlives its records: its offsets never start again within an epoch.
CREATE TABLE channel (
    id     INTEGER PRIMARY KEY,
    name   TEXT    NOT NULL UNIQUE,
    epoch  TEXT    NOT NULL,
    -- Oldest offset kept; top + 1 when none is.
    first  INTEGER NOT NULL,
    top    INTEGER NOT NULL,
    -- When the newest record was stored: never goes back, so that lists by time can be paged by offset.
    at     INTEGER NOT NULL
) STRICT;

-- The frame is the whole message as it goes on the wire. Clustered by place: a resume reads a range.
CREATE TABLE record (
    channel  INTEGER NOT NULL,
    "offset" INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    id       TEXT    NOT NULL,
    frame    BLOB    NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (channel, "offset")
) STRICT, WITHOUT ROWID;

-- What lists show. Items of system:all are everyone's: their states are in system_state, the flags here stay 0.
CREATE TABLE item (
    channel  INTEGER NOT NULL,
    "offset" INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    id       TEXT    NOT NULL,
    kind     TEXT    NOT NULL,
    data     TEXT    NOT NULL,
    checksum INTEGER NOT NULL,
    seen     INTEGER NOT NULL DEFAULT 0,
    read     INTEGER NOT NULL DEFAULT 0,
    archived INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (channel, "offset")
) STRICT, WITHOUT ROWID;

-- One row a user; its counts change only together with what they count.
CREATE TABLE inbox (
    channel            INTEGER PRIMARY KEY,
    items              INTEGER NOT NULL DEFAULT 0,
    unread             INTEGER NOT NULL DEFAULT 0,
    unseen             INTEGER NOT NULL DEFAULT 0,
    -- Everyone-messages after this offset are the user's.
    system_from        INTEGER NOT NULL,
    -- Counts of everyone-messages up to system_at; each one above it is new.
    system_at          INTEGER NOT NULL,
    system_unread      INTEGER NOT NULL DEFAULT 0,
    system_unseen      INTEGER NOT NULL DEFAULT 0,
    -- Everyone-messages up to here have the flag, unless they have a row in system_state.
    system_seen_to     INTEGER NOT NULL DEFAULT 0,
    system_read_to     INTEGER NOT NULL DEFAULT 0,
    system_archived_to INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Everyone-messages whose state the three watermarks don't tell.
CREATE TABLE system_state (
    inbox    INTEGER NOT NULL,
    "offset" INTEGER NOT NULL,
    seen     INTEGER NOT NULL,
    read     INTEGER NOT NULL,
    archived INTEGER NOT NULL,
    PRIMARY KEY (inbox, "offset")
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
    credential  TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    fingerprint BLOB    NOT NULL,
    at          INTEGER NOT NULL,
    answer      TEXT    NOT NULL,
    PRIMARY KEY (credential, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_at ON idempotency (at);

CREATE TABLE lane (
    id        INTEGER PRIMARY KEY,
    user      TEXT    NOT NULL,
    client_id TEXT    NOT NULL,
    last      INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    UNIQUE (user, client_id)
) STRICT;
CREATE INDEX lane_at ON lane (at);

CREATE TABLE lane_answer (
    lane   INTEGER NOT NULL,
    seq    INTEGER NOT NULL,
    answer TEXT    NOT NULL,
    PRIMARY KEY (lane, seq)
) STRICT, WITHOUT ROWID;

-- AUTOINCREMENT: a number never comes again, so that readers can ask for what is newer.
CREATE TABLE revocation (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    kind    TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    until   INTEGER NOT NULL
) STRICT;

-- How many commits there were: the number that the file beside the database repeats.
CREATE TABLE commits (number INTEGER NOT NULL) STRICT;
INSERT INTO commits (number) VALUES (0);
