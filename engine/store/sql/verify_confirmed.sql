-- Ledger rows that say a booking was made which is not there, or name a booking though they made or changed none.
-- $1 how many to name
SELECT
    coalesce(resource.resource_id, '#' || ledger.resource) AS resource_id,
    ARRAY[ledger.ticket] AS tickets,
    array_remove(ARRAY[ledger.booking], NULL) AS bookings,
    CASE WHEN ledger.outcome <> 'confirmed' THEN format('the ticket was %s, but names a booking', ledger.outcome)
        WHEN ledger.booking IS NULL THEN format('the %s was confirmed, but names no booking', ledger.kind)
        ELSE format('the %s was confirmed, but its booking does not exist', ledger.kind)
    END AS detail,
    count(*) OVER () AS total
FROM ledger
LEFT JOIN booking
    ON booking.id = ledger.booking AND booking.resource = ledger.resource
    AND (booking.ticket = ledger.ticket OR ledger.kind = 'cancel')
LEFT JOIN resource ON resource.id = ledger.resource
WHERE (ledger.outcome = 'confirmed' AND ledger.kind IN ('book', 'reschedule', 'cancel') AND booking.id IS NULL)
    OR (ledger.outcome <> 'confirmed' AND ledger.booking IS NOT NULL)
ORDER BY ledger.resource, ledger.ticket
LIMIT $1
