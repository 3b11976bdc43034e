-- Count what came of the attempts to book, and how many bookings were cancelled since: bookings by days, else at once.
-- $1 when each day begins, in order, and behind them when the last one ends
-- $2 how far the counts reach: what came later is counted here, row by row
-- $3 when the first day begins  $4 when the last one ends: the ends of $1
-- $5 the first whole month  $6 behind the last one: months of UTC in between; where there is none, both are $4
-- Of bookings a day without any is missing. Of everything else the day is 0, and what there was none of is missing.
SELECT counted.day, counted.result, sum(counted.attempts)::bigint AS attempts
FROM (
    SELECT width_bucket(quarter, $1::timestamptz[]), 'booked', attempts
    FROM attempt_total
    WHERE quarter >= $3 AND quarter < $4 AND result = 'booked'
    UNION ALL
    SELECT 0, result, attempts
    FROM attempt_month
    WHERE month >= $5 AND month < $6 AND result <> 'booked'
    UNION ALL
    SELECT 0, result, attempts
    FROM attempt_total
    WHERE quarter >= $3 AND quarter < $5 AND result <> 'booked'
    UNION ALL
    SELECT 0, result, attempts
    FROM attempt_total
    WHERE quarter >= $6 AND quarter < $4 AND result <> 'booked'
    UNION ALL
    SELECT CASE result WHEN 'booked' THEN width_bucket(decided_at, $1::timestamptz[]) ELSE 0 END, result, 1
    FROM attempt
    WHERE decided_at >= $2 AND decided_at >= $3 AND decided_at < $4
    UNION ALL
    SELECT 0, 'cancelled', 1
    FROM cancellation
    WHERE ended_at >= $2 AND quarter >= $3 AND quarter < $4
) AS counted (day, result, attempts)
GROUP BY counted.day, counted.result
