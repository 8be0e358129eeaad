-- Version 3: what runs or waits in one session is found without a look at all its turns.

DROP INDEX turn_open;
CREATE INDEX turn_open ON turn (session, id) WHERE state < 2;
