-- Read the rules by which a person's slots are published.
-- $1 person
SELECT
    id AS rule_id, wall_clock::text AS wall_clock, time_zone, window_ms, rule, slot_ms, step_ms, capacity,
    horizon_days, published_until, created_at, ended_at
FROM slot_rule
WHERE host = $1
ORDER BY host, id
