-- Load the live claims that overlap the wanted times of exclusive resources.
-- $1 resources  $2 starts  $3 ends, distinct and in the same order
-- LATERAL with OFFSET 0 keeps the planner from joining the other way round, which costs fifty
-- times as much when it takes fresh statistics for a reason to: booking_no_overlap must serve it.
SELECT wanted.resource, claim.start_time, claim.end_time, claim.places, claim.ticket, claim.id
FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[]) AS wanted (resource, start_time, end_time)
CROSS JOIN LATERAL (
    SELECT lower(during) AS start_time, upper(during) AS end_time, places, ticket, id
    FROM booking
    WHERE booking.resource = wanted.resource
      AND booking.during && tstzrange(wanted.start_time, wanted.end_time)
      AND booking.live AND booking.exclusive
    OFFSET 0
) AS claim
