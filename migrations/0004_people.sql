-- People, what they may do, and what they offer each other: slots and events, both a number of seats.
--
-- Three rules hold here whatever the code above does:
--   a host's slots and other claims on their calendar never overlap      booking_no_overlap
--   never are more seats taken than a slot or event has                  slot_taken_range
--   nobody has two seats of one                                          booking_one_seat
-- What names a person stands in person, and there only: bookings, ledger and audit know random ids.

-- migrate: apply

-- A person. One who was erased keeps the id, so that the counts stay, and nothing else.
CREATE TABLE person (
    id uuid NOT NULL,
    email text,
    email_key text,
    name text,
    time_zone text NOT NULL,
    roles text[] NOT NULL,
    password_hash text,
    created_at timestamptz NOT NULL DEFAULT now(),
    erased_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT person_pkey PRIMARY KEY (id),
    CONSTRAINT person_email_key_key UNIQUE (email_key),
    CONSTRAINT person_email_length CHECK (char_length(email) BETWEEN 3 AND 254),
    CONSTRAINT person_email_key CHECK ((email_key IS NULL) = (email IS NULL)),
    CONSTRAINT person_name_length CHECK (char_length(name) BETWEEN 1 AND 255),
    CONSTRAINT person_roles CHECK (roles <@ '{guest,host,operator}' AND cardinality(roles) >= 1),
    CONSTRAINT person_erased CHECK (
        CASE WHEN erased_at IS NULL THEN email IS NOT NULL AND name IS NOT NULL
            ELSE email IS NULL AND name IS NULL AND password_hash IS NULL
        END
    ),
    CONSTRAINT person_version_range CHECK (version >= 1)
);

-- From a log-in until it is ended: the family of its refresh tokens. Access tokens name it.
CREATE TABLE session (
    id uuid NOT NULL,
    person uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    end_reason text,
    CONSTRAINT session_pkey PRIMARY KEY (id),
    CONSTRAINT session_person_fkey FOREIGN KEY (person) REFERENCES person (id),
    CONSTRAINT session_end CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
    CONSTRAINT session_end_reason CHECK (end_reason IN ('logged_out', 'reused', 'erased'))
);

CREATE INDEX session_person ON session (person) WHERE ended_at IS NULL;

-- Refresh tokens, each good for one use. Only hashes are kept. The second use of one ends its session.
CREATE TABLE refresh_token (
    hash bytea NOT NULL,
    session uuid NOT NULL,
    issued_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz,
    CONSTRAINT refresh_token_pkey PRIMARY KEY (hash),
    CONSTRAINT refresh_token_session_fkey FOREIGN KEY (session) REFERENCES session (id) ON DELETE CASCADE,
    CONSTRAINT refresh_token_hash_length CHECK (octet_length(hash) = 32)
);

CREATE INDEX refresh_token_session ON refresh_token (session);

-- Keys of programs, which act for a person as far as their scopes reach. Only hashes are kept.
CREATE TABLE api_key (
    id uuid NOT NULL,
    person uuid NOT NULL,
    name text,
    hash bytea NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    ended_at timestamptz,
    CONSTRAINT api_key_pkey PRIMARY KEY (id),
    CONSTRAINT api_key_person_fkey FOREIGN KEY (person) REFERENCES person (id),
    CONSTRAINT api_key_hash_key UNIQUE (hash),
    CONSTRAINT api_key_hash_length CHECK (octet_length(hash) = 32),
    CONSTRAINT api_key_name_length CHECK (char_length(name) BETWEEN 1 AND 255),
    CONSTRAINT api_key_scopes CHECK (cardinality(scopes) >= 1)
);

CREATE INDEX api_key_person ON api_key (person, id);

-- Who did what, when, from where. Append-only, but for what names a person or a place: an erasure empties that.
CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL,
    action text NOT NULL,
    subject text,
    outcome text NOT NULL,
    tag text,
    address text,
    detail text,
    CONSTRAINT audit_pkey PRIMARY KEY (id),
    CONSTRAINT audit_outcome CHECK (outcome IN ('done', 'refused')),
    CONSTRAINT audit_detail_length CHECK (char_length(detail) <= 2000)
);

CREATE INDEX audit_at ON audit (at, id);

CREATE INDEX audit_actor ON audit (actor, id);

CREATE INDEX audit_subject ON audit (subject, id) WHERE subject IS NOT NULL;

CREATE FUNCTION audit_append_only() RETURNS trigger
LANGUAGE plpgsql
SET search_path = public, pg_temp
AS $function$
BEGIN
    IF TG_OP = 'UPDATE'
        AND (OLD.id, OLD.at, OLD.actor, OLD.action, OLD.outcome) = (NEW.id, NEW.at, NEW.actor, NEW.action, NEW.outcome)
        AND OLD.subject IS NOT DISTINCT FROM NEW.subject AND OLD.tag IS NOT DISTINCT FROM NEW.tag
        AND NEW.address IS NULL AND NEW.detail IS NULL THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the audit is append-only: % is refused', TG_OP
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'audit_append_only', SCHEMA = 'public', TABLE = 'audit';
END
$function$;

CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_append_only();

CREATE TRIGGER audit_not_emptied BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only();

-- How to become the operator of this installation: a code, good once; and whether it is one that people rely on.
ALTER TABLE installation
    ADD COLUMN operator_code_hash bytea,
    ADD COLUMN production boolean NOT NULL DEFAULT false;

-- Whose it is, and what: a calendar is where a host's slots and other engagements stand, an event has seats only.
-- owner is a caller, as booking.caller is; null for what nobody in particular made.
ALTER TABLE resource
    ADD COLUMN kind text NOT NULL DEFAULT 'resource',
    ADD COLUMN owner text,
    ADD CONSTRAINT resource_kind CHECK (kind IN ('resource', 'calendar', 'event')),
    ADD CONSTRAINT resource_calendar_owner CHECK (kind <> 'calendar' OR (owner IS NOT NULL AND capacity = 1));

CREATE UNIQUE INDEX resource_one_calendar ON resource (owner) WHERE kind = 'calendar';

-- Slots that a rule publishes, day after day: a window of the wall clock, cut into slots.
-- published_until is the instant before which they were published; null: there are no more.
CREATE TABLE slot_rule (
    id uuid NOT NULL,
    resource bigint NOT NULL,
    host text NOT NULL,
    wall_clock timestamp NOT NULL,
    time_zone text NOT NULL,
    window_ms bigint NOT NULL,
    rule text NOT NULL,
    slot_ms bigint NOT NULL,
    step_ms bigint NOT NULL,
    capacity integer NOT NULL,
    horizon_days integer NOT NULL,
    published_until timestamptz,
    ticket bigint NOT NULL,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    CONSTRAINT slot_rule_pkey PRIMARY KEY (id),
    CONSTRAINT slot_rule_resource_fkey FOREIGN KEY (resource) REFERENCES resource (id),
    CONSTRAINT slot_rule_rule_length CHECK (char_length(rule) BETWEEN 1 AND 2000),
    CONSTRAINT slot_rule_window_range CHECK (window_ms BETWEEN slot_ms AND 86400000),
    CONSTRAINT slot_rule_slot_range CHECK (slot_ms >= 60000 AND step_ms >= slot_ms),
    CONSTRAINT slot_rule_capacity_range CHECK (capacity BETWEEN 1 AND 1000000),
    CONSTRAINT slot_rule_horizon_range CHECK (horizon_days BETWEEN 1 AND 400)
);

CREATE INDEX slot_rule_due ON slot_rule (published_until) WHERE ended_at IS NULL AND published_until IS NOT NULL;

CREATE INDEX slot_rule_host ON slot_rule (host, id);

-- What is offered: a fixed time and a number of seats. A slot's time is claimed by a booking of its host's calendar
-- with the same id; an event has a resource of its own. taken is what its confirmed seats take; a trigger keeps it.
CREATE TABLE slot (
    id uuid NOT NULL,
    resource bigint NOT NULL,
    kind text NOT NULL,
    host text NOT NULL,
    name text,
    during tstzrange NOT NULL,
    capacity integer NOT NULL,
    initial_capacity integer NOT NULL,
    taken integer NOT NULL DEFAULT 0,
    status text NOT NULL DEFAULT 'open',
    rule uuid,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT slot_pkey PRIMARY KEY (id),
    CONSTRAINT slot_id_resource_key UNIQUE (id, resource),
    CONSTRAINT slot_resource_fkey FOREIGN KEY (resource) REFERENCES resource (id),
    CONSTRAINT slot_rule_fkey FOREIGN KEY (rule) REFERENCES slot_rule (id),
    CONSTRAINT slot_kind CHECK (kind IN ('slot', 'event')),
    CONSTRAINT slot_name CHECK ((name IS NULL) = (kind = 'slot')),
    CONSTRAINT slot_name_length CHECK (char_length(name) BETWEEN 1 AND 255),
    CONSTRAINT slot_during_bounds CHECK (
        NOT isempty(during) AND lower_inc(during) AND NOT upper_inc(during)
        AND NOT lower_inf(during) AND NOT upper_inf(during)
        AND isfinite(lower(during)) AND isfinite(upper(during))
    ),
    CONSTRAINT slot_capacity_range CHECK (capacity BETWEEN 1 AND 1000000),
    CONSTRAINT slot_initial_capacity_range CHECK (initial_capacity BETWEEN 1 AND 1000000),
    CONSTRAINT slot_taken_range CHECK (taken BETWEEN 0 AND capacity),
    CONSTRAINT slot_status CHECK (status IN ('open', 'cancelled')),
    CONSTRAINT slot_cancelled_free CHECK (status = 'open' OR taken = 0),
    CONSTRAINT slot_ended_at CHECK ((ended_at IS NULL) = (status = 'open')),
    CONSTRAINT slot_version_range CHECK (version >= 1)
) WITH (fillfactor = 80);

-- What can be booked, in order of start; and what a host has published, whatever became of it.
CREATE INDEX slot_open ON slot (lower(during), id) WHERE kind = 'slot' AND status = 'open' AND taken < capacity;

CREATE INDEX slot_host ON slot (host, lower(during), id);

CREATE INDEX slot_rule_published ON slot (rule) WHERE rule IS NOT NULL;

-- live says that a booking claims the time of its resource. A slot's own claim names itself as its slot; every other
-- booking that names one is a seat, which claims a seat and no time.
-- What speaks of the column is made anew.
DROP INDEX booking_shared_during, booking_start, booking_one_claim_of_occurrence;

ALTER TABLE booking
    ADD COLUMN slot uuid,
    ADD CONSTRAINT booking_slot_fkey FOREIGN KEY (slot, resource) REFERENCES slot (id, resource),
    ADD CONSTRAINT booking_slot_or_series CHECK (slot IS NULL OR series IS NULL),
    DROP CONSTRAINT booking_no_overlap,
    DROP CONSTRAINT booking_exclusive_places,
    DROP COLUMN live;

ALTER TABLE booking
    ADD COLUMN live boolean NOT NULL GENERATED ALWAYS AS (status = 'confirmed' AND coalesce(slot = id, true)) STORED,
    ADD CONSTRAINT booking_no_overlap EXCLUDE USING gist (resource WITH =, during WITH &&) WHERE (live AND exclusive),
    ADD CONSTRAINT booking_exclusive_places CHECK (places = 1 OR NOT (live AND exclusive)),
    ADD CONSTRAINT booking_slot_places CHECK (slot IS NULL OR places = 1);

CREATE INDEX booking_shared_during ON booking USING gist (resource, during) WHERE (live AND NOT exclusive);

CREATE INDEX booking_start ON booking (resource, live, lower(during));

CREATE UNIQUE INDEX booking_one_claim_of_occurrence ON booking (series, occurrence)
    WHERE series IS NOT NULL AND live;

-- Nobody has two seats of one slot or event. In open mode nobody is known, so nothing can be said of them.
CREATE UNIQUE INDEX booking_one_seat ON booking (slot, caller)
    WHERE slot <> id AND status = 'confirmed' AND caller <> 'anonymous';

-- Whose bookings: by when they end, so that the active ones of a person are found without the others. The claims of
-- a host's slots are none of them.
CREATE INDEX booking_caller ON booking (caller, upper(during), id)
    WHERE caller <> 'anonymous' AND coalesce(slot <> id, true);

-- The seats of a slot or event, for its host.
CREATE INDEX booking_slot ON booking (slot, id) WHERE slot <> id;

-- A seat that is taken or given back is counted where it is, in the statement that writes it: the check on the count
-- then makes overselling impossible, and concurrent writers wait for each other at the slot's row.
CREATE FUNCTION slot_count_taken() RETURNS trigger
LANGUAGE plpgsql
SET search_path = public, pg_temp
AS $function$
BEGIN
    UPDATE slot
    SET taken = taken + seats.more
    FROM (
        SELECT touched.slot, count(*)::integer
        FROM touched
        WHERE touched.slot <> touched.id AND touched.status = 'confirmed'
        GROUP BY touched.slot
    ) AS seats (slot, more)
    WHERE slot.id = seats.slot;
    RETURN NULL;
END
$function$;

CREATE FUNCTION slot_count_changed() RETURNS trigger
LANGUAGE plpgsql
SET search_path = public, pg_temp
AS $function$
BEGIN
    UPDATE slot
    SET taken = taken + seats.more
    FROM (
        SELECT changed.slot, sum(changed.more)::integer
        FROM (
            SELECT touched.slot, 1 FROM touched WHERE touched.slot <> touched.id AND touched.status = 'confirmed'
            UNION ALL
            SELECT before.slot, -1 FROM before WHERE before.slot <> before.id AND before.status = 'confirmed'
        ) AS changed (slot, more)
        GROUP BY changed.slot
    ) AS seats (slot, more)
    WHERE slot.id = seats.slot AND seats.more <> 0;
    RETURN NULL;
END
$function$;

CREATE TRIGGER slot_count_taken AFTER INSERT ON booking
    REFERENCING NEW TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION slot_count_taken();

CREATE TRIGGER slot_count_changed AFTER UPDATE ON booking
    REFERENCING OLD TABLE AS before NEW TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION slot_count_changed();

-- Who asked, which is not hashed and leaves with no export. And for whoever is limited, what was counted under their
-- row's lock before the decision, and the limit: a replay takes both as given.
ALTER TABLE ledger
    ADD COLUMN caller text,
    ADD COLUMN counted integer,
    ADD COLUMN counted_limit integer;

-- migrate: rollback

ALTER TABLE ledger DROP COLUMN caller, DROP COLUMN counted, DROP COLUMN counted_limit;

DROP TRIGGER slot_count_changed ON booking;

DROP TRIGGER slot_count_taken ON booking;

DROP FUNCTION slot_count_changed();

DROP FUNCTION slot_count_taken();

-- Without slots there is no place for their seats, nor for the time they claim.
DELETE FROM booking WHERE slot IS NOT NULL;

-- A table with checks that are still to come cannot be altered.
SET CONSTRAINTS ALL IMMEDIATE;

DROP INDEX booking_slot;

DROP INDEX booking_caller;

DROP INDEX booking_one_seat;

DROP INDEX booking_shared_during, booking_start, booking_one_claim_of_occurrence;

ALTER TABLE booking
    DROP CONSTRAINT booking_no_overlap,
    DROP CONSTRAINT booking_exclusive_places,
    DROP COLUMN live,
    DROP COLUMN slot;

ALTER TABLE booking
    ADD COLUMN live boolean NOT NULL GENERATED ALWAYS AS (status = 'confirmed') STORED,
    ADD CONSTRAINT booking_no_overlap EXCLUDE USING gist (resource WITH =, during WITH &&) WHERE (live AND exclusive),
    ADD CONSTRAINT booking_exclusive_places CHECK (places = 1 OR NOT (live AND exclusive));

CREATE INDEX booking_shared_during ON booking USING gist (resource, during) WHERE (live AND NOT exclusive);

CREATE INDEX booking_start ON booking (resource, live, lower(during));

CREATE UNIQUE INDEX booking_one_claim_of_occurrence ON booking (series, occurrence)
    WHERE series IS NOT NULL AND live;

DROP TABLE slot, slot_rule;

DROP INDEX resource_one_calendar;

ALTER TABLE resource DROP COLUMN kind, DROP COLUMN owner;

ALTER TABLE installation DROP COLUMN operator_code_hash, DROP COLUMN production;

DROP TABLE audit, api_key, refresh_token, session, person;

DROP FUNCTION audit_append_only();
