#!/bin/sh
# Makes the environment (.venv) from uv.lock and sees to it that there is a browser. Safe to run again and again.
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }

python=""
for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
  if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$(command -v "$candidate")
    break
  fi
done
if [ -z "$python" ]; then
  say "probe needs Python 3.11 or newer: install it (apt-get install python3), or name it: make setup PYTHON=/path/to/python"
  exit 1
fi

uv=$(command -v uv || true)
if [ -z "$uv" ]; then
  say "fetching uv from PyPI ..."
  uv=$("$python" scripts/get_uv.py "${XDG_CACHE_HOME:-$HOME/.cache}/probe")
fi
say "making .venv from uv.lock ..."
# The system's certificates, so that it works behind a company's proxy as well.
export UV_PYTHON_DOWNLOADS=never UV_SYSTEM_CERTS=1
"$uv" sync --locked --quiet --python "$python"

# The browser: the one that is configured or installed; else Playwright's own; else Debian's, when we may install it.
if ! browser=$(.venv/bin/python -m probe.worker.browser 2>/dev/null); then
  say "no browser here; trying Playwright's own ..."
  # The download first: --with-deps would install a hundred packages before it finds that there is no download.
  if timeout 600 .venv/bin/playwright install --only-shell chromium >/tmp/probe-playwright-install.log 2>&1; then
    .venv/bin/playwright install --with-deps --only-shell chromium >&2 || true
  fi
  if ! browser=$(.venv/bin/python -m probe.worker.browser 2>/dev/null) && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "trying the system's packages (apt-get) ..."
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -q && apt-get install -y -q --no-install-recommends chromium-headless-shell fonts-liberation \
      || apt-get install -y -q --no-install-recommends chromium fonts-liberation; } >/tmp/probe-apt.log 2>&1 || true
  fi
  # The last word is the program's own: where it looked, and what to install.
  browser=$(.venv/bin/python -m probe.worker.browser)
fi
say "browser: $browser"
