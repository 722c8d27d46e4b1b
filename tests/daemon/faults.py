"""The demo shop under the real daemon: a fault is switched on, somebody is told, it is switched off, they are told again."""

import asyncio
import json
import re
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from probe.demo.shop import Shop, running_shop
from tests.daemon.inbox import Inbox, inbox
from tests.daemon.process import DaemonProcess, end_marked, rows, until
from tests.test_faults import CHECKS, SEEN, SPREADS, Expected

THIRD_PARTY = {"third-party-hang", "cdn-missing"}
"""Faults that are not the shop's own."""
ANY = "*"
WAITS = {"no_response", "slow", "step_slow", "slow_body", "tls_timeout", "connect_timeout", "element"}
ALSO: dict[str, list[Expected]] = {
    "latency": [Expected(ANY, None, {"http", "tls", "timing", "connect"}, WAITS, "")],
    "loss": [Expected(ANY, None, {"http", "tls", "timing", "connect"}, {*WAITS, "connection_reset"}, "")],
    "dns-gone": [Expected(ANY, None, {"dns"}, {"name_not_found"}, "")],
    "bad-worker": [Expected(ANY, None, {"http"}, {"status"}, "500")],
    "db-down": [Expected(ANY, None, {"http"}, {"status"}, "503")],
    "db-slow": [Expected(ANY, None, {"http", "timing"}, WAITS | {"status"}, "")],
    "cache-lost": [Expected(ANY, None, {"http", "timing"}, WAITS | {"status"}, "")],
    "payment-slow": [Expected(ANY, "checkout", {"http", "timing"}, {"no_response", "status", "step_slow"}, "")],
    "payment-down": [Expected(ANY, "checkout", {"http"}, {"status"}, "502")],
    "hung-process": [Expected(ANY, None, {"http", "tls", "connect"}, WAITS, "")],
    "broken-page": [Expected(ANY, None, {"script", "content"}, {"page_error", "element", "body", "json"}, "")],
}
"""What other checks that rightly suffer may be the first to see: the same entries, for any check."""
SLACK = 4.0
"""Seconds for what is between the run that decides and the message: judging, writing, posting, on a busy machine."""
CHANNEL = "team"
CONFIG = """
[probe]
checks = ["shop.py"]
data = "data"
listen = "off"
grace = "5s"

[browser]
workers = 1

[regions.local]
nameserver = "{nameserver}"

[targets.shop]
url = "{shop}"
secrets = {{ card = "4242 4242 4242 4242" }}
third_parties = ["cdn.demo.test", "metrics.demo.test", "pay.demo.test"]

[targets.shop-tls]
url = "{shop_tls}"
ca = "{ca}"

[slo.checkout]
objective = "99.5%"
latency = {{ step = "checkout", under = "3s", objective = "99%" }}

[channels.team]
kind = "webhook"
url = "{channel}"

[[check]]
name = "certificate"
target = "shop-tls"
path = "/healthz"
every = "{plain}s"
timeout = "{short}s"
expect = {{ status = 200, tls_days = 14 }}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds from one run to the next, and that a run may take: of the journey, and of the checks without a browser."""

    journey: int
    journey_timeout: int
    plain: int
    plain_timeout: int

    def every(self, check: str) -> int:
        return self.journey if check == "checkout" else self.plain

    def timeout(self, check: str) -> int:
        return self.journey_timeout if check == "checkout" else self.plain_timeout


def at_pace(source: str, pace: Pace) -> str:
    """The example checks, run as often as that."""

    def paced(found: re.Match[str]) -> str:
        every, timeout = (
            (pace.journey, pace.journey_timeout) if found[1] == "journey" else (pace.plain, pace.plain_timeout)
        )
        return f'@{found[1]}(every="{every}s", timeout="{timeout}s",'

    paced_source, count = re.subn(r'@(journey|check)\(every="\w+", timeout="\w+",', paced, source)
    assert count == 3, "the example checks have changed"
    return paced_source


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How a fault was told. Times are seconds: to the opening since the fault, to the resolution since its end."""

    fault: str
    opened: float
    intervals: float
    check: str
    step: str | None
    reason: str
    verdict: str
    severity: str
    resolved: float
    burn: str | None
    wrong: tuple[str, ...]
    """What is not as it should be."""


@dataclass
class Lab:
    """A shop, the daemon that watches it, and whoever is told."""

    shop: Shop
    daemon: DaemonProcess
    inbox: Inbox
    data: Path
    pace: Pace
    _read: int = field(default=0, init=False)

    async def healthy(self, within: float = 60) -> None:
        """Wait until the last run of every check has passed, and nothing is open."""
        await until(self._is_healthy, within, "every check passes")
        self._read = len(self.inbox.arrivals)

    async def _is_healthy(self) -> bool:
        assert self.daemon.code is None, f"the daemon ended with {self.daemon.code}:\n{self.daemon.said()}"
        try:
            checks = await rows(self.data, "SELECT body FROM state WHERE kind = 'check'")
            opened = await rows(self.data, "SELECT id FROM incidents WHERE resolved IS NULL")
        except sqlite3.OperationalError:
            return False
        places = [place for (body,) in checks for place in json.loads(body)["places"].values()]
        return len(checks) == 4 and not opened and all(place["outcome"] == "passed" for place in places)

    async def _told(self, reason: str, within: float) -> tuple[float, dict[str, Any]]:
        """When the next such notification came, and what it said."""

        async def come() -> tuple[float, dict[str, Any]] | None:
            assert self.daemon.code is None, f"the daemon ended with {self.daemon.code}:\n{self.daemon.said()}"
            for arrival in self.inbox.arrivals[self._read :]:
                for notice in arrival.notices:
                    if notice["reason"] == reason:
                        return arrival.at, notice
            return None

        return await until(come, within, reason, 0.05)

    async def suffer(self, fault: str, *, burn: bool = False) -> Told:
        """Switch a fault on until somebody is told (with `burn`, until its budget burns), and off until they are told so."""
        await self.healthy()
        ((before,),) = await rows(self.data, "SELECT coalesce(max(seq), 0) FROM timeline")
        longest = 2 * max(self.pace.journey, self.pace.plain)
        begun = time.monotonic()
        await self.shop.set_fault(fault, True)
        try:
            opened, notice = await self._told("opened", 3 * longest + 30)
            burned = await self._burn(notice["incident"]) if burn else None
        finally:
            off = time.monotonic()
            await self.shop.set_fault(fault, False)
        resolved, _ = await self._told("resolved", 4 * longest + 30)
        ((body,),) = await rows(self.data, "SELECT body FROM incidents WHERE id = ?", notice["incident"])
        incident = json.loads(body)
        first = min(incident["members"].values(), key=lambda member: (member["since"], member["check"]), default=None)
        wrong = [*self._wrong(fault, notice, first), *await self._others(notice["incident"], before)]
        check = first["check"] if first else ""
        every, took = self.pace.every(check), await self._length(first["run"]) if first else 0.0
        limit = 2 * every + took + SLACK + 10 * (fault in SPREADS)
        if opened - begun > limit:
            wrong.append(f"told after {opened - begun:.1f} s, not within {limit:.1f} s")
        return Told(
            fault=fault,
            opened=opened - begun,
            intervals=(opened - begun) / every,
            check=check,
            step=notice["step"],
            reason=f"{first['failure']['layer']}: {first['failure']['message']}" if first else notice["title"],
            verdict=notice["verdict"],
            severity=notice["severity"],
            resolved=resolved - off,
            burn=burned,
            wrong=tuple(wrong),
        )

    async def _length(self, run: str) -> float:
        """How many seconds a run took."""
        ((duration,),) = await rows(self.data, "SELECT duration FROM runs WHERE id = ?", run)
        return float(duration) / 1_000_000

    async def _burn(self, incident: str) -> str:
        """What the timeline of an incident says of the latency objective: waited for."""
        query = "SELECT text FROM timeline WHERE incident = ? AND what = 'burn' AND text LIKE 'checkout/latency%'"

        async def noted() -> str | None:
            found = await rows(self.data, query, incident)
            return found[0][0] if found else None

        return await until(noted, 15 * 60, "the latency objective burns", 1)

    def _wrong(self, fault: str, notice: dict[str, Any], first: dict[str, Any] | None) -> list[str]:
        """What the opening says that it should not."""
        if first is None:
            return [f"an incident without checks was opened: {notice['title']}"]
        failure = first["failure"]
        known = [entry for entry in (*SEEN[fault], *ALSO.get(fault, ())) if entry.check in {first["check"], ANY}]
        found = []
        if not any(
            entry.step in {failure["step"], None}
            and failure["layer"] in entry.layers
            and failure["kind"] in entry.kinds
            and entry.words in failure["message"]
            for entry in known
        ):
            found.append(f"{first['check']} speaks, of {failure}")
        if notice["step"] != failure["step"]:
            found.append(f"the message names the step {notice['step']}")
        if f"{failure['layer']}: {failure['message']}" not in notice["body"]:
            found.append(f"the message does not say the reason: {notice['body']}")
        verdict = "third_party" if fault in THIRD_PARTY else "down"
        if (notice["verdict"], notice["severity"]) != (verdict, "page"):
            found.append(f"it is told as {notice['verdict']}, {notice['severity']}")
        return found

    async def _others(self, incident: str, before: int) -> list[str]:
        """What was told, or decided, beside one opening and one resolution."""
        said = [(n["incident"], n["reason"]) for a in self.inbox.arrivals[self._read :] for n in a.notices]
        found = [] if said == [(incident, "opened"), (incident, "resolved")] else [f"messages: {said}"]
        entries = await rows(self.data, "SELECT incident, what, text FROM timeline WHERE seq > ? ORDER BY seq", before)
        quiet = {"evidence", "joined", "recovered", "burn"}
        decided = [(one, what) for one, what, _ in entries if what not in quiet]
        if decided != [(incident, "opened"), (incident, "resolved")]:
            found.append(f"timeline: {entries}")
        return found


@asynccontextmanager
async def lab(folder: Path, pace: Pace) -> AsyncIterator[Lab]:
    """A healthy shop that is watched at a pace."""
    async with running_shop() as shop, inbox() as box:
        urls = shop.urls
        (folder / "shop.py").write_text(at_pace(CHECKS.read_text(), pace))
        (folder / "config.toml").write_text(
            CONFIG.format(
                nameserver=urls.nameserver,
                shop=urls.named,
                shop_tls=urls.named_https,
                ca=urls.ca,
                channel=box.url(CHANNEL),
                plain=pace.plain,
                short=pace.plain_timeout,
            )
        )
        async with watching(folder) as daemon:
            yield Lab(shop, daemon, box, folder / "data", pace)


@asynccontextmanager
async def watching(folder: Path) -> AsyncIterator[DaemonProcess]:
    """The daemon with `config.toml` in `folder`; at the end it stops as it should."""
    daemon = DaemonProcess(folder / "config.toml", folder / "daemon.log", uuid4().hex)
    try:
        await daemon.start()
        yield daemon
        code = await daemon.stop()
        assert code == 0, f"the graceful stop ended with {code}:\n{daemon.said()}"
        assert "Traceback" not in daemon.said(10_000), daemon.said(10_000)
    finally:
        await asyncio.to_thread(end_marked, daemon.marker)
