"""A daemon as the web pages see one: it remembers what it was asked."""

import socket
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pytest_socket import socket_allow_hosts

from probe.core.access import Access, Token, WebSettings
from probe.core.check import CheckId
from probe.core.diagnostic import Diagnostic
from probe.core.fault import FaultKind
from probe.core.incident import IncidentId
from probe.core.rules import Rules
from probe.core.secret import Redactor, Secret
from probe.core.status_page import StatusPage
from probe.errors import ProbeError
from probe.loader import LoadedChecks
from probe.web.ports import Known, Live

CANARY = 'pl@nted"secret"&more/+'


@contextmanager
def unix_sockets_allowed() -> Iterator[None]:
    """pytest-socket lets nobody connect to a unix socket, which leaves no host; so let them, beside loopback."""
    before = socket.socket.connect
    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)
    yield
    socket.socket.connect = before  # type: ignore[method-assign]  # as pytest-socket does


@dataclass
class FakeDrills:
    """Knows the check `home`; a second drill is one too many."""

    report: Mapping[str, Any] | None = None

    def begin(self, check: CheckId, kind: FaultKind) -> None:
        if check != "home":
            raise KeyError(check)
        if self.report is not None:
            raise ProbeError("a drill of 'home' goes on: one at a time")
        self.report = {"check": check, "fault": kind.value, "state": "preparing"}


TOKENS = {Access.VIEWER: "a-token-that-may-look-0123456789", Access.OPERATOR: "a-token-that-may-act-0123456789"}
SETTINGS = WebSettings(
    tokens=tuple(Token(name=role.value, secret=Secret(secret), role=role) for role, secret in TOKENS.items())
)


@dataclass
class FakeDaemon:
    """What it says can be set; what it is asked is in `asked`."""

    reason: str | None = None
    worry: str | None = None
    up: bool = True
    incidents: tuple[str, ...] = ("7f3a-01", "7f3a-02")
    found: tuple[Diagnostic, ...] = ()
    error: Exception | None = None
    note: str = "/etc/probe/config.toml"
    asked: list[tuple[object, ...]] = field(default_factory=list)
    drills: FakeDrills = field(default_factory=FakeDrills)
    redactor: Redactor = field(default_factory=lambda: Redactor([Secret(CANARY)]))
    loaded: LoadedChecks | None = None
    settings: WebSettings = SETTINGS
    fleet: Mapping[str, Any] | None = None

    def known(self) -> Known:
        loaded = self.loaded
        return Known(
            rules=Rules() if loaded is None else loaded.rules,
            checks={} if loaded is None else {spec.id: spec for spec in loaded.checks},
            targets={} if loaded is None else loaded.config.targets,
            redactor=self.redactor,
            hash="ab12",
            web=self.settings,
            status_page=StatusPage() if loaded is None else loaded.config.status_page,
            restricted=frozenset(),
        )

    def healthy(self) -> str | None:
        return self.reason

    def concern(self) -> str | None:
        return self.worry

    def gauges(self) -> Mapping[str, float]:
        return {"probe_config_last_reload_successful": float(self.worry is None), "probe_jobs": 40}

    def ready(self) -> bool:
        return self.up

    def status(self) -> Live:
        return {
            "started": "2026-11-23T03:00:00.000Z",
            "pid": 4711,
            "config": {"path": self.note, "hash": "ab12"},
            "reload": {"at": None, "ok": True, "error": ""},
            "jobs": 40,
            "running": 3,
            "waiting": 0,
            "missed": 2,
            "workers": 2,
            "recorder": {"queued": 0, "trouble": None},
            "channels": {"oncall": {"pending": 0, "disabled": None}, "team": {"pending": 2, "disabled": "gone"}},
            "fleet": self.fleet,
        }

    def open_incidents(self) -> Collection[str]:
        return self.incidents

    def places(self) -> Mapping[CheckId, Collection[str]]:
        if self.loaded is not None:
            return {check: watched.regions for check, watched in self.loaded.rules.checks.items()}
        return {CheckId("checkout"): ("eu-west", "us-east"), CheckId("cart"): ("eu-west",)}

    async def reload(self) -> tuple[Diagnostic, ...]:
        self._ask("reload")
        return self.found

    async def acknowledge(self, id: IncidentId, by: str) -> None:
        self._ask("ack", id, by)
        self._known(id)

    async def mute(self, id: IncidentId, until: datetime | None, by: str) -> None:
        self._ask("mute", id, until, by)
        self._known(id)

    async def ask(self, check: CheckId, regions: tuple[str, ...]) -> None:
        self._ask("run", check, regions)

    def _known(self, id: IncidentId) -> None:
        if id not in self.incidents:
            raise KeyError(id)

    def _ask(self, *what: object) -> None:
        if self.error is not None:
            raise self.error
        self.asked.append(what)
