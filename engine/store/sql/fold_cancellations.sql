-- Add the bookings that were cancelled in a span of time to the counts, where they were made.
-- $1 from when on  $2 before when
-- The caller holds the state of the fold, and no other span was or will be folded that meets this one.
WITH fresh AS MATERIALIZED (
    SELECT quarter, count(*) AS attempts
    FROM cancellation
    WHERE ended_at >= $1 AND ended_at < $2
    GROUP BY quarter
), by_month AS (
    INSERT INTO attempt_month (month, result, attempts)
    SELECT date_trunc('month', quarter, 'UTC'), 'cancelled', sum(attempts) FROM fresh GROUP BY 1
    ON CONFLICT (month, result) DO UPDATE SET attempts = attempt_month.attempts + excluded.attempts
)
INSERT INTO attempt_total (quarter, result, attempts)
SELECT quarter, 'cancelled', attempts FROM fresh
ON CONFLICT (quarter, result) DO UPDATE SET attempts = attempt_total.attempts + excluded.attempts
