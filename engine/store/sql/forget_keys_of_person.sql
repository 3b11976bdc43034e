-- Delete a person's idempotency keys, which they made up, with the answers that are kept under them.
-- $1 person  $2 rows at most
-- The key of a sign-up is nobody's; its answer says who was made. Keys of nobody that have no ticket are few.
DELETE FROM idempotency
WHERE (caller, key) IN (
    SELECT caller, key
    FROM idempotency
    WHERE caller = $1 OR (caller = 'anonymous' AND ticket IS NULL AND answer ->> 'person' = $1)
    LIMIT $2
)
