-- Read the series of resources that are not stored whole, in ticket order, with the names of occurrences that
-- have rows behind what is stored of the rule.
-- $1 resources
-- The index series_unfinished holds nothing else.
SELECT
    series.*,
    (
        SELECT array_agg(booking.occurrence)
        FROM booking
        WHERE booking.series = series.id AND booking.occurrence >= series.materialised_until
    ) AS without
FROM series
WHERE series.resource = ANY ($1::bigint[])
    AND series.status = 'confirmed' AND series.materialised_until IS NOT NULL
ORDER BY series.resource, series.ticket
