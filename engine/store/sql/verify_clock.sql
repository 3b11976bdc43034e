-- Tickets that were decided before the ticket before them.
-- $1 how many to name
SELECT
    coalesce(resource.resource_id, '#' || timed.resource) AS resource_id,
    ARRAY[timed.before, timed.ticket] AS tickets,
    ARRAY[]::uuid[] AS bookings,
    format('decided at %s, and then at %s', timed.decided_before, timed.decided_at) AS detail,
    count(*) OVER () AS total
FROM (
    SELECT
        resource, ticket, decided_at,
        lag(ticket) OVER in_order AS before,
        lag(decided_at) OVER in_order AS decided_before
    FROM ledger
    WINDOW in_order AS (PARTITION BY resource ORDER BY ticket)
) AS timed
LEFT JOIN resource ON resource.id = timed.resource
WHERE timed.decided_at < timed.decided_before
ORDER BY timed.resource, timed.ticket
LIMIT $1
