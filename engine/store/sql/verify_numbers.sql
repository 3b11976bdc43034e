-- Tickets that do not follow the one before, and did not jump as numbers do after a loss of memory.
-- $1 how many to name  $2 the step of a jump
SELECT
    coalesce(resource.resource_id, '#' || numbered.resource) AS resource_id,
    ARRAY[numbered.ticket] AS tickets,
    ARRAY[]::uuid[] AS bookings,
    CASE WHEN numbered.ticket = numbered.before THEN 'this ticket has two rows'
        ELSE format('the tickets from %s to %s have no row', numbered.before + 1, numbered.ticket - 1)
    END AS detail,
    count(*) OVER () AS total
FROM (
    SELECT resource, ticket, coalesce(lag(ticket) OVER (PARTITION BY resource ORDER BY ticket), 0) AS before
    FROM ledger
) AS numbered
LEFT JOIN resource ON resource.id = numbered.resource
WHERE numbered.ticket <> numbered.before + 1
    AND (numbered.ticket % $2 <> 0 OR numbered.ticket = numbered.before)
ORDER BY numbered.resource, numbered.ticket
LIMIT $1
