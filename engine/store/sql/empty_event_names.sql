-- Call a person's events what their resources are called.
-- $1 person
UPDATE slot SET name = 'Event'
WHERE host = $1 AND kind = 'event' AND name <> 'Event'
