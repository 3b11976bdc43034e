-- Lock the rows of people, in the order of their ids, and say who was erased.
-- $1 callers, sorted; what is no id of a person is left out
-- The clock is read as each row comes out of the lock, so the latest of them is after every lock.
WITH locked AS MATERIALIZED (
    SELECT id, erased_at
    FROM person
    WHERE id = ANY (
        ARRAY(
            SELECT caller::uuid
            FROM unnest($1::text[]) AS caller
            WHERE caller ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
        )
    )
    ORDER BY id
    FOR NO KEY UPDATE
)
SELECT id, erased_at IS NOT NULL AS erased, clock_timestamp() AS now FROM locked
