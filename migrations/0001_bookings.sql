-- Resources, their bookings, the ledger, idempotency keys and dead letters.
--
-- Two rules hold here whatever the code above does:
--   live bookings of an exclusive resource never overlap         booking_no_overlap
--   a resource never has more places taken than its capacity     booking_within_capacity
-- Every object stands in the schema public. Nothing here is newer than PostgreSQL 15.

-- migrate: apply

-- Equality of a bigint inside a GiST index. It is a trusted extension: the owner of the database may make it.
CREATE EXTENSION IF NOT EXISTS btree_gist WITH SCHEMA public;

-- Properties of the installation: one row, never more.
CREATE TABLE installation (
    singleton boolean NOT NULL DEFAULT true,
    booking_mode text,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT installation_pkey PRIMARY KEY (singleton),
    CONSTRAINT installation_singleton CHECK (singleton),
    CONSTRAINT installation_booking_mode CHECK (booking_mode IN ('queue', 'direct'))
);

-- What can be booked. The room that fillfactor leaves keeps the rise of last_ticket, once in every batch,
-- on the row's own page and out of the indexes.
CREATE TABLE resource (
    id bigint GENERATED ALWAYS AS IDENTITY,
    resource_id text NOT NULL,
    name text NOT NULL,
    time_zone text NOT NULL,
    capacity integer NOT NULL,
    initial_capacity integer NOT NULL,
    exclusive boolean NOT NULL GENERATED ALWAYS AS (capacity = 1) STORED,
    last_ticket bigint NOT NULL DEFAULT 0,
    last_row_hash bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex'),
    last_decided_at timestamptz NOT NULL DEFAULT now(),
    memory_id text,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT resource_pkey PRIMARY KEY (id),
    CONSTRAINT resource_resource_id_key UNIQUE (resource_id),
    CONSTRAINT resource_id_exclusive_key UNIQUE (id, exclusive),
    CONSTRAINT resource_resource_id_length CHECK (char_length(resource_id) BETWEEN 1 AND 255),
    CONSTRAINT resource_name_length CHECK (char_length(name) BETWEEN 1 AND 255),
    CONSTRAINT resource_capacity_range CHECK (capacity BETWEEN 1 AND 1000000),
    CONSTRAINT resource_initial_capacity_range CHECK (initial_capacity BETWEEN 1 AND 1000000),
    CONSTRAINT resource_last_ticket_range CHECK (last_ticket >= 0),
    CONSTRAINT resource_last_row_hash_length CHECK (octet_length(last_row_hash) = 32),
    CONSTRAINT resource_version_range CHECK (version >= 1)
) WITH (fillfactor = 70);

-- One claim for an interval. It counts only while it is live. exclusive is the resource's own: the composite
-- foreign key holds it to that, so a constraint on this table can tell the two kinds of resource apart.
CREATE TABLE booking (
    id uuid NOT NULL,
    resource bigint NOT NULL,
    exclusive boolean NOT NULL,
    during tstzrange NOT NULL,
    places integer NOT NULL,
    status text NOT NULL,
    live boolean NOT NULL GENERATED ALWAYS AS (status = 'confirmed') STORED,
    caller text NOT NULL,
    ticket bigint NOT NULL,
    request_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    cancellation_reason text,
    rescheduled_to uuid,
    rescheduled_from uuid,
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT booking_pkey PRIMARY KEY (id),
    CONSTRAINT booking_resource_fkey FOREIGN KEY (resource, exclusive)
        REFERENCES resource (id, exclusive) ON UPDATE CASCADE,
    CONSTRAINT booking_rescheduled_to_fkey FOREIGN KEY (rescheduled_to)
        REFERENCES booking (id) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT booking_no_overlap EXCLUDE USING gist (resource WITH =, during WITH &&) WHERE (live AND exclusive),
    -- lower() and upper() of an unbounded range are null, which a check lets pass: so both are asked for.
    CONSTRAINT booking_during_bounds CHECK (
        NOT isempty(during) AND lower_inc(during) AND NOT upper_inc(during)
        AND NOT lower_inf(during) AND NOT upper_inf(during)
        AND isfinite(lower(during)) AND isfinite(upper(during))
    ),
    CONSTRAINT booking_places_range CHECK (places >= 1),
    -- Only while it is live: what was cancelled must not stand in the way when a class becomes a room.
    CONSTRAINT booking_exclusive_places CHECK (places = 1 OR NOT (live AND exclusive)),
    CONSTRAINT booking_status CHECK (status IN ('confirmed', 'cancelled', 'rescheduled')),
    CONSTRAINT booking_ended_at CHECK ((ended_at IS NULL) = (status = 'confirmed')),
    CONSTRAINT booking_rescheduled_to CHECK ((rescheduled_to IS NOT NULL) = (status = 'rescheduled')),
    CONSTRAINT booking_ticket_range CHECK (ticket >= 1),
    CONSTRAINT booking_cancellation_reason_length CHECK (char_length(cancellation_reason) <= 2000),
    CONSTRAINT booking_version_range CHECK (version >= 1)
);

CREATE INDEX booking_shared_during ON booking USING gist (resource, during) WHERE (live AND NOT exclusive);

-- Every ticket with its one outcome, each row chained to the one before by its hash.
CREATE TABLE ledger (
    resource bigint NOT NULL,
    ticket bigint NOT NULL,
    request_id uuid NOT NULL,
    kind text NOT NULL,
    start_time timestamptz,
    end_time timestamptz,
    places integer,
    capacity integer,
    subject uuid,
    outcome text NOT NULL,
    reason text,
    booking uuid,
    clashes uuid[] NOT NULL DEFAULT '{}',
    first_ticket bigint,
    joined_at timestamptz NOT NULL,
    decided_at timestamptz NOT NULL,
    row_hash bytea NOT NULL,
    CONSTRAINT ledger_pkey PRIMARY KEY (resource, ticket),
    CONSTRAINT ledger_ticket_range CHECK (ticket >= 1),
    CONSTRAINT ledger_outcome CHECK (outcome IN ('confirmed', 'refused', 'failed', 'withdrawn', 'repeated')),
    CONSTRAINT ledger_first_ticket CHECK ((first_ticket IS NOT NULL) = (outcome = 'repeated')),
    CONSTRAINT ledger_row_hash_length CHECK (octet_length(row_hash) = 32)
);

CREATE INDEX ledger_request_id ON ledger (request_id);

-- What a caller's key stood for: the same key finds the same outcome again.
CREATE TABLE idempotency (
    caller text NOT NULL,
    key text NOT NULL,
    body_hash bytea NOT NULL,
    request_id uuid NOT NULL,
    resource bigint,
    ticket bigint,
    answer jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT idempotency_pkey PRIMARY KEY (caller, key)
);

-- Rows come in order of time and leave in order of time: a block range index serves the sweep and costs nothing.
CREATE INDEX idempotency_created_at ON idempotency USING brin (created_at);

-- Commands that the engine gave up on, as they stood in the queue.
CREATE TABLE dead_letter (
    resource bigint NOT NULL,
    ticket bigint NOT NULL,
    request_id uuid NOT NULL,
    command bytea NOT NULL,
    error text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT dead_letter_pkey PRIMARY KEY (resource, ticket)
);

-- The first instant in the given spans of shared resources at which more places are taken than there are.
-- resources  each at most once
-- spans      what to look at of each, in the same order
-- One sweep over the live bookings that meet a span: use rises at a start and falls at an end. Boundaries of
-- one instant are peers in the window, so a booking that ends where another begins does not count with it.
-- Outside its span the sum of a resource misses bookings: it is too low there, never too high.
-- OFFSET 0 and the settings hold the planner to one look into booking_shared_during for each resource, also
-- while the table has no statistics, or statistics from before a launch.
CREATE FUNCTION booking_over_capacity(resources bigint[], spans tstzmultirange[])
RETURNS TABLE (resource bigint, instant timestamptz, taken bigint, capacity integer)
LANGUAGE plpgsql STABLE
SET search_path = public, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
AS $function$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT usage.resource, usage.instant, usage.taken, usage.capacity
    FROM (
        SELECT touched.resource, boundary.instant,
            sum(boundary.change) OVER (PARTITION BY touched.resource ORDER BY boundary.instant),
            resource.capacity
        FROM unnest(resources, spans) AS touched (resource, span)
        JOIN resource ON resource.id = touched.resource
        CROSS JOIN LATERAL (
            SELECT booking.during, booking.places
            FROM booking
            WHERE booking.resource = touched.resource AND booking.during && touched.span
                AND booking.live AND NOT booking.exclusive
            OFFSET 0
        ) AS standing
        CROSS JOIN LATERAL (
            VALUES (lower(standing.during), standing.places), (upper(standing.during), - standing.places)
        ) AS boundary (instant, change)
    ) AS usage (resource, instant, taken, capacity)
    WHERE usage.taken > usage.capacity
    ORDER BY usage.resource, usage.instant
    LIMIT 1;
END
$function$;

-- Refuse the change that the calling trigger guards, where a resource is over its capacity.
-- A statement that waited for the lock sees what was committed before it, and so counts right, only where
-- each statement has a snapshot of its own: hence no level above READ COMMITTED.
CREATE FUNCTION booking_refuse_excess(resources bigint[], spans tstzmultirange[]) RETURNS void
LANGUAGE plpgsql
SET search_path = public, pg_temp
AS $function$
DECLARE
    excess record;
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION 'places of a resource can only be counted under READ COMMITTED'
            USING ERRCODE = 'invalid_transaction_state';
    END IF;
    PERFORM FROM resource WHERE id = ANY (resources) ORDER BY id FOR NO KEY UPDATE;
    SELECT * INTO excess FROM booking_over_capacity(resources, spans);
    IF FOUND THEN
        RAISE EXCEPTION 'resource % has % places, but % would be taken at %',
                excess.resource, excess.capacity, excess.taken, excess.instant
            USING ERRCODE = 'exclusion_violation', CONSTRAINT = 'booking_within_capacity',
                SCHEMA = 'public', TABLE = 'booking';
    END IF;
END
$function$;

-- Only what stands after the statement can be too much: rows that went, or are no longer live, only free places.
CREATE FUNCTION booking_within_capacity() RETURNS trigger
LANGUAGE plpgsql
SET search_path = public, pg_temp
AS $function$
DECLARE
    resources bigint[];
    spans tstzmultirange[];
BEGIN
    SELECT array_agg(claim.resource), array_agg(claim.span) INTO resources, spans
    FROM (
        SELECT touched.resource, range_agg(touched.during)
        FROM touched
        WHERE touched.live AND NOT touched.exclusive
        GROUP BY touched.resource
    ) AS claim (resource, span);
    IF resources IS NOT NULL THEN
        PERFORM booking_refuse_excess(resources, spans);
    END IF;
    RETURN NULL;
END
$function$;

CREATE TRIGGER booking_within_capacity_insert AFTER INSERT ON booking
    REFERENCING NEW TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION booking_within_capacity();

-- A trigger with a transition table cannot have a column list.
CREATE TRIGGER booking_within_capacity_update AFTER UPDATE ON booking
    REFERENCING NEW TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION booking_within_capacity();

CREATE FUNCTION resource_capacity_kept() RETURNS trigger
LANGUAGE plpgsql
SET search_path = public, pg_temp
AS $function$
BEGIN
    PERFORM booking_refuse_excess(ARRAY[NEW.id], ARRAY['{(,)}'::tstzmultirange]);
    RETURN NULL;
END
$function$;

-- For each row, and only where the capacity falls: every batch updates this table, and must not pay for it.
CREATE TRIGGER resource_capacity_kept AFTER UPDATE ON resource
    FOR EACH ROW WHEN (NEW.capacity < OLD.capacity) EXECUTE FUNCTION resource_capacity_kept();

CREATE FUNCTION ledger_append_only() RETURNS trigger
LANGUAGE plpgsql
SET search_path = public, pg_temp
AS $function$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only: % is refused', TG_OP
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'ledger_append_only',
            SCHEMA = 'public', TABLE = 'ledger';
END
$function$;

CREATE TRIGGER ledger_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only();

-- migrate: rollback

DROP TABLE dead_letter, idempotency, ledger, booking, resource, installation;

DROP FUNCTION ledger_append_only();

DROP FUNCTION resource_capacity_kept();

DROP FUNCTION booking_within_capacity();

DROP FUNCTION booking_refuse_excess(bigint[], tstzmultirange[]);

DROP FUNCTION booking_over_capacity(bigint[], tstzmultirange[]);

-- The extension stays: it may have been there before, and others may use it.
