-- The ledger of one resource, in the order in which its rows were chained: for a cursor.
-- $1 resource
-- Whoever reads it takes the columns that are hashed, by name: who asked stands here too, and leaves with no export.
SELECT * FROM ledger WHERE resource = $1 ORDER BY ticket
