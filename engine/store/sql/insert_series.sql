-- Write new series.
-- $1 ids  $2 resources  $3 wall clocks  $4 time zones  $5 lengths in ms  $6 rules  $7 extra starts, array literals
-- $8 excluded starts, array literals  $9 places  $10 materialised until  $11 callers  $12 tickets  $13 request ids
-- $14 created at  $15 the series that each goes on from
INSERT INTO series (
    id, resource, wall_clock, time_zone, length_ms, rule, extra, excluded, places, status, materialised_until,
    caller, ticket, request_id, created_at, rescheduled_from
)
SELECT
    id, resource, wall_clock, time_zone, length_ms, rule, extra::timestamptz[], excluded::timestamptz[], places,
    'confirmed', materialised_until, caller, ticket, request_id, created_at, rescheduled_from
FROM unnest(
    $1::uuid[], $2::bigint[], $3::timestamp[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[],
    $9::integer[], $10::timestamptz[], $11::text[], $12::bigint[], $13::uuid[], $14::timestamptz[], $15::uuid[]
) AS made (
    id, resource, wall_clock, time_zone, length_ms, rule, extra, excluded, places, materialised_until, caller,
    ticket, request_id, created_at, rescheduled_from
)
