-- Take back the reasons that were given for cancelling a person's bookings, and those that they gave for others'.
-- $1 person  $2 rows at most
-- Who cancels what is another's is in the audit, by the id of the booking or series, or that of an occurrence.
UPDATE booking SET cancellation_reason = NULL
WHERE id IN (
    SELECT booking.id
    FROM booking
    WHERE booking.caller = $1 AND booking.caller <> 'anonymous' AND coalesce(booking.slot <> booking.id, true)
      AND booking.cancellation_reason IS NOT NULL
    UNION ALL
    SELECT booking.id
    FROM audit
    JOIN booking ON booking.id = audit.subject::uuid
    WHERE audit.actor = $1 AND audit.action = 'booking.cancel' AND booking.cancellation_reason IS NOT NULL
    UNION ALL
    SELECT booking.id
    FROM audit
    JOIN booking ON booking.series = audit.subject::uuid
    WHERE audit.actor = $1 AND audit.action = 'booking.cancel' AND booking.cancellation_reason IS NOT NULL
    LIMIT $2
)
