-- Raise the fences of resources whose queues came from an old memory: their numbers jump.
-- $1 resources  $2 last tickets
UPDATE resource
SET last_ticket = fence.ticket
FROM unnest($1::bigint[], $2::bigint[]) AS fence (id, ticket)
WHERE resource.id = fence.id AND resource.last_ticket < fence.ticket
RETURNING resource.id
