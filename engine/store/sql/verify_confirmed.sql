-- Ledger rows that say a booking or series was made which is not there, or name one though they made or changed none.
-- $1 how many to name
-- What a ticket made carries the ticket. A cancel names what another ticket made; so does a restore of what stands,
-- and where that is not stored yet it names the series.
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
    AND (
        booking.ticket = ledger.ticket
        OR ledger.kind IN ('cancel', 'cancel_occurrence', 'restore_occurrence', 'cancel_slot')
    )
    AND booking.series IS NOT DISTINCT FROM
        CASE WHEN ledger.kind IN ('cancel_occurrence', 'restore_occurrence', 'move_occurrence') THEN ledger.subject END
LEFT JOIN series
    ON series.id = ledger.booking AND series.resource = ledger.resource
    AND CASE WHEN ledger.kind IN ('book_series', 'move_occurrence') THEN series.ticket = ledger.ticket
        WHEN ledger.kind IN ('cancel_series', 'restore_occurrence') THEN series.id = ledger.subject
    END
LEFT JOIN resource ON resource.id = ledger.resource
WHERE (ledger.outcome <> 'confirmed' AND ledger.booking IS NOT NULL)
    OR (
        ledger.outcome = 'confirmed'
        AND CASE
            WHEN ledger.kind IN ('book', 'reschedule', 'cancel', 'cancel_occurrence', 'book_seat', 'cancel_slot') THEN
                booking.id IS NULL
            WHEN ledger.kind = 'publish_slots' THEN ledger.booking IS NOT NULL AND booking.id IS NULL
            WHEN ledger.kind IN ('book_series', 'cancel_series') THEN series.id IS NULL
            WHEN ledger.kind IN ('restore_occurrence', 'move_occurrence') THEN coalesce(booking.id, series.id) IS NULL
        END
    )
ORDER BY ledger.resource, ledger.ticket
LIMIT $1
