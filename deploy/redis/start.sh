#!/bin/sh
# Start the server with its password, which stands in a file that only its user reads, not among the arguments.
# $1 the settings; further arguments go to the server.  REDIS_PASSWORD
set -eu
settings="${TMPDIR:-/tmp}/redis.conf"
umask 077
{ cat "$1"; printf 'requirepass %s\n' "$REDIS_PASSWORD"; } >"$settings"
shift
exec valkey-server "$settings" "$@"
