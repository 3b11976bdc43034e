-- Read the installation's mode; the first process to ask sets it.
-- $1 mode of the process that asks
INSERT INTO installation AS standing (singleton, booking_mode)
VALUES (true, $1)
ON CONFLICT (singleton) DO UPDATE SET booking_mode = coalesce(standing.booking_mode, excluded.booking_mode)
RETURNING booking_mode
