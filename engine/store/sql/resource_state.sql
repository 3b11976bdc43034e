-- Read what a resource is, for those who only look.
-- $1 resource
-- Zero rows: there is no such resource, or this server does not have it yet.
SELECT id AS resource, capacity, series_horizon, clock_timestamp() AS now FROM resource WHERE id = $1
