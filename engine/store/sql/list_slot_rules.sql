-- Read a page of a host's rules that publish slots, oldest first.
-- $1 host  $2 the rule behind which the page begins  $3 rows at most
SELECT
    id, resource, host, wall_clock, time_zone, window_ms, rule, slot_ms, step_ms, capacity,
    horizon_days, published_until, ticket, created_at, ended_at
FROM slot_rule
WHERE host = $1 AND id > $2
ORDER BY host, id
LIMIT $3
