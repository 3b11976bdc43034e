-- Write slots, and for each a claim of its time on its host's calendar, with the same id.
-- $1 ids  $2 resources  $3 hosts  $4 starts  $5 ends  $6 capacities  $7 rules  $8 tickets  $9 request ids
-- $10 created at
WITH published AS MATERIALIZED (
    SELECT *
    FROM unnest(
        $1::uuid[], $2::bigint[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::integer[], $7::uuid[],
        $8::bigint[], $9::uuid[], $10::timestamptz[]
    ) AS row (id, resource, host, start_time, end_time, capacity, rule, ticket, request_id, created_at)
), offered AS (
    INSERT INTO slot (id, resource, kind, host, during, capacity, initial_capacity, rule, created_at)
    SELECT id, resource, 'slot', host, tstzrange(start_time, end_time), capacity, capacity, rule, created_at
    FROM published
)
INSERT INTO booking (id, resource, exclusive, during, places, status, caller, ticket, request_id, created_at, slot)
SELECT
    published.id, published.resource, resource.exclusive, tstzrange(published.start_time, published.end_time), 1,
    'confirmed', published.host, published.ticket, published.request_id, published.created_at, published.id
FROM published
JOIN resource ON resource.id = published.resource
