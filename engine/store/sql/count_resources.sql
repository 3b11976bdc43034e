-- Count what came of the attempts to book on each resource, in one day.
-- $1 from when on  $2 before when  $3 the resource behind which the page begins  $4 resources at most
-- Only what is folded. A resource on which nobody tried to book is missing.
WITH page AS MATERIALIZED (
    SELECT resource, jsonb_object_agg(result, attempts) AS results
    FROM (
        SELECT resource, result, sum(attempts) AS attempts
        FROM attempt_count
        WHERE quarter >= $1 AND quarter < $2 AND resource > $3
        GROUP BY resource, result
    ) AS counted
    GROUP BY resource
    ORDER BY resource
    LIMIT $4
)
SELECT page.resource, resource.resource_id, resource.owner, person.name, page.results::text AS results
FROM page
JOIN resource ON resource.id = page.resource
LEFT JOIN person ON person.id = CASE WHEN resource.owner ~ '^[0-9a-f-]{36}$' THEN resource.owner::uuid END
ORDER BY page.resource
