-- Empty the commands of a person that were given up. That they were stays.
-- $1 person
UPDATE dead_letter SET command = '', error = ''
FROM ledger
WHERE ledger.resource = dead_letter.resource AND ledger.ticket = dead_letter.ticket AND ledger.caller = $1
  AND (dead_letter.command <> '' OR dead_letter.error <> '')
