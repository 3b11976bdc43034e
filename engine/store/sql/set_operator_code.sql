-- Set the installation's one-time code; the one before is good for nothing then.
-- $1 hash of the code
INSERT INTO installation (singleton, operator_code_hash)
VALUES (true, $1)
ON CONFLICT (singleton) DO UPDATE SET operator_code_hash = excluded.operator_code_hash
