-- Idempotency keys that do not lead to the one ticket that was decided for them.
-- $1 how many to name
-- Neither callers nor keys are told: the report may go further than they may.
WITH wrong AS (
    SELECT
        idempotency.resource,
        ARRAY[idempotency.ticket] AS tickets,
        CASE
            WHEN ledger.ticket IS NULL THEN format('the key of request %s leads to no row', idempotency.request_id)
            WHEN ledger.outcome = 'repeated' THEN 'a key leads to this row, which decides nothing'
            ELSE format('the key of request %s leads to this row of another request', idempotency.request_id)
        END AS detail
    FROM idempotency
    LEFT JOIN ledger ON ledger.resource = idempotency.resource AND ledger.ticket = idempotency.ticket
    WHERE idempotency.ticket IS NOT NULL
        AND (ledger.ticket IS NULL OR ledger.outcome = 'repeated' OR ledger.request_id <> idempotency.request_id)
    UNION ALL
    SELECT min(resource), array_agg(ticket ORDER BY resource, ticket), 'one key leads to all of these rows'
    FROM idempotency
    WHERE ticket IS NOT NULL
    GROUP BY caller, key
    HAVING count(*) > 1
    UNION ALL
    SELECT resource, ARRAY[ticket], 'several keys lead to this row'
    FROM idempotency
    WHERE ticket IS NOT NULL
    GROUP BY resource, ticket
    HAVING count(*) > 1
)
SELECT
    coalesce(resource.resource_id, '#' || wrong.resource) AS resource_id,
    wrong.tickets,
    ARRAY[]::uuid[] AS bookings,
    wrong.detail,
    count(*) OVER () AS total
FROM wrong
LEFT JOIN resource ON resource.id = wrong.resource
ORDER BY wrong.resource, wrong.tickets
LIMIT $1
