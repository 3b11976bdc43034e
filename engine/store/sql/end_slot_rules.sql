-- Let rules publish no more.
-- $1 ids  $2 when
UPDATE slot_rule
SET ended_at = ended.ended_at
FROM unnest($1::uuid[], $2::timestamptz[]) AS ended (id, ended_at)
WHERE slot_rule.id = ended.id AND slot_rule.ended_at IS NULL
