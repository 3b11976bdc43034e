-- Load a resource and the time that live claims take of a window: of a resource with one place the stretches
-- without a gap, of others the claims, those of one interval together.
-- $1 resource, or null where it is named by its public id  $2 public id, or null
-- $3 start  $4 end of the window
-- Zero rows: there is no such resource (here, or here yet: a replica may not have it).
-- One of the two branches is never run, as the resource is of one kind. LATERAL with ORDER BY or OFFSET 0 holds
-- the planner to the branch's own index, booking_start or booking_shared_during, whatever it takes from fresh
-- statistics. last_ticket is of the same snapshot as the claims, so it tells what they contain; now() is read
-- before the snapshot is taken, so the claims are at least as new.
-- Live claims of a resource with one place never overlap, so at most one of them reaches into the window: the
-- last that starts before it. In order of start they are joined in one pass; a year that is booked hour after
-- hour is one stretch, and nothing else crosses the wire.
-- unfinished: the series whose rules claim time in the window that is not stored; null where there are none.
SELECT
    resource.id, resource.resource_id, resource.time_zone, resource.capacity, resource.last_ticket,
    now() AS now, claims.starts, claims.ends, claims.places,
    (
        SELECT json_agg(json_build_object(
            'wall_clock', series.wall_clock,
            'time_zone', series.time_zone,
            'length_ms', series.length_ms,
            'rule', series.rule,
            'extra', series.extra,
            'excluded', series.excluded,
            'places', series.places,
            'materialised_until', series.materialised_until,
            'without', ARRAY(
                SELECT booking.occurrence
                FROM booking
                WHERE booking.series = series.id AND booking.occurrence >= series.materialised_until
            )
        ))::text
        FROM series
        WHERE resource.series_horizon < $4::timestamptz
          AND series.resource = resource.id
          AND series.status = 'confirmed' AND series.materialised_until < $4::timestamptz
    ) AS unfinished
FROM resource
CROSS JOIN LATERAL (
    SELECT
        array_agg(lower(claim.during)) AS starts,
        array_agg(upper(claim.during)) AS ends,
        array_agg(claim.places) AS places
    FROM (
        SELECT stretch.during, 1::bigint AS places
        FROM unnest((
            SELECT range_agg(alone.during)
            FROM (
                SELECT during
                FROM booking
                WHERE resource.exclusive
                  AND booking.resource = resource.id
                  AND booking.live
                  AND lower(booking.during) < $4::timestamptz
                  AND upper(booking.during) > $3::timestamptz
                  AND lower(booking.during) >= coalesce(
                      (
                          SELECT lower(early.during)
                          FROM booking AS early
                          WHERE early.resource = resource.id
                            AND early.live
                            AND lower(early.during) <= $3::timestamptz
                          ORDER BY lower(early.during) DESC
                          LIMIT 1
                      ),
                      $3::timestamptz
                  )
                ORDER BY lower(booking.during)
            ) AS alone
        )) AS stretch (during)
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
