-- Read the live bookings of a resource that end after an instant: for a cursor.
-- $1 resource  $2 instant
-- One of the two branches is never run, as the resource is of one kind; each has its own index.
SELECT start_time, end_time, places, ticket, booking
FROM (
    SELECT lower(during) AS start_time, upper(during) AS end_time, places, ticket, id AS booking
    FROM booking
    WHERE (SELECT exclusive FROM resource WHERE id = $1)
      AND resource = $1 AND during && tstzrange($2, NULL) AND live AND exclusive
    UNION ALL
    SELECT lower(during), upper(during), places, ticket, id
    FROM booking
    WHERE NOT (SELECT exclusive FROM resource WHERE id = $1)
      AND resource = $1 AND during && tstzrange($2, NULL) AND live AND NOT exclusive
) AS claim
ORDER BY start_time, end_time, ticket
