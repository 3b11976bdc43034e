-- Change an event.
-- $1 id  $2 name  $3 capacity, both null to leave them
UPDATE slot
SET name = coalesce($2, name), capacity = coalesce($3, capacity), version = version + 1
WHERE id = $1
