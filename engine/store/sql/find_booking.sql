-- Read a booking with the public name of its resource; an occurrence also with its series' rule and version, a seat
-- with who offers it.
-- $1 booking id
-- Zero rows: there is none. It may be a series. The claim of a slot's time is none: the slot is what is read.
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
WHERE booking.id = $1 AND coalesce(booking.slot <> booking.id, true)
