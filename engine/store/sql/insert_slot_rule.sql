-- Write a rule that publishes slots.
-- $1 id  $2 resource  $3 host  $4 wall clock  $5 time zone  $6 length of the window in ms  $7 rule
-- $8 length of a slot in ms  $9 from slot to slot in ms  $10 capacity  $11 horizon in days  $12 published until
-- $13 ticket  $14 created at
INSERT INTO slot_rule (
    id, resource, host, wall_clock, time_zone, window_ms, rule, slot_ms, step_ms, capacity, horizon_days,
    published_until, ticket, created_at
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
