CREATE EXTENSION btree_gist;

CREATE TABLE api_key (
    id uuid NOT NULL,
    person uuid NOT NULL,
    name text,
    hash bytea NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamp with time zone NOT NULL DEFAULT now(),
    expires_at timestamp with time zone,
    ended_at timestamp with time zone,
    CONSTRAINT api_key_hash_length CHECK ((octet_length(hash) = 32)),
    CONSTRAINT api_key_name_length CHECK (((char_length(name) >= 1) AND (char_length(name) <= 255))),
    CONSTRAINT api_key_scopes CHECK ((cardinality(scopes) >= 1)),
    CONSTRAINT api_key_person_fkey FOREIGN KEY (person) REFERENCES person(id),
    CONSTRAINT api_key_pkey PRIMARY KEY (id),
    CONSTRAINT api_key_hash_key UNIQUE (hash)
);

CREATE INDEX api_key_person ON public.api_key USING btree (person, id);

CREATE VIEW attempt (
    resource bigint,
    decided_at timestamp with time zone,
    quarter timestamp with time zone,
    result text
);

CREATE TABLE attempt_count (
    quarter timestamp with time zone NOT NULL,
    resource bigint NOT NULL,
    result text NOT NULL,
    attempts bigint NOT NULL,
    CONSTRAINT attempt_count_pkey PRIMARY KEY (quarter, resource, result) INCLUDE (attempts)
);

CREATE TABLE attempt_month (
    month timestamp with time zone NOT NULL,
    result text NOT NULL,
    attempts bigint NOT NULL,
    CONSTRAINT attempt_month_pkey PRIMARY KEY (month, result) INCLUDE (attempts)
);

CREATE TABLE attempt_total (
    quarter timestamp with time zone NOT NULL,
    result text NOT NULL,
    attempts bigint NOT NULL,
    CONSTRAINT attempt_total_pkey PRIMARY KEY (quarter, result) INCLUDE (attempts)
);

CREATE INDEX attempt_total_booked ON public.attempt_total USING btree (quarter) INCLUDE (attempts) WHERE (result = 'booked'::text);

CREATE TABLE audit (
    id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL,
    action text NOT NULL,
    subject text,
    outcome text NOT NULL,
    tag text,
    address text,
    detail text,
    CONSTRAINT audit_detail_length CHECK ((char_length(detail) <= 2000)),
    CONSTRAINT audit_outcome CHECK ((outcome = ANY (ARRAY['done'::text, 'refused'::text]))),
    CONSTRAINT audit_pkey PRIMARY KEY (id)
);

CREATE INDEX audit_actor ON public.audit USING btree (actor, id);

CREATE INDEX audit_at ON public.audit USING btree (at, id);

CREATE INDEX audit_subject ON public.audit USING btree (subject, id) WHERE (subject IS NOT NULL);

CREATE TRIGGER audit_append_only BEFORE DELETE OR UPDATE ON public.audit FOR EACH ROW EXECUTE FUNCTION audit_append_only();

CREATE TRIGGER audit_not_emptied BEFORE TRUNCATE ON public.audit FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only();

CREATE TABLE booking (
    id uuid NOT NULL,
    resource bigint NOT NULL,
    exclusive boolean NOT NULL,
    during tstzrange NOT NULL,
    places integer NOT NULL,
    status text NOT NULL,
    caller text NOT NULL,
    ticket bigint NOT NULL,
    request_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    cancellation_reason text,
    rescheduled_to uuid,
    rescheduled_from uuid,
    version integer NOT NULL DEFAULT 1,
    series uuid,
    occurrence timestamp with time zone,
    slot uuid,
    live boolean NOT NULL GENERATED ALWAYS AS (((status = 'confirmed'::text) AND COALESCE((slot = id), true))) STORED,
    CONSTRAINT booking_cancellation_reason_length CHECK ((char_length(cancellation_reason) <= 2000)),
    CONSTRAINT booking_during_bounds CHECK (((NOT isempty(during)) AND lower_inc(during) AND (NOT upper_inc(during)) AND (NOT lower_inf(during)) AND (NOT upper_inf(during)) AND isfinite(lower(during)) AND isfinite(upper(during)))),
    CONSTRAINT booking_ended_at CHECK (((ended_at IS NULL) = (status = 'confirmed'::text))),
    CONSTRAINT booking_exclusive_places CHECK (((places = 1) OR (NOT (live AND exclusive)))),
    CONSTRAINT booking_occurrence CHECK (((series IS NULL) = (occurrence IS NULL))),
    CONSTRAINT booking_places_range CHECK ((places >= 1)),
    CONSTRAINT booking_rescheduled_to CHECK (((rescheduled_to IS NOT NULL) = (status = 'rescheduled'::text))),
    CONSTRAINT booking_slot_or_series CHECK (((slot IS NULL) OR (series IS NULL))),
    CONSTRAINT booking_slot_places CHECK (((slot IS NULL) OR (places = 1))),
    CONSTRAINT booking_status CHECK (((status = ANY (ARRAY['confirmed'::text, 'cancelled'::text, 'rescheduled'::text])) OR ((status = 'clashed'::text) AND (series IS NOT NULL)))),
    CONSTRAINT booking_ticket_range CHECK ((ticket >= 1)),
    CONSTRAINT booking_version_range CHECK ((version >= 1)),
    CONSTRAINT booking_rescheduled_to_fkey FOREIGN KEY (rescheduled_to) REFERENCES booking(id) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT booking_resource_fkey FOREIGN KEY (resource, exclusive) REFERENCES resource(id, exclusive) ON UPDATE CASCADE,
    CONSTRAINT booking_series_fkey FOREIGN KEY (series, resource) REFERENCES series(id, resource),
    CONSTRAINT booking_slot_fkey FOREIGN KEY (slot, resource) REFERENCES slot(id, resource),
    CONSTRAINT booking_pkey PRIMARY KEY (id),
    CONSTRAINT booking_no_overlap EXCLUDE USING gist (resource WITH =, during WITH &&) WHERE ((live AND exclusive))
);

CREATE INDEX booking_caller ON public.booking USING btree (caller, upper(during), id) WHERE ((caller <> 'anonymous'::text) AND COALESCE((slot <> id), true));

CREATE INDEX booking_cancelled ON public.booking USING btree (ended_at) WHERE ((status = 'cancelled'::text) AND (series IS NULL));

CREATE UNIQUE INDEX booking_one_claim_of_occurrence ON public.booking USING btree (series, occurrence) WHERE ((series IS NOT NULL) AND live);

CREATE UNIQUE INDEX booking_one_seat ON public.booking USING btree (slot, caller) WHERE ((slot <> id) AND (status = 'confirmed'::text) AND (caller <> 'anonymous'::text));

CREATE INDEX booking_series ON public.booking USING btree (series, occurrence) WHERE (series IS NOT NULL);

CREATE INDEX booking_shared_during ON public.booking USING gist (resource, during) WHERE (live AND (NOT exclusive));

CREATE INDEX booking_slot ON public.booking USING btree (slot, id) WHERE (slot <> id);

CREATE INDEX booking_start ON public.booking USING btree (resource, live, lower(during));

CREATE TRIGGER booking_within_capacity_insert AFTER INSERT ON public.booking REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION booking_within_capacity();

CREATE TRIGGER booking_within_capacity_update AFTER UPDATE ON public.booking REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION booking_within_capacity();

CREATE TRIGGER slot_count_changed AFTER UPDATE ON public.booking REFERENCING OLD TABLE AS before NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION slot_count_changed();

CREATE TRIGGER slot_count_taken AFTER INSERT ON public.booking REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION slot_count_taken();

CREATE VIEW cancellation (
    ended_at timestamp with time zone,
    quarter timestamp with time zone
);

CREATE TABLE dead_letter (
    resource bigint NOT NULL,
    ticket bigint NOT NULL,
    request_id uuid NOT NULL,
    command bytea NOT NULL,
    error text NOT NULL,
    created_at timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT dead_letter_pkey PRIMARY KEY (resource, ticket)
);

CREATE TABLE fold (
    singleton boolean NOT NULL DEFAULT true,
    folded_until timestamp with time zone NOT NULL,
    next_until timestamp with time zone,
    next_transaction bigint,
    CONSTRAINT fold_next CHECK (((next_until IS NULL) = (next_transaction IS NULL))),
    CONSTRAINT fold_singleton CHECK (singleton),
    CONSTRAINT fold_pkey PRIMARY KEY (singleton)
);

CREATE TABLE host_month (
    month timestamp with time zone NOT NULL,
    host text NOT NULL,
    bookings bigint NOT NULL,
    CONSTRAINT host_month_pkey PRIMARY KEY (month, host) INCLUDE (bookings)
);

CREATE TABLE idempotency (
    caller text NOT NULL,
    key text NOT NULL,
    body_hash bytea NOT NULL,
    request_id uuid NOT NULL,
    resource bigint,
    ticket bigint,
    answer jsonb,
    created_at timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT idempotency_pkey PRIMARY KEY (caller, key)
);

CREATE INDEX idempotency_created_at ON public.idempotency USING brin (created_at);

CREATE TABLE installation (
    singleton boolean NOT NULL DEFAULT true,
    booking_mode text,
    created_at timestamp with time zone NOT NULL DEFAULT now(),
    operator_code_hash bytea,
    production boolean NOT NULL DEFAULT false,
    CONSTRAINT installation_booking_mode CHECK ((booking_mode = ANY (ARRAY['queue'::text, 'direct'::text]))),
    CONSTRAINT installation_singleton CHECK (singleton),
    CONSTRAINT installation_pkey PRIMARY KEY (singleton)
);

CREATE TABLE ledger (
    resource bigint NOT NULL,
    ticket bigint NOT NULL,
    request_id uuid NOT NULL,
    kind text NOT NULL,
    start_time timestamp with time zone,
    end_time timestamp with time zone,
    places integer,
    capacity integer,
    subject uuid,
    outcome text NOT NULL,
    reason text,
    booking uuid,
    clashes uuid[] NOT NULL DEFAULT '{}'::uuid[],
    first_ticket bigint,
    joined_at timestamp with time zone NOT NULL,
    decided_at timestamp with time zone NOT NULL,
    row_hash bytea NOT NULL,
    detail bytea,
    caller text,
    counted integer,
    counted_limit integer,
    CONSTRAINT ledger_first_ticket CHECK (((first_ticket IS NOT NULL) = (outcome = 'repeated'::text))),
    CONSTRAINT ledger_outcome CHECK ((outcome = ANY (ARRAY['confirmed'::text, 'refused'::text, 'failed'::text, 'withdrawn'::text, 'repeated'::text]))),
    CONSTRAINT ledger_row_hash_length CHECK ((octet_length(row_hash) = 32)),
    CONSTRAINT ledger_ticket_range CHECK ((ticket >= 1)),
    CONSTRAINT ledger_pkey PRIMARY KEY (resource, ticket)
);

CREATE INDEX ledger_change ON public.ledger USING btree (subject, ticket) WHERE ((subject IS NOT NULL) AND (outcome = 'confirmed'::text) AND (kind <> 'book_seat'::text));

CREATE INDEX ledger_decided_at ON public.ledger USING btree (decided_at);

CREATE INDEX ledger_request_id ON public.ledger USING btree (request_id);

CREATE TRIGGER ledger_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.ledger FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only();

CREATE TABLE person (
    id uuid NOT NULL,
    email text,
    email_key text,
    name text,
    time_zone text NOT NULL,
    roles text[] NOT NULL,
    password_hash text,
    created_at timestamp with time zone NOT NULL DEFAULT now(),
    erased_at timestamp with time zone,
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT person_email_key CHECK (((email_key IS NULL) = (email IS NULL))),
    CONSTRAINT person_email_length CHECK (((char_length(email) >= 3) AND (char_length(email) <= 254))),
    CONSTRAINT person_erased CHECK (
CASE
    WHEN (erased_at IS NULL) THEN ((email IS NOT NULL) AND (name IS NOT NULL))
    ELSE ((email IS NULL) AND (name IS NULL) AND (password_hash IS NULL))
END),
    CONSTRAINT person_name_length CHECK (((char_length(name) >= 1) AND (char_length(name) <= 255))),
    CONSTRAINT person_roles CHECK (((roles <@ '{guest,host,operator}'::text[]) AND (cardinality(roles) >= 1))),
    CONSTRAINT person_version_range CHECK ((version >= 1)),
    CONSTRAINT person_pkey PRIMARY KEY (id),
    CONSTRAINT person_email_key_key UNIQUE (email_key)
);

CREATE TABLE refresh_token (
    hash bytea NOT NULL,
    session uuid NOT NULL,
    issued_at timestamp with time zone NOT NULL DEFAULT now(),
    used_at timestamp with time zone,
    CONSTRAINT refresh_token_hash_length CHECK ((octet_length(hash) = 32)),
    CONSTRAINT refresh_token_session_fkey FOREIGN KEY (session) REFERENCES session(id) ON DELETE CASCADE,
    CONSTRAINT refresh_token_pkey PRIMARY KEY (hash)
);

CREATE INDEX refresh_token_session ON public.refresh_token USING btree (session);

CREATE TABLE resource (
    id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    resource_id text NOT NULL,
    name text NOT NULL,
    time_zone text NOT NULL,
    capacity integer NOT NULL,
    initial_capacity integer NOT NULL,
    exclusive boolean NOT NULL GENERATED ALWAYS AS ((capacity = 1)) STORED,
    last_ticket bigint NOT NULL DEFAULT 0,
    last_row_hash bytea NOT NULL DEFAULT decode(repeat('00'::text, 32), 'hex'::text),
    last_decided_at timestamp with time zone NOT NULL DEFAULT now(),
    memory_id text,
    version integer NOT NULL DEFAULT 1,
    created_at timestamp with time zone NOT NULL DEFAULT now(),
    series_horizon timestamp with time zone,
    kind text NOT NULL DEFAULT 'resource'::text,
    owner text,
    CONSTRAINT resource_calendar_owner CHECK (((kind <> 'calendar'::text) OR ((owner IS NOT NULL) AND (capacity = 1)))),
    CONSTRAINT resource_capacity_range CHECK (((capacity >= 1) AND (capacity <= 1000000))),
    CONSTRAINT resource_initial_capacity_range CHECK (((initial_capacity >= 1) AND (initial_capacity <= 1000000))),
    CONSTRAINT resource_kind CHECK ((kind = ANY (ARRAY['resource'::text, 'calendar'::text, 'event'::text]))),
    CONSTRAINT resource_last_row_hash_length CHECK ((octet_length(last_row_hash) = 32)),
    CONSTRAINT resource_last_ticket_range CHECK ((last_ticket >= 0)),
    CONSTRAINT resource_name_length CHECK (((char_length(name) >= 1) AND (char_length(name) <= 255))),
    CONSTRAINT resource_resource_id_length CHECK (((char_length(resource_id) >= 1) AND (char_length(resource_id) <= 255))),
    CONSTRAINT resource_version_range CHECK ((version >= 1)),
    CONSTRAINT resource_pkey PRIMARY KEY (id),
    CONSTRAINT resource_id_exclusive_key UNIQUE (id, exclusive),
    CONSTRAINT resource_resource_id_key UNIQUE (resource_id)
) WITH (fillfactor=70);

CREATE INDEX resource_listed ON public.resource USING btree (id) WHERE (kind = 'resource'::text);

CREATE UNIQUE INDEX resource_one_calendar ON public.resource USING btree (owner) WHERE (kind = 'calendar'::text);

CREATE TRIGGER resource_capacity_kept AFTER UPDATE ON public.resource FOR EACH ROW WHEN ((new.capacity < old.capacity)) EXECUTE FUNCTION resource_capacity_kept();

CREATE TABLE schema_migration (
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT schema_migration_pkey PRIMARY KEY (name)
);

CREATE TABLE series (
    id uuid NOT NULL,
    resource bigint NOT NULL,
    wall_clock timestamp without time zone NOT NULL,
    time_zone text NOT NULL,
    length_ms bigint NOT NULL,
    rule text,
    extra timestamp with time zone[] NOT NULL DEFAULT '{}'::timestamp with time zone[],
    excluded timestamp with time zone[] NOT NULL DEFAULT '{}'::timestamp with time zone[],
    places integer NOT NULL,
    status text NOT NULL,
    materialised_until timestamp with time zone,
    caller text NOT NULL,
    ticket bigint NOT NULL,
    request_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    cancellation_reason text,
    rescheduled_to uuid,
    rescheduled_from uuid,
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT series_cancellation_reason_length CHECK ((char_length(cancellation_reason) <= 2000)),
    CONSTRAINT series_ended_at CHECK (((ended_at IS NULL) = (status = 'confirmed'::text))),
    CONSTRAINT series_excluded_count CHECK ((cardinality(excluded) <= 4000)),
    CONSTRAINT series_extra_count CHECK ((cardinality(extra) <= 1000)),
    CONSTRAINT series_length_range CHECK (((length_ms >= 1) AND (length_ms <= '31622400000'::bigint))),
    CONSTRAINT series_places_range CHECK ((places >= 1)),
    CONSTRAINT series_rescheduled_to CHECK (((rescheduled_to IS NOT NULL) OR (status <> 'rescheduled'::text))),
    CONSTRAINT series_rule_length CHECK (((char_length(rule) >= 1) AND (char_length(rule) <= 2000))),
    CONSTRAINT series_something CHECK (((rule IS NOT NULL) OR (extra <> '{}'::timestamp with time zone[]))),
    CONSTRAINT series_status CHECK ((status = ANY (ARRAY['confirmed'::text, 'cancelled'::text, 'rescheduled'::text]))),
    CONSTRAINT series_ticket_range CHECK ((ticket >= 1)),
    CONSTRAINT series_version_range CHECK ((version >= 1)),
    CONSTRAINT series_rescheduled_to_fkey FOREIGN KEY (rescheduled_to) REFERENCES series(id) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT series_resource_fkey FOREIGN KEY (resource) REFERENCES resource(id),
    CONSTRAINT series_pkey PRIMARY KEY (id),
    CONSTRAINT series_id_resource_key UNIQUE (id, resource)
);

CREATE INDEX series_cancelled ON public.series USING btree (ended_at) WHERE (status = 'cancelled'::text);

CREATE INDEX series_unfinished ON public.series USING btree (resource, materialised_until) WHERE ((status = 'confirmed'::text) AND (materialised_until IS NOT NULL));

CREATE TABLE session (
    id uuid NOT NULL,
    person uuid NOT NULL,
    created_at timestamp with time zone NOT NULL DEFAULT now(),
    expires_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    end_reason text,
    CONSTRAINT session_end CHECK (((ended_at IS NULL) = (end_reason IS NULL))),
    CONSTRAINT session_end_reason CHECK ((end_reason = ANY (ARRAY['logged_out'::text, 'reused'::text, 'erased'::text]))),
    CONSTRAINT session_person_fkey FOREIGN KEY (person) REFERENCES person(id),
    CONSTRAINT session_pkey PRIMARY KEY (id)
);

CREATE INDEX session_person ON public.session USING btree (person) WHERE (ended_at IS NULL);

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
    status text NOT NULL DEFAULT 'open'::text,
    rule uuid,
    created_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT slot_cancelled_free CHECK (((status = 'open'::text) OR (taken = 0))),
    CONSTRAINT slot_capacity_range CHECK (((capacity >= 1) AND (capacity <= 1000000))),
    CONSTRAINT slot_during_bounds CHECK (((NOT isempty(during)) AND lower_inc(during) AND (NOT upper_inc(during)) AND (NOT lower_inf(during)) AND (NOT upper_inf(during)) AND isfinite(lower(during)) AND isfinite(upper(during)))),
    CONSTRAINT slot_ended_at CHECK (((ended_at IS NULL) = (status = 'open'::text))),
    CONSTRAINT slot_initial_capacity_range CHECK (((initial_capacity >= 1) AND (initial_capacity <= 1000000))),
    CONSTRAINT slot_kind CHECK ((kind = ANY (ARRAY['slot'::text, 'event'::text]))),
    CONSTRAINT slot_name CHECK (((name IS NULL) = (kind = 'slot'::text))),
    CONSTRAINT slot_name_length CHECK (((char_length(name) >= 1) AND (char_length(name) <= 255))),
    CONSTRAINT slot_status CHECK ((status = ANY (ARRAY['open'::text, 'cancelled'::text]))),
    CONSTRAINT slot_taken_range CHECK (((taken >= 0) AND (taken <= capacity))),
    CONSTRAINT slot_version_range CHECK ((version >= 1)),
    CONSTRAINT slot_resource_fkey FOREIGN KEY (resource) REFERENCES resource(id),
    CONSTRAINT slot_rule_fkey FOREIGN KEY (rule) REFERENCES slot_rule(id),
    CONSTRAINT slot_pkey PRIMARY KEY (id),
    CONSTRAINT slot_id_resource_key UNIQUE (id, resource)
) WITH (fillfactor=80);

CREATE INDEX slot_event ON public.slot USING btree (lower(during), id) WHERE (kind = 'event'::text);

CREATE INDEX slot_host ON public.slot USING btree (host, lower(during), id);

CREATE INDEX slot_open ON public.slot USING btree (lower(during), id) WHERE ((kind = 'slot'::text) AND (status = 'open'::text) AND (taken < capacity));

CREATE INDEX slot_rule_published ON public.slot USING btree (rule) WHERE (rule IS NOT NULL);

CREATE TABLE slot_rule (
    id uuid NOT NULL,
    resource bigint NOT NULL,
    host text NOT NULL,
    wall_clock timestamp without time zone NOT NULL,
    time_zone text NOT NULL,
    window_ms bigint NOT NULL,
    rule text NOT NULL,
    slot_ms bigint NOT NULL,
    step_ms bigint NOT NULL,
    capacity integer NOT NULL,
    horizon_days integer NOT NULL,
    published_until timestamp with time zone,
    ticket bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT slot_rule_capacity_range CHECK (((capacity >= 1) AND (capacity <= 1000000))),
    CONSTRAINT slot_rule_horizon_range CHECK (((horizon_days >= 1) AND (horizon_days <= 400))),
    CONSTRAINT slot_rule_rule_length CHECK (((char_length(rule) >= 1) AND (char_length(rule) <= 2000))),
    CONSTRAINT slot_rule_slot_range CHECK (((slot_ms >= 60000) AND (step_ms >= slot_ms))),
    CONSTRAINT slot_rule_window_range CHECK (((window_ms >= slot_ms) AND (window_ms <= 86400000))),
    CONSTRAINT slot_rule_resource_fkey FOREIGN KEY (resource) REFERENCES resource(id),
    CONSTRAINT slot_rule_pkey PRIMARY KEY (id)
);

CREATE INDEX slot_rule_due ON public.slot_rule USING btree (published_until) WHERE ((ended_at IS NULL) AND (published_until IS NOT NULL));

CREATE INDEX slot_rule_host ON public.slot_rule USING btree (host, id);

CREATE OR REPLACE FUNCTION public.audit_append_only()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'public', 'pg_temp'
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

CREATE OR REPLACE FUNCTION public.booking_over_capacity(resources bigint[], spans tstzmultirange[])
 RETURNS TABLE(resource bigint, instant timestamp with time zone, taken bigint, capacity integer)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'public', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
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

CREATE OR REPLACE FUNCTION public.booking_refuse_excess(resources bigint[], spans tstzmultirange[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'public', 'pg_temp'
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

CREATE OR REPLACE FUNCTION public.booking_within_capacity()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'public', 'pg_temp'
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

CREATE OR REPLACE FUNCTION public.ledger_append_only()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'public', 'pg_temp'
AS $function$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only: % is refused', TG_OP
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'ledger_append_only',
            SCHEMA = 'public', TABLE = 'ledger';
END
$function$;

CREATE OR REPLACE FUNCTION public.resource_capacity_kept()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'public', 'pg_temp'
AS $function$
BEGIN
    PERFORM booking_refuse_excess(
        ARRAY[NEW.id],
        ARRAY[tstzmultirange(tstzrange(greatest(clock_timestamp(), NEW.last_decided_at), NULL))]
    );
    RETURN NULL;
END
$function$;

CREATE OR REPLACE FUNCTION public.slot_count_changed()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'public', 'pg_temp'
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

CREATE OR REPLACE FUNCTION public.slot_count_taken()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'public', 'pg_temp'
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
