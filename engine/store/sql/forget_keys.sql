-- Delete idempotency keys that are older than they are promised to be kept.
-- $1 hours  $2 how many at most
-- Rows that another worker is deleting are left to it.
DELETE FROM idempotency
WHERE (caller, key) IN (
    SELECT caller, key FROM idempotency
    WHERE created_at < now() - make_interval(hours => $1)
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
