-- Read a page of the events, in order of start; those without a date come last.
-- $1, $2 start and id behind which the page begins  $3 before which the events begin  $4 rows at most
SELECT
    id, kind = 'event' AS is_event, host, name, lower(during) AS start_time, upper(during) AS end_time, capacity, taken,
    status, rule, created_at, version, now() AS now
FROM slot
WHERE kind = 'event' AND (lower(during), id) > ($1, $2) AND lower(during) < $3
ORDER BY lower(during), id
LIMIT $4
