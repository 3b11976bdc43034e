-- How far the primary has written its log: every commit that anyone could see at this instant lies before.
-- What is flushed is asked for, as a commit shows to nobody before it is, and a replica is sent nothing else.
-- Zero rows: never. The columns are evaluated in order, so the clock is read first.
SELECT clock_timestamp() AS at, pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::bigint AS position
