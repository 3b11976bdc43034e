-- How many rows there are to check.
SELECT
    (SELECT count(*) FROM resource) AS resources,
    (SELECT count(*) FROM booking) AS bookings,
    (SELECT count(*) FROM booking WHERE live) AS live_bookings,
    (SELECT count(*) FROM series) AS series,
    (SELECT count(*) FROM slot) AS slots,
    (SELECT count(*) FROM booking WHERE slot <> id) AS seats,
    (SELECT count(*) FROM ledger WHERE counted IS NOT NULL) AS limited,
    (SELECT count(*) FROM ledger) AS tickets,
    (SELECT count(*) FROM idempotency WHERE ticket IS NOT NULL) AS keys,
    (SELECT count(*) FROM dead_letter) AS dead_letters,
    (SELECT count(*) FROM attempt_count) AS figures
