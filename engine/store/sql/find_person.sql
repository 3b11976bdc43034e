-- Read a person.
-- $1 id
-- Zero rows: there is none, or they were erased.
SELECT id, email, name, time_zone, roles, created_at
FROM person
WHERE id = $1 AND erased_at IS NULL
