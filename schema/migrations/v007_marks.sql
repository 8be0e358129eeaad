-- Version 7: pins and exclusions belong to a session; a fork shares messages, and has marks of its own.

CREATE TABLE mark (
    session INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    message INTEGER NOT NULL REFERENCES message (key) ON DELETE CASCADE,
    kind    INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 1),   -- 0 pin, 1 exclusion
    PRIMARY KEY (session, message)
) STRICT, WITHOUT ROWID;
CREATE INDEX mark_kind    ON mark (session, kind, message);
CREATE INDEX mark_message ON mark (message);

-- Which messages a session sees: those of its branches, and of those that they leave up to where they leave them.
CREATE TEMP TABLE reach AS
WITH RECURSIVE reach (session, branch, seq) AS (
    SELECT session, id, 4294967295 FROM branch
    UNION
    SELECT reach.session, branch.parent, min(branch.fork_seq, reach.seq)
      FROM reach JOIN branch ON branch.id = reach.branch
     WHERE branch.parent IS NOT NULL
)
SELECT session, branch, max(seq) AS seq FROM reach GROUP BY session, branch;

INSERT INTO mark (session, message, kind)
SELECT reach.session, key, 1 FROM message JOIN temp.reach ON reach.branch = key >> 32 AND key & 4294967295 <= reach.seq
 WHERE excluded = 1;
INSERT OR IGNORE INTO mark (session, message, kind)
SELECT reach.session, key, 0 FROM message JOIN temp.reach ON reach.branch = key >> 32 AND key & 4294967295 <= reach.seq
 WHERE pinned = 1;
DROP TABLE temp.reach;

DROP VIEW IF EXISTS messages;   -- made anew at every start
DROP INDEX message_pinned;
DROP INDEX message_excluded;
ALTER TABLE message DROP COLUMN pinned;
ALTER TABLE message DROP COLUMN excluded;
