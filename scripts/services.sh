#!/bin/sh
# Sees to it that the servers are there which the tests talk to, from Debian: mosquitto (MQTT) and Prometheus's Alertmanager
# for alerts; PostgreSQL, pgbouncer and ip (regions as network namespaces) for the fleet. Safe to run again and again.
set -eu
PATH=$PATH:/usr/sbin:/sbin

say() { printf '%s\n' "$*" >&2; }

missing=""
command -v mosquitto >/dev/null || missing="$missing mosquitto"
command -v prometheus-alertmanager >/dev/null || command -v alertmanager >/dev/null || missing="$missing prometheus-alertmanager"
# Debian keeps PostgreSQL's server out of PATH, under its version.
command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
command -v pgbouncer >/dev/null || missing="$missing pgbouncer"
command -v ip >/dev/null || missing="$missing iproute2"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  say "installing$missing (apt-get) ..."
  export DEBIAN_FRONTEND=noninteractive
  # The packages would start servers of their own, on the ports that everybody expects them on. The tests start theirs.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
  fi
  # shellcheck disable=SC2086  # the names are words
  { apt-get update -q && apt-get install -y -q --no-install-recommends $missing; } >/tmp/probe-services.log 2>&1 || {
    say "that failed: see /tmp/probe-services.log"
    exit 1
  }
else
  say "the tests of alerts and of the fleet need$missing: apt-get install$missing"
  exit 1
fi
