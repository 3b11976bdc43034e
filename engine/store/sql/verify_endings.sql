-- Confirmed cancellations and moves that did not happen to what they name.
-- $1 how many to name
WITH ordered AS (
    SELECT resource, ticket, kind, subject, booking, decided_at
    FROM ledger
    WHERE outcome = 'confirmed'
        AND kind IN ('cancel', 'reschedule', 'cancel_series', 'cancel_occurrence', 'move_occurrence')
), missed AS (
    SELECT ordered.*, booking.id AS missed, format('the booking is %s', coalesce(booking.status, 'not there')) AS detail
    FROM ordered
    LEFT JOIN booking ON booking.id = ordered.subject AND booking.resource = ordered.resource
    WHERE (ordered.kind = 'cancel' AND booking.status IS DISTINCT FROM 'cancelled')
        OR (
            ordered.kind = 'reschedule' AND (
                booking.status IS DISTINCT FROM 'rescheduled' OR booking.rescheduled_to IS DISTINCT FROM ordered.booking
            )
        )
    UNION ALL
    SELECT ordered.*, series.id, format('the series is %s', coalesce(series.status, 'not there'))
    FROM ordered
    LEFT JOIN series ON series.id = ordered.subject AND series.resource = ordered.resource
    WHERE ordered.kind = 'cancel_series' AND series.status IS DISTINCT FROM 'cancelled'
    UNION ALL
    SELECT ordered.*, booking.id, 'this occurrence of it stands'
    FROM ordered
    JOIN booking ON booking.series = ordered.subject AND lower(booking.during) > ordered.decided_at
    WHERE ordered.kind = 'cancel_series' AND booking.status = 'confirmed'
    UNION ALL
    SELECT ordered.*, booking.id, 'the occurrence stands'
    FROM ordered
    JOIN booking ON booking.id = ordered.booking
    WHERE ordered.kind = 'cancel_occurrence' AND booking.status = 'confirmed'
    UNION ALL
    SELECT ordered.*, made.rescheduled_from, format('the occurrence is %s', coalesce(moved.status, 'not there'))
    FROM ordered
    JOIN booking AS made ON made.id = ordered.booking
    LEFT JOIN booking AS moved ON moved.id = made.rescheduled_from AND moved.series = ordered.subject
    WHERE ordered.kind = 'move_occurrence' AND (
        moved.status IS DISTINCT FROM 'rescheduled' OR moved.rescheduled_to IS DISTINCT FROM made.id
    )
    UNION ALL
    SELECT ordered.*, ordered.subject, 'the series does not go on in the new one'
    FROM ordered
    JOIN series AS made ON made.id = ordered.booking
    LEFT JOIN series AS moved ON moved.id = made.rescheduled_from AND moved.id = ordered.subject
    WHERE ordered.kind = 'move_occurrence' AND moved.rescheduled_to IS NULL
)
SELECT
    coalesce(resource.resource_id, '#' || missed.resource) AS resource_id,
    ARRAY[missed.ticket] AS tickets,
    array_remove(ARRAY[coalesce(missed.missed, missed.subject)], NULL) AS bookings,
    format('the %s was confirmed, but %s', missed.kind, missed.detail) AS detail,
    count(*) OVER () AS total
FROM missed
LEFT JOIN resource ON resource.id = missed.resource
ORDER BY missed.resource, missed.ticket, missed.missed
LIMIT $1
