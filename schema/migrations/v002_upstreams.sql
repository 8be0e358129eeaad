-- Version 2: what turns cost, answers to repeated questions, and the providers' seals on thoughts.

ALTER TABLE turn ADD COLUMN detail TEXT;         -- why it ended so, in the provider's words
ALTER TABLE turn ADD COLUMN cached INTEGER NOT NULL DEFAULT 0 CHECK (cached IN (0, 1));   -- 1 = answered from response

-- Pieces may be seals now; a CHECK cannot be changed in place.
CREATE TABLE piece_next (
    turn   INTEGER NOT NULL REFERENCES turn (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    kind   INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 3),   -- 0 text, 1 thought, 2 a whole part as raw JSON, 3 a seal
    bytes  BLOB    NOT NULL,                      -- UTF-8
    PRIMARY KEY (turn, number)
) STRICT, WITHOUT ROWID;
INSERT INTO piece_next SELECT turn, number, kind, bytes FROM piece;
DROP TABLE piece;
ALTER TABLE piece_next RENAME TO piece;

-- What was used, summed by day; it stays when a session goes.
CREATE TABLE usage (
    owner         INTEGER NOT NULL,               -- uid
    day           INTEGER NOT NULL,               -- days since 1970 (UTC)
    session       INTEGER NOT NULL,               -- session.id, which may be gone
    upstream      TEXT    NOT NULL,
    model         TEXT    NOT NULL,
    turns         INTEGER NOT NULL,
    input_tokens  INTEGER NOT NULL,               -- the provider's count, or the estimate where it gave none
    output_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,               -- of the input, read from the provider's prompt cache
    cost          INTEGER NOT NULL,               -- millionths of a dollar, 0 where no price is configured
    PRIMARY KEY (owner, day, session, upstream, model)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_session ON usage (session);

-- Whole answers by the hash of the request that they answered.
CREATE TABLE response (
    key        BLOB    PRIMARY KEY CHECK (length(key) = 32),   -- SHA-256 of owner, address and body
    content    TEXT    NOT NULL,                  -- raw JSON array of parts
    finish     TEXT    NOT NULL,
    usage      TEXT,                              -- JSON, as the provider counted then
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX response_age ON response (created_at);

-- How many tokens a provider counts for one of our estimate.
CREATE TABLE calibration (
    upstream TEXT    NOT NULL,
    model    TEXT    NOT NULL,
    ratio    INTEGER NOT NULL CHECK (ratio > 0),  -- thousandths
    samples  INTEGER NOT NULL,
    PRIMARY KEY (upstream, model)
) STRICT, WITHOUT ROWID;
