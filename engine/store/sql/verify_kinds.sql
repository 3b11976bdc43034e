-- Bookings whose resource does not exist, or is of another kind than they say: the constraint would not see them.
-- $1 how many to name
SELECT
    coalesce(resource.resource_id, '#' || booking.resource) AS resource_id,
    ARRAY[booking.ticket] AS tickets,
    ARRAY[booking.id] AS bookings,
    CASE WHEN resource.id IS NULL THEN 'there is no such resource'
        ELSE format('exclusive is %s, but the capacity is %s', booking.exclusive, resource.capacity)
    END AS detail,
    count(*) OVER () AS total
FROM booking
LEFT JOIN resource ON resource.id = booking.resource
WHERE resource.id IS NULL OR booking.exclusive <> (resource.capacity = 1)
ORDER BY booking.resource, booking.ticket, booking.id
LIMIT $1
