-- Read a page of a host's slots, whatever became of them, in order of start.
-- $1 host  $2, $3 start and id behind which the page begins  $4 before which the slots begin  $5 rows at most
-- What is over and was not booked at all is nobody's business any more.
SELECT
    id, kind = 'event' AS is_event, host, name, lower(during) AS start_time, upper(during) AS end_time, capacity, taken,
    status, rule, created_at, version, now() AS now
FROM slot
WHERE host = $1 AND kind = 'slot' AND (taken > 0 OR upper(during) > now())
  AND (lower(during), id) > ($2, $3) AND lower(during) < $4
ORDER BY host, lower(during), id
LIMIT $5
