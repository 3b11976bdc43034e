-- Read for which request a ticket was decided.
-- $1 resource  $2 ticket
-- Zero rows: the ticket is not decided.
SELECT request_id FROM ledger WHERE resource = $1 AND ticket = $2
