"""What single services of Apprise need so that a repeated message is known for one, and an end ends what was begun."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

KEEPERS: Final = frozenset({"pagerduty", "opsgenie"})
"""Services that open and close incidents of their own: several are told to them one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One message, as Apprise takes it. `kind` is its word for what it is about: `failure`, `warning`, `success`, `info`.

    `incident` is `None` if it is about several.
    """

    title: str
    body: str
    kind: str
    key: str
    incident: str | None = None
    ends: bool = False
    """It says that the incident is over."""
    tries: bool = False
    """It only tries the channel out: what it opens is closed at once."""
    picture: str | None = None


def prepare(plugin: Any, kind: str, letter: Letter) -> None:
    """Set on Apprise's object for a service of a kind what makes this letter known to that service as itself."""
    act = _ACTS.get(kind)
    if act is not None:
        act(plugin, letter)


def _pagerduty(plugin: Any, letter: Letter) -> None:
    plugin.request_rate_per_sec = 0  # Apprise waits 5.5 s between two events; PagerDuty takes 120 in a minute
    plugin.dedup = letter.incident
    plugin.action = "resolve" if letter.ends else "trigger"


def _opsgenie(plugin: Any, letter: Letter) -> None:
    plugin.request_rate_per_sec = 0  # as above; Opsgenie says 429 when it is too much
    plugin.alias = letter.incident
    plugin.action = "close" if letter.ends else "new"
    if not letter.ends or letter.incident is None:
        return
    # Apprise closes by the request ids that it remembers from opening, which a restart forgets. An alert can be closed
    # by its alias too: hand the alias in as the one id remembered, and say of what type it is.
    place = hashlib.sha1((plugin.entity or plugin.alias).encode(), usedforsecurity=False).hexdigest()[:10]
    plugin.store.set(place, [quote(letter.incident, safe="")])
    fetch = type(plugin)._fetch  # there is no public way to close by alias

    def by_alias(method: Any, url: str, payload: Any, params: Any = None) -> Any:
        return fetch(plugin, method, url, payload, params and {"identifierType": "alias"})

    plugin._fetch = by_alias  # as above


def _http(plugin: Any, letter: Letter) -> None:
    plugin.headers["Idempotency-Key"] = letter.key


def _mail(plugin: Any, letter: Letter) -> None:
    plugin.headers["X-Probe-Key"] = letter.key
    if letter.incident is not None:  # mail programs show what refers to the same id as one conversation
        plugin.headers["References"] = f"<{letter.incident}@probe.invalid>"


_ACTS: Final[Mapping[str, Callable[[Any, Letter], None]]] = MappingProxyType(
    {
        "pagerduty": _pagerduty,
        "opsgenie": _opsgenie,
        "jsons": _http,
        "xmls": _http,
        "forms": _http,
        "mailtos": _mail,
    }
)
