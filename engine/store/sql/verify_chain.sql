-- The whole ledger, in the order in which its rows were chained: for a cursor.
-- The columns are those of LedgerRow, in its order, and then the hash.
SELECT
    resource, ticket, request_id, kind, start_time, end_time, places, capacity, subject, outcome, reason, booking,
    clashes, first_ticket, joined_at, decided_at, detail, counted, counted_limit,
    row_hash
FROM ledger
ORDER BY resource, ticket
