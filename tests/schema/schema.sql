CREATE EXTENSION btree_gist;

CREATE TABLE booking (
    id uuid NOT NULL,
    resource bigint NOT NULL,
    exclusive boolean NOT NULL,
    during tstzrange NOT NULL,
    places integer NOT NULL,
    status text NOT NULL,
    live boolean NOT NULL GENERATED ALWAYS AS ((status = 'confirmed'::text)) STORED,
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
    CONSTRAINT booking_cancellation_reason_length CHECK ((char_length(cancellation_reason) <= 2000)),
    CONSTRAINT booking_during_bounds CHECK (((NOT isempty(during)) AND lower_inc(during) AND (NOT upper_inc(during)) AND (NOT lower_inf(during)) AND (NOT upper_inf(during)) AND isfinite(lower(during)) AND isfinite(upper(during)))),
    CONSTRAINT booking_ended_at CHECK (((ended_at IS NULL) = (status = 'confirmed'::text))),
    CONSTRAINT booking_exclusive_places CHECK (((places = 1) OR (NOT (live AND exclusive)))),
    CONSTRAINT booking_occurrence CHECK (((series IS NULL) = (occurrence IS NULL))),
    CONSTRAINT booking_places_range CHECK ((places >= 1)),
    CONSTRAINT booking_rescheduled_to CHECK (((rescheduled_to IS NOT NULL) = (status = 'rescheduled'::text))),
    CONSTRAINT booking_status CHECK (((status = ANY (ARRAY['confirmed'::text, 'cancelled'::text, 'rescheduled'::text])) OR ((status = 'clashed'::text) AND (series IS NOT NULL)))),
    CONSTRAINT booking_ticket_range CHECK ((ticket >= 1)),
    CONSTRAINT booking_version_range CHECK ((version >= 1)),
    CONSTRAINT booking_rescheduled_to_fkey FOREIGN KEY (rescheduled_to) REFERENCES booking(id) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT booking_resource_fkey FOREIGN KEY (resource, exclusive) REFERENCES resource(id, exclusive) ON UPDATE CASCADE,
    CONSTRAINT booking_series_fkey FOREIGN KEY (series, resource) REFERENCES series(id, resource),
    CONSTRAINT booking_pkey PRIMARY KEY (id),
    CONSTRAINT booking_no_overlap EXCLUDE USING gist (resource WITH =, during WITH &&) WHERE ((live AND exclusive))
);

CREATE UNIQUE INDEX booking_one_claim_of_occurrence ON public.booking USING btree (series, occurrence) WHERE ((series IS NOT NULL) AND live);

CREATE INDEX booking_series ON public.booking USING btree (series, occurrence) WHERE (series IS NOT NULL);

CREATE INDEX booking_shared_during ON public.booking USING gist (resource, during) WHERE (live AND (NOT exclusive));

CREATE INDEX booking_start ON public.booking USING btree (resource, live, lower(during));

CREATE TRIGGER booking_within_capacity_insert AFTER INSERT ON public.booking REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION booking_within_capacity();

CREATE TRIGGER booking_within_capacity_update AFTER UPDATE ON public.booking REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION booking_within_capacity();

CREATE TABLE dead_letter (
    resource bigint NOT NULL,
    ticket bigint NOT NULL,
    request_id uuid NOT NULL,
    command bytea NOT NULL,
    error text NOT NULL,
    created_at timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT dead_letter_pkey PRIMARY KEY (resource, ticket)
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
    CONSTRAINT ledger_first_ticket CHECK (((first_ticket IS NOT NULL) = (outcome = 'repeated'::text))),
    CONSTRAINT ledger_outcome CHECK ((outcome = ANY (ARRAY['confirmed'::text, 'refused'::text, 'failed'::text, 'withdrawn'::text, 'repeated'::text]))),
    CONSTRAINT ledger_row_hash_length CHECK ((octet_length(row_hash) = 32)),
    CONSTRAINT ledger_ticket_range CHECK ((ticket >= 1)),
    CONSTRAINT ledger_pkey PRIMARY KEY (resource, ticket)
);

CREATE INDEX ledger_request_id ON public.ledger USING btree (request_id);

CREATE TRIGGER ledger_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.ledger FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only();

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
    CONSTRAINT resource_capacity_range CHECK (((capacity >= 1) AND (capacity <= 1000000))),
    CONSTRAINT resource_initial_capacity_range CHECK (((initial_capacity >= 1) AND (initial_capacity <= 1000000))),
    CONSTRAINT resource_last_row_hash_length CHECK ((octet_length(last_row_hash) = 32)),
    CONSTRAINT resource_last_ticket_range CHECK ((last_ticket >= 0)),
    CONSTRAINT resource_name_length CHECK (((char_length(name) >= 1) AND (char_length(name) <= 255))),
    CONSTRAINT resource_resource_id_length CHECK (((char_length(resource_id) >= 1) AND (char_length(resource_id) <= 255))),
    CONSTRAINT resource_version_range CHECK ((version >= 1)),
    CONSTRAINT resource_pkey PRIMARY KEY (id),
    CONSTRAINT resource_id_exclusive_key UNIQUE (id, exclusive),
    CONSTRAINT resource_resource_id_key UNIQUE (resource_id)
) WITH (fillfactor=70);

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

CREATE INDEX series_unfinished ON public.series USING btree (resource, materialised_until) WHERE ((status = 'confirmed'::text) AND (materialised_until IS NOT NULL));

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
