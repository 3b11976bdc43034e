#!/bin/sh
# Be a streaming replica: copy the primary the first time, then serve. Arguments go to the server.
# The copy is made under another name and renamed when it is whole, so that a start that was cut off is made again.
# PRIMARY_HOST, PRIMARY_PORT, REPLICA_PASSWORD, PGDATA; REPLICA_NAME is the name of role and slot.
set -eu
name="${REPLICA_NAME:-replica}"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    making="$PGDATA.making"
    rm -rf "$making"
    mkdir -p "$(dirname "$PGDATA")"
    PGPASSWORD="$REPLICA_PASSWORD" pg_basebackup --host="$PRIMARY_HOST" --port="$PRIMARY_PORT" --username="$name" \
        --no-password --slot="$name" --wal-method=stream --checkpoint=fast --write-recovery-conf --pgdata="$making"
    if [ -d "$PGDATA" ]; then rmdir "$PGDATA"; fi
    mv "$making" "$PGDATA"
fi
exec postgres "$@"
