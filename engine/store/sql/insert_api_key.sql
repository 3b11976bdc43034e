-- Keep an API key.
-- $1 id  $2 person  $3 name  $4 hash  $5 scopes  $6 when it ends, or null  $7 how many a person may have
-- The person's row was locked before, so that of two at once the second counts the first.
-- Zero rows: the person has as many keys as one may have, or was erased.
INSERT INTO api_key (id, person, name, hash, scopes, expires_at)
SELECT $1, person.id, $3, $4, $5, $6
FROM person
WHERE person.id = $2 AND person.erased_at IS NULL AND $7 > (
    SELECT count(*) FROM api_key
    WHERE api_key.person = $2 AND api_key.ended_at IS NULL
        AND (api_key.expires_at IS NULL OR api_key.expires_at > now())
)
RETURNING id, name, scopes, created_at, expires_at
