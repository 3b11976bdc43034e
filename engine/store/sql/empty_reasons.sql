-- Take back the reasons that were given for cancelling a person's bookings, and those that they gave for others'.
-- $1 person
-- Who cancels what is another's is in the audit, by the id of the booking or series, or that of an occurrence.
UPDATE booking SET cancellation_reason = NULL
WHERE cancellation_reason IS NOT NULL AND id IN (
    SELECT booking.id
    FROM booking
    WHERE booking.caller = $1 AND booking.caller <> 'anonymous' AND coalesce(booking.slot <> booking.id, true)
    UNION ALL
    SELECT booking.id
    FROM audit
    JOIN booking ON booking.id = audit.subject::uuid OR booking.series = audit.subject::uuid
    WHERE audit.actor = $1 AND audit.action = 'booking.cancel'
)
