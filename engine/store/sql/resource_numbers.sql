-- Look up the numbers of resources.
-- $1 public names
-- A name that is missing from the answer is nobody's.
SELECT resource_id, id FROM resource WHERE resource_id = ANY ($1::text[])
