-- Confirmed cancellations and moves that did not happen to the booking they name.
-- $1 how many to name
SELECT
    coalesce(resource.resource_id, '#' || ledger.resource) AS resource_id,
    ARRAY[ledger.ticket] AS tickets,
    array_remove(ARRAY[ledger.subject], NULL) AS bookings,
    format('the %s was confirmed, but the booking is %s', ledger.kind, coalesce(booking.status, 'not there')) AS detail,
    count(*) OVER () AS total
FROM ledger
LEFT JOIN booking ON booking.id = ledger.subject AND booking.resource = ledger.resource
LEFT JOIN resource ON resource.id = ledger.resource
WHERE ledger.outcome = 'confirmed'
    AND (
        (ledger.kind = 'cancel' AND booking.status IS DISTINCT FROM 'cancelled')
        OR (
            ledger.kind = 'reschedule'
            AND (booking.status IS DISTINCT FROM 'rescheduled' OR booking.rescheduled_to IS DISTINCT FROM ledger.booking)
        )
    )
ORDER BY ledger.resource, ledger.ticket
LIMIT $1
