-- The live claims of a resource in order of start, and what a capacity that falls must hold.

-- migrate: apply

-- The live claims of a resource in order of start: the first of a time are found without the others
-- (claims_exclusive, availability), and all rows of one resource when its kind changes and the foreign key takes
-- them along. With live before the start, what was cancelled is not walked through; without a predicate, as the
-- foreign key looks for rows of every status.
CREATE INDEX booking_start ON booking (resource, live, lower(during));

-- A capacity that falls must hold from now on: what has passed was held against the capacity of its time, and
-- nobody can cancel it any more. Now is not before the instant at which the change was decided, so this never
-- refuses what the rules granted. That a resource with one place never had two live bookings at once is still
-- asked of all time: booking_no_overlap sees to it when the foreign key takes them along.
CREATE OR REPLACE FUNCTION resource_capacity_kept() RETURNS trigger
LANGUAGE plpgsql
SET search_path = public, pg_temp
AS $function$
BEGIN
    PERFORM booking_refuse_excess(
        ARRAY[NEW.id],
        ARRAY[tstzmultirange(tstzrange(greatest(clock_timestamp(), NEW.last_decided_at), NULL))]
    );
    RETURN NULL;
END
$function$;

-- migrate: rollback

CREATE OR REPLACE FUNCTION resource_capacity_kept() RETURNS trigger
LANGUAGE plpgsql
SET search_path = public, pg_temp
AS $function$
BEGIN
    PERFORM booking_refuse_excess(ARRAY[NEW.id], ARRAY['{(,)}'::tstzmultirange]);
    RETURN NULL;
END
$function$;

DROP INDEX booking_start;
