-- Read a person's bookings and seats, of a series each stored occurrence.
-- $1 person
SELECT
    booking.id AS booking_id, resource.resource_id, lower(booking.during) AS start_time,
    upper(booking.during) AS end_time, booking.places, booking.status, booking.created_at, booking.ended_at,
    booking.cancellation_reason, booking.rescheduled_to, booking.rescheduled_from, booking.series AS series_id,
    booking.occurrence, booking.slot AS slot_id, booking.request_id, booking.ticket
FROM booking
JOIN resource ON resource.id = booking.resource
WHERE booking.caller = $1 AND booking.caller <> 'anonymous' AND coalesce(booking.slot <> booking.id, true)
ORDER BY booking.caller, upper(booking.during), booking.id
