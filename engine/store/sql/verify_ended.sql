-- Bookings that ended with no confirmed ledger row that ended them, or whose successor does not follow them.
-- $1 how many to name
WITH ended AS (
    SELECT
        booking.id, booking.resource, booking.ticket,
        CASE
            WHEN booking.status = 'cancelled' AND cancelled.subject IS NULL THEN
                'it is cancelled, but no ticket cancelled it'
            WHEN booking.status = 'rescheduled' AND moved.subject IS NULL THEN
                'it is rescheduled, but no ticket moved it to its successor'
            WHEN booking.status = 'rescheduled' AND successor.id IS NULL THEN
                'it is rescheduled, but its successor does not follow it'
        END AS detail
    FROM booking
    LEFT JOIN (
        SELECT DISTINCT resource, subject FROM ledger WHERE kind = 'cancel' AND outcome = 'confirmed'
    ) AS cancelled ON cancelled.subject = booking.id AND cancelled.resource = booking.resource
    LEFT JOIN (
        SELECT DISTINCT resource, subject, booking FROM ledger WHERE kind = 'reschedule' AND outcome = 'confirmed'
    ) AS moved
        ON moved.subject = booking.id AND moved.resource = booking.resource
        AND moved.booking = booking.rescheduled_to
    LEFT JOIN booking AS successor
        ON successor.id = booking.rescheduled_to AND successor.rescheduled_from = booking.id
        AND successor.resource = booking.resource AND successor.places = booking.places
    WHERE booking.status <> 'confirmed'
)
SELECT
    coalesce(resource.resource_id, '#' || ended.resource) AS resource_id,
    ARRAY[ended.ticket] AS tickets,
    ARRAY[ended.id] AS bookings,
    ended.detail,
    count(*) OVER () AS total
FROM ended
LEFT JOIN resource ON resource.id = ended.resource
WHERE ended.detail IS NOT NULL
ORDER BY ended.resource, ended.ticket, ended.id
LIMIT $1
