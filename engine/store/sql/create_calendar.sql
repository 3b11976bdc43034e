-- Make a host's calendar, in the host's time zone.
-- $1 host  $2 the host's id as a person; null: nobody who is known, and the zone is UTC  $3 public name
-- Whoever else makes it at the same time has made the same.
INSERT INTO resource (resource_id, name, time_zone, capacity, initial_capacity, kind, owner)
VALUES ($3, 'Calendar', coalesce((SELECT time_zone FROM person WHERE id = $2), 'UTC'), 1, 1, 'calendar', $1)
ON CONFLICT DO NOTHING
