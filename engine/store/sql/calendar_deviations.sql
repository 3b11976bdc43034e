-- Read the occurrences of a series that are not just where and what its rule says, or that it leaves out.
-- $1 series  $2 the length of an occurrence  $3 starts that it leaves out  $4 how many at most
-- Of each occurrence the row that stands, else the one that tells last how it ended. The latest come first.
SELECT occurrence, start_time, end_time, live
FROM (
    SELECT DISTINCT ON (booking.occurrence)
        booking.occurrence, lower(booking.during) AS start_time, upper(booking.during) AS end_time, booking.live
    FROM booking
    WHERE booking.series = $1
    ORDER BY booking.occurrence DESC, booking.live DESC, booking.created_at DESC, booking.ticket DESC, booking.id DESC
) AS told
WHERE NOT live OR start_time <> occurrence OR end_time - start_time <> $2::interval
    OR occurrence = ANY ($3::timestamptz[])
ORDER BY occurrence DESC
LIMIT $4
