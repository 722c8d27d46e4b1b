"""A daemon with all that it needs about it: a shop that can be broken, channels, a configuration that can be rewritten."""

import asyncio
import json
import socket
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiohttp import ClientSession, web

from probe.cli import control
from tests.daemon.inbox import Inbox, inbox, serving
from tests.daemon.process import DaemonProcess, end_marked, rows, until
from tests.web.daemon import unix_sockets_allowed

HOSTS = {"shop": "127.0.0.1", "stock": "127.0.0.2", "mail": "127.0.0.3"}
"""Targets, each a host of its own, so that each has incidents of its own."""
LONG = 30.0
"""Seconds that anything may take on the busiest machine: a limit, not a claim."""
SECOND = 1_000_000
"""Microseconds, as moments and spans are stored."""


def echo(request: web.Request) -> str:
    """An answer that repeats the access header, as some errors do."""
    return json.dumps({"token": request.headers.get("x-access", "")})


@dataclass
class FickleShop:
    """Answers each page with 200 unless it is `broken` (500) or `hanging`; `says` is what it answers with."""

    port: int = 0
    broken: set[str] = field(default_factory=set)
    hanging: set[str] = field(default_factory=set)
    hits: Counter[str] = field(default_factory=Counter)
    says: Callable[[web.Request], str] = lambda _request: "{}"

    async def handle(self, request: web.Request) -> web.Response:
        """Count it and answer."""
        page = request.path.strip("/")
        self.hits[page] += 1
        if page in self.hanging:
            await asyncio.Event().wait()
        return web.Response(status=500 if page in self.broken else 200, text=self.says(request))


@dataclass
class Scene:
    """One folder with its configuration and its daemon, and those whom it watches and tells."""

    folder: Path
    shop: FickleShop
    inbox: Inbox
    daemon: DaemonProcess

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def configure(self, *tables: str, probe: str = "", listen: str = "127.0.0.1:0", headers: str = "") -> None:
        """Write the configuration: the targets, and these tables."""
        head = f'[probe]\ndata = "data"\nlog = "json"\nlisten = "{listen}"\n{probe}\n[store]\nballast = "0MiB"\n'
        targets = [
            f'[targets.{name}]\nurl = "http://{host}:{self.shop.port}"\n{headers}\n' for name, host in HOSTS.items()
        ]
        self.daemon.config.write_text("\n".join([head, *targets, *tables]))

    def channel(self, name: str, path: str = "") -> str:
        """The table of a webhook to the inbox."""
        return f'[channels.{name}]\nkind = "webhook"\nurl = "{self.inbox.url(path or name)}"\ntimeout = "5s"\n'

    async def up(self) -> None:
        """Start the daemon, and wait until it watches."""
        await self.daemon.start()
        await self.wait(self.daemon.is_up, "the daemon watches")

    async def ended(self) -> int:
        """The exit code of a daemon that was told to end."""

        async def gone() -> list[int]:
            return [] if self.daemon.code is None else [self.daemon.code]

        return (await until(gone, LONG, "the daemon ends", 0.05))[0]

    async def wait(self, look: Callable[[], Any], what: str) -> Any:
        """The first truthy answer; says what was awaited and shows the log when there is none, or no daemon."""

        async def looked() -> Any:
            assert self.daemon.code is None, f"the daemon ended with {self.daemon.code}: {self.daemon.said()}"
            found = look()
            return await found if isinstance(found, Awaitable) else found

        try:
            return await until(looked, LONG, what, 0.05)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.daemon.said()}") from None

    async def rows(self, query: str, *values: Any) -> list[Any]:
        """What the database holds; nothing as long as there is none."""
        try:
            return await rows(self.data, query, *values)
        except sqlite3.OperationalError:
            return []

    async def slots(self, check: str) -> list[tuple[int, int, int, str]]:
        """Number, due, count and outcome of all rows of a check that stand for slots."""
        return await self.rows(
            "SELECT slot, due, slots, outcome FROM runs JOIN places ON places.id = runs.place"
            " WHERE check_id = ? AND slot IS NOT NULL ORDER BY slot",
            check,
        )

    def lines(self) -> list[dict[str, Any]]:
        """The lines of the log since the last start."""
        written = self.daemon.log.read_text().rpartition("--- start ")[2].splitlines()[1:]
        return [json.loads(line) for line in written if line.startswith("{")]

    def logged(self, text: str) -> list[dict[str, Any]]:
        """Those whose event holds a text."""
        return [line for line in self.lines() if text in line["event"]]

    def notices(self, channel: str | None = None) -> list[dict[str, Any]]:
        """All that came, in its order, on one path of the inbox or on all."""
        return [n for a in self.inbox.arrivals if channel in (None, a.channel) for n in a.notices]

    def told(self, channel: str | None = None) -> list[tuple[str, str]]:
        """Reason and cause of all that came."""
        return [(n["reason"], n["cause"]) for n in self.notices(channel)]

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """What the control socket answers."""
        with unix_sockets_allowed():
            return await asyncio.to_thread(control.ask, self.data, method, path, body)

    def address(self) -> str:
        """Where the pages are, as the log says."""
        return str(self.logged("the pages are at ")[0]["event"].removeprefix("the pages are at "))

    async def page(self, path: str) -> tuple[int, str]:
        """Status and text of a health page."""
        async with ClientSession() as session, session.get(self.address() + path) as answer:
            return answer.status, (await answer.text()).strip()


def check(name: str, target: str = "shop", every: str = "1s", more: str = "") -> str:
    """The table of a check of one page."""
    return f'[[check]]\nname = "{name}"\ntarget = "{target}"\npath = "/{name}"\nevery = "{every}"\ntimeout = "{every}"\n{more}\n'


def gaps(slots: list[tuple[int, int, int, str]], every: int = 1) -> list[str]:
    """Where the rows of a check do not follow each other, by number and by the clock; none is the aim."""
    return [
        f"after {one} comes {following}"
        for one, following in pairwise(slots)
        if following[:2] != (one[0] + one[2], one[1] + one[2] * every * SECOND)
    ]


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    """A scene, and at the end no process of it."""
    shop, marker = FickleShop(), uuid4().hex
    async with serving(shop.handle, *HOSTS.values()) as shop.port, inbox() as box:
        daemon = DaemonProcess(folder / "config.toml", folder / "daemon.log", marker)
        try:
            yield Scene(folder, shop, box, daemon)
        finally:
            if daemon.starts and daemon.code is None:
                await daemon.kill()
            end_marked(marker)


class Manager:
    """A service manager's ear: what the daemon says to it, line by line."""

    def __init__(self, ear: socket.socket) -> None:
        self._ear = ear
        self.said: list[str] = []

    def listen(self) -> list[str]:
        """Everything until now."""
        while True:
            try:
                self.said += self._ear.recv(4096).decode().split("\n")
            except BlockingIOError:
                return self.said

    def after(self, line: str) -> list[str]:
        """What was said after a line that begins so was said last; `[]` when it was not."""
        said = self.listen()
        places = [index for index, one in enumerate(said) if one.startswith(line)]
        return said[places[-1] + 1 :] if places else []


@contextmanager
def manager() -> Iterator[tuple[Manager, str]]:
    """A manager, and the `NOTIFY_SOCKET` it listens on."""
    name = f"probe-test-{uuid4().hex}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(f"\0{name}")
        ear.setblocking(False)
        yield Manager(ear), f"@{name}"
