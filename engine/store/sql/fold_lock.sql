-- Lock the state of the fold, and read how far it is and how far it may go.
-- No row: another process folds, nothing is noted to fold, or a transaction that may still bring something runs.
SELECT folded_until, next_until
FROM fold
WHERE next_transaction <= pg_snapshot_xmin(pg_current_snapshot())::text::bigint
FOR NO KEY UPDATE SKIP LOCKED
