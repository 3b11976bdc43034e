-- Read the slots and events that a person offers.
-- $1 person
SELECT
    id AS slot_id, kind, name, lower(during) AS start_time, upper(during) AS end_time, capacity, taken, status,
    rule AS rule_id, created_at, ended_at
FROM slot
WHERE host = $1
ORDER BY host, lower(during), id
