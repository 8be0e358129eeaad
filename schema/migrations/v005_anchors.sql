-- Version 5: where the windows of a branch begin between two cuts, so that requests keep their beginning.

CREATE TABLE anchor (
    branch   INTEGER NOT NULL REFERENCES branch (id) ON DELETE CASCADE,
    upstream TEXT    NOT NULL,
    model    TEXT    NOT NULL,
    settings TEXT    NOT NULL,                    -- the window's settings it was made with
    seq      INTEGER NOT NULL CHECK (seq > 0),    -- the first message of the newest ones that are sent
    PRIMARY KEY (branch, upstream, model, settings)
) STRICT, WITHOUT ROWID;
