-- Read a person's API keys, without the keys.
-- $1 person
SELECT id AS api_key_id, name, scopes, created_at, expires_at, ended_at
FROM api_key
WHERE person = $1::text::uuid
ORDER BY id
