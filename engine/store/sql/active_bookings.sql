-- Read what people have ahead: bookings that stand and have not ended, a series as one, with the host of a slot.
-- $1 callers  $2 now  $3 rows of each at most
-- What somebody has on a resource of their own is no booking with anybody: a host's own calendar is full of it.
-- Somebody who has nothing ahead has one row, with nulls. The clock is read after the statement's snapshot was taken:
-- whatever ended a booking that is missing here was decided before it.
-- LATERAL with LIMIT: booking_caller must serve it.
SELECT wanted.caller, active.booking, active.host, clock_timestamp() AS now
FROM unnest($1::text[]) AS wanted (caller)
LEFT JOIN LATERAL (
    SELECT DISTINCT
        coalesce(booking.series, booking.id) AS booking,
        CASE WHEN slot.kind = 'slot' THEN slot.host END AS host
    FROM booking
    JOIN resource ON resource.id = booking.resource
    LEFT JOIN slot ON slot.id = booking.slot
    WHERE booking.caller = wanted.caller AND booking.caller <> 'anonymous'
      AND upper(booking.during) > $2 AND coalesce(booking.slot <> booking.id, true)
      AND booking.status = 'confirmed' AND resource.owner IS DISTINCT FROM wanted.caller
    LIMIT $3
) AS active ON true
