-- Write occurrences of series. What is null comes from the series.
-- $1 ids  $2 series  $3 names  $4 starts  $5 ends  $6 tickets  $7 request ids  $8 created at  $9 moved from
-- $10 statuses  $11 ended at  $12 cancellation reasons  $13 moved to
INSERT INTO booking (
    id, resource, exclusive, during, places, status, caller, ticket, request_id, created_at, ended_at,
    cancellation_reason, rescheduled_to, rescheduled_from, series, occurrence
)
SELECT
    made.id, series.resource, resource.exclusive, tstzrange(made.start_time, made.end_time), series.places,
    made.status, series.caller, coalesce(made.ticket, series.ticket), coalesce(made.request_id, series.request_id),
    coalesce(made.created_at, series.created_at), made.ended_at, made.cancellation_reason, made.rescheduled_to,
    made.rescheduled_from, series.id, made.occurrence
FROM unnest(
    $1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::bigint[], $7::uuid[],
    $8::timestamptz[], $9::uuid[], $10::text[], $11::timestamptz[], $12::text[], $13::uuid[]
) AS made (
    id, series, occurrence, start_time, end_time, ticket, request_id, created_at, rescheduled_from, status,
    ended_at, cancellation_reason, rescheduled_to
)
JOIN series ON series.id = made.series
JOIN resource ON resource.id = series.resource
