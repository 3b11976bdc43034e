-- Read a page of a resource's ledger, in order of tickets. No request ids: they are addresses of outcomes.
-- $1 resource  $2 the ticket after which the page begins  $3 rows at most
SELECT ticket, kind, start_time, end_time, places, capacity, outcome, reason, first_ticket, joined_at, decided_at, row_hash
FROM ledger
WHERE resource = $1 AND ticket > $2
ORDER BY ticket
LIMIT $3
