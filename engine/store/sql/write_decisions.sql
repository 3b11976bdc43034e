-- Write what a batch decided: ledger rows, the bookings that they made, and the fence of each resource.
-- $1 resources  $2 tickets  $3 request ids  $4 kinds  $5 starts  $6 ends  $7 places  $8 capacities
-- $9 subjects  $10 outcomes  $11 reasons  $12 bookings  $13 clashes as array literals  $14 first tickets
-- $15 joined at  $16 decided at  $17 row hashes
-- $18 callers: whose booking the row made; null where it made none, or occurrences of a series, which are written
-- before  $19 whether that booking is exclusive  $20 details  $21 who asked  $22 what was counted  $23 its limits
-- A seat names its slot, a booking that was moved the one that it comes from: both are the row's subject.
-- A column of nothing but nulls may come as an empty array: unnest fills it up.
-- Tickets only rise within a batch, so the last row of a resource is its fence. The rows are locked and the
-- fence was checked: a resource missing from the answer is a bug.
WITH decided AS MATERIALIZED (
    SELECT *
    FROM unnest(
        $1::bigint[], $2::bigint[], $3::uuid[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::integer[],
        $8::integer[], $9::uuid[], $10::text[], $11::text[], $12::uuid[], $13::text[], $14::bigint[],
        $15::timestamptz[], $16::timestamptz[], $17::bytea[], $18::text[], $19::boolean[], $20::bytea[], $21::text[],
        $22::integer[], $23::integer[]
    ) AS row (
        resource, ticket, request_id, kind, start_time, end_time, places, capacity, subject, outcome, reason,
        booking, clashes, first_ticket, joined_at, decided_at, row_hash, caller, exclusive, detail,
        asking, counted, counted_limit
    )
), made AS (
    INSERT INTO booking (
        id, resource, exclusive, during, places, status, caller, ticket, request_id, created_at, rescheduled_from,
        slot
    )
    SELECT
        booking, resource, exclusive, tstzrange(start_time, end_time), places, 'confirmed', caller, ticket,
        request_id, decided_at, CASE WHEN kind = 'reschedule' THEN subject END,
        CASE WHEN kind = 'book_seat' THEN subject END
    FROM decided
    WHERE caller IS NOT NULL
), noted AS (
    INSERT INTO ledger (
        resource, ticket, request_id, kind, start_time, end_time, places, capacity, subject, outcome, reason,
        booking, clashes, first_ticket, joined_at, decided_at, row_hash, detail, caller,
        counted, counted_limit
    )
    SELECT
        resource, ticket, request_id, kind, start_time, end_time, places, capacity, subject, outcome, reason,
        booking, coalesce(clashes::uuid[], '{}'), first_ticket, joined_at, decided_at, row_hash, detail,
        asking, counted, counted_limit
    FROM decided
)
UPDATE resource
SET last_ticket = fence.ticket, last_row_hash = fence.row_hash, last_decided_at = fence.decided_at
FROM (
    SELECT DISTINCT ON (resource) resource, ticket, row_hash, decided_at
    FROM decided
    ORDER BY resource, ticket DESC
) AS fence
WHERE resource.id = fence.resource AND resource.last_ticket < fence.ticket
RETURNING resource.id
