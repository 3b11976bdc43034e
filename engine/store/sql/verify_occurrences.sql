-- Every series with the rows of its occurrences, as columns of arrays: for a cursor.
-- made is what the ledger says of the series when it was made; details what it says of a row that has a ticket of its
-- own.
SELECT
    series.*, coalesce(resource.resource_id, '#' || series.resource) AS resource_id, ledger.detail AS made,
    kept.bookings, kept.names, kept.statuses, kept.tickets, kept.details, kept.moved
FROM series
LEFT JOIN resource ON resource.id = series.resource
LEFT JOIN ledger ON ledger.resource = series.resource AND ledger.ticket = series.ticket
CROSS JOIN LATERAL (
    SELECT
        array_agg(booking.id) AS bookings,
        array_agg(booking.occurrence) AS names,
        array_agg(booking.status) AS statuses,
        array_agg(booking.ticket) AS tickets,
        array_agg(own.detail) AS details,
        array_agg(booking.rescheduled_from IS NOT NULL) AS moved
    FROM booking
    LEFT JOIN ledger AS own
        ON own.resource = booking.resource AND own.ticket = booking.ticket AND booking.ticket <> series.ticket
    WHERE booking.series = series.id
) AS kept
ORDER BY series.resource, series.ticket, series.id
