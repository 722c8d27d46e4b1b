# Needs git, make and Python 3.11+; everything else is set up from here.

.PHONY: help setup demo test chaos faults simulation lint types fmt bench bench-fleet bench-web bench-detect bench-live doc screenshots
.DEFAULT_GOAL := help
RUN := .venv/bin/python -m

help:   ## what can be made
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/make \1\t\2/p' Makefile | expand -t 20

setup:  ## the environment from uv.lock (.venv), and a browser
	@sh scripts/setup.sh

demo: setup  ## the demo shop, and the example journeys walking it
	@$(RUN) probe demo

test: setup  ## the whole suite: architecture, lint, types and tests, with coverage of core/
	@sh scripts/test.sh

chaos: setup  ## kill everything 300 times, then a fleet in a lab of networks for 20 minutes (an hour; not part of the suite)
	@sh scripts/services.sh
	$(RUN) tests.chaos --kills 300
	$(RUN) tests.lab --minutes 20

faults: setup  ## each fault of the demo shop under the daemon (a quarter of an hour; not part of the suite)
	$(RUN) tests.daemon --all

simulation: setup  ## weeks of the daemon in virtual time, from fifty seeds (minutes; not part of the suite)
	$(RUN) tests.simulation --seeds 1-50

lint: setup  ## ruff and the layers of the house (import-linter)
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	.venv/bin/lint-imports

types: setup  ## mypy, strict
	$(RUN) mypy

fmt: setup  ## format, and mend what ruff can mend
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

bench: setup  ## measure against the floors and write docs/performance.md (minutes; not part of the suite)
	$(RUN) scripts.bench

bench-fleet: setup  ## how many runs one PostgreSQL takes, and how soon they are judged (minutes; not part of the suite)
	$(RUN) scripts.bench --only fleet

bench-web: setup  ## how long the pages take with ten million runs stored (ten minutes at first, and 3 GB in the temporary folder; not part of the suite)
	$(RUN) scripts.bench --only web

bench-detect: setup  ## how soon outages are told, beside the tuned rules of other tools (ten minutes; not part of the suite)
	$(RUN) scripts.bench_detect

bench-live: setup  ## how soon each fault of the demo shop is told under the daemon, beside the rules of other tools (two hours; not part of the suite)
	$(RUN) scripts.bench_detect.live --recovery 240

screenshots: setup  ## take the pictures of the pages for the README (docs/images)
	$(RUN) scripts.screenshots

doc: setup  ## write the texts that are made from the code: probe --help
	$(RUN) scripts.help
