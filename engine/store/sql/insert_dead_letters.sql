-- Keep the commands that could not be decided, for whoever looks into the cause.
-- $1 resources  $2 tickets  $3 request ids  $4 commands (MessagePack)  $5 errors
INSERT INTO dead_letter (resource, ticket, request_id, command, error)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::uuid[], $4::bytea[], $5::text[])
