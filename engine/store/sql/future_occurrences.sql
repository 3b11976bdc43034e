-- Read the rows of a series that stand and have not begun, by start.
-- $1 series  $2 now
SELECT id, occurrence, lower(during) AS start_time, upper(during) AS end_time, places, status, ticket
FROM booking
WHERE series = $1 AND live AND lower(during) > $2
ORDER BY start_time, id
