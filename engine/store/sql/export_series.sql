-- Read a person's series.
-- $1 person
SELECT
    series.id AS series_id, resource.resource_id, series.wall_clock::text AS wall_clock, series.time_zone,
    series.length_ms, series.rule, series.extra, series.excluded, series.places, series.status, series.created_at,
    series.ended_at, series.cancellation_reason, series.rescheduled_to, series.rescheduled_from, series.request_id,
    series.ticket
FROM series
JOIN resource ON resource.id = series.resource
WHERE series.caller = $1 AND series.caller <> 'anonymous'
ORDER BY series.id
