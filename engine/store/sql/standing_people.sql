-- Look up what people are.
-- $1 people
-- One that is missing does not exist, or was erased.
SELECT id, roles, clock_timestamp() AS at
FROM person
WHERE id = ANY ($1::uuid[]) AND erased_at IS NULL
