-- Read the idempotency keys that a person made up and that are remembered. Those of ours begin with a control character.
-- $1 person
SELECT key, request_id, created_at
FROM idempotency
WHERE caller = $1 AND left(key, 1) <> E'\x1f'
ORDER BY key
