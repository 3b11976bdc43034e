-- Use the installation's one-time code up.
-- $1 hash of the code
-- Zero rows: it is not the code, or it was used.
UPDATE installation SET operator_code_hash = NULL
WHERE operator_code_hash = $1
RETURNING true
