-- Make a person.
-- $1 id  $2 e-mail  $3 e-mail as it is compared  $4 name  $5 time zone  $6 roles  $7 hash of the password
-- Zero rows: someone has this e-mail.
INSERT INTO person (id, email, email_key, name, time_zone, roles, password_hash)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (email_key) DO NOTHING
RETURNING id, email, name, time_zone, roles, created_at
