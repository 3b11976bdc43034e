-- Read a rule that publishes slots.
-- $1 id
-- Zero rows: there is none.
SELECT
    id, resource, host, wall_clock, time_zone, window_ms, rule, slot_ms, step_ms, capacity, horizon_days,
    published_until, ticket, created_at, ended_at
FROM slot_rule
WHERE id = $1
