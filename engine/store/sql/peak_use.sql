-- The most places of a resource that live bookings take at one instant.
-- $1 resource
-- $2 an instant, to leave out what ends then or before; null, to leave out nothing
-- An interval that ends where another begins gives its places back first (half-open). What began before the
-- instant and ends after it is counted from its start on, and stands beside all others that do so: the instant
-- itself is one of those that are looked at.
SELECT coalesce(max(use), 0)::integer AS peak
FROM (
    SELECT sum(change) OVER (ORDER BY at, change ROWS UNBOUNDED PRECEDING) AS use
    FROM (
        SELECT lower(during) AS at, places AS change
        FROM booking
        WHERE resource = $1 AND during && tstzrange($2, NULL) AND live AND exclusive
        UNION ALL
        SELECT upper(during), -places
        FROM booking
        WHERE resource = $1 AND during && tstzrange($2, NULL) AND live AND exclusive
        UNION ALL
        SELECT lower(during), places
        FROM booking
        WHERE resource = $1 AND during && tstzrange($2, NULL) AND live AND NOT exclusive
        UNION ALL
        SELECT upper(during), -places
        FROM booking
        WHERE resource = $1 AND during && tstzrange($2, NULL) AND live AND NOT exclusive
    ) AS changes
) AS running
