-- Read what was noted of a person: what they did, and what was done to them.
-- $1 person
-- Where somebody else came from is not told, nor what was noted beside it.
SELECT
    at, actor, action, subject, outcome, tag AS request_id,
    CASE WHEN actor IN ($1, 'anonymous') THEN address END AS address,
    CASE WHEN actor IN ($1, 'anonymous') THEN detail END AS detail
FROM audit
WHERE actor = $1 OR subject = $1
ORDER BY id
