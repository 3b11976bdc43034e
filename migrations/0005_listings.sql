-- What lists are read by: resources apart from calendars and events, events in order of start, what befell a booking.

-- migrate: apply

-- The resources that somebody made as such, without the calendars and events between them.
CREATE INDEX resource_listed ON resource (id) WHERE kind = 'resource';

CREATE INDEX slot_event ON slot (lower(during), id) WHERE kind = 'event';

-- The confirmed rows that changed something that stood, by what they changed. Bookings, which most rows are, change
-- nothing that stood, and seats name a slot that goes on: neither is in the index, so a launch does not pay for it.
CREATE INDEX ledger_change ON ledger (subject, ticket)
    WHERE subject IS NOT NULL AND outcome = 'confirmed' AND kind <> 'book_seat';

-- migrate: rollback

DROP INDEX ledger_change;

DROP INDEX slot_event;

DROP INDEX resource_listed;
