-- Make a resource.
-- $1 public name  $2 name  $3 time zone  $4 capacity  $5 owner, or null
-- Zero rows: the public name is taken.
INSERT INTO resource (resource_id, name, time_zone, capacity, initial_capacity, owner)
VALUES ($1, $2, $3, $4, $4, $5)
ON CONFLICT (resource_id) DO NOTHING
RETURNING id, resource_id, name, time_zone, capacity, version, last_ticket, created_at, kind, owner
