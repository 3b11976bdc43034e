-- Raise the version of series of which an occurrence changed.
-- $1 series ids
UPDATE series SET version = version + 1 WHERE id = ANY ($1::uuid[])
