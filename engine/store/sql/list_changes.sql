-- Read the decisions that made something what it is, in order: the one that made it, and those that changed it.
-- $1 resource  $2 the ticket that made it  $3 what the others name: the booking itself, or the series of an occurrence
-- $4 the ticket behind which to begin  $5 rows at most
-- The two have an index each: the ledger's own, and ledger_change. The one that made it may name it as well.
SELECT ticket, kind, request_id, caller, decided_at, start_time, end_time, subject, booking, detail
FROM (
    SELECT ledger.* FROM ledger WHERE ledger.resource = $1 AND ledger.ticket = $2 AND ledger.ticket > $4
    UNION ALL
    (
        SELECT ledger.*
        FROM ledger
        WHERE ledger.subject = $3 AND ledger.subject IS NOT NULL
          AND ledger.outcome = 'confirmed' AND ledger.kind <> 'book_seat'
          AND ledger.resource = $1 AND ledger.ticket <> $2 AND ledger.ticket > $4
        ORDER BY ledger.ticket
        LIMIT $5
    )
) AS decision
ORDER BY ticket
LIMIT $5
