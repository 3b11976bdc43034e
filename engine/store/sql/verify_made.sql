-- Bookings that no confirmed ledger row made as they are.
-- $1 how many to name
-- The claims of slots are looked at with their slots (verify_slots).
-- An occurrence has the ticket of its series, also where it was stored later, and stands where the rule puts it, or
-- where it stood when it came along from the series before; or it has a ticket of its own, which restored or moved it.
WITH made AS (
    SELECT
        booking.*, ledger.ticket AS its_row, ledger.outcome, ledger.kind, ledger.booking AS made_booking, ledger.subject,
        ledger.request_id AS its_request_id, ledger.start_time, ledger.end_time, ledger.places AS its_places,
        series.length_ms, predecessor.rescheduled_to AS successor_of_predecessor,
        booking.series IS NOT NULL AND ledger.kind IN ('book_series', 'move_occurrence')
            AND ledger.booking IS NOT DISTINCT FROM booking.series AS with_series,
        coalesce(predecessor.series <> booking.series AND predecessor.during = booking.during, false) AS came_along
    FROM booking
    LEFT JOIN ledger ON ledger.resource = booking.resource AND ledger.ticket = booking.ticket
    LEFT JOIN series ON series.id = booking.series
    LEFT JOIN booking AS predecessor ON predecessor.id = booking.rescheduled_from
    WHERE coalesce(booking.slot <> booking.id, true)
), compared AS (
    SELECT
        id, resource, ticket,
        CASE
            WHEN its_row IS NULL THEN 'its ticket has no row'
            WHEN outcome <> 'confirmed'
                OR series IS NULL AND slot IS NULL AND kind NOT IN ('book', 'reschedule')
                OR slot IS NOT NULL AND kind <> 'book_seat'
                OR series IS NOT NULL AND kind NOT IN ('book_series', 'move_occurrence', 'restore_occurrence') THEN
                format('its ticket was %s as %s', outcome, kind)
            WHEN NOT with_series AND made_booking IS DISTINCT FROM id THEN 'its ticket made another booking'
            ELSE nullif(concat_ws(
                ', ',
                CASE WHEN its_request_id <> request_id THEN 'request_id' END,
                CASE WHEN NOT (with_series AND came_along) AND lower(during) IS DISTINCT FROM
                    CASE WHEN with_series THEN occurrence ELSE start_time END THEN
                    'start_time' END,
                CASE WHEN NOT (with_series AND came_along) AND upper(during) IS DISTINCT FROM
                    CASE WHEN with_series THEN occurrence + length_ms * interval '1 ms' ELSE end_time END THEN
                    'end_time' END,
                CASE WHEN its_places IS DISTINCT FROM places THEN 'places' END,
                CASE WHEN series IS NOT NULL AND NOT with_series AND subject IS DISTINCT FROM series THEN 'series' END,
                CASE WHEN subject IS DISTINCT FROM slot AND slot IS NOT NULL THEN 'slot' END,
                CASE
                    WHEN slot IS NOT NULL THEN CASE WHEN rescheduled_from IS NOT NULL THEN 'rescheduled_from' END
                    WHEN series IS NULL THEN
                        CASE WHEN (kind = 'reschedule') <> (rescheduled_from IS NOT NULL)
                            OR subject IS DISTINCT FROM rescheduled_from THEN 'rescheduled_from' END
                    WHEN rescheduled_from IS NULL THEN
                        CASE WHEN kind = 'move_occurrence' AND NOT with_series THEN 'rescheduled_from' END
                    WHEN kind <> 'move_occurrence' OR successor_of_predecessor IS DISTINCT FROM id THEN
                        'rescheduled_from'
                END
            ), '')
        END AS detail
    FROM made
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
