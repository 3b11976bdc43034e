-- Say up to where a rule has published its slots.
-- $1 id  $2 until when
UPDATE slot_rule SET published_until = $2 WHERE id = $1
