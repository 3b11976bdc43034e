-- Resources that do not know before which instant all claims of their series are stored.
-- $1 how many to name
SELECT
    resource.resource_id,
    ARRAY[]::bigint[] AS tickets,
    coalesce(stored.unfinished, ARRAY[]::uuid[]) AS bookings,
    format(
        'series_horizon is %s, but its series are stored until %s',
        coalesce(resource.series_horizon::text, 'null'), coalesce(stored.until::text, 'the end')
    ) AS detail,
    count(*) OVER () AS total
FROM resource
LEFT JOIN (
    SELECT
        resource, min(materialised_until) AS until,
        (array_agg(id ORDER BY materialised_until, ticket))[1:1] AS unfinished
    FROM series
    WHERE status = 'confirmed' AND materialised_until IS NOT NULL
    GROUP BY resource
) AS stored ON stored.resource = resource.id
WHERE resource.series_horizon IS DISTINCT FROM stored.until
ORDER BY resource.id
LIMIT $1
