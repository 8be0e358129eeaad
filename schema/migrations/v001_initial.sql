-- Version 1: sessions, the message tree, turns with their attempts, pieces of running answers.
-- Times are integer milliseconds since 1970 (UTC). Order is by sequence number, never by time.

CREATE TABLE session (
    id          INTEGER PRIMARY KEY,
    owner       INTEGER NOT NULL,                 -- uid of the user it belongs to
    name        TEXT    NOT NULL,                 -- the session ID on the wire, unique per owner
    title       TEXT,
    cwd         TEXT    NOT NULL,
    mcp_servers TEXT    NOT NULL DEFAULT '[]',    -- raw JSON, as the client gave it
    system      TEXT,                             -- system prompt
    settings    TEXT    NOT NULL DEFAULT '{}',    -- JSON: window, upstream, model
    tags        TEXT    NOT NULL DEFAULT '[]',    -- JSON array of strings
    metadata    TEXT,                             -- raw JSON object, byte for byte as the client gave it
    branch      INTEGER NOT NULL,                 -- the active branch
    head        INTEGER NOT NULL DEFAULT 0,       -- seq of the newest message on the active path; 0 = none
    tokens      INTEGER NOT NULL DEFAULT 0,       -- estimated tokens of the active path
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    activity    INTEGER NOT NULL,                 -- grows with every change; the order of lists
    archived    INTEGER NOT NULL DEFAULT 0 CHECK (archived IN (0, 1)),
    trashed_at  INTEGER,                          -- when it went to the trash; NULL = not there
    UNIQUE (owner, name)
) STRICT;

CREATE INDEX session_recent ON session (owner, activity);   -- the only index that every change moves
CREATE INDEX session_here   ON session (owner, cwd);

-- A branch is a line of messages. It shares the messages 1…fork_seq with its parent.
CREATE TABLE branch (
    id         INTEGER PRIMARY KEY,
    session    INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    parent     INTEGER REFERENCES branch (id),
    fork_seq   INTEGER NOT NULL DEFAULT 0 CHECK (fork_seq >= 0),
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX branch_session ON branch (session);
CREATE INDEX branch_parent  ON branch (parent) WHERE parent IS NOT NULL;

CREATE TABLE message (
    key        INTEGER PRIMARY KEY,               -- branch << 32 | seq, so that a path is a few range scans
    id         BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),   -- UUIDv7
    role       INTEGER NOT NULL CHECK (role BETWEEN 0 AND 3),     -- 0 system, 1 user, 2 assistant, 3 tool
    status     INTEGER NOT NULL CHECK (status BETWEEN 0 AND 4),   -- 0 complete, 1 cancelled, 2 interrupted, 3 failed, 4 refused
    turn       INTEGER REFERENCES turn (id),
    created_at INTEGER NOT NULL,
    tokens     INTEGER NOT NULL CHECK (tokens >= 0),   -- estimate for this message
    total      INTEGER NOT NULL CHECK (total >= 0),    -- estimate for the path up to and with it
    pinned     INTEGER NOT NULL DEFAULT 0 CHECK (pinned IN (0, 1)),
    excluded   INTEGER NOT NULL DEFAULT 0 CHECK (excluded IN (0, 1)),
    metadata   TEXT,                              -- raw JSON object, byte for byte
    content    TEXT    NOT NULL                   -- raw JSON array of parts, as it came
) STRICT;
CREATE INDEX message_pinned   ON message (key) WHERE pinned = 1;
CREATE INDEX message_excluded ON message (key) WHERE excluded = 1;
CREATE INDEX message_turn     ON message (turn) WHERE turn IS NOT NULL;

CREATE TABLE turn (
    id            INTEGER PRIMARY KEY,
    uuid          BLOB    NOT NULL UNIQUE CHECK (length(uuid) = 16),
    session       INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    state         INTEGER NOT NULL CHECK (state BETWEEN 0 AND 5),   -- 0 queued, 1 running, 2 complete, 3 cancelled, 4 interrupted, 5 failed
    prompt        TEXT,                           -- raw JSON parts of a queued prompt; moves to a message when it starts
    prompt_id     BLOB,                           -- message ID of the prompt; NULL = the turn goes on from the head
    answer_id     BLOB    NOT NULL CHECK (length(answer_id) = 16),  -- message ID of the answer
    request_id    TEXT,                           -- the client's key for sending once
    request_hash  BLOB,                           -- SHA-256 of prompt and params
    options       TEXT    NOT NULL DEFAULT '{}',  -- JSON: what the prompt asked for (upstream, model, window, params, onDisconnect)
    stop_reason   TEXT,
    finish        TEXT,                           -- what the provider said, in neutral words
    error         TEXT,                           -- JSON: kind, message
    upstream      TEXT,
    model         TEXT,
    usage         TEXT,                           -- JSON: inputTokens, outputTokens, cachedTokens, reasoningTokens
    receipt       TEXT,                           -- JSON: what was sent and why
    created_at    INTEGER NOT NULL,
    started_at    INTEGER,
    ended_at      INTEGER
) STRICT;
CREATE UNIQUE INDEX turn_request ON turn (session, request_id) WHERE request_id IS NOT NULL;
CREATE INDEX turn_session ON turn (session, id);
CREATE INDEX turn_open    ON turn (state, id) WHERE state < 2;

-- Each try at an upstream.
CREATE TABLE attempt (
    turn       INTEGER NOT NULL REFERENCES turn (id) ON DELETE CASCADE,
    number     INTEGER NOT NULL,
    upstream   TEXT    NOT NULL,
    model      TEXT    NOT NULL,
    started_at INTEGER NOT NULL,
    first_at   INTEGER,                           -- first byte of content
    ended_at   INTEGER NOT NULL,
    outcome    TEXT    NOT NULL,                  -- 'complete' or the kind of error
    status     INTEGER,                           -- HTTP status; NULL = none came
    detail     TEXT,                              -- one sentence, no content, no secrets
    PRIMARY KEY (turn, number)
) STRICT, WITHOUT ROWID;

-- Pieces of a running answer, in stream order; the message takes their place when the turn ends.
CREATE TABLE piece (
    turn   INTEGER NOT NULL REFERENCES turn (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    kind   INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 2),   -- 0 text, 1 thought, 2 a whole part as raw JSON
    bytes  BLOB    NOT NULL,                      -- UTF-8
    PRIMARY KEY (turn, number)
) STRICT, WITHOUT ROWID;
