-- Version 12: what was used, with what its price is not known of, what failed, and how long people waited.

ALTER TABLE usage ADD COLUMN written_tokens INTEGER NOT NULL DEFAULT 0;   -- of the input, put into the provider's prompt cache
ALTER TABLE usage ADD COLUMN thought_tokens INTEGER NOT NULL DEFAULT 0;   -- of the output
ALTER TABLE usage ADD COLUMN failures       INTEGER NOT NULL DEFAULT 0;   -- turns that came to nothing
ALTER TABLE usage ADD COLUMN priced         INTEGER NOT NULL DEFAULT 0;   -- calls whose price was known
ALTER TABLE usage ADD COLUMN unpriced       INTEGER NOT NULL DEFAULT 0;   -- calls whose price was not
UPDATE usage SET priced = CASE WHEN cost > 0 THEN turns ELSE 0 END, unpriced = CASE WHEN cost > 0 THEN 0 ELSE turns END;

-- How long the first piece of an answer took: turns by the least of some bounds that was not passed.
CREATE TABLE latency (
    owner    INTEGER NOT NULL,
    day      INTEGER NOT NULL,
    upstream TEXT    NOT NULL,
    model    TEXT    NOT NULL,
    bound    INTEGER NOT NULL,                    -- milliseconds, see LatencyBounds
    turns    INTEGER NOT NULL,
    PRIMARY KEY (owner, day, upstream, model, bound)
) STRICT, WITHOUT ROWID;

ALTER TABLE summary ADD COLUMN cost INTEGER;   -- millionths of a dollar; NULL = nobody knows

-- What a window holds, and up to where rounds came to nothing: however many of those there are.
DROP INDEX summary_path;
CREATE INDEX summary_told   ON summary (session, message) WHERE text IS NOT NULL;
CREATE INDEX summary_untold ON summary (session, message) WHERE text IS NULL AND requested = 0;
