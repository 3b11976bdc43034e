-- Read what a person's account says.
-- $1 person
-- Zero rows: there is none, or they were erased.
SELECT id AS user_id, email, name, time_zone, roles, created_at
FROM person
WHERE id = $1 AND erased_at IS NULL
