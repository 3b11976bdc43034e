-- Rows that repeat an outcome which is not there before them.
-- $1 how many to name
SELECT
    coalesce(resource.resource_id, '#' || repeat.resource) AS resource_id,
    array_remove(ARRAY[repeat.first_ticket, repeat.ticket], NULL) AS tickets,
    ARRAY[]::uuid[] AS bookings,
    CASE WHEN first.ticket IS NULL THEN 'the ticket that is repeated has no row'
        WHEN first.outcome = 'repeated' THEN 'the ticket that is repeated only repeats another'
        ELSE 'the ticket that is repeated comes later'
    END AS detail,
    count(*) OVER () AS total
FROM ledger AS repeat
LEFT JOIN ledger AS first ON first.resource = repeat.resource AND first.ticket = repeat.first_ticket
LEFT JOIN resource ON resource.id = repeat.resource
WHERE repeat.outcome = 'repeated'
    AND (first.ticket IS NULL OR first.outcome = 'repeated' OR first.ticket >= repeat.ticket)
ORDER BY repeat.resource, repeat.ticket
LIMIT $1
