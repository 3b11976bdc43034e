-- Read a page of the slots of all hosts that can be booked, in order of start.
-- $1, $2 start and id behind which the page begins  $3 before which the slots begin  $4 seats left at least
-- $5 rows at most
-- slot_open holds just these, in this order: whatever else there is, a page costs what it shows.
SELECT
    id, kind = 'event' AS is_event, host, name, lower(during) AS start_time, upper(during) AS end_time, capacity, taken,
    status, rule, created_at, version, now() AS now
FROM slot
WHERE kind = 'slot' AND status = 'open' AND taken < capacity AND capacity - taken >= $4
  AND (lower(during), id) > ($1, $2) AND lower(during) > now() AND lower(during) < $3
ORDER BY lower(during), id
LIMIT $5
