-- Begin a session with its first refresh token.
-- $1 id  $2 person  $3 days that it lasts  $4 hash of the refresh token
-- Zero rows: the person was erased.
WITH opened AS (
    INSERT INTO session (id, person, expires_at)
    SELECT $1, person.id, now() + make_interval(days => $3)
    FROM person
    WHERE person.id = $2 AND person.erased_at IS NULL
    RETURNING id, created_at
), kept AS (
    INSERT INTO refresh_token (hash, session) SELECT $4, opened.id FROM opened
)
SELECT opened.created_at AS at FROM opened
