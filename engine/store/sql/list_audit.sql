-- Read what was noted, newest first.
-- $1 actor  $2 action  $3 subject  $4 from when on  $5 before when  $6 the row before which the page begins
-- $7 how many at most
-- Each but the last may be null: then it does not matter.
SELECT id, at, actor, action, subject, outcome, tag, address, detail
FROM audit
WHERE ($1::text IS NULL OR actor = $1) AND ($2::text IS NULL OR action = $2) AND ($3::text IS NULL OR subject = $3)
    AND ($4::timestamptz IS NULL OR at >= $4) AND ($5::timestamptz IS NULL OR at < $5)
    AND ($6::bigint IS NULL OR id < $6)
ORDER BY id DESC
LIMIT $7
