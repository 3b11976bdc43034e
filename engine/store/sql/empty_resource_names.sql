-- Call a person's resources by their public names.
-- $1 person  $2 rows at most
-- Calendars and events have a name of ours. The rows are locked in id order, as batches lock them.
WITH owned AS MATERIALIZED (
    SELECT id
    FROM resource
    WHERE owner = $1 AND kind = 'resource' AND name <> resource_id
    ORDER BY id
    LIMIT $2
    FOR NO KEY UPDATE
)
UPDATE resource SET name = resource_id
FROM owned
WHERE resource.id = owned.id
