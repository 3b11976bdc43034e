-- Say who has a seat already.
-- $1 slots  $2 callers, in the same order
-- Who has none is missing from the answer. LATERAL with LIMIT: booking_one_seat must serve it.
SELECT wanted.slot, wanted.caller
FROM unnest($1::uuid[], $2::text[]) AS wanted (slot, caller)
CROSS JOIN LATERAL (
    SELECT
    FROM booking
    WHERE booking.slot = wanted.slot AND booking.caller = wanted.caller
      AND booking.slot <> booking.id AND booking.status = 'confirmed' AND booking.caller <> 'anonymous'
    LIMIT 1
) AS seat
