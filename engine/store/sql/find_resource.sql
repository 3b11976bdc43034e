-- Read a resource.
-- $1 public name
-- Zero rows: there is none.
SELECT id, resource_id, name, time_zone, capacity, version, last_ticket, created_at, kind, owner
FROM resource
WHERE resource_id = $1
