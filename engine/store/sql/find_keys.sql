-- Look up what callers used their keys for.
-- $1 callers  $2 keys
-- A key that is missing from the answer was never used, or was forgotten.
SELECT kept.caller, kept.key, kept.body_hash, kept.request_id, kept.resource, kept.ticket, kept.answer
FROM unnest($1::text[], $2::text[]) AS wanted (caller, key)
CROSS JOIN LATERAL (
    SELECT * FROM idempotency WHERE idempotency.caller = wanted.caller AND idempotency.key = wanted.key OFFSET 0
) AS kept
