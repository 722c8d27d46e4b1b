#!/bin/sh
# What `make test` runs, after set-up.
set -eu
cd "$(dirname "$0")/.."
sh scripts/services.sh
.venv/bin/python -m ruff check .
.venv/bin/python -m ruff format --check .
.venv/bin/lint-imports
.venv/bin/python -m mypy
rm -f .coverage .coverage.*
.venv/bin/python -m coverage run -m pytest "$@"
.venv/bin/python -m coverage combine --quiet
.venv/bin/python -m coverage report --include='probe/core/*' --fail-under=100 --skip-covered --show-missing
