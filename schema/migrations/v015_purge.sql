-- Version 15: sessions that are really gone, and how far what is left of them has been wiped out.

CREATE TABLE purge_state (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    phase INTEGER NOT NULL CHECK (phase BETWEEN 0 AND 5)   -- 0 nothing is left; see README
) STRICT;
INSERT INTO purge_state (id, phase) VALUES (1, 0);

-- What was in the trash long enough.
CREATE INDEX session_trashed ON session (trashed_at) WHERE trashed_at IS NOT NULL;
