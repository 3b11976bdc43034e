-- Recurring bookings: a series is a rule, its occurrences are bookings.
--
-- A finite series is stored whole. Of an infinite one the occurrences before materialised_until are stored; those
-- behind it are held by the code alone, until the job that extends series gets there.

-- migrate: apply

-- A rule with its start (on the wall clock of its zone), length and exceptions. rule is null where there are only extra starts.
CREATE TABLE series (
    id uuid NOT NULL,
    resource bigint NOT NULL,
    wall_clock timestamp NOT NULL,
    time_zone text NOT NULL,
    length_ms bigint NOT NULL,
    rule text,
    extra timestamptz[] NOT NULL DEFAULT '{}',
    excluded timestamptz[] NOT NULL DEFAULT '{}',
    places integer NOT NULL,
    status text NOT NULL,
    materialised_until timestamptz,
    caller text NOT NULL,
    ticket bigint NOT NULL,
    request_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    cancellation_reason text,
    rescheduled_to uuid,
    rescheduled_from uuid,
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT series_pkey PRIMARY KEY (id),
    CONSTRAINT series_id_resource_key UNIQUE (id, resource),
    CONSTRAINT series_resource_fkey FOREIGN KEY (resource) REFERENCES resource (id),
    CONSTRAINT series_rescheduled_to_fkey FOREIGN KEY (rescheduled_to)
        REFERENCES series (id) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT series_length_range CHECK (length_ms BETWEEN 1 AND 31622400000),
    CONSTRAINT series_rule_length CHECK (char_length(rule) BETWEEN 1 AND 2000),
    CONSTRAINT series_something CHECK (rule IS NOT NULL OR extra <> '{}'),
    CONSTRAINT series_extra_count CHECK (cardinality(extra) <= 1000),
    CONSTRAINT series_excluded_count CHECK (cardinality(excluded) <= 4000),
    CONSTRAINT series_places_range CHECK (places >= 1),
    CONSTRAINT series_status CHECK (status IN ('confirmed', 'cancelled', 'rescheduled')),
    CONSTRAINT series_ended_at CHECK ((ended_at IS NULL) = (status = 'confirmed')),
    CONSTRAINT series_rescheduled_to CHECK (rescheduled_to IS NOT NULL OR status <> 'rescheduled'),
    CONSTRAINT series_ticket_range CHECK (ticket >= 1),
    CONSTRAINT series_cancellation_reason_length CHECK (char_length(cancellation_reason) <= 2000),
    CONSTRAINT series_version_range CHECK (version >= 1)
);

-- Series that are not stored whole: what a booking behind the horizon must be compared with, and what is extended.
CREATE INDEX series_unfinished ON series (resource, materialised_until)
    WHERE status = 'confirmed' AND materialised_until IS NOT NULL;

-- An occurrence is named by the start that the rule gives it, also where it was moved. One that lost its time to an
-- older series, far behind what is compared when a series is made, is kept as clashed: it never claimed anything.
ALTER TABLE booking
    ADD COLUMN series uuid,
    ADD COLUMN occurrence timestamptz,
    ADD CONSTRAINT booking_series_fkey FOREIGN KEY (series, resource) REFERENCES series (id, resource),
    ADD CONSTRAINT booking_occurrence CHECK ((series IS NULL) = (occurrence IS NULL)),
    DROP CONSTRAINT booking_status,
    ADD CONSTRAINT booking_status CHECK (
        status IN ('confirmed', 'cancelled', 'rescheduled')
        OR (status = 'clashed' AND series IS NOT NULL)
    );

CREATE INDEX booking_series ON booking (series, occurrence) WHERE series IS NOT NULL;

-- Nobody holds one occurrence twice.
CREATE UNIQUE INDEX booking_one_claim_of_occurrence ON booking (series, occurrence)
    WHERE series IS NOT NULL AND live;

-- Before this instant every claim of the resource is stored; null where all of them are, wherever they lie.
ALTER TABLE resource ADD COLUMN series_horizon timestamptz;

-- What an outcome says beyond these columns, where a series is concerned (MessagePack). It is hashed with the row.
ALTER TABLE ledger ADD COLUMN detail bytea;

-- migrate: rollback

ALTER TABLE ledger DROP COLUMN detail;

ALTER TABLE resource DROP COLUMN series_horizon;

DROP INDEX booking_one_claim_of_occurrence;

DROP INDEX booking_series;

ALTER TABLE booking
    DROP CONSTRAINT booking_status,
    DROP CONSTRAINT booking_occurrence,
    DROP CONSTRAINT booking_series_fkey,
    DROP COLUMN occurrence,
    DROP COLUMN series,
    ADD CONSTRAINT booking_status CHECK (status IN ('confirmed', 'cancelled', 'rescheduled'));

DROP TABLE series;
