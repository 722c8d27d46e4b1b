#!/bin/sh
# What `make test` runs, after set-up. The tests of what only computes run beside those that wait for real processes.
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
    log=$(mktemp)
    computing="tests/backtest tests/cli tests/config tests/core tests/engine tests/net tests/notifiers tests/simulation tests/store"
    # shellcheck disable=SC2086  # they are several
    .venv/bin/python -m coverage run -m pytest $computing >"$log" 2>&1 &
    beside=$!
    # shellcheck disable=SC2046,SC2086  # each is an option of its own
    waiting=0
    .venv/bin/python -m coverage run -m pytest tests $(printf -- '--ignore=%s ' $computing) || waiting=$?
    wait "$beside" || { cat "$log"; rm -f "$log"; exit 1; }
    cat "$log"
    rm -f "$log"
    [ "$waiting" -eq 0 ] || exit "$waiting"
fi
.venv/bin/python -m coverage combine --quiet
.venv/bin/python -m coverage report --include='probe/core/*' --fail-under=100 --skip-covered --show-missing
