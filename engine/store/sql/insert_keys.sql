-- Take the idempotency keys of a batch, in one order everywhere, so that two batches cannot deadlock.
-- $1 callers  $2 keys  $3 body hashes  $4 request ids  $5 resources  $6 tickets
-- A key that is there already is not inserted: the count tells.
INSERT INTO idempotency (caller, key, body_hash, request_id, resource, ticket)
SELECT caller, key, body_hash, request_id, resource, ticket
FROM unnest($1::text[], $2::text[], $3::bytea[], $4::uuid[], $5::bigint[], $6::bigint[])
    AS new (caller, key, body_hash, request_id, resource, ticket)
ORDER BY caller, key
ON CONFLICT (caller, key) DO NOTHING
