-- What failed lately is looked up by time: tries that came to their end, and those that somebody broke off, are in no index.
CREATE INDEX attempt_failed ON attempt (ended_at) WHERE outcome NOT IN ('complete', 'cached', 'cancelled');
