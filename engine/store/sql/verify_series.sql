-- Series that no confirmed ledger row made as they are, or that ended without one.
-- $1 how many to name
-- A series of which only the rest was moved stands, and names the one that goes on from it.
WITH compared AS (
    SELECT
        series.id, series.resource, series.ticket,
        CASE
            WHEN ledger.ticket IS NULL THEN 'its ticket has no row'
            WHEN ledger.outcome <> 'confirmed' OR ledger.kind NOT IN ('book_series', 'move_occurrence') THEN
                format('its ticket was %s as %s', ledger.outcome, ledger.kind)
            WHEN ledger.booking IS DISTINCT FROM series.id THEN 'its ticket made something else'
            WHEN series.status = 'cancelled' AND cancelled.subject IS NULL THEN
                'it is cancelled, but no ticket cancelled it'
            WHEN series.rescheduled_to IS NOT NULL AND successor.id IS NULL THEN
                'it was moved, but its successor does not follow it'
            WHEN series.status = 'rescheduled' AND series.ended_at IS DISTINCT FROM successor.created_at THEN
                'it was moved, but not when its successor was made'
            ELSE 'series and ledger differ in: ' || nullif(concat_ws(
                ', ',
                CASE WHEN ledger.request_id <> series.request_id THEN 'request_id' END,
                CASE WHEN ledger.places IS DISTINCT FROM series.places THEN 'places' END,
                CASE WHEN ledger.end_time - ledger.start_time
                    IS DISTINCT FROM series.length_ms * interval '1 ms' THEN 'length_ms' END,
                CASE WHEN ledger.decided_at <> series.created_at THEN 'created_at' END,
                CASE WHEN ledger.subject IS DISTINCT FROM series.rescheduled_from THEN 'rescheduled_from' END
            ), '')
        END AS detail
    FROM series
    LEFT JOIN ledger ON ledger.resource = series.resource AND ledger.ticket = series.ticket
    LEFT JOIN (
        SELECT DISTINCT resource, subject, decided_at FROM ledger WHERE kind = 'cancel_series' AND outcome = 'confirmed'
    ) AS cancelled
        ON cancelled.subject = series.id AND cancelled.resource = series.resource
        AND cancelled.decided_at = series.ended_at
    LEFT JOIN series AS successor
        ON successor.id = series.rescheduled_to AND successor.rescheduled_from = series.id
        AND successor.resource = series.resource AND successor.places = series.places
)
SELECT
    coalesce(resource.resource_id, '#' || compared.resource) AS resource_id,
    ARRAY[compared.ticket] AS tickets,
    ARRAY[compared.id] AS bookings,
    compared.detail,
    count(*) OVER () AS total
FROM compared
LEFT JOIN resource ON resource.id = compared.resource
WHERE compared.detail IS NOT NULL
ORDER BY compared.resource, compared.ticket, compared.id
LIMIT $1
