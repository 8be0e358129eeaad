-- Version 14: messages are found by what they say.

-- The order in which messages were stored, over all sessions: what is indexed and what is not yet are parted by one number of it.
ALTER TABLE message ADD COLUMN arrival INTEGER;
CREATE TEMP TABLE arriving AS
SELECT key, row_number() OVER (ORDER BY created_at, key) AS number FROM message;
CREATE UNIQUE INDEX temp.arriving_key ON arriving (key, number);
UPDATE message SET arrival = (SELECT number FROM temp.arriving a WHERE a.key = message.key);
DROP TABLE temp.arriving;
CREATE UNIQUE INDEX message_arrival ON message (arrival);

-- What is in `search`: all messages up to `mark`, in the grams of `form`.
CREATE TABLE search_state (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    mark INTEGER NOT NULL CHECK (mark >= 0),      -- an arrival; 0 = nothing is indexed
    form INTEGER NOT NULL                         -- version of the normal form and the grams; another one is indexed anew
) STRICT;
INSERT INTO search_state (id, mark, form) VALUES (1, 0, 0);

-- Grams of messages by arrival, no text; see README.
CREATE VIRTUAL TABLE search USING fts5 (
    grams, content='', columnsize=0, detail=none,
    tokenize="ascii tokenchars '!""#$%&''()*+,-./:;<=>?@[\]^_`{|}~'"
);

INSERT INTO search (search, rank) VALUES ('automerge', 8);   -- fewer merges while messages come

-- Messages too long to be indexed: each search looks at them.
CREATE TABLE search_whole (
    arrival INTEGER PRIMARY KEY
) STRICT;
