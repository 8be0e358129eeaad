-- Readable views for the sqlite3 shell. They are made anew at each start and hold no data.
-- In text taken out of JSON a NUL shows as U+2400.

DROP VIEW IF EXISTS sessions;
CREATE VIEW sessions AS
SELECT s.name AS session, s.owner AS uid, s.title, s.head AS messages, s.tokens, s.cwd,
       strftime('%Y-%m-%dT%H:%M:%fZ', s.created_at / 1000.0, 'unixepoch') AS created,
       strftime('%Y-%m-%dT%H:%M:%fZ', s.updated_at / 1000.0, 'unixepoch') AS updated,
       s.archived, s.trashed_at IS NOT NULL AS trashed, s.tags, s.settings, s.metadata
  FROM session s WHERE s.owner >= 0 ORDER BY s.activity DESC;

DROP VIEW IF EXISTS messages;
CREATE VIEW messages AS
SELECT s.name AS session, m.key >> 32 AS branch, m.key & 0xffffffff AS seq,
       lower(hex(m.id)) AS id,
       CASE m.role WHEN 0 THEN 'system' WHEN 1 THEN 'user' WHEN 2 THEN 'assistant' ELSE 'tool' END AS role,
       CASE m.status WHEN 0 THEN 'complete' WHEN 1 THEN 'cancelled' WHEN 2 THEN 'interrupted'
                     WHEN 3 THEN 'failed' ELSE 'refused' END AS status,
       strftime('%Y-%m-%dT%H:%M:%fZ', m.created_at / 1000.0, 'unixepoch') AS created,
       m.tokens, coalesce(k.kind = 0, 0) AS pinned, coalesce(k.kind = 1, 0) AS excluded,
       -- SQLite's JSON functions end a text at \u0000, some versions of them: it is put in the JSON itself, past escaped backslashes.
       (SELECT group_concat(p.value ->> '$.text', '')
          FROM json_each(replace(replace(replace(m.content, '\\', char(1)), '\u0000', '␀'), char(1), '\\')) p
         WHERE p.value ->> '$.type' = 'text') AS text,
       m.content
  FROM message m JOIN branch b ON b.id = m.key >> 32 JOIN session s ON s.id = b.session
  LEFT JOIN mark k ON k.session = s.id AND k.message = m.key
 WHERE b.deleted_at IS NULL;

DROP VIEW IF EXISTS turns;
CREATE VIEW turns AS
SELECT s.name AS session, lower(hex(t.uuid)) AS turn,
       CASE t.state WHEN 0 THEN 'queued' WHEN 1 THEN 'running' WHEN 2 THEN 'complete'
                    WHEN 3 THEN 'cancelled' WHEN 4 THEN 'interrupted' ELSE 'failed' END AS state,
       t.stop_reason, t.finish, t.detail, t.cached, t.error, t.upstream, t.model, t.usage, t.receipt, t.request_id,
       strftime('%Y-%m-%dT%H:%M:%fZ', t.created_at / 1000.0, 'unixepoch') AS created,
       t.ended_at - t.started_at AS milliseconds
  FROM turn t JOIN session s ON s.id = t.session;

DROP VIEW IF EXISTS usages;
CREATE VIEW usages AS
SELECT date(u.day * 86400, 'unixepoch') AS day, u.owner AS uid, s.name AS session, u.upstream, u.model, u.turns,
       u.failures, u.input_tokens, u.output_tokens, u.cached_tokens, u.written_tokens, u.thought_tokens,
       CASE WHEN u.priced > 0 THEN u.cost / 1000000.0 END AS dollars
  FROM usage u LEFT JOIN session s ON s.id = u.session;

DROP VIEW IF EXISTS summaries;
CREATE VIEW summaries AS
SELECT s.name AS session, lower(hex(y.uuid)) AS id, y.first_seq AS "from", y.message & 0xffffffff AS "to",
       y.message >> 32 AS branch, y.text, y.problem, y.requested, y.upstream, y.model, y.input_tokens, y.output_tokens,
       strftime('%Y-%m-%dT%H:%M:%fZ', y.created_at / 1000.0, 'unixepoch') AS created, y.edited_at IS NOT NULL AS edited
  FROM summary y JOIN session s ON s.id = y.session;

DROP VIEW IF EXISTS attempts;
CREATE VIEW attempts AS
SELECT strftime('%Y-%m-%dT%H:%M:%fZ', a.ended_at / 1000.0, 'unixepoch') AS ended, s.name AS session, s.owner AS uid,
       lower(hex(t.uuid)) AS turn, a.number, a.upstream, a.model, a.outcome, a.status, a.detail,
       a.first_at - a.started_at AS first_ms, a.ended_at - a.started_at AS milliseconds, a.ended_at AS ended_ms
  FROM attempt a JOIN turn t ON t.id = a.turn JOIN session s ON s.id = t.session
UNION ALL
SELECT strftime('%Y-%m-%dT%H:%M:%fZ', a.ended_at / 1000.0, 'unixepoch'), s.name, s.owner, NULL, a.number, a.upstream, a.model,
       a.outcome, a.status, a.detail, a.first_at - a.started_at, a.ended_at - a.started_at, a.ended_at
  FROM summary_attempt a JOIN summary y ON y.id = a.summary JOIN session s ON s.id = y.session;

-- Turns that took longest to their first words, or to their end.
DROP VIEW IF EXISTS slow_turns;
CREATE VIEW slow_turns AS
SELECT s.name AS session, lower(hex(t.uuid)) AS turn, t.upstream, t.model,
       strftime('%Y-%m-%dT%H:%M:%fZ', t.created_at / 1000.0, 'unixepoch') AS created,
       t.started_at - t.created_at AS waited_ms,
       (SELECT min(a.first_at) - t.started_at FROM attempt a WHERE a.turn = t.id AND a.first_at IS NOT NULL) AS first_ms,
       t.ended_at - t.started_at AS milliseconds,
       (SELECT count(*) FROM attempt a WHERE a.turn = t.id) AS attempts
  FROM turn t JOIN session s ON s.id = t.session
 WHERE t.ended_at IS NOT NULL AND s.owner >= 0 ORDER BY t.ended_at - t.started_at DESC;

-- Who changed what, the newest first.
DROP VIEW IF EXISTS changes;
CREATE VIEW changes AS
SELECT strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch') AS at, uid, pid, method, session, outcome
  FROM audit ORDER BY id DESC;

-- Tries that came to nothing, the newest first.
DROP VIEW IF EXISTS failures;
CREATE VIEW failures AS
SELECT ended, session, uid, turn, number, upstream, model, outcome, status, detail, milliseconds, ended_ms
  FROM attempts WHERE outcome NOT IN ('complete', 'cached', 'cancelled') ORDER BY ended_ms DESC;
