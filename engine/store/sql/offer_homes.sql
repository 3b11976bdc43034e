-- Look up the homes of slots and events: their resources, and who offers them. None of it ever changes.
-- $1 ids
-- One that is missing from the answer does not exist.
SELECT slot.id, slot.resource, resource.resource_id, slot.kind = 'event' AS is_event, slot.host
FROM slot
JOIN resource ON resource.id = slot.resource
WHERE slot.id = ANY ($1::uuid[])
