-- End the claims that a batch cancelled or moved. Before the new ones are written: they may take the time.
-- $1 bookings  $2 statuses  $3 ended at  $4 cancellation reasons  $5 successors
UPDATE booking
SET status = ended.status,
    ended_at = ended.ended_at,
    cancellation_reason = ended.cancellation_reason,
    rescheduled_to = ended.rescheduled_to,
    version = version + 1
FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[], $5::uuid[])
    AS ended (id, status, ended_at, cancellation_reason, rescheduled_to)
WHERE booking.id = ended.id AND booking.status = 'confirmed'
RETURNING booking.id
