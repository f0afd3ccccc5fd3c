-- The log, and what is kept beside it in the same transactions: the same tables as SQLite's, and what nodes share besides.
-- Times are milliseconds since 1970, except where the database's own clock is what counts.

-- A channel outlives its records: its offsets never start again within an epoch. Its row is updated by each record, so pages keep
-- room for the next version (HOT). "C": the order in which nodes lock rows must not depend on a locale.
CREATE TABLE channel (
    id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name  text   COLLATE "C" NOT NULL UNIQUE,
    epoch text   NOT NULL,
    -- Oldest offset kept; top + 1 when none is.
    first bigint NOT NULL,
    top   bigint NOT NULL,
    -- When the newest record was stored: never goes back, so that lists by time can be paged by offset.
    at    bigint NOT NULL
) WITH (fillfactor = 70);

-- The frame is the whole message as it goes on the wire.
CREATE TABLE record (
    channel  bigint NOT NULL,
    "offset" bigint NOT NULL,
    at       bigint NOT NULL,
    id       text   NOT NULL,
    frame    bytea  NOT NULL,
    checksum bigint NOT NULL,
    PRIMARY KEY (channel, "offset")
);

-- What lists show. Items of system:all are everyone's: their states are in system_state, the flags here stay false.
CREATE TABLE item (
    channel  bigint  NOT NULL,
    "offset" bigint  NOT NULL,
    at       bigint  NOT NULL,
    id       text    NOT NULL,
    kind     text    NOT NULL,
    data     text    NOT NULL,
    checksum bigint  NOT NULL,
    seen     boolean NOT NULL,
    read     boolean NOT NULL,
    archived boolean NOT NULL,
    PRIMARY KEY (channel, "offset")
);

-- One row a user; its counts change only together with what they count. Written only under the lock of its channel's row.
CREATE TABLE inbox (
    channel            bigint PRIMARY KEY,
    items              bigint NOT NULL,
    unread             bigint NOT NULL,
    unseen             bigint NOT NULL,
    -- Everyone-messages after this offset are the user's.
    system_from        bigint NOT NULL,
    -- Counts of everyone-messages up to system_at; each one above it is new.
    system_at          bigint NOT NULL,
    system_unread      bigint NOT NULL,
    system_unseen      bigint NOT NULL,
    -- Everyone-messages up to here have the flag, unless they have a row in system_state.
    system_seen_to     bigint NOT NULL,
    system_read_to     bigint NOT NULL,
    system_archived_to bigint NOT NULL
) WITH (fillfactor = 70);

-- Everyone-messages whose state the three watermarks don't tell.
CREATE TABLE system_state (
    inbox    bigint  NOT NULL,
    "offset" bigint  NOT NULL,
    seen     boolean NOT NULL,
    read     boolean NOT NULL,
    archived boolean NOT NULL,
    PRIMARY KEY (inbox, "offset")
);

CREATE TABLE idempotency (
    credential  text   COLLATE "C" NOT NULL,
    key         text   COLLATE "C" NOT NULL,
    fingerprint bytea  NOT NULL,
    at          bigint NOT NULL,
    answer      text   NOT NULL,
    PRIMARY KEY (credential, key)
);
CREATE INDEX idempotency_at ON idempotency (at);

CREATE TABLE lane (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    username  text   COLLATE "C" NOT NULL,
    client_id text   COLLATE "C" NOT NULL,
    last      bigint NOT NULL,
    at        bigint NOT NULL,
    UNIQUE (username, client_id)
) WITH (fillfactor = 70);
CREATE INDEX lane_at ON lane (at);

CREATE TABLE lane_answer (
    lane   bigint NOT NULL,
    seq    bigint NOT NULL,
    answer text   NOT NULL,
    PRIMARY KEY (lane, seq)
);

-- Numbers come from a row that is locked until the commit: who reads up to a number has missed none below it. A sequence could
-- not promise that.
CREATE TABLE revocation (
    number  bigint PRIMARY KEY,
    kind    text   NOT NULL,
    subject text   NOT NULL,
    at      bigint NOT NULL,
    until   bigint NOT NULL
);
CREATE TABLE counter (name text PRIMARY KEY, value bigint NOT NULL);
INSERT INTO counter (name, value) VALUES ('revocation', 0);

-- Which database the epochs belong to: another system or timeline is evidence that acknowledged records may be gone.
CREATE TABLE origin (system text NOT NULL, timeline bigint NOT NULL);

-- Where retention's sweep over all channels is, whichever node goes on with it.
CREATE TABLE sweep (after bigint NOT NULL);
INSERT INTO sweep (after) VALUES (0);

-- Signing keys that all nodes share.
CREATE TABLE secret (name text PRIMARY KEY, bytes bytea NOT NULL);

-- What follows may be lost with the machine: a client asks for a new ticket, a connection claims its place anew.
CREATE UNLOGGED TABLE ticket (
    hash    bytea PRIMARY KEY,
    ends    timestamptz NOT NULL,
    granted bytea NOT NULL
);
CREATE INDEX ticket_ends ON ticket (ends);

-- Leases of nodes, and the connections they hold.
CREATE UNLOGGED TABLE node (id bigint PRIMARY KEY, ends timestamptz NOT NULL);
CREATE UNLOGGED TABLE seat (
    node     bigint NOT NULL,
    number   bigint NOT NULL,
    username text   COLLATE "C" NOT NULL,
    instance text,
    PRIMARY KEY (node, number)
);
CREATE INDEX seat_username ON seat (username);
