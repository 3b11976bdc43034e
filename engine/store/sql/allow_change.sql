-- Set the statement time-out until the end of the transaction, as SET LOCAL does, which takes no parameter.
-- $1 milliseconds
SELECT set_config('statement_timeout', $1, true)
