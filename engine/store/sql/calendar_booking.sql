-- Read a booking as a calendar shows it.
-- $1 booking
-- Zero rows: there is none.
SELECT
    booking.id, resource.name AS resource_name, lower(booking.during) AS start_time, upper(booking.during) AS end_time,
    booking.status, booking.created_at, coalesce(booking.ended_at, booking.created_at) AS changed_at,
    booking.cancellation_reason, booking.rescheduled_from, booking.rescheduled_to, booking.series, booking.occurrence,
    coalesce(series.version, booking.version) AS version, series.time_zone, series.wall_clock
FROM booking
JOIN resource ON resource.id = booking.resource
LEFT JOIN series ON series.id = booking.series
WHERE booking.id = $1
