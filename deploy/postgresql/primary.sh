#!/bin/sh
# Let a replica stream from this primary: its role, its slot, its line in pg_hba.conf.
# Run once, by the image's own entrypoint, when the cluster has been made; running it again does no harm.
# REPLICA_PASSWORD, POSTGRES_USER, POSTGRES_DB, PGDATA; REPLICA_NAME is the name of role and slot.
set -eu
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" \
    --set=name="${REPLICA_NAME:-replica}" <<'SQL' >/dev/null
\getenv password REPLICA_PASSWORD
SELECT format('CREATE ROLE %I LOGIN REPLICATION', :'name')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'name') \gexec
SELECT format('ALTER ROLE %I PASSWORD %L', :'name', :'password') \gexec
SELECT pg_create_physical_replication_slot(:'name', true)
WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = :'name');
SQL
line="host replication \"${REPLICA_NAME:-replica}\" samenet scram-sha-256"
grep -qxF "$line" "$PGDATA/pg_hba.conf" || echo "$line" >>"$PGDATA/pg_hba.conf"
