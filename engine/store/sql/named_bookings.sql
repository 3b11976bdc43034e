-- Read the bookings that cancels and moves name. The resource's row is locked, so they stand still.
-- $1 booking ids
SELECT
    id, resource, lower(during) AS start_time, upper(during) AS end_time,
    places, status, ticket, version, caller, rescheduled_to, slot
FROM booking
WHERE id = ANY ($1::uuid[])
