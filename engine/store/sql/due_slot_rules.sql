-- Find rules that might have slots to publish, in order of their ids: whether they do depends on their time zones.
-- $1 the rule behind which to look  $2 how many at most
SELECT id, resource, time_zone, horizon_days, published_until, clock_timestamp() AS now
FROM slot_rule
WHERE ended_at IS NULL AND published_until IS NOT NULL AND id > $1
  AND published_until < clock_timestamp() + horizon_days * interval '1 day'
ORDER BY id
LIMIT $2
