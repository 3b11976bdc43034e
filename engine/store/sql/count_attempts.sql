-- Count what came of the attempts to book, and how many bookings were cancelled since, by days.
-- $1 when each day begins, in order, and behind them when the last one ends
-- $2 how far the counts reach: what came later is counted here, row by row
-- $3 when the first day begins  $4 when the last one ends: the ends of $1
-- A day on which nothing was is missing.
SELECT width_bucket(counted.quarter, $1::timestamptz[]) AS day, counted.result, sum(counted.attempts)::bigint AS attempts
FROM (
    SELECT quarter, result, attempts
    FROM attempt_total
    WHERE quarter >= $3 AND quarter < $4
    UNION ALL
    SELECT decided_at, result, 1
    FROM attempt
    WHERE decided_at >= $2 AND decided_at >= $3 AND decided_at < $4
    UNION ALL
    SELECT quarter, 'cancelled', 1
    FROM cancellation
    WHERE ended_at >= $2 AND quarter >= $3 AND quarter < $4
) AS counted (quarter, result, attempts)
GROUP BY 1, 2
