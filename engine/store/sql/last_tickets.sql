-- Read the last ticket decided of each resource.
-- $1 public names
-- A name that is missing from the answer is nobody's, here or here yet: a replica may not have it.
SELECT resource_id, last_ticket FROM resource WHERE resource_id = ANY ($1::text[])
