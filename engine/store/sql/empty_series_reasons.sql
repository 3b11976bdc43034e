-- Take back the reasons that were given for cancelling a person's series, and those that they gave for others'.
-- $1 person
-- A series is found by its rows; see empty_reasons.
UPDATE series SET cancellation_reason = NULL
WHERE cancellation_reason IS NOT NULL AND id IN (
    SELECT booking.series
    FROM booking
    WHERE booking.caller = $1 AND booking.caller <> 'anonymous' AND coalesce(booking.slot <> booking.id, true)
    UNION ALL
    SELECT audit.subject::uuid FROM audit WHERE audit.actor = $1 AND audit.action = 'booking.cancel'
    UNION ALL
    SELECT booking.series
    FROM audit
    JOIN booking ON booking.id = audit.subject::uuid
    WHERE audit.actor = $1 AND audit.action = 'booking.cancel'
)
