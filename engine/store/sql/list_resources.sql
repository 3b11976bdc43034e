-- Read a page of resources, oldest first, without calendars and events.
-- $1 the number after which the page begins  $2 rows at most
SELECT id, resource_id, name, time_zone, capacity, version, last_ticket, created_at, kind, owner
FROM resource
WHERE kind = 'resource' AND id > $1
ORDER BY id
LIMIT $2
