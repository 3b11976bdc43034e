-- Find erased people of whom something may be left, in order of their ids: those who were erased lately, as commands
-- of theirs may still wait, and whoever has something ahead.
-- $1 the id behind which to begin  $2 days  $3 rows at most
-- Erased people are few, and so are calls: their table is read whole.
SELECT person.id
FROM person
WHERE person.erased_at IS NOT NULL AND person.id > $1 AND (
    person.erased_at > now() - make_interval(days => $2)
    OR EXISTS (SELECT FROM slot_rule WHERE slot_rule.host = person.id::text AND slot_rule.ended_at IS NULL)
    OR EXISTS (
        SELECT FROM slot
        WHERE slot.host = person.id::text AND slot.kind = 'slot' AND slot.status = 'open' AND lower(slot.during) > now()
    )
    OR EXISTS (
        SELECT FROM booking
        WHERE booking.caller = person.id::text AND booking.caller <> 'anonymous'
          AND coalesce(booking.slot <> booking.id, true) AND booking.status = 'confirmed'
          AND upper(booking.during) > now() AND lower(booking.during) > now()
    )
)
ORDER BY person.id
LIMIT $3
