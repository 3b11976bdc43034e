-- Look up the numbers of resources, of which kind they are, and whose.
-- $1 public names
-- A name that is missing from the answer is nobody's.
SELECT resource_id, id, kind, owner FROM resource WHERE resource_id = ANY ($1::text[])
