-- Tie resources to the Redis whose memory id is given, and read where their numbers go on.
-- $1 resource ids  $2 memory id  $3 the step of a jump
-- A resource last queued in another memory jumps to just below the next but one multiple of the step: commands
-- may have been lost with that memory, and no ticket may be given twice. One that was never queued does not jump.
-- A resource whose row is locked and whose memory is another is missing from the answer: ask again.
WITH moved AS (
    SELECT id FROM resource
    WHERE id = ANY ($1::bigint[]) AND memory_id IS DISTINCT FROM $2
    ORDER BY id
    FOR NO KEY UPDATE SKIP LOCKED
), tied AS (
    UPDATE resource
    SET last_ticket = CASE WHEN memory_id IS NULL THEN last_ticket ELSE ((last_ticket + 1) / $3 + 1) * $3 - 1 END,
        memory_id = $2
    FROM moved
    WHERE resource.id = moved.id
    RETURNING resource.id, resource.last_ticket
)
SELECT id, last_ticket FROM tied
UNION ALL
SELECT id, last_ticket FROM resource WHERE id = ANY ($1::bigint[]) AND memory_id = $2
