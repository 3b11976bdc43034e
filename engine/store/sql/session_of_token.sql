-- Find the session of a refresh token, whatever became of either.
-- $1 hash of the token
-- Zero rows: it is none of ours.
SELECT session.id, session.person
FROM refresh_token
JOIN session ON session.id = refresh_token.session
WHERE refresh_token.hash = $1
