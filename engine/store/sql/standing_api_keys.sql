-- Look up API keys, with what those are for whom they act.
-- $1 hashes of keys
-- One that is missing has ended, or never was.
SELECT api_key.hash, api_key.person, api_key.scopes, api_key.expires_at, person.roles, clock_timestamp() AS at
FROM api_key
JOIN person ON person.id = api_key.person
WHERE api_key.hash = ANY ($1::bytea[]) AND api_key.ended_at IS NULL
    AND (api_key.expires_at IS NULL OR api_key.expires_at > now()) AND person.erased_at IS NULL
