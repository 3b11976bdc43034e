-- Read decided requests, each with the row that holds its outcome (its own, or the first with its key).
-- $1 request ids  $2 whose they must be; null: anyone's
-- In rows from before there were accounts nobody is named: they are everyone's.
-- A request that was queued a second time after a loss of memory has two rows; the deciding one comes last.
SELECT asked.request_id AS asked_request_id, asked.resource AS asked_resource, asked.ticket AS asked_ticket, final.*
FROM unnest($1::uuid[]) AS wanted (request_id)
JOIN ledger AS asked ON asked.request_id = wanted.request_id
    AND ($2::text IS NULL OR coalesce(asked.caller, 'anonymous') = $2)
JOIN ledger AS final ON final.resource = asked.resource AND final.ticket = coalesce(asked.first_ticket, asked.ticket)
ORDER BY asked.request_id, asked.ticket DESC
