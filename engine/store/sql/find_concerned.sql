-- Find what a timeline is of: a booking, a seat, an occurrence or a series.
-- $1 id
-- Zero rows: there is none. The claim of a slot's time is no booking. What follows the ticket is a Home.
SELECT
    booking.id, booking.ticket,
    booking.resource, booking.caller, booking.series, NULL, booking.occurrence, booking.slot, slot.host, resource.owner
FROM booking
JOIN resource ON resource.id = booking.resource
LEFT JOIN slot ON slot.id = booking.slot
WHERE booking.id = $1 AND coalesce(booking.slot <> booking.id, true)
UNION ALL
SELECT
    series.id, series.ticket, series.resource, series.caller, series.id, NULL, NULL, NULL, NULL, resource.owner
FROM series
JOIN resource ON resource.id = series.resource
WHERE series.id = $1
