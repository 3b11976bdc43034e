-- Slots and events that are not what the ledger and their seats say.
-- $1 how many to name
WITH compared AS (
    SELECT
        slot.id, slot.resource, claim.ticket,
        CASE
            WHEN slot.kind = 'slot' AND claim.id IS NULL THEN 'nothing claims its time'
            WHEN claim.during <> slot.during THEN 'its claim has another time'
            WHEN (claim.status = 'confirmed') <> (slot.status = 'open') THEN
                format('it is %s, but its claim is %s', slot.status, claim.status)
            WHEN slot.kind = 'slot' AND published.ticket IS NULL THEN 'no confirmed ticket published it'
            WHEN published.booking <> slot.id THEN 'its ticket published another slot'
            WHEN published.booking IS NOT NULL
                AND tstzrange(published.start_time, published.end_time) <> slot.during THEN
                'its ticket gave it another time'
            WHEN claim.request_id <> published.request_id THEN 'its ticket was for another request'
            WHEN slot.kind = 'slot' AND slot.initial_capacity <> published.capacity THEN
                'its ticket gave it another number of seats'
            WHEN slot.status = 'cancelled' AND cancelled.subject IS NULL THEN 'it is cancelled, but no ticket did it'
            WHEN slot.status = 'open' AND cancelled.subject IS NOT NULL THEN 'a ticket cancelled it, but it is open'
            WHEN slot.taken <> seats.taken THEN
                format('it counts %s seats as taken, but %s are', slot.taken, seats.taken)
            WHEN seats.taken > slot.capacity THEN format('%s of %s seats are taken', seats.taken, slot.capacity)
            WHEN slot.capacity <> coalesce(changed.capacity, slot.initial_capacity) THEN
                'no ticket gave it as many seats as it has'
            WHEN seats.elsewhere > 0 THEN format('%s of its seats have another time', seats.elsewhere)
        END AS detail
    FROM slot
    LEFT JOIN booking AS claim ON claim.id = slot.id AND claim.slot = slot.id AND claim.resource = slot.resource
    LEFT JOIN ledger AS published
        ON published.resource = claim.resource AND published.ticket = claim.ticket
        AND published.kind = 'publish_slots' AND published.outcome = 'confirmed'
    LEFT JOIN (
        SELECT DISTINCT resource, subject FROM ledger WHERE kind = 'cancel_slot' AND outcome = 'confirmed'
    ) AS cancelled
        ON cancelled.subject = slot.id AND cancelled.resource = slot.resource
    LEFT JOIN (
        SELECT DISTINCT ON (resource, subject) resource, subject, capacity
        FROM ledger
        WHERE kind = 'change_event' AND outcome = 'confirmed' AND capacity IS NOT NULL
        ORDER BY resource, subject, ticket DESC
    ) AS changed
        ON changed.subject = slot.id AND changed.resource = slot.resource
    CROSS JOIN LATERAL (
        SELECT
            count(*) FILTER (WHERE booking.status = 'confirmed') AS taken,
            count(*) FILTER (WHERE booking.during <> slot.during) AS elsewhere
        FROM booking
        WHERE booking.slot = slot.id AND booking.slot <> booking.id
    ) AS seats
)
SELECT
    coalesce(resource.resource_id, '#' || compared.resource) AS resource_id,
    array_remove(ARRAY[compared.ticket], NULL) AS tickets,
    ARRAY[compared.id] AS bookings,
    compared.detail,
    count(*) OVER () AS total
FROM compared
LEFT JOIN resource ON resource.id = compared.resource
WHERE compared.detail IS NOT NULL
ORDER BY compared.resource, compared.ticket, compared.id
LIMIT $1
