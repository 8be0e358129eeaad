-- Version 4: a branch that was deleted is out of sight at once, and its messages go a few at a time.

ALTER TABLE branch ADD COLUMN deleted_at INTEGER;   -- when it was deleted; NULL = it is there
CREATE INDEX branch_deleted ON branch (id) WHERE deleted_at IS NOT NULL;
