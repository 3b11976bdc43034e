-- Live bookings of a resource with one place that start before an earlier one has ended, with what they overlap.
-- $1 how many to name
-- A seat claims no time. Nothing is taken from the schema's word: neither the exclusion constraint nor booking.exclusive.
WITH ordered AS (
    SELECT
        booking.id, booking.resource, booking.ticket, booking.during, resource.resource_id,
        max(upper(booking.during)) OVER (
            PARTITION BY booking.resource ORDER BY lower(booking.during), booking.id
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS taken_until
    FROM booking
    JOIN resource ON resource.id = booking.resource
    WHERE booking.status = 'confirmed' AND coalesce(booking.slot = booking.id, true) AND resource.capacity = 1
), late AS MATERIALIZED (
    SELECT id, resource, ticket, during, resource_id, count(*) OVER () AS total
    FROM ordered
    WHERE lower(during) < taken_until
    ORDER BY resource, lower(during), id
    LIMIT $1
)
SELECT
    late.resource_id,
    array_agg(other.ticket ORDER BY lower(other.during), other.id) || late.ticket AS tickets,
    array_agg(other.id ORDER BY lower(other.during), other.id) || late.id AS bookings,
    format('the last one overlaps the others: %s', late.during) AS detail,
    late.total
FROM late
JOIN booking AS other
    ON other.resource = late.resource AND other.during && late.during AND other.status = 'confirmed'
    AND coalesce(other.slot = other.id, true)
    AND (lower(other.during), other.id) < (lower(late.during), late.id)
GROUP BY late.id, late.resource, late.ticket, late.during, late.resource_id, late.total
ORDER BY late.resource, lower(late.during), late.id
