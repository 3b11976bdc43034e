-- Read what a person has that has not begun, in the order in which it is to be ended: rules that publish slots, then
-- each open slot behind the seats that others have of it, then bookings, seats and series of their own.
-- $1 person  $2 rows at most
SELECT kind, id, resource
FROM (
    SELECT 0 AS step, 0 AS place, 'slot_rule' AS kind, slot_rule.id, slot_rule.id AS about, slot_rule.resource
    FROM slot_rule
    WHERE slot_rule.host = $1 AND slot_rule.ended_at IS NULL
    UNION ALL
    SELECT 1, 0, 'seat', seat.id, slot.id, seat.resource
    FROM slot
    JOIN booking AS seat ON seat.slot = slot.id AND seat.slot <> seat.id AND seat.status = 'confirmed'
    WHERE slot.host = $1 AND slot.kind = 'slot' AND slot.status = 'open' AND lower(slot.during) > now()
    UNION ALL
    SELECT 1, 1, 'slot', slot.id, slot.id, slot.resource
    FROM slot
    WHERE slot.host = $1 AND slot.kind = 'slot' AND slot.status = 'open' AND lower(slot.during) > now()
    UNION ALL
    SELECT 2, 0, 'booking', booking.id, booking.id, booking.resource
    FROM booking
    WHERE booking.caller = $1 AND booking.caller <> 'anonymous' AND coalesce(booking.slot <> booking.id, true)
      AND booking.series IS NULL AND booking.status = 'confirmed'
      AND upper(booking.during) > now() AND lower(booking.during) > now()
    UNION ALL
    SELECT DISTINCT 2, 1, 'series', booking.series, booking.series, booking.resource
    FROM booking
    WHERE booking.caller = $1 AND booking.caller <> 'anonymous' AND coalesce(booking.slot <> booking.id, true)
      AND booking.series IS NOT NULL AND booking.status = 'confirmed'
      AND upper(booking.during) > now() AND lower(booking.during) > now()
) AS standing
ORDER BY step, about, place, id
LIMIT $2
