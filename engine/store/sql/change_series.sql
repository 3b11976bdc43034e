-- Change a series that stood: what is left of its rule, and its state.
-- $1 id  $2 rule  $3 extra starts, array literal  $4 excluded starts, array literal  $5 materialised until
-- $6 status  $7 ended at  $8 cancellation reason  $9 the series that goes on from it, or null
-- Zero rows: it does not exist, which is a bug as the resource's row is locked.
UPDATE series
SET rule = $2,
    extra = $3::text::timestamptz[],
    excluded = $4::text::timestamptz[],
    materialised_until = $5,
    status = $6,
    ended_at = $7,
    cancellation_reason = $8,
    rescheduled_to = coalesce($9, rescheduled_to),
    version = version + 1
WHERE id = $1
RETURNING id
