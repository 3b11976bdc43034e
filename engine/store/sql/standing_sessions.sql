-- Look up sessions, with what those are whose they are.
-- $1 sessions
-- One that is missing has ended, or never was.
SELECT session.id, session.person, person.roles, clock_timestamp() AS at
FROM session
JOIN person ON person.id = session.person
WHERE session.id = ANY ($1::uuid[]) AND session.ended_at IS NULL AND session.expires_at > now()
    AND person.erased_at IS NULL
