-- Bookings that were confirmed though as many were counted as there may be, and people who had more at an instant than
-- they ever might.
-- $1 how many to name
-- What is counted is counted under the person's row lock, and the instant of decision is read after it. So at each
-- instant at which a booking of theirs was confirmed, no more stood than the limit says that was held against it: a
-- booking counts from its decision until it ended, or its time was over. Each booking of a series is the series.
-- What one batch decided has one instant: of that, bookings count that were held against the same limit.
WITH limited AS (
    SELECT resource, ticket, booking, decided_at, counted, counted_limit
    FROM ledger
    WHERE ledger.outcome = 'confirmed' AND ledger.counted IS NOT NULL
), exceeded AS (
    SELECT resource, ticket, booking, format('%s were counted, and %s is the limit', counted, counted_limit) AS detail
    FROM limited
    WHERE counted >= counted_limit
    UNION ALL
    SELECT
        limited.resource, limited.ticket, limited.booking,
        format('%s stood then, and %s is the limit', stood.bookings, counted_limit)
    FROM limited
    CROSS JOIN LATERAL (
        SELECT caller FROM booking WHERE id = limited.booking
        UNION ALL
        SELECT caller FROM series WHERE id = limited.booking
    ) AS made
    CROSS JOIN LATERAL (
        SELECT count(DISTINCT coalesce(booking.series, booking.id)) AS bookings
        FROM booking
        JOIN resource ON resource.id = booking.resource
        WHERE booking.caller = made.caller AND booking.caller <> 'anonymous'
          AND coalesce(booking.slot <> booking.id, true)
          AND upper(booking.during) > limited.decided_at
          AND (
              booking.created_at < limited.decided_at
              OR booking.created_at = limited.decided_at AND EXISTS (
                  SELECT FROM ledger AS beside
                  WHERE beside.resource = booking.resource AND beside.ticket = booking.ticket
                    AND beside.counted_limit = limited.counted_limit
              )
          )
          AND coalesce(booking.ended_at > limited.decided_at, true)
          AND resource.owner IS DISTINCT FROM made.caller
    ) AS stood
    WHERE stood.bookings > limited.counted_limit
)
SELECT
    coalesce(resource.resource_id, '#' || exceeded.resource) AS resource_id,
    ARRAY[exceeded.ticket] AS tickets,
    array_remove(ARRAY[exceeded.booking], NULL) AS bookings,
    exceeded.detail,
    count(*) OVER () AS total
FROM exceeded
LEFT JOIN resource ON resource.id = exceeded.resource
ORDER BY exceeded.resource, exceeded.ticket
LIMIT $1
