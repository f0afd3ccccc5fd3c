-- Texts that would make a session token too long, by their SHA-256.
CREATE TABLE kept (
    hash  BLOB    NOT NULL PRIMARY KEY,
    text  BLOB    NOT NULL,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX kept_until ON kept (until);
