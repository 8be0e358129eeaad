-- Version 6: what the thoughts of an answer are bound to, so that they go back only where their provider takes them.

ALTER TABLE message ADD COLUMN binding TEXT;   -- JSON: model, digest of what was sent, after; NULL = nothing is known
