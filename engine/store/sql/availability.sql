-- Load a resource and the live claims that overlap a window, those of one interval together.
-- $1 resource, or null where it is named by its public id  $2 public id, or null
-- $3 start  $4 end of the window
-- Zero rows: there is no such resource (here, or here yet: a replica may not have it).
-- One of the two branches is never run, as the resource is of one kind. LATERAL with OFFSET 0 holds the
-- planner to the branch's own index, booking_no_overlap or booking_shared_during, whatever it takes from
-- fresh statistics. last_ticket is of the same snapshot as the claims, so it tells what they contain; now() is
-- read before the snapshot is taken, so the claims are at least as new.
SELECT
    resource.id, resource.resource_id, resource.time_zone, resource.capacity, resource.last_ticket,
    now() AS now, claims.starts, claims.ends, claims.places
FROM resource
CROSS JOIN LATERAL (
    SELECT
        array_agg(lower(claim.during)) AS starts,
        array_agg(upper(claim.during)) AS ends,
        array_agg(claim.places) AS places
    FROM (
        SELECT alone.during, alone.places::bigint AS places
        FROM (
            SELECT during, places
            FROM booking
            WHERE resource.exclusive
              AND booking.resource = resource.id
              AND booking.during && tstzrange($3::timestamptz, $4::timestamptz)
              AND booking.live AND booking.exclusive
            OFFSET 0
        ) AS alone
        UNION ALL
        SELECT shared.during, sum(shared.places) AS places
        FROM (
            SELECT during, places
            FROM booking
            WHERE NOT resource.exclusive
              AND booking.resource = resource.id
              AND booking.during && tstzrange($3::timestamptz, $4::timestamptz)
              AND booking.live AND NOT booking.exclusive
            OFFSET 0
        ) AS shared
        GROUP BY shared.during
    ) AS claim
) AS claims
WHERE resource.id = coalesce(
    $1::bigint, (SELECT named.id FROM resource AS named WHERE named.resource_id = $2::text)
)
