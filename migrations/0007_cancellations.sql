-- Whether a part of a divided series counts as cancelled is settled when it is cancelled.
--
-- It counts where it goes back, whole move by whole move, to the series that was made. One that was divided off does
-- not: its booking is the first part. The view took the first part's later move for such a move, so that a part could
-- begin to count after it had been folded without being counted, or be counted beside the first.

-- migrate: apply

-- Every booking and series that was cancelled, with the quarter in which it was first made, however often it was
-- moved since. Of a series that was divided the first part is the one that was made: it names another successor than
-- the part that was divided off, once it has ended by a move.
CREATE OR REPLACE VIEW cancellation AS
SELECT booking.ended_at, date_bin('15 minutes', first.made_at, timestamptz '2000-01-01 00:00:00+00') AS quarter
FROM booking
CROSS JOIN LATERAL (
    WITH RECURSIVE line (made_at, comes_from) AS (
        SELECT booking.created_at, booking.rescheduled_from
        UNION ALL
        SELECT earlier.created_at, earlier.rescheduled_from
        FROM line JOIN booking AS earlier ON earlier.id = line.comes_from
    )
    SELECT made_at FROM line WHERE comes_from IS NULL
) AS first
WHERE booking.status = 'cancelled' AND booking.series IS NULL AND booking.slot IS DISTINCT FROM booking.id
UNION ALL
SELECT series.ended_at, date_bin('15 minutes', first.made_at, timestamptz '2000-01-01 00:00:00+00')
FROM series
CROSS JOIN LATERAL (
    WITH RECURSIVE line (id, made_at, comes_from) AS (
        SELECT series.id, series.created_at, series.rescheduled_from
        UNION ALL
        SELECT earlier.id, earlier.created_at, earlier.rescheduled_from
        FROM line
        JOIN series AS earlier
            ON earlier.id = line.comes_from AND earlier.status = 'rescheduled' AND earlier.rescheduled_to = line.id
    )
    SELECT made_at FROM line WHERE comes_from IS NULL
) AS first
WHERE series.status = 'cancelled';

-- What was counted by then is counted again.
DELETE FROM attempt_total WHERE result = 'cancelled';

DELETE FROM attempt_month WHERE result = 'cancelled';

INSERT INTO attempt_total (quarter, result, attempts)
SELECT quarter, 'cancelled', count(*)
FROM cancellation
WHERE ended_at < (SELECT folded_until FROM fold)
GROUP BY quarter;

INSERT INTO attempt_month (month, result, attempts)
SELECT date_trunc('month', quarter, 'UTC'), result, sum(attempts)
FROM attempt_total
WHERE result = 'cancelled'
GROUP BY 1, 2;

-- migrate: rollback

CREATE OR REPLACE VIEW cancellation AS
SELECT booking.ended_at, date_bin('15 minutes', first.made_at, timestamptz '2000-01-01 00:00:00+00') AS quarter
FROM booking
CROSS JOIN LATERAL (
    WITH RECURSIVE line (made_at, comes_from) AS (
        SELECT booking.created_at, booking.rescheduled_from
        UNION ALL
        SELECT earlier.created_at, earlier.rescheduled_from
        FROM line JOIN booking AS earlier ON earlier.id = line.comes_from
    )
    SELECT made_at FROM line WHERE comes_from IS NULL
) AS first
WHERE booking.status = 'cancelled' AND booking.series IS NULL AND booking.slot IS DISTINCT FROM booking.id
UNION ALL
SELECT series.ended_at, date_bin('15 minutes', first.made_at, timestamptz '2000-01-01 00:00:00+00')
FROM series
CROSS JOIN LATERAL (
    WITH RECURSIVE line (made_at, comes_from) AS (
        SELECT series.created_at, series.rescheduled_from
        UNION ALL
        SELECT earlier.created_at, earlier.rescheduled_from
        FROM line JOIN series AS earlier ON earlier.id = line.comes_from AND earlier.status = 'rescheduled'
    )
    SELECT made_at FROM line WHERE comes_from IS NULL
) AS first
WHERE series.status = 'cancelled';
