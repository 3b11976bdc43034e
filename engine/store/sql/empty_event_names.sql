-- Call a person's events what their resources are called.
-- $1 person  $2 rows at most
UPDATE slot SET name = 'Event'
WHERE id IN (SELECT id FROM slot WHERE host = $1 AND kind = 'event' AND name <> 'Event' LIMIT $2)
