-- Read a series as a calendar shows it.
-- $1 series
-- Zero rows: there is none.
-- stands says whether any of its occurrences does. changed_at is when it, or an occurrence of it, changed last: a part of
-- it that goes on in another series left when that one was made. Storing more of it is no change.
SELECT
    series.*, resource.name AS resource_name,
    greatest(series.created_at, series.ended_at, successor.created_at, stored.changed_at) AS changed_at,
    coalesce(stored.stands, false) AS stands
FROM series
JOIN resource ON resource.id = series.resource
LEFT JOIN series AS successor ON successor.id = series.rescheduled_to
CROSS JOIN LATERAL (
    SELECT bool_or(booking.live) AS stands, max(greatest(booking.created_at, booking.ended_at)) AS changed_at
    FROM booking
    WHERE booking.series = series.id
) AS stored
WHERE series.id = $1
