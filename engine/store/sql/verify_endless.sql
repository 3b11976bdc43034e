-- Resources with series that are not stored whole: for a cursor.
SELECT id, resource_id, capacity
FROM resource
WHERE EXISTS (
    SELECT
    FROM series
    WHERE series.resource = resource.id AND series.status = 'confirmed' AND series.materialised_until IS NOT NULL
)
ORDER BY id
