-- End an API key.
-- $1 id  $2 person
-- Zero rows: the person has no such key.
UPDATE api_key AS standing SET ended_at = coalesce(standing.ended_at, now())
FROM api_key AS before
WHERE standing.id = $1 AND standing.person = $2 AND before.id = standing.id
RETURNING standing.id, standing.name, standing.scopes, standing.created_at, standing.expires_at,
    before.ended_at IS NULL AS ended_now
