-- Read where a request stands in the ledger.
-- $1 request id
-- Zero rows: it is not decided, or unknown.
-- A request that was queued a second time after a loss of memory has two rows; the first is the one that decides.
SELECT
    resource.resource_id, ledger.ticket, ledger.request_id, ledger.row_hash, ledger.joined_at, ledger.decided_at,
    ledger.outcome
FROM ledger
JOIN resource ON resource.id = ledger.resource
WHERE ledger.request_id = $1
ORDER BY ledger.ticket
LIMIT 1
