-- Take back the reasons that were given for cancelling a person's series, and those that they gave for others'.
-- $1 person  $2 rows at most
-- A person's series are found by their rows; see empty_reasons.
UPDATE series SET cancellation_reason = NULL
WHERE id IN (
    SELECT series.id
    FROM booking
    JOIN series ON series.id = booking.series
    WHERE booking.caller = $1 AND booking.caller <> 'anonymous' AND coalesce(booking.slot <> booking.id, true)
      AND series.cancellation_reason IS NOT NULL
    UNION ALL
    SELECT series.id
    FROM audit
    JOIN series ON series.id = audit.subject::uuid
    WHERE audit.actor = $1 AND audit.action = 'booking.cancel' AND series.cancellation_reason IS NOT NULL
    LIMIT $2
)
