-- Look up the homes of bookings: their resources; of series and occurrences also the series, its zone, and the name.
-- $1 ids of bookings, occurrences and series
-- One that is missing from the answer does not exist.
SELECT booking.id, booking.resource, booking.series, series.time_zone, booking.occurrence
FROM booking
LEFT JOIN series ON series.id = booking.series
WHERE booking.id = ANY ($1::uuid[])
UNION ALL
SELECT id, resource, id, time_zone, NULL FROM series WHERE id = ANY ($1::uuid[])
