-- Say up to where series are stored now. Their version stays: nothing about them changed.
-- $1 series ids  $2 instants, null where a series is stored whole now
UPDATE series
SET materialised_until = advanced.until
FROM unnest($1::uuid[], $2::timestamptz[]) AS advanced (id, until)
WHERE series.id = advanced.id
