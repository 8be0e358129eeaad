-- Version 9: what nobody outside can guess, and this database alone has.

CREATE TABLE secret (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL CHECK (length(value) = 32)
) STRICT, WITHOUT ROWID;
INSERT INTO secret (name, value) VALUES ('prompt_cache', randomblob(32));
