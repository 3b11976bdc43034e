-- Read a page of a person's bookings and seats, those that end last first; of a series each stored occurrence.
-- $1 caller  $2, $3 end and id behind which the page begins  $4, $5 window that they have time in
-- $6 status, or null for any  $7 rows at most
-- Nobody is known in open mode, so nobody has bookings of their own there. Claims of a host's slots are no bookings.
SELECT
    booking.id, booking.resource, resource.resource_id,
    lower(booking.during) AS start_time, upper(booking.during) AS end_time,
    booking.places, booking.status, booking.ticket, booking.request_id, booking.created_at, booking.ended_at,
    booking.cancellation_reason, booking.rescheduled_to, booking.rescheduled_from,
    booking.series, booking.occurrence, series.rule, coalesce(series.version, booking.version) AS version,
    booking.caller, booking.slot, slot.host, coalesce(slot.kind = 'event', false) AS is_event
FROM booking
JOIN resource ON resource.id = booking.resource
LEFT JOIN series ON series.id = booking.series
LEFT JOIN slot ON slot.id = booking.slot
WHERE booking.caller = $1 AND booking.caller <> 'anonymous' AND coalesce(booking.slot <> booking.id, true)
  AND (upper(booking.during), booking.id) < ($2, $3)
  AND upper(booking.during) > $4 AND lower(booking.during) < $5
  AND ($6::text IS NULL OR booking.status = $6)
ORDER BY booking.caller DESC, upper(booking.during) DESC, booking.id DESC
LIMIT $7
