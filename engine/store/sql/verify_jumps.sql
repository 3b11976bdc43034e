-- Where the numbers jumped, because Redis lost its memory: commands may have been lost there, and it is announced.
-- $1 how many to name  $2 the step of a jump
-- A fence that was raised and decided nothing since is a jump, too: its next ticket is not there yet.
SELECT
    coalesce(resource.resource_id, '#' || numbered.resource) AS resource_id,
    numbered.before AS last_ticket,
    numbered.ticket AS next_ticket,
    count(*) OVER () AS total
FROM (
    SELECT resource, ticket, coalesce(lag(ticket) OVER (PARTITION BY resource ORDER BY ticket), 0) AS before
    FROM (
        SELECT resource, ticket FROM ledger
        UNION ALL
        SELECT resource.id, resource.last_ticket + 1
        FROM resource
        WHERE (resource.last_ticket + 1) % $2 = 0
            AND NOT EXISTS (
                SELECT FROM ledger WHERE ledger.resource = resource.id AND ledger.ticket = resource.last_ticket
            )
    ) AS ticket
) AS numbered
LEFT JOIN resource ON resource.id = numbered.resource
WHERE numbered.ticket > numbered.before + 1 AND numbered.ticket % $2 = 0
ORDER BY numbered.resource, numbered.ticket
LIMIT $1
