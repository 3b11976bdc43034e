-- Read series, with the names of occurrences that have rows behind what is stored of the rule.
-- $1 series ids
-- A series that is missing from the answer does not exist.
SELECT
    series.*,
    (
        SELECT array_agg(booking.occurrence)
        FROM booking
        WHERE booking.series = series.id AND booking.occurrence >= series.materialised_until
    ) AS without
FROM series
WHERE series.id = ANY ($1::uuid[])
