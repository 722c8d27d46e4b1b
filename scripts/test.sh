#!/bin/sh
# What `make test` runs, after set-up: types and four parts of the tests beside each other, so that what computes and what
# waits for real processes, databases, browsers and networks share the time.
set -eu
cd "$(dirname "$0")/.."
sh scripts/services.sh
.venv/bin/python -m ruff check .
.venv/bin/python -m ruff format --check .
.venv/bin/lint-imports
rm -f .coverage .coverage.*
if [ "$#" -gt 0 ]; then
    .venv/bin/python -m mypy
    .venv/bin/python -m coverage run -m pytest "$@"
else
    logs=$(mktemp -d)
    computing="tests/backtest tests/cli tests/config tests/core tests/engine tests/net tests/notifiers tests/simulation tests/store"
    waiting="tests/fleet tests/lab tests/worker"
    looking="tests/daemon tests/view tests/web"
    started=""
    for part in computing waiting looking; do
        eval "folders=\$$part"
        # shellcheck disable=SC2086  # they are several
        .venv/bin/python -m coverage run -m pytest $folders >"$logs/$part" 2>&1 &
        started="$started $!"
    done
    .venv/bin/python -m mypy >"$logs/types" 2>&1 &
    started="$started $!"
    failed=0
    # shellcheck disable=SC2046,SC2086  # each is an option of its own
    .venv/bin/python -m coverage run -m pytest tests $(printf -- '--ignore=%s ' $computing $waiting $looking) || failed=1
    for one in $started; do
        wait "$one" || failed=1
    done
    cat "$logs"/*
    rm -rf "$logs"
    [ "$failed" -eq 0 ] || exit 1
fi
.venv/bin/python -m coverage combine --quiet
.venv/bin/python -m coverage report --include='probe/core/*' --fail-under=100 --skip-covered --show-missing
