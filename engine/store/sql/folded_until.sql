-- Read how far the counts reach, and the clock.
SELECT folded_until, now() AS now FROM fold
