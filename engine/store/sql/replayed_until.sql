-- How far a replica has replayed the primary's log.
-- Null: this server is no replica (any more), so what it holds says nothing about the primary.
SELECT pg_wal_lsn_diff(
    CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() END, '0/0'
)::bigint AS position
