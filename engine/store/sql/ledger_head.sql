-- Read what an export of a ledger begins with: the resource as it was made, and where its ledger ends now.
-- $1 public name
-- Zero rows: there is no such resource.
-- The fence may stand behind the last row, where numbers have jumped and nothing was decided since.
-- Of an event: what is offered, as it was made. No index leads there: the slots are read once, and of an event only.
SELECT
    resource.id AS resource,
    resource.resource_id,
    resource.initial_capacity,
    resource.time_zone,
    offered.id AS event,
    offered.initial_capacity AS initial_seats,
    lower(offered.during) AS start_time,
    upper(offered.during) AS end_time,
    coalesce(last.ticket, 0) AS last_ticket,
    coalesce(last.row_hash, decode(repeat('00', 32), 'hex')) AS row_hash
FROM resource
LEFT JOIN LATERAL (
    SELECT slot.id, slot.initial_capacity, slot.during
    FROM slot
    WHERE resource.kind = 'event' AND slot.resource = resource.id AND slot.kind = 'event'
    LIMIT 1
) AS offered ON true
LEFT JOIN LATERAL (
    SELECT ledger.ticket, ledger.row_hash
    FROM ledger
    WHERE ledger.resource = resource.id
    ORDER BY ledger.ticket DESC
    LIMIT 1
) AS last ON true
WHERE resource.resource_id = $1
