-- Take from the audit where a person came from, and what was noted beside their acts and of them.
-- $1 person  $2 rows at most
-- Who was not signed in and named the account is taken for the person. The address of anybody else is theirs, so their
-- acts keep it, unless something was noted beside it: the schema lets go of both or of neither.
UPDATE audit SET address = NULL, detail = NULL
WHERE id IN (
    SELECT id
    FROM audit
    WHERE (actor = $1 OR (subject = $1 AND (actor = 'anonymous' OR detail IS NOT NULL)))
      AND (address IS NOT NULL OR detail IS NOT NULL)
    LIMIT $2
)
