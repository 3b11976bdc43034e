-- Read the resources that are a person's, their calendar and those of their events among them.
-- $1 person
SELECT resource_id, kind, name, time_zone, capacity, created_at
FROM resource
WHERE owner = $1
ORDER BY id
