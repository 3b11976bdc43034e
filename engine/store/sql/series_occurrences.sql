-- Read the rows of a series by name, those of one name by age.
-- $1 series  $2 first name  $3 the name behind the last, or null
SELECT id, occurrence, lower(during) AS start_time, upper(during) AS end_time, places, status, ticket
FROM booking
WHERE series = $1 AND occurrence >= $2 AND occurrence < coalesce($3::timestamptz, 'infinity')
ORDER BY occurrence, created_at, ticket, id
