-- Take slots back.
-- $1 ids  $2 when
UPDATE slot
SET status = 'cancelled', ended_at = ended.ended_at, version = version + 1
FROM unnest($1::uuid[], $2::timestamptz[]) AS ended (id, ended_at)
WHERE slot.id = ended.id AND slot.status = 'open'
