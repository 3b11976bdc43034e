-- Add the attempts that were decided in a span of time to the counts.
-- $1 from when on  $2 before when
-- The caller holds the state of the fold, and no other span was or will be folded that meets this one.
WITH fresh AS MATERIALIZED (
    SELECT quarter, resource, result, count(*) AS attempts
    FROM attempt
    WHERE decided_at >= $1 AND decided_at < $2
    GROUP BY quarter, resource, result
), by_resource AS (
    INSERT INTO attempt_count (quarter, resource, result, attempts)
    SELECT quarter, resource, result, attempts FROM fresh
    ON CONFLICT (quarter, resource, result) DO UPDATE SET attempts = attempt_count.attempts + excluded.attempts
), by_month AS (
    INSERT INTO attempt_month (month, result, attempts)
    SELECT date_trunc('month', quarter, 'UTC'), result, sum(attempts) FROM fresh GROUP BY 1, 2
    ON CONFLICT (month, result) DO UPDATE SET attempts = attempt_month.attempts + excluded.attempts
), by_host AS (
    INSERT INTO host_month (month, host, bookings)
    SELECT date_trunc('month', fresh.quarter, 'UTC'), resource.owner, sum(fresh.attempts)
    FROM fresh JOIN resource ON resource.id = fresh.resource
    WHERE fresh.result = 'booked' AND resource.owner IS NOT NULL
    GROUP BY 1, 2
    ON CONFLICT (month, host) DO UPDATE SET bookings = host_month.bookings + excluded.bookings
)
INSERT INTO attempt_total (quarter, result, attempts)
SELECT quarter, result, sum(attempts) FROM fresh GROUP BY quarter, result
ON CONFLICT (quarter, result) DO UPDATE SET attempts = attempt_total.attempts + excluded.attempts
