"""The lab's network: namespaces with addresses, and the lines between them, which may be changed while they are used."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.daemon.inbox import Handler
from tests.lab.namespaces import listener, namespaces
from tests.lab.wan import Line

ADDRESS = "10.77.0.{}"
"""The network's addresses: two runs at once may have the same, for no packet leaves its namespaces."""


class Network:
    """The process, and what is asked of it. Names are those of the lab: `eu`, not what the namespace is really called."""

    def __init__(self, process: asyncio.subprocess.Process, called: dict[str, str], hosts: dict[str, str]) -> None:
        self._process = process
        self._called = called
        self._lines: dict[tuple[str, str], Line] = {}
        self._turn = asyncio.Lock()
        self.hosts = hosts
        """Name → address."""

    @property
    def namespaces(self) -> dict[str, str]:
        """Name → what its namespace is really called."""
        return self._called

    async def lay(self, one: str, other: str, line: Line, *, both: bool = True) -> None:
        """How it is from one to the other, and back unless it is said otherwise."""
        for source, target in [(one, other), *([(other, one)] if both else [])]:
            self._lines[source, target] = line
            await self._ask({"from": self._called[source], "to": self._called[target], "line": asdict(line)})

    async def cut(self, one: str, other: str, *, both: bool = True) -> None:
        """Nothing comes through any more; no connection is told."""
        await self._change(one, other, both, cut=True)

    async def mend(self, one: str, other: str, *, both: bool = True) -> None:
        """As it was before it was cut."""
        await self._change(one, other, both, cut=False)

    def cuts(self) -> set[tuple[str, str]]:
        """From where to where nothing comes."""
        return {pair for pair, line in self._lines.items() if line.cut}

    async def counts(self) -> dict[tuple[str, str, str], int]:
        """(from, to, `carried` or `lost`) → packets."""
        names = {called: name for name, called in self._called.items()} | {"": ""}
        return {(names[s], names[t], how): count for s, t, how, count in await self._ask({"counts": True})}

    async def _change(self, one: str, other: str, both: bool, *, cut: bool) -> None:
        for source, target in [(one, other), *([(other, one)] if both else [])]:
            line = self._lines.get((source, target), Line())
            await self.lay(source, target, replace(line, cut=cut), both=False)

    async def _ask(self, order: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        async with self._turn, asyncio.timeout(10):
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            answer = await self._process.stdout.readline()
        assert answer, f"the network has ended with {self._process.returncode}"
        return json.loads(answer)


@asynccontextmanager
async def network(folder: Path, *names: str, seed: int = 1) -> AsyncIterator[Network]:
    """Namespaces of these names, all of them in reach of each other without delay; what goes wrong is in `network.log`."""
    with namespaces(*names) as called:
        hosts = {name: ADDRESS.format(number) for number, name in enumerate(names, start=1)}
        asked = {"hosts": {called[name]: address for name, address in hosts.items()}, "seed": seed}
        with (folder / "network.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.lab.wan", json.dumps(asked)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            async with asyncio.timeout(20):
                ready = await process.stdout.readline()
            assert ready, f"the network did not start: {(folder / 'network.log').read_text()}"
            yield Network(process, called, hosts)
        finally:
            process.stdin.close()
            async with asyncio.timeout(10):
                await process.wait()


@asynccontextmanager
async def served(net: Network, name: str, port: int, handle: Handler) -> AsyncIterator[None]:
    """A web server inside a namespace whose answers are made out here, where the test can change them."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    assert runner.server is not None
    try:
        ear = listener(net.namespaces[name], net.hosts[name], port)
        await web.SockSite(runner, ear).start()
        yield
        # Who comes in while a server is closed stays half open, until Python 3.12; so nobody comes in any more.
        asyncio.get_running_loop().remove_reader(ear)
        await _turns()
        # Whom it answers may be gone, or cut off: nobody takes what is still to be sent, and no end of it would come.
        for connection in runner.server.connections:
            if connection.transport is not None:
                connection.transport.abort()
    finally:
        await runner.cleanup()
        await _turns()  # until all of them are closed


async def _turns() -> None:
    """A few turns of the loop: as many as it needs to take a connection in, or to close it."""
    for _ in range(10):
        await asyncio.sleep(0)
