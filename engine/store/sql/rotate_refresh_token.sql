-- Use a refresh token up, and keep the one that follows it.
-- $1 hash of the token  $2 hash of its successor
-- Zero rows: it is none of ours, it was used before, or its session has ended.
WITH used AS (
    UPDATE refresh_token SET used_at = now()
    FROM session
    JOIN person ON person.id = session.person
    WHERE refresh_token.hash = $1 AND refresh_token.used_at IS NULL AND session.id = refresh_token.session
        AND session.ended_at IS NULL AND session.expires_at > now() AND person.erased_at IS NULL
    RETURNING session.id, session.person
), kept AS (
    INSERT INTO refresh_token (hash, session) SELECT $2, used.id FROM used
)
SELECT used.id AS session, used.person, now() AS at FROM used
