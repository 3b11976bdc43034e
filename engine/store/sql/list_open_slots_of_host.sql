-- Read a page of one host's slots that can be booked, in order of start.
-- $1 host  $2, $3 start and id behind which the page begins  $4 before which the slots begin
-- $5 seats left at least, 1 or more  $6 rows at most
-- That a seat is left is said in one way only, so that slot_open cannot serve it: it would be read through for a
-- host who has little in it. slot_host holds what this host has, in this order.
SELECT
    id, kind = 'event' AS is_event, host, name, lower(during) AS start_time, upper(during) AS end_time, capacity, taken,
    status, rule, created_at, version, now() AS now
FROM slot
WHERE host = $1 AND kind = 'slot' AND status = 'open' AND capacity - taken >= $5
  AND (lower(during), id) > ($2, $3) AND lower(during) > now() AND lower(during) < $4
ORDER BY host, lower(during), id
LIMIT $6
