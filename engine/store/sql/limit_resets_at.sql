-- Read when a person whom a limit refused may have one more booking, if nothing is booked or cancelled until then.
-- $1 resource and $2 ticket of the refusal  $3 whose the booking was to be; null: the caller's
-- Counted as in active_bookings.sql. In order of their ends, the last first: when the one ends that is the limit's
-- last, one more may be had.
-- Null: it ends at no instant that is known, as a series without end, or a seat of an event without a date.
-- Zero rows: fewer than the limit are left, or the ticket is not decided.
SELECT ahead.until
FROM ledger
LEFT JOIN slot AS wished ON wished.id = ledger.subject
CROSS JOIN LATERAL (
    SELECT
        CASE
            WHEN NOT bool_or(series.materialised_until IS NOT NULL) AND max(upper(booking.during)) < '9000-01-01'
                THEN max(upper(booking.during))
        END AS until
    FROM booking
    JOIN resource ON resource.id = booking.resource
    LEFT JOIN slot ON slot.id = booking.slot
    LEFT JOIN series ON series.id = booking.series
    WHERE booking.caller = coalesce($3::text, ledger.caller) AND booking.caller <> 'anonymous'
      AND upper(booking.during) > clock_timestamp() AND coalesce(booking.slot <> booking.id, true)
      AND booking.status = 'confirmed' AND resource.owner IS DISTINCT FROM booking.caller
      AND (ledger.reason = 'max_active_bookings' OR (slot.kind = 'slot' AND slot.host = wished.host))
    GROUP BY coalesce(booking.series, booking.id)
    ORDER BY until DESC NULLS FIRST
    OFFSET ledger.counted_limit - 1
    LIMIT 1
) AS ahead
WHERE ledger.resource = $1::bigint AND ledger.ticket = $2::bigint
