-- Read the interval and the places that a decided command asked for.
-- $1 resource  $2 ticket
-- A move asks for no places of its own: they are those of the booking or series it names.
-- Zero rows: the ticket is not decided.
SELECT ledger.start_time, ledger.end_time, coalesce(ledger.places, booking.places, series.places) AS places
FROM ledger
LEFT JOIN booking ON booking.id = ledger.subject
LEFT JOIN series ON series.id = ledger.subject
WHERE ledger.resource = $1 AND ledger.ticket = $2
