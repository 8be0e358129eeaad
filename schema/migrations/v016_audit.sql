-- Whoever sees only what he did himself finds that of a session without walking what others did.
DROP INDEX audit_session;
CREATE INDEX audit_session ON audit (session, uid, id) WHERE session IS NOT NULL;
