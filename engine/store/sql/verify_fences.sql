-- Resources whose fence does not stand where their ledger ends, and ledgers of no resource.
-- $1 how many to name  $2 the step of a jump
-- A fence may stand just below a multiple of the step, with no row: it was raised after a loss of memory.
WITH ended AS (
    SELECT
        resource.id, resource.resource_id, last.ticket,
        concat_ws(
            '; ',
            CASE WHEN resource.last_ticket < last.ticket THEN
                format('last_ticket is %s, but the ledger ends at %s', resource.last_ticket, last.ticket)
            END,
            CASE WHEN resource.last_ticket > coalesce(last.ticket, 0) AND (resource.last_ticket + 1) % $2 <> 0 THEN
                format('last_ticket is %s, but the ledger ends at %s', resource.last_ticket, coalesce(last.ticket, 0))
            END,
            CASE WHEN resource.last_row_hash <> coalesce(last.row_hash, decode(repeat('00', 32), 'hex')) THEN
                'last_row_hash is not that of the last row'
            END,
            CASE WHEN resource.last_decided_at < last.decided_at THEN
                'last_decided_at is before the last decision'
            END
        ) AS detail
    FROM resource
    LEFT JOIN LATERAL (
        SELECT ticket, row_hash, decided_at
        FROM ledger
        WHERE ledger.resource = resource.id
        ORDER BY ticket DESC
        LIMIT 1
    ) AS last ON true
    UNION ALL
    SELECT strays.resource, '#' || strays.resource, strays.ticket, 'there is no such resource'
    FROM (
        SELECT ledger.resource, max(ledger.ticket) AS ticket
        FROM ledger
        WHERE NOT EXISTS (SELECT FROM resource WHERE resource.id = ledger.resource)
        GROUP BY ledger.resource
    ) AS strays
)
SELECT
    resource_id,
    array_remove(ARRAY[ticket], NULL) AS tickets,
    ARRAY[]::uuid[] AS bookings,
    detail,
    count(*) OVER () AS total
FROM ended
WHERE detail <> ''
ORDER BY id
LIMIT $1
