-- Look up the homes of bookings: their resources, and who has to do with them; of series and occurrences also the
-- series, its zone, and the name; of seats also the slot or event and its host.
-- $1 ids of bookings, occurrences and series
-- One that is missing from the answer does not exist. The claim of a slot's time is no booking.
SELECT
    booking.id, booking.resource, booking.caller, booking.series, series.time_zone, booking.occurrence, booking.slot,
    slot.host, resource.owner
FROM booking
JOIN resource ON resource.id = booking.resource
LEFT JOIN series ON series.id = booking.series
LEFT JOIN slot ON slot.id = booking.slot
WHERE booking.id = ANY ($1::uuid[]) AND coalesce(booking.slot <> booking.id, true)
UNION ALL
SELECT series.id, series.resource, series.caller, series.id, series.time_zone, NULL, NULL, NULL, resource.owner
FROM series
JOIN resource ON resource.id = series.resource
WHERE series.id = ANY ($1::uuid[])
