-- Lock one resource's row, waiting for whoever holds it, and read the fence.
-- $1 resource id
-- Zero rows: there is no such resource.
WITH locked AS MATERIALIZED (
    SELECT id, capacity, version, last_ticket, last_row_hash, last_decided_at, series_horizon, owner
    FROM resource
    WHERE id = $1
    FOR NO KEY UPDATE
)
SELECT
    id, capacity, version, last_ticket, last_row_hash, last_decided_at, series_horizon, owner, clock_timestamp() AS now
FROM locked
