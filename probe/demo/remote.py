"""Talking to a shop that runs somewhere on this machine, for the command line. Synchronous, and quick to import."""

import json
import urllib.error
import urllib.request
from typing import Any, Final
from urllib.parse import quote

from probe.demo.errors import DemoError

_TIMEOUT: Final = 10.0

# A proxy from the environment is for the world, not for loopback.
_OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def list_faults(panel_url: str) -> list[dict[str, Any]]:
    """Every fault: name, description, customer, layer, on."""
    faults: list[dict[str, Any]] = _ask(panel_url, "GET", "/api/faults")["faults"]
    return faults


def set_fault(panel_url: str, name: str, on: bool) -> dict[str, Any]:
    """Turn a fault on or off; the fault as it is now."""
    return _ask(panel_url, "PUT", f"/api/faults/{quote(name, safe='')}", {"on": on})


def clear_faults(panel_url: str) -> list[dict[str, Any]]:
    """Turn everything off; every fault as it is now."""
    faults: list[dict[str, Any]] = _ask(panel_url, "DELETE", "/api/faults")["faults"]
    return faults


def describe(panel_url: str) -> dict[str, Any]:
    """The shop's urls, ports, ca, nameserver and services."""
    return _ask(panel_url, "GET", "/api/shop")


def _ask(panel_url: str, method: str, path: str, body: object = None) -> dict[str, Any]:
    base = panel_url.rstrip("/")
    nobody = f"no demo shop answers at {base}: start one with `probe demo shop`"
    if not base.startswith("http://"):
        raise DemoError(f"{panel_url!r} is no address of a fault panel: it begins with http://")
    data = None if body is None else json.dumps(body).encode()
    headers = {} if data is None else {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{base}{path}", data=data, headers=headers, method=method)  # noqa: S310  # http, see above
    try:
        with _OPENER.open(request, timeout=_TIMEOUT) as answer:
            found = json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            raise DemoError(_said(error) or nobody) from error
    except (OSError, ValueError) as error:
        raise DemoError(nobody) from error
    if not isinstance(found, dict):
        raise DemoError(nobody)
    return found


def _said(error: urllib.error.HTTPError) -> str | None:
    """What the panel had against it; None if it was not a panel that answered."""
    try:
        message = json.load(error)["error"]
    except (ValueError, KeyError, TypeError):
        return None
    return str(message)
