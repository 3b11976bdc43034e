-- Bookings that ended with no confirmed ledger row that ended them, or whose successor does not follow them.
-- $1 how many to name  $2 for how many years from its start no series loses an occurrence
-- The claims of slots are looked at with their slots (verify_slots).
-- The wall clock is read as UTC, so it may be off by the better part of a day; a day is allowed for that.
WITH ended AS (
    SELECT
        booking.id, booking.resource, booking.ticket,
        CASE
            WHEN booking.status = 'cancelled' AND coalesce(cancelled.subject, one.subject, every.subject) IS NULL THEN
                'it is cancelled, but no ticket cancelled it'
            WHEN booking.status = 'rescheduled' AND coalesce(moved.subject, shifted.subject) IS NULL THEN
                'it is rescheduled, but no ticket moved it to its successor'
            WHEN booking.status = 'rescheduled' AND (
                successor.id IS NULL OR shifted.booking = successor.id
                AND (successor.series, successor.occurrence) IS DISTINCT FROM (booking.series, booking.occurrence)
            ) THEN 'it is rescheduled, but its successor does not follow it'
            WHEN booking.status = 'clashed' AND series.id IS NULL THEN 'it clashed, but is of no series'
            WHEN booking.status = 'clashed' AND lower(booking.during)
                < series.wall_clock AT TIME ZONE 'UTC' + make_interval(years => $2, days => -1) THEN
                format('it clashed, but less than %s years from the start of its series', $2)
        END AS detail
    FROM booking
    LEFT JOIN series ON series.id = booking.series
    LEFT JOIN booking AS successor
        ON successor.id = booking.rescheduled_to AND successor.rescheduled_from = booking.id
        AND successor.resource = booking.resource AND successor.places = booking.places
    LEFT JOIN (
        SELECT DISTINCT resource, subject FROM ledger WHERE kind = 'cancel' AND outcome = 'confirmed'
    ) AS cancelled
        ON cancelled.subject = booking.id AND cancelled.resource = booking.resource AND booking.series IS NULL
    LEFT JOIN (
        SELECT DISTINCT resource, subject, booking, decided_at
        FROM ledger
        WHERE kind = 'cancel_occurrence' AND outcome = 'confirmed'
    ) AS one
        ON one.booking = booking.id AND one.resource = booking.resource AND one.subject = booking.series
        AND one.decided_at = booking.ended_at
    LEFT JOIN (
        SELECT DISTINCT resource, subject, decided_at FROM ledger WHERE kind = 'cancel_series' AND outcome = 'confirmed'
    ) AS every
        ON every.subject = booking.series AND every.resource = booking.resource
        AND every.decided_at = booking.ended_at AND every.decided_at < lower(booking.during)
    LEFT JOIN (
        SELECT DISTINCT resource, subject, booking FROM ledger WHERE kind = 'reschedule' AND outcome = 'confirmed'
    ) AS moved
        ON moved.subject = booking.id AND moved.resource = booking.resource
        AND moved.booking = booking.rescheduled_to AND booking.series IS NULL
    LEFT JOIN (
        SELECT DISTINCT resource, subject, booking, decided_at
        FROM ledger
        WHERE kind = 'move_occurrence' AND outcome = 'confirmed'
    ) AS shifted
        ON shifted.subject = booking.series AND shifted.resource = booking.resource
        AND shifted.decided_at = booking.ended_at AND shifted.booking IN (booking.rescheduled_to, successor.series)
    WHERE booking.status <> 'confirmed' AND coalesce(booking.slot <> booking.id, true)
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
