-- Say how far the counts reach now.
-- $1 before when everything is folded
-- Where that is all that was noted, the next run notes anew.
UPDATE fold
SET folded_until = $1,
    next_until = nullif(next_until, $1),
    next_transaction = CASE WHEN next_until <> $1 THEN next_transaction END
