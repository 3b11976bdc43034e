-- End sessions of a person.
-- $1 person  $2 the session; null: all of them  $3 why
-- Zero rows: they had ended.
UPDATE session SET ended_at = now(), end_reason = $3
WHERE person = $1 AND ($2::uuid IS NULL OR id = $2) AND ended_at IS NULL
RETURNING id
