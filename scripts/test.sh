#!/bin/sh
# What `make test` runs, after set-up: in three parts beside each other, so that what computes and what waits for real
# processes, databases and networks share the time.
set -eu
cd "$(dirname "$0")/.."
sh scripts/services.sh
.venv/bin/python -m ruff check .
.venv/bin/python -m ruff format --check .
.venv/bin/lint-imports
.venv/bin/python -m mypy
rm -f .coverage .coverage.*
if [ "$#" -gt 0 ]; then
    .venv/bin/python -m coverage run -m pytest "$@"
else
    logs=$(mktemp -d)
    computing="tests/backtest tests/cli tests/config tests/core tests/engine tests/net tests/notifiers tests/simulation tests/store"
    waiting="tests/fleet tests/lab tests/worker"
    # shellcheck disable=SC2086  # they are several
    .venv/bin/python -m coverage run -m pytest $computing >"$logs/computing" 2>&1 &
    one=$!
    # shellcheck disable=SC2086  # they are several
    .venv/bin/python -m coverage run -m pytest $waiting >"$logs/waiting" 2>&1 &
    two=$!
    failed=0
    # shellcheck disable=SC2046,SC2086  # each is an option of its own
    .venv/bin/python -m coverage run -m pytest tests $(printf -- '--ignore=%s ' $computing $waiting) || failed=1
    wait "$one" || failed=1
    wait "$two" || failed=1
    cat "$logs/computing" "$logs/waiting"
    rm -rf "$logs"
    [ "$failed" -eq 0 ] || exit 1
fi
.venv/bin/python -m coverage combine --quiet
.venv/bin/python -m coverage report --include='probe/core/*' --fail-under=100 --skip-covered --show-missing
