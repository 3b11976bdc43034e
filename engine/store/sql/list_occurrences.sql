-- Read a page of the stored occurrences of a series that begin in a window, by start, then name.
-- $1 series  $2 from which instant on  $3 before which  $4, $5 start and name of the last one on the page before;
-- null, null: it is the first page  $6 how many at most
-- Of each occurrence the row is read that tells about it last: who restores or moves one makes a row with a later
-- ticket.
SELECT
    booking.id, booking.occurrence, lower(booking.during) AS start_time, upper(booking.during) AS end_time,
    booking.places, booking.status, booking.ticket
FROM booking
WHERE booking.series = $1
    AND lower(booking.during) >= $2 AND lower(booking.during) < $3
    AND ($4::timestamptz IS NULL OR (lower(booking.during), booking.occurrence) > ($4::timestamptz, $5::timestamptz))
    AND NOT EXISTS (
        SELECT
        FROM booking AS later
        WHERE later.series = booking.series AND later.occurrence = booking.occurrence AND later.ticket > booking.ticket
    )
ORDER BY start_time, booking.occurrence
LIMIT $6
