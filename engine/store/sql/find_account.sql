-- Read what a log-in is compared with.
-- $1 e-mail as it is compared
-- Zero rows: there is no such account.
SELECT id, password_hash FROM person WHERE email_key = $1
