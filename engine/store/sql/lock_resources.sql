-- Lock the rows of a batch's resources, in id order, and read the fence.
-- $1 resource ids
-- A resource whose row another transaction holds is missing from the answer: its turn comes again.
-- The clock is read as each row comes out of the lock, so the latest of them is after every lock.
WITH locked AS MATERIALIZED (
    SELECT id, capacity, version, last_ticket, last_row_hash, last_decided_at, series_horizon, owner
    FROM resource
    WHERE id = ANY ($1::bigint[])
    ORDER BY id
    FOR NO KEY UPDATE SKIP LOCKED
)
SELECT
    id, capacity, version, last_ticket, last_row_hash, last_decided_at, series_horizon, owner, clock_timestamp() AS now
FROM locked
