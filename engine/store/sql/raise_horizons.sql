-- Set anew before which instant every claim of a resource is stored; null where all of them are.
-- $1 resources, whose rows are locked
UPDATE resource
SET series_horizon = (
    SELECT min(materialised_until)
    FROM series
    WHERE series.resource = resource.id
        AND series.status = 'confirmed' AND series.materialised_until IS NOT NULL
)
WHERE id = ANY ($1::bigint[])
