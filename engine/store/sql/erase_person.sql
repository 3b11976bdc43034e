-- Take from a person's row what names them. The id stays, so that whatever is counted stays as it was.
-- $1 person
-- Zero rows: there is none, or they were erased before.
UPDATE person
SET email = NULL, email_key = NULL, name = NULL, password_hash = NULL, time_zone = 'UTC', roles = '{guest}',
    erased_at = now(), version = version + 1
WHERE id = $1 AND erased_at IS NULL
RETURNING erased_at
