-- Find resources with a series that is stored less far ahead than it should be, by number.
-- $1 how far  $2 the number behind which to look  $3 how many at most
SELECT DISTINCT resource
FROM series
WHERE status = 'confirmed' AND materialised_until IS NOT NULL
    AND materialised_until < clock_timestamp() + $1::interval
    AND resource > $2
ORDER BY resource
LIMIT $3
