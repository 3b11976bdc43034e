-- Delete sessions that can be used no more, with their refresh tokens.
-- $1 how many at most
DELETE FROM session
WHERE id IN (SELECT id FROM session WHERE expires_at < now() LIMIT $1 FOR UPDATE SKIP LOCKED)
