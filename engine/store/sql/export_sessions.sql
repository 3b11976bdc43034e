-- Read a person's sessions, without what opens them.
-- $1 person
SELECT id AS session_id, created_at, expires_at, ended_at, end_reason
FROM session
WHERE person = $1::text::uuid
ORDER BY id
