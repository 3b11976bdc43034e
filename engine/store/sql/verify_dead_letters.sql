-- Commands that were given up, but whose ticket did not fail.
-- $1 how many to name
SELECT
    coalesce(resource.resource_id, '#' || dead_letter.resource) AS resource_id,
    ARRAY[dead_letter.ticket] AS tickets,
    ARRAY[]::uuid[] AS bookings,
    format('request %s was given up, but its ticket did not fail', dead_letter.request_id) AS detail,
    count(*) OVER () AS total
FROM dead_letter
LEFT JOIN ledger ON ledger.resource = dead_letter.resource AND ledger.ticket = dead_letter.ticket
LEFT JOIN resource ON resource.id = dead_letter.resource
WHERE ledger.ticket IS NULL OR ledger.outcome <> 'failed' OR ledger.request_id <> dead_letter.request_id
ORDER BY dead_letter.resource, dead_letter.ticket
LIMIT $1
