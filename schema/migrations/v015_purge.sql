-- Version 15: sessions that are really gone, and how far what is left of them has been wiped out.

CREATE TABLE purge_state (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    phase INTEGER NOT NULL CHECK (phase BETWEEN 0 AND 5)   -- 0 nothing is left; see README
) STRICT;
INSERT INTO purge_state (id, phase) VALUES (1, 0);

-- What was in the trash long enough.
CREATE INDEX session_trashed ON session (trashed_at) WHERE trashed_at IS NOT NULL;

-- Sessions that are being read in: nobody sees them before their end, and those without an end are purged at the next start.
CREATE TABLE import (
    session INTEGER PRIMARY KEY REFERENCES session (id) ON DELETE CASCADE,
    owner   INTEGER NOT NULL,                     -- whose it will be
    name    TEXT    NOT NULL                      -- what it will be called
) STRICT;

-- Messages that were read in before the turn that they belong to.
CREATE TABLE import_link (
    message INTEGER PRIMARY KEY REFERENCES message (key) ON DELETE CASCADE,
    turn    BLOB    NOT NULL CHECK (length(turn) = 16)   -- turn.uuid
) STRICT;
CREATE INDEX import_link_turn ON import_link (turn);

-- A message that was taken out of its conversation: its place stays, nothing of what it said does.
ALTER TABLE message ADD COLUMN deleted_at INTEGER;   -- NULL = it is there

-- Who changed what: requests that changed sessions, the store or the daemon, and what came of them; the newest 100,000.
CREATE TABLE audit (
    id      INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,                     -- milliseconds
    uid     INTEGER NOT NULL,                     -- who asked
    pid     INTEGER NOT NULL,                     -- with which process; 0 = the kernel did not say
    method  TEXT    NOT NULL,
    session TEXT,                                 -- the session's ID as it was given; NULL = about none
    outcome TEXT    NOT NULL                      -- 'done' or the kind of error
) STRICT;
CREATE INDEX audit_session ON audit (session, id) WHERE session IS NOT NULL;
