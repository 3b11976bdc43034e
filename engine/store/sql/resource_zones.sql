-- Look up the time zones of resources by their numbers.
-- $1 numbers
-- A number that is missing from the answer is no resource.
SELECT id, time_zone FROM resource WHERE id = ANY ($1::bigint[])
