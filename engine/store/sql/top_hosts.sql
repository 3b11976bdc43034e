-- Read the hosts with the most bookings; of equal ones, in the order of their ids.
-- $1 from when on  $2 before when  $3 the first whole month  $4 behind the last one: months of UTC in between
-- $5 how far the counts reach: what came later is counted here, row by row  $6 hosts at most
-- Where no whole month lies between, $3 and $4 are both $2.
SELECT hosts.host, person.name, hosts.bookings
FROM (
    SELECT counted.host, sum(counted.bookings)::bigint AS bookings
    FROM (
        SELECT host, bookings FROM host_month WHERE month >= $3 AND month < $4
        UNION ALL
        SELECT resource.owner, edge.attempts
        FROM (
            SELECT resource, sum(attempts)
            FROM (
                SELECT resource, attempts
                FROM attempt_count
                WHERE quarter >= $1 AND quarter < $3 AND result = 'booked'
                UNION ALL
                SELECT resource, attempts
                FROM attempt_count
                WHERE quarter >= $4 AND quarter < $2 AND result = 'booked'
                UNION ALL
                SELECT resource, 1
                FROM attempt
                WHERE decided_at >= $5 AND decided_at >= $1 AND decided_at < $2 AND result = 'booked'
            ) AS part
            GROUP BY resource
        ) AS edge (resource, attempts)
        JOIN resource ON resource.id = edge.resource
        WHERE resource.owner IS NOT NULL
    ) AS counted (host, bookings)
    GROUP BY counted.host
    ORDER BY bookings DESC, counted.host COLLATE "C"
    LIMIT $6
) AS hosts
LEFT JOIN person ON person.id = CASE WHEN hosts.host ~ '^[0-9a-f-]{36}$' THEN hosts.host::uuid END
ORDER BY hosts.bookings DESC, hosts.host COLLATE "C"
