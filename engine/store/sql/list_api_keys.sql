-- Read the API keys of a person that are good for something, in the order in which they were made.
-- $1 person  $2 the key after which the page begins, or null  $3 how many at most
SELECT id, name, scopes, created_at, expires_at
FROM api_key
WHERE person = $1 AND ($2::uuid IS NULL OR id > $2) AND ended_at IS NULL AND (expires_at IS NULL OR expires_at > now())
ORDER BY id
LIMIT $3
