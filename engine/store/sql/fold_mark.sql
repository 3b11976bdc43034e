-- Note how far the next fold may reach, where nothing is noted.
-- $1 an instant that was read before this statement began
-- Whoever decides reads the clock after the locks, and so with a transaction number that is below this one: once all
-- transactions below it have ended, nothing that was decided before the instant is still to come.
-- No row: it is noted already.
UPDATE fold
SET next_until = $1, next_transaction = pg_current_xact_id()::text::bigint
WHERE next_until IS NULL AND folded_until < $1
RETURNING next_until
