-- Empty the commands of a person that were given up. That they were stays.
-- $1 person  $2 rows at most
UPDATE dead_letter SET command = '', error = ''
WHERE (resource, ticket) IN (
    SELECT dead_letter.resource, dead_letter.ticket
    FROM dead_letter
    JOIN ledger ON ledger.resource = dead_letter.resource AND ledger.ticket = dead_letter.ticket
    WHERE ledger.caller = $1 AND (dead_letter.command <> '' OR dead_letter.error <> '')
    LIMIT $2
)
