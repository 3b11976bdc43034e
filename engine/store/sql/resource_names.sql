-- Look up the public names of resources.
-- $1 numbers
-- A number that is missing from the answer is nobody's.
SELECT id, resource_id FROM resource WHERE id = ANY ($1::bigint[])
