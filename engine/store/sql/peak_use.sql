-- The most places of a resource that live bookings take at one instant.
-- $1 resource
-- An interval that ends where another begins gives its places back first (half-open).
SELECT coalesce(max(use), 0)::integer AS peak
FROM (
    SELECT sum(change) OVER (ORDER BY at, change ROWS UNBOUNDED PRECEDING) AS use
    FROM (
        SELECT lower(during) AS at, places AS change FROM booking WHERE resource = $1 AND live AND exclusive
        UNION ALL
        SELECT upper(during), -places FROM booking WHERE resource = $1 AND live AND exclusive
        UNION ALL
        SELECT lower(during), places FROM booking WHERE resource = $1 AND live AND NOT exclusive
        UNION ALL
        SELECT upper(during), -places FROM booking WHERE resource = $1 AND live AND NOT exclusive
    ) AS changes
) AS running
