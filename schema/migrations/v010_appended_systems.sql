-- Version 10: what a client brought along behind a session's system prompt.

ALTER TABLE session ADD COLUMN appended_system TEXT;   -- NULL = nothing
