-- Version 8: how much of each class of characters a message has, so that its tokens are estimated for any vocabulary; and
-- what is learned of a model's tokens in two parts.

ALTER TABLE message ADD COLUMN size BLOB;   -- counts by class, see README; NULL = not kept, `tokens` counts

-- What was learned was so for other estimates.
DROP TABLE calibration;
CREATE TABLE calibration (
    upstream      TEXT    NOT NULL,
    model         TEXT    NOT NULL,
    plain         INTEGER NOT NULL CHECK (plain > 0),   -- thousandths: tokens counted for one estimated of ASCII text
    wide          INTEGER NOT NULL CHECK (wide > 0),    -- the same of other scripts
    plain_samples INTEGER NOT NULL,
    wide_samples  INTEGER NOT NULL,
    PRIMARY KEY (upstream, model)
) STRICT, WITHOUT ROWID;
