-- People who have two seats of one slot or event.
-- $1 how many to name
SELECT
    coalesce(resource.resource_id, '#' || booking.resource) AS resource_id,
    array_agg(booking.ticket ORDER BY booking.ticket, booking.id) AS tickets,
    array_agg(booking.id ORDER BY booking.ticket, booking.id) AS bookings,
    format('one caller has %s seats of %s', count(*), booking.slot) AS detail,
    count(*) OVER () AS total
FROM booking
LEFT JOIN resource ON resource.id = booking.resource
WHERE booking.slot <> booking.id AND booking.status = 'confirmed' AND booking.caller <> 'anonymous'
GROUP BY booking.resource, resource.resource_id, booking.slot, booking.caller
HAVING count(*) > 1
ORDER BY booking.resource, booking.slot
LIMIT $1
