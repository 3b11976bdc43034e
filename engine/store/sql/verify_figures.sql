-- Counts of attempts and cancellations for operators that are not what ledger and bookings say, as far as they reach.
-- $1 how many to name
-- Hosts are left out: whose a resource was when it was counted is kept nowhere else.
WITH happened AS MATERIALIZED (
    SELECT quarter, resource, result, count(*)::numeric AS attempts
    FROM attempt
    WHERE decided_at < (SELECT folded_until FROM fold)
    GROUP BY quarter, resource, result
), by_quarter AS MATERIALIZED (
    SELECT quarter, result, sum(attempts) AS attempts
    FROM happened
    GROUP BY quarter, result
    UNION ALL
    SELECT quarter, 'cancelled', count(*)::numeric
    FROM cancellation
    WHERE ended_at < (SELECT folded_until FROM fold)
    GROUP BY quarter
), expected AS (
    SELECT 'attempt_count' AS kept_in, quarter AS since, resource, result, attempts FROM happened
    UNION ALL
    SELECT 'attempt_total', quarter, 0, result, attempts FROM by_quarter
    UNION ALL
    SELECT 'attempt_month', date_trunc('month', quarter, 'UTC'), 0, result, sum(attempts) FROM by_quarter GROUP BY 2, 4
), kept AS (
    SELECT 'attempt_count' AS kept_in, quarter AS since, resource, result, attempts FROM attempt_count
    UNION ALL
    SELECT 'attempt_total', quarter, 0, result, attempts FROM attempt_total
    UNION ALL
    SELECT 'attempt_month', month, 0, result, attempts FROM attempt_month
)
SELECT
    coalesce(named.resource_id, '#' || resource) AS resource_id,
    ARRAY[]::bigint[] AS tickets,
    ARRAY[]::uuid[] AS bookings,
    format(
        '%s has %s times %s since %s, and there were %s',
        kept_in, coalesce(kept.attempts, 0), result, since, coalesce(expected.attempts, 0)
    ) AS detail,
    count(*) OVER () AS total
FROM expected
FULL JOIN kept USING (kept_in, since, resource, result)
LEFT JOIN resource AS named ON named.id = resource
WHERE coalesce(expected.attempts, 0) <> coalesce(kept.attempts, 0)
ORDER BY kept_in, since, resource, result
LIMIT $1
