-- Texts that would make a session token too long, by their SHA-256.
CREATE TABLE kept (
    hash  bytea  PRIMARY KEY,
    text  bytea  NOT NULL,
    until bigint NOT NULL
);
CREATE INDEX kept_until ON kept (until);
