-- Load the live claims that overlap the wanted times of exclusive resources, the earliest of each time.
-- $1 resources  $2 starts  $3 ends, distinct and in the same order
-- $4 how many claims of a wanted time will do
-- Live claims of a resource with one place never overlap, so at most one of them begins before a wanted time and
-- reaches into it: the last that begins at its start or before. The others are read in order of start, and not
-- beyond the $4th: a year that is wanted of a calendar with a booking in every minute costs what an hour costs.
-- LATERAL with LIMIT keeps the planner from joining the other way round: booking_start must serve it.
SELECT wanted.resource, claim.start_time, claim.end_time, claim.places, claim.ticket, claim.id
FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[]) AS wanted (resource, start_time, end_time)
CROSS JOIN LATERAL (
    (
        SELECT lower(during) AS start_time, upper(during) AS end_time, places, ticket, id
        FROM booking
        WHERE booking.resource = wanted.resource AND booking.live AND lower(booking.during) <= wanted.start_time
        ORDER BY lower(booking.during) DESC
        LIMIT 1
    )
    UNION ALL
    (
        SELECT lower(during), upper(during), places, ticket, id
        FROM booking
        WHERE booking.resource = wanted.resource AND booking.live
          AND lower(booking.during) > wanted.start_time AND lower(booking.during) < wanted.end_time
        ORDER BY lower(booking.during)
        LIMIT $4
    )
) AS claim
WHERE claim.end_time > wanted.start_time
