-- Read slots and events as a batch finds them. The rows of their resources are locked, so they stand still.
-- $1 ids
-- One that is missing from the answer does not exist.
SELECT
    id, resource, kind, host, lower(during) AS start_time, upper(during) AS end_time, capacity, taken, status, version
FROM slot
WHERE id = ANY ($1::uuid[])
