-- Find the next slots of a slot's host that can be booked: those behind it.
-- $1 slot  $2 how many at most
-- Zero rows: there are none, or it is an event. As in list_open_slots_of_host, slot_host has to serve it.
SELECT
    open.id, false AS is_event, open.host, open.name, lower(open.during) AS start_time, upper(open.during) AS end_time,
    open.capacity, open.taken, open.status, open.rule, open.created_at, open.version, now() AS now
FROM slot AS wanted
CROSS JOIN LATERAL (
    SELECT *
    FROM slot
    WHERE slot.host = wanted.host AND slot.kind = 'slot' AND slot.status = 'open' AND slot.capacity - slot.taken >= 1
      AND lower(slot.during) > greatest(lower(wanted.during), now())
    ORDER BY slot.host, lower(slot.during), slot.id
    LIMIT $2
) AS open
WHERE wanted.id = $1 AND wanted.kind = 'slot'
ORDER BY start_time, open.id
