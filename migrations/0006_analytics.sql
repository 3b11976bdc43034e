-- What operators are told about bookings: counts by quarter of an hour, kept beside the hot path.
--
-- Deciding pays an entry in one index for them: a clock job folds what was decided since its last run into the counts, each ledger
-- row once (engine/folding.py). Quarters of an hour, because days begin at such steps in every time zone of today.

-- migrate: apply

-- What is not folded yet. Rows come in order of time, many with the same, so the index grows at its end, and little: a
-- block range index would be smaller, but a read would walk through whatever no vacuum has summarized, after a launch
-- above all.
CREATE INDEX ledger_decided_at ON ledger (decided_at);

-- What was cancelled since. An update that cancels touches other indexes as well, so this one costs a cancellation
-- an entry, and a booking nothing.
CREATE INDEX booking_cancelled ON booking (ended_at) WHERE status = 'cancelled' AND series IS NULL;

CREATE INDEX series_cancelled ON series (ended_at) WHERE status = 'cancelled';

-- Every attempt to book, with what came of it: booked, failed, withdrawn, or the reason of the refusal. A series is
-- one attempt. What was asked again with the same key was decided before, and a booking that is moved is no new one.
CREATE VIEW attempt AS
SELECT
    resource,
    decided_at,
    date_bin('15 minutes', decided_at, timestamptz '2000-01-01 00:00:00+00') AS quarter,
    CASE outcome WHEN 'confirmed' THEN 'booked' WHEN 'refused' THEN reason ELSE outcome END AS result
FROM ledger
WHERE kind IN ('book', 'book_series', 'book_seat') AND outcome <> 'repeated';

-- Every booking and series that was cancelled, with the quarter in which it was first made, however often it was
-- moved since. Of a series that was divided the first part is the one that was made.
CREATE VIEW cancellation AS
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

-- How far the counts reach: what was decided, or cancelled, before folded_until is in them, and nothing else.
-- next_until is where the next run may get to once every transaction before next_transaction has ended.
CREATE TABLE fold (
    singleton boolean NOT NULL DEFAULT true,
    folded_until timestamptz NOT NULL,
    next_until timestamptz,
    next_transaction bigint,
    CONSTRAINT fold_pkey PRIMARY KEY (singleton),
    CONSTRAINT fold_singleton CHECK (singleton),
    CONSTRAINT fold_next CHECK ((next_until IS NULL) = (next_transaction IS NULL))
);

INSERT INTO fold (folded_until) SELECT least(min(decided_at), now()) FROM ledger;

-- Attempts of each resource.
CREATE TABLE attempt_count (
    quarter timestamptz NOT NULL,
    resource bigint NOT NULL,
    result text NOT NULL,
    attempts bigint NOT NULL,
    CONSTRAINT attempt_count_pkey PRIMARY KEY (quarter, resource, result) INCLUDE (attempts)
);

-- Attempts of all resources, and under the result cancelled how many of the bookings of this quarter were cancelled
-- since.
CREATE TABLE attempt_total (
    quarter timestamptz NOT NULL,
    result text NOT NULL,
    attempts bigint NOT NULL,
    CONSTRAINT attempt_total_pkey PRIMARY KEY (quarter, result) INCLUDE (attempts)
);

-- Only these are told day by day: a year of them is read without the others.
CREATE INDEX attempt_total_booked ON attempt_total (quarter) INCLUDE (attempts) WHERE result = 'booked';

-- The same by months of UTC: what is left of a window at both ends comes from attempt_total.
CREATE TABLE attempt_month (
    month timestamptz NOT NULL,
    result text NOT NULL,
    attempts bigint NOT NULL,
    CONSTRAINT attempt_month_pkey PRIMARY KEY (month, result) INCLUDE (attempts)
);

-- Bookings with each host, by months of UTC: what is left of a window at both ends comes from attempt_count.
CREATE TABLE host_month (
    month timestamptz NOT NULL,
    host text NOT NULL,
    bookings bigint NOT NULL,
    CONSTRAINT host_month_pkey PRIMARY KEY (month, host) INCLUDE (bookings)
);

-- migrate: rollback

DROP TABLE host_month, attempt_month, attempt_total, attempt_count, fold;

DROP VIEW cancellation, attempt;

DROP INDEX series_cancelled, booking_cancelled, ledger_decided_at;
