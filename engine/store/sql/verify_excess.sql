-- Instants at which more places of a resource are taken than it has, with the bookings that take them.
-- $1 how many to name
-- Use changes where a booking starts or ends; what ends there gives its places back before what starts takes any.
-- An instant that has passed is held against the capacity that the resource had then, which the ledger tells; one
-- that is still to come, against the capacity that it has. held is (ticket, capacity) of the last change by then.
WITH changed AS (
    SELECT booking.resource, change.at, sum(change.places) AS places, NULL::bigint[] AS held
    FROM booking
    JOIN resource ON resource.id = booking.resource AND resource.capacity > 1
    CROSS JOIN LATERAL (
        VALUES (lower(booking.during), booking.places), (upper(booking.during), - booking.places)
    ) AS change (at, places)
    WHERE booking.status = 'confirmed' AND coalesce(booking.slot = booking.id, true)
    GROUP BY booking.resource, change.at
    UNION ALL
    SELECT ledger.resource, ledger.decided_at, 0, ARRAY[ledger.ticket, ledger.capacity]
    FROM ledger
    WHERE ledger.kind = 'update_resource' AND ledger.outcome = 'confirmed' AND ledger.capacity IS NOT NULL
), used AS (
    SELECT resource, at, sum(places) OVER in_order AS taken, max(held) OVER in_order AS held
    FROM changed
    WINDOW in_order AS (PARTITION BY resource ORDER BY at)
), allowed AS (
    SELECT
        used.resource, used.at, used.taken, resource.resource_id,
        CASE WHEN used.at < now() THEN coalesce(used.held[2], resource.initial_capacity) ELSE resource.capacity END
            AS capacity
    FROM used
    JOIN resource ON resource.id = used.resource
), excess AS MATERIALIZED (
    SELECT allowed.*, count(*) OVER () AS total
    FROM allowed
    WHERE allowed.taken > allowed.capacity
    ORDER BY allowed.resource, allowed.at
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
    AND coalesce(booking.slot = booking.id, true)
GROUP BY excess.resource, excess.resource_id, excess.at, excess.taken, excess.capacity, excess.total
ORDER BY excess.resource, excess.at
