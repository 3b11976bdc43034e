-- Change a resource as its command says; null leaves a property as it is.
-- $1 resource  $2 name  $3 capacity
UPDATE resource
SET name = coalesce($2, name), capacity = coalesce($3, capacity), version = version + 1
WHERE id = $1
RETURNING id
