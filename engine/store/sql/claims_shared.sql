-- Load the live claims that overlap the wanted times of resources with several places, those of one
-- interval together.
-- $1 resources  $2 starts  $3 ends, distinct and in the same order
-- $4 how many bookings of an interval to name, the earliest tickets first
-- LATERAL with OFFSET 0: see claims_exclusive; here booking_shared_during must serve it.
SELECT wanted.resource, claim.start_time, claim.end_time, claim.places, claim.tickets, claim.bookings
FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[]) AS wanted (resource, start_time, end_time)
CROSS JOIN LATERAL (
    SELECT
        lower(found.during) AS start_time,
        upper(found.during) AS end_time,
        sum(found.places)::integer AS places,
        (array_agg(found.ticket ORDER BY found.ticket, found.id))[1:$4] AS tickets,
        (array_agg(found.id ORDER BY found.ticket, found.id))[1:$4] AS bookings
    FROM (
        SELECT during, places, ticket, id
        FROM booking
        WHERE booking.resource = wanted.resource
          AND booking.during && tstzrange(wanted.start_time, wanted.end_time)
          AND booking.live AND NOT booking.exclusive
        OFFSET 0
    ) AS found
    GROUP BY found.during
) AS claim
