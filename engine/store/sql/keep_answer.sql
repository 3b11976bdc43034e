-- Keep the answer to a command that needs no queue under its idempotency key.
-- $1 caller  $2 key  $3 body hash  $4 request id  $5 answer (JSON)
-- A key that is there already is not inserted: the count tells.
INSERT INTO idempotency (caller, key, body_hash, request_id, answer)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (caller, key) DO NOTHING
