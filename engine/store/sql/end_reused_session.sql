-- End the session of a refresh token that was used before.
-- $1 hash of the token
-- Zero rows: it was not used before, or its session had ended.
UPDATE session SET ended_at = now(), end_reason = 'reused'
FROM refresh_token
WHERE refresh_token.hash = $1 AND refresh_token.used_at IS NOT NULL AND session.id = refresh_token.session
    AND session.ended_at IS NULL
RETURNING session.id, session.person
