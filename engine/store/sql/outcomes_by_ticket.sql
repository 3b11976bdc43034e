-- Read decided tickets, each with the row that holds its outcome (its own, or the first with its key).
-- $1 resources  $2 tickets
SELECT asked.request_id AS asked_request_id, asked.resource AS asked_resource, asked.ticket AS asked_ticket, final.*
FROM unnest($1::bigint[], $2::bigint[]) AS wanted (resource, ticket)
JOIN ledger AS asked ON asked.resource = wanted.resource AND asked.ticket = wanted.ticket
JOIN ledger AS final ON final.resource = asked.resource AND final.ticket = coalesce(asked.first_ticket, asked.ticket)
