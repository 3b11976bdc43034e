-- Load resources and the time that live claims take of a window of each: of a resource with one place the
-- stretches without a gap, of others the claims, those of one interval together.
-- $1 resources, null where one is named by its public id  $2 public ids, or null  $3 starts  $4 ends of the windows
-- No row for one: there is no such resource (here, or here yet: a replica may not have it).
-- One of the two branches is never run, as the resource is of one kind. LATERAL with ORDER BY or OFFSET 0 holds
-- the planner to the branch's own index, booking_start or booking_shared_during, whatever it takes from fresh
-- statistics; the outermost OFFSET holds it to one look-up for each window. last_ticket is of the same snapshot as
-- the claims, so it tells what they contain; now() is read before the snapshot is taken, so the claims are at
-- least as new.
-- Live claims of a resource with one place never overlap, so at most one of them reaches into the window: the
-- last that starts before it. In order of start they are joined in one pass; a year that is booked hour after
-- hour is one stretch, and nothing else crosses the wire.
-- unfinished: the series whose rules claim time in the window that is not stored; null where there are none.
SELECT asked.number, standing.*
FROM unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::timestamptz[])
    WITH ORDINALITY AS asked (resource, resource_id, since, until, number)
CROSS JOIN LATERAL (
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
            WHERE resource.series_horizon < asked.until
              AND series.resource = resource.id
              AND series.status = 'confirmed' AND series.materialised_until < asked.until
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
                      AND lower(booking.during) < asked.until
                      AND upper(booking.during) > asked.since
                      AND lower(booking.during) >= coalesce(
                          (
                              SELECT lower(early.during)
                              FROM booking AS early
                              WHERE early.resource = resource.id
                                AND early.live
                                AND lower(early.during) <= asked.since
                              ORDER BY lower(early.during) DESC
                              LIMIT 1
                          ),
                          asked.since
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
                  AND booking.during && tstzrange(asked.since, asked.until)
                  AND booking.live AND NOT booking.exclusive
                OFFSET 0
            ) AS shared
            GROUP BY shared.during
        ) AS claim
    ) AS claims
    WHERE resource.id = coalesce(
        asked.resource, (SELECT named.id FROM resource AS named WHERE named.resource_id = asked.resource_id)
    )
    OFFSET 0
) AS standing
