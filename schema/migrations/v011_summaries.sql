-- Version 11: what stands in a window for older messages, and how it was made.

CREATE TABLE summary (
    id            INTEGER PRIMARY KEY,
    uuid          BLOB    NOT NULL UNIQUE CHECK (length(uuid) = 16),
    session       INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    message       INTEGER NOT NULL REFERENCES message (key) ON DELETE CASCADE,   -- the last one that it covers
    first_seq     INTEGER NOT NULL CHECK (first_seq > 0),   -- the first one that it covers
    text          TEXT,                              -- NULL = none came of it, or it was thrown away
    problem       TEXT,                              -- why none came of it
    requested     INTEGER NOT NULL CHECK (requested IN (0, 1)),   -- 1 = somebody asked for it
    made_at       INTEGER NOT NULL,                  -- messages on the path when it was made
    upstream      TEXT,                              -- NULL = nobody was asked
    model         TEXT,
    input_tokens  INTEGER,
    output_tokens INTEGER,
    created_at    INTEGER NOT NULL,
    edited_at     INTEGER                            -- NULL = as the model wrote it
) STRICT;
CREATE INDEX summary_session ON summary (session);
CREATE INDEX summary_path    ON summary (session, message);
CREATE INDEX summary_message ON summary (message);

-- Each try at an upstream for one.
CREATE TABLE summary_attempt (
    summary    INTEGER NOT NULL REFERENCES summary (id) ON DELETE CASCADE,
    number     INTEGER NOT NULL,
    upstream   TEXT    NOT NULL,
    model      TEXT    NOT NULL,
    started_at INTEGER NOT NULL,
    first_at   INTEGER,
    ended_at   INTEGER NOT NULL,
    outcome    TEXT    NOT NULL,
    status     INTEGER,
    detail     TEXT,
    PRIMARY KEY (summary, number)
) STRICT, WITHOUT ROWID;
