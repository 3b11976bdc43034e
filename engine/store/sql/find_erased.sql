-- Read when a person was erased.
-- $1 person
-- Zero rows: there is none, or they are there.
SELECT erased_at FROM person WHERE id = $1 AND erased_at IS NOT NULL
