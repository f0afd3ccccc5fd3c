-- Tickets are counted while they wait: for the backend's key or all users together, and for the user who asked.
TRUNCATE ticket;
ALTER TABLE ticket
    ADD COLUMN counted  text   COLLATE "C" NOT NULL,
    ADD COLUMN part     bigint NOT NULL,
    ADD COLUMN username text   COLLATE "C" NOT NULL;
CREATE INDEX ticket_counted ON ticket (counted, part, ends);
CREATE INDEX ticket_username ON ticket (username, ends) WHERE username <> '';

-- One round trip. Each statement of a function sees what was committed before it began: what waited for the locks is counted.
CREATE FUNCTION put_ticket(
    hash bytea, ttl_ms double precision, granted bytea, counted text, part bigint, most bigint,
    username text, users_most bigint, turns bigint[]
) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz;
    waiting bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(turn) FROM unnest(turns) AS turn;
    moment := clock_timestamp();
    SELECT count(*) INTO waiting FROM (
        SELECT FROM ticket AS one
        WHERE one.counted = put_ticket.counted AND one.part = put_ticket.part AND one.ends > moment
        LIMIT put_ticket.most
    ) AS waits;
    IF waiting >= put_ticket.most THEN
        RETURN 1;
    END IF;
    IF put_ticket.username <> '' THEN
        SELECT count(*) INTO waiting FROM (
            SELECT FROM ticket AS one
            WHERE one.username = put_ticket.username AND one.username <> '' AND one.ends > moment
            LIMIT put_ticket.users_most
        ) AS waits;
        IF waiting >= put_ticket.users_most THEN
            RETURN 2;
        END IF;
    END IF;
    INSERT INTO ticket (hash, ends, granted, counted, part, username)
    VALUES (
        put_ticket.hash, moment + put_ticket.ttl_ms * interval '1 millisecond', put_ticket.granted,
        put_ticket.counted, put_ticket.part, put_ticket.username
    ) ON CONFLICT ON CONSTRAINT ticket_pkey DO NOTHING;
    RETURN 0;
END
$$;
