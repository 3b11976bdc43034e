-- Read a series as a booking: with the public name of its resource, the name of its first occurrence, and how many
-- of its stored occurrences stand.
-- $1 series id
-- Zero rows: there is none.
SELECT series.*, resource.resource_id, stored.first_occurrence, stored.occurrences
FROM series
JOIN resource ON resource.id = series.resource
CROSS JOIN LATERAL (
    SELECT min(booking.occurrence) AS first_occurrence, count(*) FILTER (WHERE booking.live) AS occurrences
    FROM booking
    WHERE booking.series = series.id
) AS stored
WHERE series.id = $1
