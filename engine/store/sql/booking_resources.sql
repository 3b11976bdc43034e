-- Look up the resources that bookings are of.
-- $1 booking ids
-- A booking that is missing from the answer does not exist.
SELECT id, resource FROM booking WHERE id = ANY ($1::uuid[])
