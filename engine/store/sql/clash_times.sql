-- The times of bookings that outcomes name; they never change.
-- $1 booking ids
SELECT id, lower(during) AS start_time, upper(during) AS end_time FROM booking WHERE id = ANY ($1::uuid[])
