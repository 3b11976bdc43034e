-- Read the hash of a person's password.
-- $1 person
-- Zero rows: there is none, or they were erased. Null: nobody can log in as them.
SELECT password_hash FROM person WHERE id = $1 AND erased_at IS NULL
