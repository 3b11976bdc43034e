-- Instants at which more places of a resource are taken than it has, with the bookings that take them.
-- $1 how many to name
-- Use changes where a booking starts or ends; what ends there gives its places back before what starts takes any.
WITH changed AS (
    SELECT booking.resource, change.at, sum(change.places) AS places
    FROM booking
    JOIN resource ON resource.id = booking.resource AND resource.capacity > 1
    CROSS JOIN LATERAL (
        VALUES (lower(booking.during), booking.places), (upper(booking.during), - booking.places)
    ) AS change (at, places)
    WHERE booking.status = 'confirmed'
    GROUP BY booking.resource, change.at
), used AS (
    SELECT resource, at, sum(places) OVER (PARTITION BY resource ORDER BY at) AS taken
    FROM changed
), excess AS MATERIALIZED (
    SELECT used.resource, used.at, used.taken, resource.capacity, resource.resource_id, count(*) OVER () AS total
    FROM used
    JOIN resource ON resource.id = used.resource
    WHERE used.taken > resource.capacity
    ORDER BY used.resource, used.at
    LIMIT $1
)
SELECT
    excess.resource_id,
    array_agg(booking.ticket ORDER BY booking.ticket, booking.id) AS tickets,
    array_agg(booking.id ORDER BY booking.ticket, booking.id) AS bookings,
    format('%s of %s places are taken at %s', excess.taken, excess.capacity, excess.at) AS detail,
    excess.total
FROM excess
JOIN booking
    ON booking.resource = excess.resource AND booking.during @> excess.at AND booking.status = 'confirmed'
GROUP BY excess.resource, excess.resource_id, excess.at, excess.taken, excess.capacity, excess.total
ORDER BY excess.resource, excess.at
