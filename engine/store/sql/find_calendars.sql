-- Look up the calendars of hosts.
-- $1 hosts
-- A host who is missing from the answer has none yet.
SELECT owner, id, resource_id, time_zone
FROM resource
WHERE kind = 'calendar' AND owner = ANY ($1::text[])
