-- Delete a person's idempotency keys, which they made up, with the answers that are kept under them.
-- $1 person
-- The key of a sign-up is nobody's; its answer says who was made. None of these has a ticket, so they are few.
DELETE FROM idempotency
WHERE caller = $1 OR (caller = 'anonymous' AND ticket IS NULL AND answer ->> 'person' = $1)
