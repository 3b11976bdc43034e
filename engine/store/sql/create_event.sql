-- Make an event, with the resource in whose queue its seats are given away. Seats claim no time, so the resource's
-- one place stands for nothing.
-- $1 id  $2 public name of the resource  $3 host  $4 name  $5 seats  $6 start  $7 end
-- Zero rows: it would begin in the past.
WITH home AS (
    INSERT INTO resource (resource_id, name, time_zone, capacity, initial_capacity, kind, owner)
    SELECT $2::text, 'Event', 'UTC', 1, 1, 'event', $3::text
    WHERE $6::timestamptz > clock_timestamp()
    RETURNING id
)
INSERT INTO slot (id, resource, kind, host, name, during, capacity, initial_capacity, created_at)
SELECT $1, home.id, 'event', $3, $4, tstzrange($6, $7), $5, $5, now()
FROM home
RETURNING
    id, true AS is_event, host, name, lower(during) AS start_time, upper(during) AS end_time, capacity, taken,
    status, rule, created_at, version, now() AS now
