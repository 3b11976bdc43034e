-- Requests that were decided more than once.
-- $1 how many to name
-- A row that only repeats an earlier outcome decides nothing.
WITH decided AS (
    SELECT
        request_id,
        array_agg(resource ORDER BY resource, ticket) AS resources,
        array_agg(ticket ORDER BY resource, ticket) AS tickets,
        count(*) OVER () AS total
    FROM ledger
    WHERE outcome <> 'repeated'
    GROUP BY request_id
    HAVING count(*) > 1
    ORDER BY request_id
    LIMIT $1
)
SELECT
    coalesce(resource.resource_id, '#' || decided.resources[1]) AS resource_id,
    decided.tickets,
    ARRAY[]::uuid[] AS bookings,
    format('request %s was decided more than once', decided.request_id) AS detail,
    decided.total
FROM decided
LEFT JOIN resource ON resource.id = decided.resources[1]
ORDER BY decided.request_id
