-- Note who did what.
-- $1 actor  $2 action  $3 subject  $4 outcome  $5 tag of the request  $6 address  $7 detail
INSERT INTO audit (actor, action, subject, outcome, tag, address, detail)
VALUES ($1, $2, $3, $4, $5, $6, $7)
