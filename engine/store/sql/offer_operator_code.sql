-- Set the installation's one-time code, if it has had none and has no operator.
-- $1 hash of the code
-- Zero rows: there is an operator, or a code that waits to be used.
INSERT INTO installation AS standing (singleton, operator_code_hash)
SELECT true, $1
WHERE NOT EXISTS (SELECT FROM person WHERE 'operator' = ANY (roles) AND erased_at IS NULL)
ON CONFLICT (singleton) DO UPDATE SET operator_code_hash = excluded.operator_code_hash
    WHERE standing.operator_code_hash IS NULL
RETURNING true
