-- Read what a person asked for and what became of it, as the ledger has it.
-- $1 person
-- The ledger has no index for it, which every booking would pay for: it is read through.
SELECT
    resource.resource_id, ledger.ticket, ledger.request_id, ledger.kind, ledger.outcome, ledger.reason,
    ledger.start_time, ledger.end_time, ledger.places, ledger.capacity, ledger.subject, ledger.booking AS booking_id,
    ledger.joined_at, ledger.decided_at
FROM ledger
JOIN resource ON resource.id = ledger.resource
WHERE ledger.caller = $1
ORDER BY ledger.decided_at, ledger.resource, ledger.ticket
