-- Bookings that no confirmed ledger row made as they are.
-- $1 how many to name
WITH compared AS (
    SELECT
        booking.id, booking.resource, booking.ticket,
        CASE
            WHEN ledger.ticket IS NULL THEN 'its ticket has no row'
            WHEN ledger.outcome <> 'confirmed' OR ledger.kind NOT IN ('book', 'reschedule') THEN
                format('its ticket was %s as %s', ledger.outcome, ledger.kind)
            WHEN ledger.booking IS DISTINCT FROM booking.id THEN 'its ticket made another booking'
            ELSE nullif(concat_ws(
                ', ',
                CASE WHEN ledger.request_id <> booking.request_id THEN 'request_id' END,
                CASE WHEN ledger.start_time IS DISTINCT FROM lower(booking.during) THEN 'start_time' END,
                CASE WHEN ledger.end_time IS DISTINCT FROM upper(booking.during) THEN 'end_time' END,
                CASE WHEN ledger.places IS DISTINCT FROM booking.places THEN 'places' END,
                CASE WHEN (ledger.kind = 'reschedule') <> (booking.rescheduled_from IS NOT NULL)
                    OR ledger.subject IS DISTINCT FROM booking.rescheduled_from THEN 'rescheduled_from' END
            ), '')
        END AS detail
    FROM booking
    LEFT JOIN ledger ON ledger.resource = booking.resource AND ledger.ticket = booking.ticket
)
SELECT
    coalesce(resource.resource_id, '#' || compared.resource) AS resource_id,
    ARRAY[compared.ticket] AS tickets,
    ARRAY[compared.id] AS bookings,
    CASE WHEN compared.detail LIKE 'its %' THEN compared.detail
        ELSE format('booking and ledger differ in: %s', compared.detail)
    END AS detail,
    count(*) OVER () AS total
FROM compared
LEFT JOIN resource ON resource.id = compared.resource
WHERE compared.detail IS NOT NULL
ORDER BY compared.resource, compared.ticket, compared.id
LIMIT $1
