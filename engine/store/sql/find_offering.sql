-- Read a slot or event as it stands.
-- $1 id
-- Zero rows: there is none.
SELECT
    id, kind = 'event' AS is_event, host, name, lower(during) AS start_time, upper(during) AS end_time, capacity, taken,
    status, rule, created_at, version, now() AS now
FROM slot
WHERE id = $1
